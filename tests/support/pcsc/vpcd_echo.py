"""A minimal card for transport tests: connects to a vpcd slot and responds by a function, or is mute."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from tests.support.waiting import PATIENCE

ATR = bytes.fromhex("3BF81300008131FE454A434F5076323431B7")


def echo(apdu: bytes) -> bytes:
    return apdu + b"\x90\x00"


class VpcdCard:
    """Inserted at ``host:port`` on entry, pulled on exit. ``answer(apdu)`` returns data and SW; None: no response."""

    def __init__(
        self, host: str, port: int, answer: Callable[[bytes], bytes | None] = echo, atr: bytes | None = ATR
    ) -> None:
        self._address = (host, port)
        self._answer = answer
        self._atr = atr
        self.resets = 0
        self.seen: list[bytes] = []

    def __enter__(self) -> VpcdCard:
        self._socket = socket.create_connection(self._address, timeout=PATIENCE)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, name=f"card at {self._address[1]}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pull()

    def pull(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while head := self._receive(2):
                body = self._receive(int.from_bytes(head, "big"))
                if body == b"\x04":
                    answer = self._atr
                elif len(body) == 1:
                    self.resets += body == b"\x02"
                    continue
                else:
                    self.seen.append(body)
                    answer = self._answer(body)
                if answer is not None:
                    self._socket.sendall(len(answer).to_bytes(2, "big") + answer)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            # The driver sends length and body separately: without this, each command waits 44 ms for a delayed ACK.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                return b""
            data += chunk
        return data
