"""Values of claims: what is filed, where it stands, who decided, and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class ClaimStage(StrEnum):
    """Where a claim stands. ``RETURNED``: its filer mends it and files it again."""

    FILED = "filed"
    RETURNED = "returned"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ClaimDecision(StrEnum):
    """What was done with a claim."""

    FILED = "file"
    FILED_AGAIN = "file-again"
    APPROVED = "approve"
    RETURNED = "return"
    REFUSED = "refuse"
    WITHDRAWN = "withdraw"


class ClaimParty(StrEnum):
    MEMBER = "member"
    HEIR = "heir"


@dataclass(frozen=True, slots=True)
class Heir:
    """Who claims for a member who has died, and the account that is paid."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    relation: str = field(repr=False)
    account: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """A kind of claim as it is when the claim is filed. ``amount`` in fen is what its rule gives for these facts;
    ``rules`` is the kind as the programme has it, ``purpose`` what the bank's statement says."""

    kind: str
    event: str
    amount: int
    cover: str | None
    documents: tuple[str, ...]
    days: int
    death: bool
    medical: bool
    levels: tuple[str, ...]
    purpose: str
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """What happened: the day, the row of the kind's table or the loss in fen, and in words. Everything but the day is
    sealed."""

    event_on: date
    words: str = field(default="", repr=False)
    choice: str | None = field(default=None, repr=False)
    loss: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FiledClaim:
    """A claim without what it says of the member's health: kind and amount are empty where it is medical. ``awaited``
    is the level that decides next, ``missing`` are documents that are not there."""

    number: int
    member_id: int
    name_masked: str
    unit: str
    kind: str | None
    event_on: date
    filed_on: date
    at: datetime
    by: str
    claimant: ClaimParty
    stage: ClaimStage
    awaited: str | None
    amount: int | None
    missing: tuple[str, ...]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimStep:
    """A decision about a claim. ``reason`` has neither names nor numbers of people."""

    number: int
    at: datetime
    by: str
    level: str | None
    decision: ClaimDecision
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimDetail:
    """A claim in full, for who decides about it. ``similar`` are claims of the member with an event near this day."""

    view: FiledClaim
    kind: str
    amount: int
    rules: Mapping[str, Any]
    facts: ClaimFacts
    heir: Heir | None
    documents: Mapping[str, datetime | None]
    steps: tuple[ClaimStep, ...]
    similar: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClaimFigures:
    """Claims of a kind: how many were filed, approved, refused and paid, the sums in fen, and the days from filing to
    payment on average."""

    kind: str
    filed: int
    approved: int
    refused: int
    paid: int
    approved_amount: int
    paid_amount: int
    days_to_payment: float | None
