"""Arguments and results of the registry: frozen values that print no personal data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from registry.person import Person
from registry.unit_names import spelling, whole_name
from terminal.keys.custody import Sealed


class BatchKind(StrEnum):
    """What a batch makes cards for: the members of a roster, or one member whose card is replaced."""

    ROSTER = "roster"
    REPLACEMENT = "replacement"


class BatchState(StrEnum):
    """The state of a batch, computed from its rows, dossiers and cards."""

    DRAFT = "draft"  # imported, waits for a second person
    APPROVED = "approved"  # some members have no dossier yet
    PREPARED = "prepared"  # every member has a dossier, no chip was fed yet
    RUNNING = "running"
    DONE = "done"  # every member has a verified card
    CLOSED = "closed"  # balanced, signed twice, dossier secrets destroyed
    DISCARDED = "discarded"  # a draft, or a batch without cards, that was given up


class JournalEvent(StrEnum):
    """What a journal line records about a step."""

    INTENT = "intent"
    DONE = "done"
    FAULT = "fault"


class CardState(StrEnum):
    """The state of a card after its verification."""

    VERIFIED = "verified"
    PACKED = "packed"
    DELIVERED = "delivered"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LOST = "lost"
    DAMAGED = "damaged"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A roster row that passed intake. ``sheet_row`` counts from 1 as the spreadsheet does; ``codes`` are its notes.
    ``above`` is the unit that the form's title names, where the row names one of its departments."""

    sheet_row: int
    seq: int | str | None = field(repr=False)  # free text where the sheet is shifted
    person: Person
    unit: str
    codes: tuple[str, ...] = ()
    above: str = ""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A roster row that intake rejected. ``message`` may quote the row, so it is sealed at rest and never printed, with
    the masked name of the person."""

    sheet_row: int
    seq: int | str | None = field(repr=False)
    codes: tuple[str, ...]
    message: str = field(repr=False)
    name_masked: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A roster row of a person who has a living card, or is in a batch that will make one. ``change``: the row has
    other data than the record, which approval changes."""

    sheet_row: int
    seq: int | str | None = field(repr=False)
    person: Person
    unit: str
    codes: tuple[str, ...]
    above: str
    change: bool


@dataclass(frozen=True, slots=True)
class KnownMember:
    """A person on record. ``living_card``: has a card that has not ended, or is in a batch that will make one.

    ``withdrawn``: any unit may register them. ``is_independent``: nobody's department. ``rosters_of``: of units whose
    rosters named them. ``unit_names``: the unit's others in forms. ``person``: if carded. ``batch`` makes the card.
    """

    unit_name: str
    living_card: bool
    withdrawn: bool = field(default=False, compare=False)
    is_independent: bool = field(default=False, compare=False)
    rosters_of: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    person: Person | None = field(default=None, compare=False, repr=False)
    batch: str = field(default="", compare=False)
    unit_names: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    def may_register(self, unit: str, above: str) -> bool:
        """Whether a roster may name the person under ``unit``, in a form whose title names ``above``.

        A department that was recorded without the unit above it counts where that unit's roster brought the person.
        """
        names = {*map(spelling, self.unit_names), spelling(self.unit_name)}
        own = spelling(unit) in names and (self.is_independent or spelling(above) in map(spelling, self.rosters_of))
        return own or self.withdrawn or spelling(whole_name(unit, above)) in names


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of members on its way to cards. Times are UTC."""

    id: str
    kind: BatchKind
    unit: str
    state: BatchState
    source: str
    digest: str
    imported_by: str
    imported_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    closed_by: tuple[str, str] | None
    closed_at: datetime | None
    accepted: int
    rejected: int
    to_prepare: int
    dossiers: int
    verified: int
    unchanged: int = 0
    changes: int = 0
    needs_confirmation: bool = False


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A stored roster row as it may be shown: masked data of a member, the sentence of a rejected one. ``verdict`` is
    accepted, rejected, unchanged or change."""

    sheet_row: int
    seq: int | str | None = field(repr=False)
    accepted: bool
    codes: tuple[str, ...]
    message: str = field(repr=False)
    id_masked: str
    name_masked: str
    mobile_masked: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class MemberToPrepare:
    """A member who needs a dossier. ``card_number`` is None for a new number; ``sequence`` (5F34) is 1 to 99."""

    member_id: int
    person: Person
    unit_name: str
    unit_code: str
    member_number: str
    category: int
    card_number: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class NewDossier:
    """A dossier to store. ``pan``: the account number of its payment application, empty where it has none."""

    member_id: int
    card_number: str
    sequence: int
    sealed: Sealed = field(repr=False)
    profile_name: str
    profile_digest: str
    pan: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StoredDossier:
    """A stored dossier. ``state``: waiting, claimed, verified or remade."""

    member_id: int
    card_number: str
    sequence: int
    state: str
    sealed: Sealed = field(repr=False)
    profile_name: str
    profile_digest: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A dossier that a lane holds, bound for ever to the chip in its reader. ``token`` is the fencing token: it grows
    with every claim, and an older one may write nothing. ``returning``: the chip was claimed before, and its own state
    shows how far personalization went."""

    batch_id: str
    dossier_id: int
    member_id: int
    card_number: str
    sequence: int
    sealed: Sealed = field(repr=False)
    profile_name: str
    profile_digest: str
    chip_serial: str
    lane: str
    station: str
    token: int
    lease_until: datetime
    returning: bool


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A journal line of a lane. ``block`` is the number, from 0, of a STORE DATA block that the chip acknowledged;
    ``detail`` holds no secret."""

    step: str
    event: JournalEvent
    detail: str = ""
    block: int | None = None


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """No dossier waits. ``claimed`` dossiers wait for their chips; ``to_prepare`` members need a dossier (again)."""

    claimed: int
    to_prepare: int


