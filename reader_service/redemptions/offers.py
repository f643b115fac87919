"""What a member can have at this counter now: the benefits of the programme edition, each decided for a verdict.

Pure: the card's facts, the counter's own earlier redemptions of the card and the time are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from programme.benefit import Benefit, Counting, Product
from programme.decision import decide
from programme.facts import Beneficiary, BenefitRequest, BenefitUse, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from programme.programme import Offer, Programme
from programme.sentences import title
from programme.wording import Sentence, Wording
from reader_service.redemptions.intents import Intent
from terminal.errors import CodecError
from terminal.member.journal_rows import JournalRow
from terminal.member.outcome import MemberFacts
from terminal.member.redemption.request import RedemptionRequest

MOST: Final = 99
"""Units in one redemption, where no rule says fewer: the card takes 255."""
_TO_ENTER: Final = {
    RefusalCode.PRICE_MISSING: "price",
    RefusalCode.EVENT_MISSING: "event",
    RefusalCode.PLACE_MISSING: "place",
    RefusalCode.BELOW_THRESHOLD: "price",
}
"""Refusals that end when the cashier enters something, and what."""


@dataclass(frozen=True, slots=True)
class BenefitChoice:
    """What the member chose: a benefit with the request for one of its products."""

    benefit: str
    request: BenefitRequest


@dataclass(frozen=True, slots=True)
class CounterOffer:
    """A product of a benefit for one member. ``most`` units may be taken at once; ``left`` are left of a counted
    benefit. ``asks`` are the values that the cashier enters: ``price`` (of one unit, by the name ``basis``), ``event``,
    ``place`` (one of ``places``); ``questions`` by code. ``pin``: the card wants the member's PIN."""

    benefit: str
    product: str
    benefit_class: str | None
    title: Sentence
    decision: Allowed | Refused
    most: int
    left: int | None
    asks: tuple[str, ...]
    basis: Wording | None
    questions: Mapping[str, Wording]
    places: Mapping[str, Wording]
    show: tuple[Wording, ...]
    pin: bool
    counted: Counting = "card"

    @property
    def possible(self) -> bool:
        """Whether it can be chosen: it is allowed, or waits only for what the cashier enters; card or office
        count it."""
        open_to = isinstance(self.decision, Allowed) or self.decision.code in _TO_ENTER
        return open_to and self.counted != "none"

    @property
    def at_once(self) -> bool:
        """Whether one press is enough: one unit, nothing to enter."""
        plain = not (self.asks or self.questions or self.pin)
        return self.possible and plain and self.most == 1

    def to_json(self) -> dict[str, Any]:
        """For pages and other programs; amounts in fen."""
        decision = self.decision
        allowed = decision if isinstance(decision, Allowed) else None
        refused = decision if isinstance(decision, Refused) else None
        return {
            "benefit": self.benefit,
            "product": self.product,
            "benefit_class": self.benefit_class,
            "counted": self.counted,
            "title": _words(self.title),
            "possible": self.possible,
            "at_once": self.at_once,
            "price": allowed and allowed.price,
            "list_price": allowed and allowed.list_price,
            "most": self.most,
            "left": self.left,
            "asks": list(self.asks),
            "basis": self.basis and _words(self.basis),
            "questions": {code: _words(words) for code, words in self.questions.items()},
            "places": {code: _words(words) for code, words in self.places.items()},
            "show": [_words(words) for words in self.show],
            "pin": self.pin,
            "reason": refused and str(refused.code),
            "again_on": refused and refused.again_on and refused.again_on.isoformat(),
            "sentence": _words(decision.sentence),
        }


def offers_of(
    programme: Programme,
    kinds: Iterable[str],
    facts: MemberFacts,
    earlier: Sequence[tuple[Intent, JournalRow]],
    at: datetime,
    *,
    online: bool = False,
) -> tuple[CounterOffer, ...]:
    """Every product of the benefits that merchants of these kinds give, those that can be chosen first; a sequence in
    the order of its phases. ``at`` is the local time; ``online``: the office can be asked for what it counts."""
    here = frozenset(kinds)
    listed = [
        _offer(offer, code, product, facts, earlier, at, online)
        for offer in programme.offers()
        if here.intersection(offer.benefit.merchants)
        for code, product in _in_order(offer.benefit)
    ]
    return tuple(sorted(listed, key=lambda one: not one.possible))


