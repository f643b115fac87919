"""Values of covers: terms as they are drawn up, lists of changes, and days on which a member is covered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from registry.person import Person


class Departure(StrEnum):
    """Why a member left the union."""

    WITHDREW = "withdrew"
    RETIRED = "retired"
    DIED = "died"
    MOVED = "moved"
    """To another city or federation."""


class CoverListKind(StrEnum):
    """``OPENING`` opens a term: everybody on it is covered for that term. ``SUPPLEMENT`` changes a term that runs."""

    OPENING = "opening"
    SUPPLEMENT = "supplement"


class CoverListState(StrEnum):
    """The states of a list; ``DRAFTING`` only within the transaction that draws it up."""

    DRAFTING = "drafting"
    DRAFTED = "drafted"
    SIGNED = "signed"
    RELEASED = "released"
    SENT = "sent"
    DISCARDED = "discarded"


class Change(StrEnum):
    ADDED = "added"
    LEFT = "left"


class ChangeReason(StrEnum):
    """Why a member is added or left out."""

    NEW = "new"
    AGAIN = "again"
    """Covered before, and not in between."""
    WITHDREW = "withdrew"
    RETIRED = "retired"
    DIED = "died"
    MOVED = "moved"
    CATEGORY = "category"
    """Of a category that has no such cover."""
    CARD_LOST = "card-lost"
    """Without a replacement on its way."""
    CARD_ENDED = "card-ended"
    """Damaged, expired or withdrawn, without a replacement on its way; or not handed over."""


@dataclass(frozen=True, slots=True)
class CoverTerms:
    """A term of a cover, to be drawn up: the first and last day, categories that are covered, states of cards that
    count; ``rules`` is the cover as the programme has it, ``chip_value`` DF29 of who is covered."""

    cover: str
    number: int
    first: date
    last: date
    effective: date
    kind: CoverListKind
    categories: tuple[int, ...]
    card_states: tuple[str, ...]
    rules: Mapping[str, Any]
    chip_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class CoverList:
    """A list of changes. ``before`` members were covered by the list before it, ``covered`` are from this one on:
    ``covered = before + added - leaving``. ``effective`` is the day from which that holds; ``digest`` is the SHA-256
    over the entries."""

    id: int
    cover: str
    kind: CoverListKind
    number: int
    term_first: date
    term_last: date
    effective: date
    at: datetime
    by: str
    rules: Mapping[str, Any]
    state: CoverListState
    before: int
    added: int
    leaving: int
    covered: int
    digest: str
    signed_at: datetime | None
    signed_by: str | None
    released_at: datetime | None
    released_by: str | None
    sent_at: datetime | None
    sent_by: str | None
    discarded_at: datetime | None
    discarded_by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class CoverEntry:
    """An entry of a list with masked data. ``person`` is in clear, in the file for the insurer."""

    member_id: int
    member_number: str | None
    name_masked: str
    id_masked: str
    unit: str
    change: Change
    reason: ChangeReason
    card_number: str | None
    person: Person | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many entries of a list have a reason."""

    change: Change
    reason: ChangeReason
    count: int


class Uncovered(StrEnum):
    """Why a member is not covered on a day."""

    NO_TERM = "no-term"
    """No list opened a term with this day."""
    NOT_LISTED = "not-listed"
    """Registered, or entitled, after the list of the term was drawn up."""
    LEFT = "left"
    """A list left the member out, and says why."""
    DIED = "died"


@dataclass(frozen=True, slots=True)
class CoverDay:
    """Whether a member is covered on a day, by which list, or why not. ``reason`` is that of the entry, where the
    member was left out."""

    day: date
    list_id: int | None
    uncovered: Uncovered | None
    reason: ChangeReason | None = None


@dataclass(frozen=True, slots=True)
class CoverSpan:
    """Days on which a member is covered in one term, by the list that entered the member."""

    first: date
    last: date
    number: int
    list_id: int