@dataclass(frozen=True, slots=True)
class Coded:
    """A reason as a code, with the values for a sentence about it in another language."""

    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


UNCODED: Final = Coded()


@dataclass(frozen=True, slots=True)
class ChipKnown:
    """A chip that gets no dossier. ``why`` is "verified", "doubled", "rejected" or "other batch"; ``detail`` is the
    card number (verified, doubled), the reason (rejected; ``code`` is its code) or the batch (other batch)."""

    why: str
    detail: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class BatchAccounts:
    """The accounts of one batch. At every moment ``dossiers = waiting + claimed + verified + remade`` and ``chips_fed =
    chips_verified + chips_rejected + chips_in_reader``. ``missing`` counts the claimed dossiers whose lease has
    expired. ``balanced``: both equations hold, and chips, dossiers, cards and members agree."""

    members: int
    to_prepare: int
    dossiers: int
    waiting: int
    claimed: int
    missing: int
    verified: int
    remade: int
    chips_fed: int
    chips_verified: int
    chips_rejected: int
    chips_in_reader: int
    cards: int
    balanced: bool


@dataclass(frozen=True, slots=True)
class StockAccounts:
    """The accounts of blank chips: ``received = verified + rejected + in_reader + spoilt + left``. ``left`` is below
    zero where more chips were fed than booked as received. ``foreign`` chips were fed but never came from stock."""

    received: int
    fed: int
    verified: int
    rejected: int
    in_reader: int
    foreign: int
    left: int
    balanced: bool
    spoilt: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """A verified card. ``result`` is the result of the read-back."""

    card_number: str
    sequence: int
    member_id: int
    member_number: str
    name_masked: str
    id_masked: str
    batch_id: str
    dossier_id: int
    chip_serial: str
    state: CardState
    verified_at: datetime
    seconds: float
    lane: str
    result: dict[str, object]


@dataclass(frozen=True, slots=True)
class CardEvent:
    """An event in the life of the cards of one number. ``place`` is the lane or counter, where there was one."""

    at: datetime
    event: str
    by: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A line of the journal, with the chip and lane of its claim."""

    id: int
    at: datetime
    dossier_id: int
    chip_serial: str
    lane: str
    token: int
    step: str
    event: JournalEvent
    block: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected chip, with the card that it was bound to, if any. ``bin`` names the reject tray, ``code`` the reason;
    ``params`` are the values for a sentence about the reason in another language."""

    at: datetime
    chip_serial: str
    reason: str
    step: str
    bin: str
    lane: str
    card_number: str | None
    sequence: int | None
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one verified card, as its lane measured them."""

    card_number: str
    lane: str
    station: str
    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class BoundChip:
    """A claimed dossier and the chip it is bound to. ``missing``: its lease has expired."""

    dossier_id: int
    card_number: str
    sequence: int
    chip_serial: str
    lane: str
    lease_until: datetime
    missing: bool


class HotlistEntry(NamedTuple):
    """A card that no counter may accept, and since when."""

    card_number: str
    sequence: int
    reason: str
    at: datetime
