"""What a printer answers: letters of errors, words of errors, and how firmware differs. Programming guide A5013, 5."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from simulators.machines.stripe.stripe import HIGH

ACK, NACK, CR = b"\x06", b"\x15", b"\r"
OK: Final = "OK"


class PrinterError(Enum):
    """An error: the letter after NACK, and the words of firmware that answers in words."""

    COMMAND = ("1", "ERROR CDE")
    PARAMETER = ("2", "ERROR PARAMETRES")
    LACKS = ("1", "OPT NOT AVAILABLE")
    """The printer has no such part: a command of another model."""
    TIMEOUT = ("T", "ERROR TIME OUT")
    JAM = ("T", "CARD JAM")
    FULL = ("T", "HOPPER FULL")
    COVER = ("C", "COVER OPEN")
    FEEDER = ("F", "FEEDER EMPTY")
    RIBBON = ("R", "ERROR RIBBON")
    CHECKSUM = ("K", "ERROR MAG CHECKSUM")
    DATA = ("D", "ERROR MAG DATA")
    WRITE = ("W", "ERROR MAG")

    @property
    def letter(self) -> bytes:
        return self.value[0].encode()

    @property
    def words(self) -> str:
        return self.value[1]

    @property
    def stops(self) -> bool:
        """Whether the printer moves nothing until the error is cleared."""
        return self.value[0] in "TCFR"


class PrinterRefusal(Exception):
    """A command that the printer refuses or cannot finish."""

    def __init__(self, error: PrinterError) -> None:
        self.error = error
        super().__init__(error.words)


@dataclass(frozen=True, slots=True)
class PrinterManner:
    """What models, options and firmware do differently.

    ``ack``: the ACK/NACK protocol is on from the start, as the option of the port. ``text_first``: a text comes before
    its ACK. ``words``: without ACK/NACK each command is answered in words. ``at_end``: panels are printed at ``Sv`` and
    ``Se`` instead of when they arrive. ``read_apart``: ``Smr`` answers OK, and ``Rmb`` gives the text. ``flips``,
    ``encodes``, ``contactless``: the parts that the printer has.
    """

    ack: bool = False
    text_first: bool = False
    words: bool = False
    at_end: bool = False
    read_apart: bool = False
    flips: bool = True
    encodes: bool = True
    contactless: bool = True
    model: str = "Primacy"
    firmware: str = "1846"
    serial_number: str = "10000001"
    clean_every: int = 1000
    """Cards between two cleanings."""
    stripe: str = HIGH
    """Coercivity of blank cards: ``high`` or ``low``."""


class Answers:
    """The bytes of answers, in the protocol that is on."""

    def __init__(self, manner: PrinterManner) -> None:
        self._manner = manner
        self.ack = manner.ack

    def done(self, text: str | None) -> bytes:
        """The answer to a command that was done, with the text it gives."""
        line = b"" if text is None else text.encode("ascii", "replace") + CR
        if self.ack:
            return line + ACK if self._manner.text_first else ACK + line
        return line or (OK.encode() + CR if self._manner.words else b"")

    def refused(self, error: PrinterError) -> bytes:
        if self.ack:
            return NACK + error.letter
        return error.words.encode() + CR if self._manner.words else b""
