"""Results of a decision: allowed with a price, or refused with a reason and the day from which it is possible again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from programme.wording import Sentence, Wording


class RefusalCode(StrEnum):
    """Why a member cannot have a benefit here and now."""

    # The programme and the member.
    PROGRAMME_NOT_YET = "programme-not-yet"
    PROGRAMME_OVER = "programme-over"
    OTHER_FEDERATION = "other-federation"
    OTHER_CATEGORY = "other-category"
    OTHER_UNIT = "other-unit"
    OTHER_DISTRICT = "other-district"
    NOT_IN_HARDSHIP = "not-in-hardship"
    NO_COVER = "no-cover"
    TOO_YOUNG = "too-young"
    TOO_OLD = "too-old"
    NO_CHILD = "no-child"
    NOT_KNOWN = "not-known"
    """A fact about the member that this counter does not have."""

    # The day and what came before.
    NOT_ON_SALE = "not-on-sale"
    CLOSED_NOW = "closed-now"
    ISSUE_WINDOW_OVER = "issue-window-over"
    CARD_NOT_YET_ISSUED = "card-not-yet-issued"
    EARLIER_PRODUCT = "earlier-product"
    NEEDS_NOT_MET = "needs-not-met"
    PHASE_NOT_REACHED = "phase-not-reached"
    PHASE_OVER = "phase-over"

    # Counts and stock.
    LIMIT_REACHED = "limit-reached"
    TOO_MANY = "too-many"
    """Some are left, and fewer than were asked for."""
    EVENT_MISSING = "event-missing"
    OFFLINE = "offline"
    """Counted in the office, which this counter cannot reach."""
    ISSUER = "issuer"
    """The office refuses; its sentence says why."""
    NOT_ON_CARD = "not-on-card"
    PLACE_MISSING = "place-missing"
    SOLD_OUT = "sold-out"

    # The price.
    PRICE_MISSING = "price-missing"
    BELOW_THRESHOLD = "below-threshold"
    CAP_REACHED = "cap-reached"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rule that refuses, with the values for its sentence.

    ``again``: the first day on which this rule may allow the same request; the same day where something is missing that
    the member or the cashier can bring at once; None: never, as far as is known.
    """

    code: RefusalCode
    rule: str
    again: date | None = None
    count: int = 0
    left: int = 0
    per: str = ""
    names: tuple[str, ...] = ()
    texts: tuple[Wording, ...] = ()
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """A member may have it: amounts in fen, fees included in ``price``.

    ``uses`` are counted; ``left`` are left after them, None without a limit. ``show`` is what the cashier looks at
    first, ``pin`` whether the member enters the PIN; ``gives_through`` the last day of what the use gives.
    """

    price: int
    list_price: int | None
    saved: int
    fees: int
    uses: int
    left: int | None
    show: tuple[Wording, ...]
    pin: bool
    gives_through: date | None
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Refused:
    """A member cannot have it.

    ``rule`` is the place in the benefit's section of the programme file. ``again_on`` is the first day on which the
    same request is possible as far as is known: the day itself where something is missing that can be brought at once,
    None for never.
    """

    code: RefusalCode
    rule: str
    again_on: date | None
    sentence: Sentence
