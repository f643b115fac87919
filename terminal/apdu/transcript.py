"""A fake card that holds exactly one dialogue, for tests and for replaying recorded dialogues."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from terminal.apdu.command import Command
from terminal.apdu.describe import describe
from terminal.apdu.protocols import LinkProtocol
from terminal.errors import ApduError, CardGone, DeadlineExceeded, TransportError

DEFAULT_ATR = bytes.fromhex("3BF81300008131FE454A434F5076323431B7")
"""A JCOP 2.4.1 card: T=1, no card capabilities indicated."""
_RESET = "RESET"
_FAULTS: dict[str, type[TransportError]] = {"TIMEOUT": DeadlineExceeded, "GONE": CardGone}
"""Exchanges without an answer: the card did not answer in time, or was pulled."""


class TranscriptError(AssertionError):
    """The dialogue differs from the transcript. Not a TransportError, so that no retry hides it."""


class Transcript:
    """A Transport that answers each expected command once, in order, byte for byte.

    ``turns`` are pairs of hex: the command APDU and the answer with its status word; spaces are ignored. A turn whose
    command is ``RESET`` expects a reset and answers an ATR; an answer ``TIMEOUT`` raises DeadlineExceeded, ``GONE``
    CardGone. A wrong or surplus command raises TranscriptError, which shows the expected beside the actual command; so
    does the end of a ``with`` block whose body did not raise when turns are left.
    """

    def __init__(
        self,
        *turns: tuple[str, str],
        atr: bytes = DEFAULT_ATR,
        protocol: LinkProtocol = LinkProtocol.T1,
        extended_length: bool = True,
    ) -> None:
        self._turns = [_turn(*turn) for turn in turns]
        self._at = 0
        self._atr = atr
        self._protocol = protocol
        self._extended = extended_length
        self.closed = False

    @classmethod
    def parse(cls, text: str) -> Transcript:
        """From the file form: one turn a line, command and answer separated by ``|``.

        ``#`` starts a comment. Lines ``atr: HEX``, ``protocol: T=0`` or ``extended: no`` may come first.
        Raises TranscriptError with the line number.
        """
        turns: list[tuple[str, str]] = []
        settings = {"atr": DEFAULT_ATR.hex(), "protocol": LinkProtocol.T1.value, "extended": "yes"}
        for number, line in enumerate(text.splitlines(), 1):
            line = line.partition("#")[0].strip()
            if not line:
                continue
            left, bar, right = (part.strip() for part in line.partition("|"))
            key, colon, value = (part.strip() for part in line.partition(":"))
            if bar:
                turns.append((left, right))
            elif colon and key in settings and not turns:
                settings[key] = value
            else:
                raise TranscriptError(f"line {number} is neither COMMAND | ANSWER nor atr:, protocol:, extended:")
        return cls(
            *turns,
            atr=bytes.fromhex(settings["atr"]),
            protocol=LinkProtocol(settings["protocol"]),
            extended_length=settings["extended"] == "yes",
        )

    @classmethod
    def load(cls, path: Path) -> Transcript:
        """From a file in the form that :meth:`parse` reads, UTF-8."""
        return cls.parse(path.read_text(encoding="utf-8"))

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def protocol(self) -> LinkProtocol:
        return self._protocol

    @property
    def extended_length(self) -> bool:
        return self._extended

    @property
    def left(self) -> int:
        """Number of turns that have not taken place yet."""
        return len(self._turns) - self._at

    def exchange(self, apdu: bytes) -> bytes:
        return self._take(bytes(apdu))

    def reset(self) -> bytes:
        self._atr = self._take(None)
        return self._atr

    def close(self) -> None:
        self.closed = True

    def done(self) -> None:
        """Raises TranscriptError when turns are left."""
        if self.left:
            command, _ = self._turns[self._at]
            raise TranscriptError(f"{self.left} turns were not taken; the next is\n  {_line(command)}")

    def _take(self, actual: bytes | None) -> bytes:
        if self.closed:
            raise TranscriptError(f"after close:\n  {_line(actual)}")
        if not self.left:
            raise TranscriptError(f"turn {self._at + 1} is beyond the end:\n  actual    {_line(actual)}")
        expected, answer = self._turns[self._at]
        if actual != expected:
            raise TranscriptError(
                f"turn {self._at + 1} of {len(self._turns)}:\n  expected  {_line(expected)}\n"
                f"  actual    {_line(actual)}\n            {_pointer(expected, actual)}"
            )
        self._at += 1
        if isinstance(answer, str):
            raise _FAULTS[answer](f"the transcript says {answer} at turn {self._at}")
        return answer

    def __enter__(self) -> Transcript:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.done()


def _turn(command: str, answer: str) -> tuple[bytes | None, bytes | str]:
    expected = None if command.strip().upper() == _RESET else bytes.fromhex(command)
    fault = answer.strip().upper()
    return expected, fault if fault in _FAULTS else bytes.fromhex(answer)


def _line(apdu: bytes | None) -> str:
    if apdu is None:
        return _RESET
    try:
        command = Command.decode(apdu)
    except ApduError as error:
        return f"{apdu.hex().upper()}  ({error})"
    return f"{apdu.hex().upper()}  {describe(*command.header)}"


def _pointer(expected: bytes | None, actual: bytes | None) -> str:
    """A caret under the first byte that differs."""
    if expected is None or actual is None:
        return ""
    same = next(
        (i for i, (a, b) in enumerate(zip(expected, actual, strict=False)) if a != b), min(len(expected), len(actual))
    )
    return "  " * same + "^^"


def turns(pairs: Iterable[tuple[bytes, bytes | TransportError]]) -> str:
    """The file form of a recorded dialogue: pairs of a command and its answer, or the exception in place of an answer.

    Raises KeyError for an exception that the file form has no word for.
    """
    names = {kind: name for name, kind in _FAULTS.items()}
    lines = ((command, a.hex().upper() if isinstance(a, bytes) else names[type(a)]) for command, a in pairs)
    return "".join(f"{command.hex().upper()} | {answer}\n" for command, answer in lines)
