"""The rules of the office at booking: ``decide`` over all uses of a member, by the edition in force on the day.

The office knows what no counter knows: the uses of all counters and of all cards of the member. It does not know what
the card said of unit, district or cover on that day, nor of the member's children: these conditions are left to the
counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from itertools import chain, combinations
from typing import Final

from programme.benefit import Benefit, Product, UseLimit
from programme.dates import period_span
from programme.decision import decide
from programme.editions import ProgrammeEdition
from programme.eligibility import Eligibility
from programme.errors import NotInProgramme, ProgrammeError
from programme.facts import Beneficiary, BenefitRequest, BenefitUse, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from programme.programme import Offer, Programme
from registry.admin.programmes import ProgrammeEditions
from registry.programme.judgement import FindingKind, Mark, RuledUse
from registry.programme.rules import Birth
from terminal.errors import CodecError
from terminal.member.values import Category

_COUNTER_ONLY: Final = ("federations", "units", "districts", "cover", "children")
_NOT_UPLOADED: Final = {
    RefusalCode.PRICE_MISSING: "list",
    RefusalCode.EVENT_MISSING: "event",
    RefusalCode.PLACE_MISSING: "place",
}
"""What a counter of an earlier version did not upload cannot be judged."""
_MOST_QUESTIONS: Final = 6


@dataclass(slots=True)
class _InForce:
    """An edition with the days on which it was in force, its benefits by the class that the card counts, and by code
    those that the office counts."""

    version: int
    first: date
    last: date
    offers: Mapping[str, Offer]
    online: Mapping[str, Offer]


@dataclass(slots=True)
class BookingRules:
    """Rules of all editions of one registry. No edition ever changes, so that each is read once. ``zone`` is that of
    its days. Implements ``registry.programme.rules.Rules``."""

    editions: ProgrammeEditions
    zone: tzinfo
    _read: list[_InForce] = field(default_factory=list)
    _version: int = 0

    def refreshed(self) -> BookingRules:
        """The same, with the editions that were published since. Raises RegistryError."""
        for file in self.editions.since(self._version):
            try:
                edition = ProgrammeEdition.on_record(file.signed)
            except CodecError:
                continue  # of a later version of the program: its rules cannot be applied here
            issue = edition.issue
            days = (issue.issued.astimezone(self.zone).date(), issue.expires.astimezone(self.zone).date())
            offers = _offers(edition.programme)
            by_class = {offer.benefit.benefit_class: offer for offer in offers if offer.benefit.benefit_class}
            online = {offer.code: offer for offer in offers if offer.benefit.counted == "office"}
            self._read.append(_InForce(issue.version, *days, by_class, online))
            self._version = max(self._version, file.version)
        return self

    def mark(self, use: RuledUse, before: Sequence[RuledUse], birth: Birth) -> Mark | None:
        """None where the edition that the counter names, or the newest one of that day, allows the use at its price;
        also where no edition had been published yet."""
        issued = [one for one in self._read if one.first <= use.day]
        if not issued:
            return None
        current = [one for one in issued if use.day <= one.last]
        if not current:
            return _not_allowed(
                "valid", "这一天没有有效的服务方案版本", "no edition of the programme was in force on that day"
            )
        mark = None
        for edition in _candidates(current, use.day, use.details.get("edition")):
            mark = _judged(edition, use, before, birth)
            if mark is None:
                return None
        return mark

    def since(self, benefit_class: str, day: date) -> date | None:
        """The first day whose uses count for a use on that day or later; None where all of them do."""
        return _earliest([one.offers.get(benefit_class) for one in self._read if one.last >= day], day)

    def since_online(self, benefit: str, day: date) -> date | None:
        """The same for a benefit that the office counts, by its code."""
        return _earliest([one.online.get(benefit) for one in self._in_force(day)], day)

    def online(self, benefit: str, day: date, named: int) -> list[tuple[int, Offer]]:
        """A benefit that the office counts as the editions of a day have it, each with its version: first the one that
        a counter names, last the newest. Empty where none is in force, or none has it."""
        current = self._in_force(day)
        if not current:
            return []
        again = [(one.version, one.online.get(benefit)) for one in _candidates(current, day, named)]
        return [(version, offer) for version, offer in again if offer is not None]

    def _in_force(self, day: date) -> list[_InForce]:
        return [one for one in self._read if one.first <= day <= one.last]


def _earliest(offers: Sequence[Offer | None], day: date) -> date | None:
    days = [_horizon(offer.benefit, day) for offer in offers if offer is not None]
    known = [one for one in days if one is not None]
    return min([day, *known]) if len(known) == len(days) else None


def _horizon(benefit: Benefit, day: date) -> date | None:
    """The first day whose uses ``decide`` looks at for a request on that day, or a later one; None where it looks at
    all: a sequence, an earlier product, a limit for life or at an event."""
    if benefit.phases or any(product.after is not None for product in benefit.products.values()):
        return None
    first = day
    for limit in benefit.limits:
        if limit.per in ("lifetime", "event"):
            return None
        first = min(first, *_begins(benefit, limit, day))
    if any(product.price.cap is not None for product in benefit.products.values()):
        first = min(first, day.replace(day=1))
    return first


def _begins(benefit: Benefit, limit: UseLimit, day: date) -> Iterator[date]:
    yield day
    if limit.per == "day" or limit.per == "month" or limit.per == "quarter" or limit.per == "year":
        yield period_span(limit.per, limit.starts, day).first
    else:
        yield from (span.first for window in benefit.sold if (span := window.span(day)) is not None)


def _candidates(current: Sequence[_InForce], day: date, named: object) -> Iterator[_InForce]:
    """The edition that the counter names, which may have had no line; the newest one, and on its first day the one
    before it. The last is the newest."""
    newest = current[-1]
    for edition in current[:-1]:
        if edition.version == named or (newest.first == day and edition is current[-2]):
            yield edition
    yield newest


def _offers(programme: Programme) -> list[Offer]:
    """The benefits without the conditions that only a counter can judge."""
    known = []
    for offer in programme.offers():
        benefit = offer.benefit.model_copy(update={"eligibility": _known(offer.benefit.eligibility)})
        known.append(Offer(offer.code, benefit, offer.valid, _known(offer.common), offer.documents))
    return known


def _known(conditions: Eligibility) -> Eligibility:
    values = {name: getattr(conditions, name) for name in conditions.model_fields_set if name not in _COUNTER_ONLY}
    return Eligibility.model_construct(_fields_set=set(values), **values)


def _judged(edition: _InForce, use: RuledUse, before: Sequence[RuledUse], birth: Birth) -> Mark | None:
    offer = edition.offers.get(use.benefit_class)
    if offer is None:
        zh = f"服务方案中没有类别为 {use.benefit_class} 的权益"
        return _not_allowed("class", zh, f"the programme has no benefit of class {use.benefit_class}")
    past = PastUses([_past(one) for one in before], complete=True, taken={})
    born = birth(use.member) if _asks_age(offer) else None
    member = Beneficiary(category=Category(use.category), issued=use.issued, birth=born)
    at = datetime.combine(use.day, use.clock)
    price: Mark | None = None
    refused: Mark | None = None
    for request in _requests(offer, use):
        try:
            decision = decide(offer, member, request, past, at)
        except NotInProgramme:
            continue
        if isinstance(decision, Allowed):
            if decision.price == use.amount:
                return None
            price = price or _price(offer, request, use, decision, edition)
        elif _not_known(decision, use):
            return None
        else:
            refused = refused or _refusal(offer, request, decision, edition)
    return price or refused


def _requests(offer: Offer, use: RuledUse) -> Iterator[BenefitRequest]:
    """What the member may have asked for: one request where the counter uploaded all of it, else every possible one."""
    details = use.details
    named = str(details.get("product", ""))
    products = offer.benefit.products
    codes = [named] if named in products and details.get("benefit") == offer.code else list(products)
    listed = details.get("list")
    unit = listed // use.quantity if isinstance(listed, int) and listed >= 0 else None
    place = str(details.get("place", ""))
    for code in codes:
        for answers in _answers(products[code], use):
            try:
                yield BenefitRequest(
                    code,
                    use.quantity,
                    list_price=unit,
                    event=str(details.get("event", "")),
                    place=place if place in offer.benefit.stock else "",
                    answers=answers,
                )
            except ProgrammeError:
                continue


def _answers(product: Product, use: RuledUse) -> Iterator[frozenset[str]]:
    if "answers" in use.details:
        yield frozenset(str(use.details["answers"]).split())  # "-" for none of them
        return
    named = sorted({name for fee in product.fees for name in (fee.when, fee.unless) if name is not None})
    named = named[:_MOST_QUESTIONS]
    yield from map(frozenset, chain.from_iterable(combinations(named, count) for count in range(len(named) + 1)))


def _past(use: RuledUse) -> BenefitUse:
    listed, saved = use.details.get("list"), use.details.get("saved", 0)
    if isinstance(listed, int):
        saved = max(0, listed - use.amount)
    return BenefitUse(
        f"{use.card_number}-{use.sequence}-{use.atc}",
        str(use.details.get("product", "")),
        use.quantity,
        use.day,
        saved if isinstance(saved, int) else 0,
        str(use.details.get("event", "")),
    )


def _asks_age(offer: Offer) -> bool:
    return offer.common.age is not None or offer.benefit.eligibility.age is not None


def _not_known(refused: Refused, use: RuledUse) -> bool:
    if refused.code is RefusalCode.NOT_KNOWN:
        return True
    value = _NOT_UPLOADED.get(refused.code)
    return value is not None and "edition" not in use.details


def _refusal(offer: Offer, request: BenefitRequest, refused: Refused, edition: _InForce) -> Mark:
    named = _named(offer, request, edition)
    return _not_allowed(refused.rule, refused.sentence.zh, refused.sentence.en, code=str(refused.code), **named)


def _not_allowed(rule: str, zh: str, en: str, **facts: str | int) -> Mark:
    return Mark(FindingKind.NOT_ALLOWED, {"rule": rule, "zh": zh, "en": en, **facts})


def _price(offer: Offer, request: BenefitRequest, use: RuledUse, allowed: Allowed, edition: _InForce) -> Mark:
    named = _named(offer, request, edition)
    return Mark(FindingKind.PRICE, {"amount": use.amount, "expected": allowed.price, **named})


def _named(offer: Offer, request: BenefitRequest, edition: _InForce) -> dict[str, str | int]:
    return {"benefit": offer.code, "product": request.product, "edition": edition.version}
