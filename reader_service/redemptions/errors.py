"""Faults of redemptions at a counter; those of the journal are under ``JournalError``::

    EditionMissing            no programme edition can be read: none is there, or it is forged or damaged
    ReversalRefused           a redemption is not taken back: another day, another merchant, another card, twice
    JournalError
    ├── JournalBusy           another program has the journal open
    ├── JournalUnavailable    it cannot be read or written: permission, a broken disk, a missing part
    ├── JournalFull           no room for a redemption and its result
    ├── JournalDamaged        rows were changed or removed: a person has to take note first
    ├── ClockSetBack          the clock stands before the last row
    ├── ClockAhead            the clock stands long after the last redemption, and nobody has confirmed it
    ├── ClockWrong            the office's clock shows another time
    ├── RedemptionPending     an earlier redemption of this card is open: it is recovered first
    ├── RedemptionRepeated    the card answered with a transaction counter that has a row already
    └── RowMisplaced          a row that does not follow from those on record

No message has a card number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from terminal.errors import MembercardError


class EditionMissing(MembercardError):
    """The counter has no programme edition that it may use."""


class ReversalFault(StrEnum):
    """Why a redemption is not taken back."""

    RECEIPT = "reversal-receipt"
    MERCHANT = "reversal-merchant"
    DAY = "reversal-day"
    TWICE = "reversal-twice"
    CARD = "reversal-card"
    REFUSED_CARD = "reversal-refused-card"


REVERSAL_SENTENCES: Final[Mapping[ReversalFault, str]] = {
    ReversalFault.RECEIPT: "this counter has issued no such receipt: look for it where it was issued",
    ReversalFault.MERCHANT: "this receipt is of another merchant: it is taken back there",
    ReversalFault.DAY: "this redemption is of another day: only the day's own are taken back",
    ReversalFault.TWICE: "this redemption was taken back before",
    ReversalFault.CARD: "this redemption is taken back with its own card in the reader",
    ReversalFault.REFUSED_CARD: "this card is refused, so that nothing of it is taken back here; ask the office",
}


class ReversalRefused(MembercardError):
    """Nothing was taken back, and nothing was written."""

    def __init__(self, fault: ReversalFault) -> None:
        super().__init__(REVERSAL_SENTENCES[fault])
        self.fault = fault


class JournalError(MembercardError):
    """A fault of the redemption journal."""


class JournalBusy(JournalError):
    """Another program has the journal open."""


class JournalUnavailable(JournalError):
    """The journal cannot be read or written."""


class JournalFull(JournalError):
    """The disk has no room for a redemption with its result: no card is asked."""


class JournalDamaged(JournalError):
    """Rows were changed or removed. Those that are sound can be read and uploaded; nothing is redeemed before a person
    has taken note."""


class ClockSetBack(JournalError):
    """The clock stands before the last row."""


class ClockAhead(JournalError):
    """The clock stands long after the last redemption, and neither the office nor a person has confirmed it."""


class ClockWrong(JournalError):
    """The clock of the office shows another time."""


class RedemptionPending(JournalError):
    """An earlier redemption of this card had no answer: ``intent`` is the number of its row."""

    def __init__(self, sentence: str, intent: int) -> None:
        super().__init__(sentence)
        self.intent = intent


class RedemptionRepeated(JournalError):
    """The card answered with a transaction counter that row ``number`` has: nothing may be given for it."""

    def __init__(self, sentence: str, number: int) -> None:
        super().__init__(sentence)
        self.number = number


class RowMisplaced(JournalError):
    """A row that does not follow from those on record: an intent that has ended, a redemption reversed twice."""
