"""The rules of the office for a benefit that it counts, when an online counter asks: ``decide`` over all grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from programme.benefit import Benefit
from programme.booking_rules import BookingRules
from programme.decision import decide
from programme.errors import ProgrammeError
from programme.facts import Beneficiary, BenefitRequest, BenefitUse, PastUses
from programme.outcome import Refused
from programme.programme import Offer
from registry.programme.grants import EarlierGrant, GrantMember, GrantRefused, GrantRequest, GrantTerms, Taken
from terminal.member.values import Category


@dataclass(frozen=True, slots=True)
class ProgrammeGrantRules:
    """Implements ``registry.programme.grants.GrantRules`` by the editions of one registry. What only the card says
    (unit, district, cover) the counter has judged before it asks."""

    editions: BookingRules

    def since(self, benefit: str, day: date) -> date | None:
        return self.editions.since_online(benefit, day)

    def decide(
        self, wanted: GrantRequest, member: GrantMember, before: Sequence[EarlierGrant], taken: Taken, at: datetime
    ) -> GrantTerms | GrantRefused:
        """By the edition that the counter names, if it allows it at the counter's price; else by the newest one of the
        day, whose price counts."""
        known = self.editions.online(wanted.benefit, at.date(), wanted.edition)
        decided: GrantTerms | GrantRefused = _NOT_COUNTED
        stocks: Mapping[str, int] | None = None
        for version, offer in known:
            if stocks is None and offer.benefit.stock:
                stocks = taken()
            decided = _decided(version, offer, wanted, member, before, stocks or {}, at)
            if isinstance(decided, GrantTerms) and decided.price == wanted.price:
                return decided
        return decided


_NOT_COUNTED = GrantRefused(
    "not-counted-here",
    "counted",
    None,
    "今日有效的服务方案中，没有由工会计次的这项权益；请更新本柜台的服务方案",
    "The programme in force today has no such benefit that the union counts; update the programme of this counter",
)


def _decided(
    version: int,
    offer: Offer,
    wanted: GrantRequest,
    member: GrantMember,
    before: Sequence[EarlierGrant],
    taken: Mapping[str, int],
    at: datetime,
) -> GrantTerms | GrantRefused:
    uses = [BenefitUse(str(one.number), one.product, one.quantity, one.day, one.saved, one.event) for one in before]
    asks_age = offer.common.age is not None or offer.benefit.eligibility.age is not None
    born = member.birth() if asks_age else None
    person = Beneficiary(category=Category(member.category), issued=member.issued, birth=born)
    try:
        request = BenefitRequest(
            wanted.product,
            wanted.quantity,
            list_price=wanted.list_price,
            event=wanted.event,
            place=wanted.place,
            answers=frozenset(wanted.answers),
        )
        past = PastUses(uses, complete=True, taken=taken)
        decision = decide(offer, person, request, past, at.replace(tzinfo=None))
    except ProgrammeError as fault:
        return GrantRefused("not-in-programme", "products", None, "服务方案中没有这一项", str(fault))
    if isinstance(decision, Refused):
        sentence = decision.sentence
        return GrantRefused(str(decision.code), decision.rule, decision.again_on, sentence.zh, sentence.en)
    return GrantTerms(decision.price, decision.saved, decision.left, _place(offer.benefit, wanted), version)


def _place(benefit: Benefit, wanted: GrantRequest) -> str:
    """The stock that it comes from, empty without one."""
    fits = [code for code, stock in benefit.stock.items() if stock.covers(wanted.product)]
    return (wanted.place or fits[0]) if fits else ""
