"""What a printer of Evolis answers: errors as letters and words, each with its fault. Programming guide A5013."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from personalize.machines.faults import MachineFaultCode as Code

ACK, NAK = b"\x06", b"\x15"
OK: Final = "OK"


class AnsweredError(NamedTuple):
    code: Code
    detail: str
    """A sentence of what happened; the remedy is the code's."""


_COMMAND = AnsweredError(Code.COMMAND, "the printer does not know the command, or not now")
_PARAMETER = AnsweredError(Code.COMMAND, "the printer does not take a parameter of the command")
_MECHANICS = AnsweredError(Code.JAM, "the mechanics did not finish in time")
_COVER = AnsweredError(Code.COVER, "the cover is open")
_FEED = AnsweredError(Code.FEED, "the feeder gave no card")
_RIBBON = AnsweredError(Code.RIBBON, "the ribbon is out, torn, absent or not the one of the print")
_CHECKSUM = AnsweredError(Code.STRIPE_WRITE, "the checksum of the stripe is wrong")
_DATA = AnsweredError(Code.STRIPE_WRITE, "the stripe does not hold data of the track's format")
_WRITE = AnsweredError(Code.STRIPE_WRITE, "the stripe was not written")

LETTERS: Final[Mapping[str, AnsweredError]] = MappingProxyType(
    {
        "1": _COMMAND,
        "2": _PARAMETER,
        "T": _MECHANICS,
        "C": _COVER,
        "F": _FEED,
        "R": _RIBBON,
        "K": _CHECKSUM,
        "D": _DATA,
        "W": _WRITE,
    }
)
"""Errors by the letter after NACK."""

WORDS: Final[Mapping[str, AnsweredError]] = MappingProxyType(
    {
        "ERROR CDE": _COMMAND,
        "ERROR PARAMETRES": _PARAMETER,
        "ERROR TIME OUT": _MECHANICS,
        "CARD JAM": AnsweredError(Code.JAM, "a card is jammed"),
        "COVER OPEN": _COVER,
        "FEEDER EMPTY": AnsweredError(Code.FEEDER_EMPTY, "the feeder is empty"),
        "ERROR RIBBON": _RIBBON,
        "ERR RIB DETECTION": _RIBBON,
        "ERROR MAG CHECKSUM": _CHECKSUM,
        "ERROR MAG DATA": _DATA,
        "ERROR MAG": _WRITE,
        "NEED CLEANING": AnsweredError(Code.CLEANING, "the printer asks to be cleaned"),
        "OPT NOT AVAILABLE": AnsweredError(Code.LACKS, "the printer has no such unit"),
        "HOPPER FULL": AnsweredError(Code.REJECT_FULL, "the box for cards is full"),
        "HOPPER DOOR": AnsweredError(Code.COVER, "the door of the output is open"),
        "ERROR HOPPER": AnsweredError(Code.JAM, "the output does not move"),
        "ERROR HEAD": AnsweredError(Code.MOTOR, "the print head failed"),
    }
)
"""Errors by their words, as ``Rlr`` gives them, and newer firmware for each command; from two programs published with
Evolis' own."""