def _in_order(benefit: Benefit) -> list[tuple[str, Product]]:
    """The products with their codes: those of a sequence by their first phase, then all others."""
    phases = [phase.product for phase in benefit.phases]
    places = {code: phases.index(code) for code in phases}
    return sorted(benefit.products.items(), key=lambda item: places.get(item[0], len(phases)))


def _judged_here(offer: Offer, online: bool) -> Offer:
    """What this counter can judge: of a benefit that the office counts not the rules about earlier uses and stocks,
    which the office is asked for."""
    benefit = offer.benefit
    if benefit.counted != "office" or not online:
        return offer
    products = {code: product.model_copy(update={"after": None}) for code, product in benefit.products.items()}
    without = {"counted": "none", "limits": (), "phases": (), "stock": {}, "products": products}
    return replace(offer, benefit=benefit.model_copy(update=without))


def decided(
    programme: Programme,
    choice: BenefitChoice,
    facts: MemberFacts,
    earlier: Sequence[tuple[Intent, JournalRow]],
    at: datetime,
    *,
    online: bool = False,
) -> Allowed | Refused:
    """The decision on one choice; of a benefit that the office counts what this counter can say, where it is
    ``online``. Raises NotInProgramme."""
    offer = _judged_here(programme.offer(choice.benefit), online)
    if choice.request.place and offer.benefit.counted == "none":
        choice = replace(choice, request=replace(choice.request, place=""))
    return decide(offer, _beneficiary(facts), choice.request, _past(facts, choice.benefit, earlier), at)


def _offer(
    offer: Offer,
    code: str,
    product: Product,
    facts: MemberFacts,
    earlier: Sequence[tuple[Intent, JournalRow]],
    at: datetime,
    online: bool,
) -> CounterOffer:
    benefit, judged = offer.benefit, _judged_here(offer, online)
    decision = decide(judged, _beneficiary(facts), BenefitRequest(code), _past(facts, offer.code, earlier), at)
    entitlement = next((one for one in facts.entitlements if one.benefit_class == benefit.benefit_class), None)
    left = None if entitlement is None else entitlement.left(at.date())
    after = decision.left if isinstance(decision, Allowed) else None
    most = after + 1 if after is not None else MOST if left is None else left
    if benefit.counted == "office":
        most = min([most, *(limit.count for limit in benefit.limits if limit.covers(code))])
    asks = []
    if product.price.entered:
        asks.append("price")
    if any(limit.per == "event" and limit.covers(code) for limit in benefit.limits):
        asks.append("event")
    places = {name: stock.name for name, stock in benefit.stock.items() if stock.covers(code)}
    if len(places) > 1:
        asks.append("place")
    named = {name for fee in product.fees for name in (fee.when, fee.unless) if name is not None}
    return CounterOffer(
        benefit=offer.code,
        product=code,
        benefit_class=benefit.benefit_class,
        title=title(offer, product),
        decision=decision,
        most=max(1, min(MOST, most)),
        left=left,
        asks=tuple(asks),
        basis=product.price.basis,
        questions={name: words for name, words in benefit.questions.items() if name in named},
        places=places if "place" in asks else {},
        show=offer.documents,
        pin=entitlement is not None and entitlement.pin,
        counted=benefit.counted,
    )


def _beneficiary(facts: MemberFacts) -> Beneficiary:
    """What the card says of its member; the rest is unknown to a counter without a line."""
    return Beneficiary(
        federation=facts.scheme,
        category=facts.category,
        unit=facts.unit_code,
        cover_ends=facts.cover_ends,
        issued=facts.effective,
    )


def _past(facts: MemberFacts, benefit: str, earlier: Sequence[tuple[Intent, JournalRow]]) -> PastUses:
    card = {one.benefit_class: one for one in facts.entitlements}
    return PastUses(uses=tuple(_uses(benefit, earlier)), card=card)


def _uses(benefit: str, earlier: Sequence[tuple[Intent, JournalRow]]) -> Iterator[BenefitUse]:
    """The uses of a benefit among the counter's own redemptions of the card."""
    for intent, row in earlier:
        details = intent.details
        if details.get("benefit") != benefit:
            continue
        try:
            request = RedemptionRequest.decode(intent.request)
        except CodecError:
            continue  # of a version that is not read any more
        saved, event = details.get("saved", 0), details.get("event", "")
        yield BenefitUse(
            str(row.number),
            str(details.get("product", "")),
            request.quantity,
            request.day,
            saved if isinstance(saved, int) else 0,
            str(event),
        )


def _words(words: Sentence | Wording) -> dict[str, str]:
    return {"zh": words.zh, "en": words.en}
