"""What a decision is about: the member, the request, and what was used before. All values; nothing is looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Self

from programme.errors import ProgrammeError
from terminal.member.outcome import MemberFacts
from terminal.member.values import Category, Entitlement

LONGEST_EVENT: Final = 100
"""Characters of the name of an event; a journal keeps them all."""


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """What is known of a member; None is unknown, and unknown is never taken for yes.

    ``federation`` and ``district`` are division codes of six digits, ``unit`` a unit code. Dates of birth are those of
    the member and of the member's children.
    """

    federation: str | None = None
    category: Category | None = None
    unit: str | None = None
    district: str | None = None
    hardship: bool | None = None
    cover_ends: date | None = None
    issued: date | None = None
    birth: date | None = field(default=None, repr=False)
    children: tuple[date, ...] | None = field(default=None, repr=False)

    @classmethod
    def of_card(cls, facts: MemberFacts) -> Self:
        """What a verified card says of its member, without the registry."""
        return cls(
            federation=facts.scheme,
            category=facts.category,
            unit=facts.unit_code,
            cover_ends=facts.cover_ends,
            issued=facts.effective,
        )

    @property
    def in_hardship(self) -> bool | None:
        """By the office's record, else by the category on the card."""
        if self.hardship is not None or self.category is None:
            return self.hardship
        return self.category is Category.IN_HARDSHIP


@dataclass(frozen=True, slots=True)
class BenefitRequest:
    """What the member asks for.

    ``list_price`` is what the cashier entered for one unit, in fen. ``event`` names the show, of which the first 100
    characters count, on one line; ``place`` the stock; ``answers`` are the questions answered with yes; ``measures``
    numbers such as points. Raises ProgrammeError.
    """

    product: str
    quantity: int = 1
    list_price: int | None = None
    event: str = ""
    place: str = ""
    answers: frozenset[str] = frozenset()
    measures: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise ProgrammeError("a request is for one unit at least")
        if self.list_price is not None and self.list_price < 0:
            raise ProgrammeError("a list price is not below zero")
        if self.event:
            object.__setattr__(self, "event", " ".join(self.event.split())[:LONGEST_EVENT])


@dataclass(frozen=True, slots=True)
class BenefitUse:
    """A redemption that was made: ``reference`` is unique, ``saved`` what the member saved by it, in fen."""

    reference: str
    product: str
    quantity: int
    day: date
    saved: int = 0
    event: str = ""


@dataclass(frozen=True, slots=True)
class PastUses:
    """The member's earlier uses of one benefit.

    ``reversed_uses`` are references of uses that were reversed, in whatever order both arrived. ``complete``: these are
    all uses, as the registry has them; a counter without a line has its own only. ``card`` has the entitlements of the
    chip by class; ``taken`` how many units of each stock are given out.
    """

    uses: Sequence[BenefitUse] = ()
    reversed_uses: frozenset[str] = frozenset()
    complete: bool = False
    card: Mapping[str, Entitlement] = field(default_factory=dict)
    taken: Mapping[str, int] | None = None

    @classmethod
    def of_card(cls, facts: MemberFacts, uses: Sequence[BenefitUse] = ()) -> Self:
        """What a verified card has counted, with the uses that this counter knows."""
        return cls(uses, card={entry.benefit_class: entry for entry in facts.entitlements})

    def valid(self) -> list[BenefitUse]:
        """The uses that were not reversed."""
        if not self.reversed_uses:
            return list(self.uses)
        return [use for use in self.uses if use.reference not in self.reversed_uses]

    def with_use(self, use: BenefitUse) -> PastUses:
        """The same after one more use."""
        return replace(self, uses=(*self.uses, use))

    def without(self, reference: str) -> PastUses:
        """The same after a use was reversed."""
        return replace(self, reversed_uses=self.reversed_uses | {reference})
