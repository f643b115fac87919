"""What a counter's service says of a card in a reader, and of the rows that wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reader_service.redemptions.offers import CounterOffer
from reader_service.redemptions.receiver import UploadFaultCode
from reader_service.redemptions.record import CounterRecord


@dataclass(frozen=True, slots=True)
class CardOffers:
    """What the member whose card is in a reader can have. ``insertion`` names this insertion of the card; a redemption
    needs it. ``recovered`` is what became of an earlier request; ``reason`` and ``fault``: why nothing is offered."""

    reader: str
    insertion: str
    offers: tuple[CounterOffer, ...]
    accepted: bool = True
    recovered: CounterRecord | None = None
    reason: str = ""
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        return {
            "reader": self.reader,
            "insertion": self.insertion,
            "offers": [offer.to_json() for offer in self.offers],
            "accepted": self.accepted,
            "recovered": self.recovered and self.recovered.to_json(),
            "reason": self.reason,
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True)
class RedemptionQueue:
    """The state of the journal: rows that wait for their upload, and since when; requests without a result; damaged
    places; whether the clock stands before the last row; the last upload that succeeded, why none does now, since
    when, and when the next attempt is."""

    waiting: int
    open: int
    damaged: int
    clock_set_back: bool = False
    waiting_since: datetime | None = None
    uploaded_at: datetime | None = None
    fault: UploadFaultCode | None = None
    fault_since: datetime | None = None
    fault_sentence: str = ""
    next_attempt: datetime | None = None
