"""A scripted printer at the other end of a link: each command in its turn, with the bytes that answer it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from terminal.errors import ReaderFault

FIRMWARE = ("Rfv", b"\x06Dualys 0410\r")
AWAKE = (("Pem;2", b""), ("Pem;4", b"\x06"), FIRMWARE)
"""The beginning of a conversation in the ACK/NACK protocol."""
LOST = ReaderFault("the link was lost")


class PrinterScript:
    """A ByteLink. A turn is a command without ESC and CR (``Db;y;128;`` and so on without their data), and what is
    answered: bytes, or LOST. A byte that does not come is waited for in no time."""

    def __init__(self, *turns: tuple[str, bytes | ReaderFault]) -> None:
        self.turns = deque(turns)
        self.open = True
        self._answers: deque[bytes | ReaderFault] = deque()

    def follow(self, turns: Iterable[tuple[str, bytes | ReaderFault]]) -> None:
        self.turns.extend(turns)

    def write(self, data: bytes) -> None:
        assert self.turns, f"{data[:40]!r} is one command too many"
        command, answer = self.turns.popleft()
        whole = b"\x1b" + command.encode("ascii") + b"\r"
        panel = command.startswith("Db")
        assert data.startswith(whole[:-1]) and data.endswith(b"\r") if panel else data == whole, (data[:40], command)
        self._answers.append(answer)

    def read(self, seconds: float) -> bytes:
        while self._answers:
            answer = self._answers.popleft()
            if isinstance(answer, ReaderFault):
                self.close()
                raise answer
            if answer:
                return answer
        return b""

    def discard(self) -> None:
        self._answers.clear()

    def close(self) -> None:
        self.open = False
