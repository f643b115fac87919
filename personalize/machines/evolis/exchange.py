"""Commands to a printer and its answers, over a link that may lose bytes.

A command has no number and no check code, and an answer does not say to which command it belongs. So an order that
moves, writes or prints is sent once and never again by itself; and after a lost answer the next command waits until the
printer has answered a question whose answer is known, by which time everything late has arrived.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from personalize.machines.evolis.answers import ACK, LETTERS, NAK, OK, WORDS, AnsweredError
from personalize.machines.evolis.options import AnswerForm
from personalize.machines.faults import MachineFault
from personalize.machines.faults import MachineFaultCode as Code
from personalize.machines.links import ByteLink
from terminal.errors import ReaderFault

_T = TypeVar("_T")

_SHORT: Final = 10.0
"""Seconds for the answer to a question or a setting."""
_QUIET: Final = 0.02
"""Seconds in which a doubled character of an answer has arrived, also from a USB converter that collects them."""
_WAKES: Final = 3
"""Times that a link may say too early that nothing came: it was woken for nothing."""
_LONGEST_TEXT: Final = 512
_LATE: Final = re.compile(rb"(?:\x06|\x15.|[\x00\n])*", re.DOTALL)
"""Answers to earlier commands before a text."""
_TEXT: Final = re.compile(rb"[\x20-\x7e]*")
_NUMBER: Final = re.compile(r"[0-9]{7}")
"""A text with so many digits may be a track with the number of its card."""
_UNSURE: Final = frozenset({Code.NO_ANSWER, Code.LINK})


class Restarted(Protocol):
    def __call__(self, *, opened: bool) -> None: ...


class PrinterExchange:
    """One printer's commands. ``restarted`` is called where the printer may have been switched off meanwhile: after the
    link was opened again (``opened``) or an answer was lost. Raises MachineFault, and the faults of the link.

    Not for several threads at a time; ``close`` may come from any.
    """

    def __init__(
        self,
        machine: str,
        connect: Callable[[], ByteLink],
        form: AnswerForm,
        *,
        deadline: float,
        settings: Sequence[str],
        restarted: Restarted,
    ) -> None:
        self._machine, self._connect, self._form = machine, connect, form
        self._deadline, self._settings, self._restarted = deadline, settings, restarted
        self._link = connect()
        self._sure = False
        self._closed = False
        self._firmware = ""
        self._rest = b""

    @property
    def firmware(self) -> str:
        """As the printer gave it at the beginning of the exchange; empty before."""
        return self._firmware

    def order(self, command: bytes | str, *, spoils: bool = False) -> None:
        """Execute a command that moves, writes or prints: sent once. ``spoils``: a fault leaves a card half printed."""
        try:
            self._execute(_bytes(command), self._deadline)
        except MachineFault as fault:
            if not spoils:
                raise
            raise MachineFault(self._machine, fault.code, fault.detail, spoiled=True) from fault

    def set(self, command: str) -> None:
        """Execute a command that may be repeated: a setting."""
        self._twice(lambda: self._execute(_bytes(command), _SHORT))

    def query(self, command: str) -> str:
        """The text that a command gives."""
        return self._twice(lambda: self._text(command, _SHORT))

    def reading(self, command: str) -> str:
        """The text that a command gives which moves the card: sent once."""
        return self._text(command, self._deadline)

    def close(self) -> None:
        """End the exchange. Safe to call twice and from another thread."""
        self._closed = True
        self._link.close()

    def _twice(self, attempt: Callable[[], _T]) -> _T:
        try:
            return attempt()
        except MachineFault as fault:
            if fault.code not in _UNSURE:
                raise
        return attempt()

    def _execute(self, command: bytes, seconds: float) -> None:
        self._send(command, quiet=_QUIET)
        until = time.monotonic() + seconds
        if self._form is AnswerForm.WORDS:
            words = self._line(until)
            if words != OK:
                raise self._refused(words)
            return
        self._acknowledged(until)

    def _text(self, command: str, seconds: float) -> str:
        self._send(_bytes(command))
        until = time.monotonic() + seconds
        if self._form is AnswerForm.ACK:
            self._acknowledged(until)
        text = self._line(until)
        if self._form is AnswerForm.TEXT_FIRST:
            self._acknowledged(until)
        if self._form is AnswerForm.WORDS and text in WORDS and command != "Rlr":
            raise self._refused(text)
        return text

    def _send(self, command: bytes, *, quiet: float = 0.0) -> None:
        """``quiet``: seconds without an arrival before it: an ACK of before would be taken for that of this command."""
        self._synchronize()
        self._rest = b""
        try:
            while self._link.read(quiet):
                pass
        except ReaderFault:
            self._sure = False
            raise
        self._write(command)

    def _write(self, command: bytes) -> None:
        try:
            self._link.write(b"\x1b" + command + b"\r")
        except ReaderFault:
            self._sure = False
            raise

    def ready(self) -> None:
        """Open the link where it is lost: ``restarted`` is called before the next order then, and not by it."""
        self._synchronize()

    def _synchronize(self) -> None:
        """Open the link where it is lost, and wait until nothing late can come any more."""
        opened = not self._link.open
        if opened:
            if self._closed:
                raise ReaderFault(f"{self._machine} is closed")
            self._sure = False
            self._link = self._connect()
        if self._sure:
            return
        self._restarted(opened=opened)
        self._rest = b""
        self._link.discard()
        self._write(b"Pem;2")
        if self._form is not AnswerForm.WORDS:
            self._write(b"Pem;4")
        self._write(b"Rfv")
        until = time.monotonic() + (self._deadline if self._firmware else _SHORT)
        while True:
            text = self._line(until)
            if text == self._firmware or not (self._firmware or text in (OK, "") or text in WORDS):
                break
        if self._form is AnswerForm.TEXT_FIRST:
            self._acknowledged(until)
        self._firmware, self._sure = text, True
        for setting in self._settings:
            self._execute(setting.encode("ascii"), _SHORT)

    def _acknowledged(self, until: float) -> None:
        answer = self._take(1, until)
        if answer == ACK:
            return
        if answer == NAK:
            letter = self._take(1, until).decode("latin-1")
            if letter in LETTERS:
                raise self._fault(LETTERS[letter])
            raise self._unsure(Code.LINK, f"the printer refuses for an unknown reason ({ord(letter):02X})")
        raise self._unsure(Code.LINK, f"the printer answers {answer.hex().upper()}, which is no answer to a command")

    def _line(self, until: float) -> str:
        """A text up to CR (or NUL, with which some firmware ends it), without answers to earlier commands before it."""
        line = b""
        while True:
            line += self._take(1, until)
            if line[-1:] == b"\r" or (line[-1:] == b"\0" and _LATE.fullmatch(line) is None):
                break
            if len(line) > _LONGEST_TEXT:
                raise self._unsure(Code.LINK, "the printer gives a text without an end")
        late = _LATE.match(line)
        text = line[late.end() if late else 0 : -1]
        if not _TEXT.fullmatch(text):
            raise self._unsure(Code.LINK, "the printer gives a text with characters that are none")
        return text.decode("ascii").strip()

    def _take(self, count: int, until: float) -> bytes:
        empty = 0
        while len(self._rest) < count:
            try:
                arrived = self._link.read(max(0.0, until - time.monotonic()))
            except ReaderFault:
                self._sure = False
                raise
            empty += not arrived
            if not arrived and (empty == _WAKES or time.monotonic() >= until):
                raise self._unsure(Code.NO_ANSWER, "the printer does not answer")
            self._rest += arrived
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _refused(self, words: str) -> MachineFault:
        """The fault of an answer in words. Words that nobody knows are no success, and may be those of a stripe."""
        unknown = f"the printer answers “{words}”"
        if _NUMBER.search(words):
            unknown = "the printer answers a text that is none of its errors"
        return self._fault(WORDS.get(words) or AnsweredError(Code.COMMAND, unknown))

    def _unsure(self, code: Code, detail: str) -> MachineFault:
        self._sure = False
        return MachineFault(self._machine, code, detail)

    def _fault(self, error: AnsweredError) -> MachineFault:
        return MachineFault(self._machine, error.code, error.detail)


def _bytes(command: bytes | str) -> bytes:
    return command if isinstance(command, bytes) else command.encode("ascii")
