"""A wanted change of an issued chip, and a script that was sent to one: values of ``registry.members.updates``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row


class UpdateKind(StrEnum):
    """What is changed on a chip, and how its value is encoded."""

    ACTIVATION = "activation"
    """DF2D, the day."""
    BLOCK = "block"
    """01 block the application, 00 unblock it."""
    CATEGORY = "category"
    """DF26."""
    COVER = "cover"
    """DF29, last day."""
    CREDIT = "credit"
    """Uses that DF28 gives back (``registry.members.credits``). Each counts: a newer one does not replace another."""
    ENTITLEMENTS = "entitlements"
    """DF28 with nothing used: what the chip has counted in the same period stays."""
    LAST_DATE = "last-date"
    """DF2F, of a card that a counter with a wrong clock locked."""
    PIN_CHANGE = "pin-change"
    """A new PIN, enciphered under a PIN key; erased when the change has ended."""
    PIN_UNBLOCK = "pin-unblock"
    """Empty: all tries again, with the same PIN."""
    VALIDITY = "validity"
    """DF27, last day."""

    def lifts_block(self, value: bytes) -> bool:
        """Whether this change lifts a block, so that two people order it."""
        return self in (UpdateKind.LAST_DATE, UpdateKind.PIN_UNBLOCK) or (self is UpdateKind.BLOCK and value == b"\x00")

    @property
    def gives_rights(self) -> bool:
        """Whether this change is one of a member's rights, for which a federation may require two people."""
        return self in (UpdateKind.CATEGORY, UpdateKind.COVER, UpdateKind.ENTITLEMENTS, UpdateKind.VALIDITY)


class UpdateState(StrEnum):
    """The state of a wanted change."""

    PROPOSED = "proposed"
    """It waits for a second person."""
    PENDING = "pending"
    SENT = "sent"
    """In an open script: it may have run."""
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class WantedChange:
    """A wanted change of one chip. ``value`` is as ``UpdateKind`` says; ``refusal`` why the chip does not take it."""

    id: int
    card_number: str = field(repr=False)
    sequence: int
    kind: UpdateKind
    value: bytes = field(repr=False)
    state: UpdateState
    wanted_at: datetime
    wanted_by: str
    reason: str
    consented_at: datetime | None
    consented_by: str | None
    ended_at: datetime | None
    ended_by: str | None
    place: str | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class OpenScript:
    """A script that was sent, and of which nobody knows yet how much ran."""

    id: int
    script: bytes


@dataclass(frozen=True, slots=True)
class SentScript:
    """A script on record. ``script`` is erased where it had a PIN and has ended; ``ran`` are the commands of it that
    the card executed, None while nobody knows."""

    id: int
    script: bytes
    ran: int | None


def wanted_change(row: Row[*tuple[Any, ...]]) -> WantedChange:
    """A row of the table of wanted changes."""
    return WantedChange(
        id=row.id,
        card_number=row.card_number,
        sequence=row.sequence,
        kind=UpdateKind(row.kind),
        value=bytes(row.value),
        state=UpdateState(row.state),
        wanted_at=row.wanted_at,
        wanted_by=row.wanted_by,
        reason=row.reason,
        consented_at=row.consented_at,
        consented_by=row.consented_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        place=row.place,
        refusal=row.refusal,
    )
