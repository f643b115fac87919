"""``decide``: whether a member can have a benefit now, at what price, and if not why and from when.

Pure: no clock, no database, no card. Days and hours are those of the counter's time zone. Of all rules the first that
refuses counts, in the order of ``_RULES``; the day from which the request is possible again is looked for through all
rules, so that a member who comes back on that day is not sent away by the next rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from programme import sentences
from programme.benefit import Product, UseLimit
from programme.dates import DateSpan, add_months, period_span
from programme.errors import NotInProgramme
from programme.facts import Beneficiary, BenefitRequest, BenefitUse, PastUses
from programme.outcome import Allowed, RefusalCode, Refused, Ruling
from programme.pricing import priced
from programme.programme import Offer
from terminal.names import fold

_LOOKS: Final = 12
"""How many rules may put a request off, one after the other, before the last day found stands."""
_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class Case:
    """One request on one day. ``at`` is the hour, None for any; ``left`` becomes the uses left before this one."""

    offer: Offer
    product: Product
    member: Beneficiary
    request: BenefitRequest
    past: PastUses
    uses: list[BenefitUse]
    day: date
    at: time | None
    left: int | None = None

    def used(self, product: str) -> int:
        """Units of a product that the member has had."""
        return sum(use.quantity for use in self.uses if use.product == product)

    def leave(self, left: int) -> None:
        """Note how many uses a limit leaves."""
        self.left = left if self.left is None else min(self.left, left)


def decide(
    offer: Offer, member: Beneficiary, request: BenefitRequest, history: PastUses, at: datetime
) -> Allowed | Refused:
    """The decision at that local time. ``history`` are the member's uses of this benefit. Raises NotInProgramme."""
    product = offer.product(request.product)
    if request.place and request.place not in offer.benefit.stock:
        raise NotInProgramme(f"benefit {offer.code} has no stock at {request.place}")
    case = Case(offer, product, member, request, history, history.valid(), at.date(), at.time())
    ruling = _ruling(case)
    if ruling is not None:
        return _refused(case, ruling)
    terms = priced(product.price, product.fees, request, case.uses, case.day)
    if isinstance(terms, Ruling):
        return _refused(case, terms)
    left = None if case.left is None else case.left - request.quantity
    gives = product.gives
    through = None if gives is None else add_months(case.day, gives.months) - _DAY
    sentence = sentences.allowed(offer, product, request, terms, left, through)
    return Allowed(
        terms.price,
        terms.list_price,
        terms.saved,
        terms.fees,
        request.quantity,
        left,
        offer.documents,
        bool(offer.benefit.pin),
        through,
        sentence,
    )


def _refused(case: Case, ruling: Ruling) -> Refused:
    again = _again(case, ruling)
    sentence = sentences.refused(case.offer, case.product, ruling, case.day, again)
    return Refused(ruling.code, ruling.rule, again, sentence)


def _again(case: Case, ruling: Ruling) -> date | None:
    """The first day on which no rule refuses any more, or only for what can be brought at once."""
    again = ruling.again
    for _ in range(_LOOKS):
        if again is None or again <= case.day:
            return again
        later = Case(case.offer, case.product, case.member, case.request, case.past, case.uses, again, None)
        following = _ruling(later) or _price_ruling(later)
        if following is None or following.again == again:
            return again
        again = following.again
    return again


def _price_ruling(case: Case) -> Ruling | None:
    terms = priced(case.product.price, case.product.fees, case.request, case.uses, case.day)
    return terms if isinstance(terms, Ruling) else None


def _ruling(case: Case) -> Ruling | None:
    """The first rule that refuses, prices left out."""
    for rule in _RULES:
        ruling = rule(case)
        if ruling is not None:
            return ruling
    return None


def _valid(case: Case) -> Ruling | None:
    valid = case.offer.valid
    if case.day < valid.first:
        return Ruling(RefusalCode.PROGRAMME_NOT_YET, "valid", valid.first)
    return Ruling(RefusalCode.PROGRAMME_OVER, "valid", day=valid.last) if case.day > valid.last else None


def _eligible(case: Case) -> Ruling | None:
    return case.offer.common.refusal(case.member, case.day) or case.offer.benefit.eligibility.refusal(
        case.member, case.day
    )


def _known(case: Case) -> Ruling | None:
    if case.offer.benefit.counted == "office" and not case.past.complete:
        return Ruling(RefusalCode.OFFLINE, "counted", case.day)
    return None


def _sale(case: Case) -> Ruling | None:
    """The windows of ``sold`` and their hours."""
    sold = case.offer.benefit.sold
    if not sold:
        return None
    closed: Ruling | None = None
    for place, window in enumerate(sold):
        span = window.span(case.day)
        if span is None:
            continue
        hours = window.hours
        if hours is None or case.at is None or hours.first <= case.at < hours.last:
            return None
        early = case.at < hours.first
        again = case.day if early else case.day + _DAY
        closed = closed or Ruling(
            RefusalCode.CLOSED_NOW, f"sold.{place}", again, names=(f"{hours.first:%H:%M}", f"{hours.last:%H:%M}")
        )
    if closed is not None:
        return closed
    begins = [day for window in sold if (day := window.following(case.day)) is not None]
    return Ruling(RefusalCode.NOT_ON_SALE, "sold", min(begins, default=None))


def _issue(case: Case) -> Ruling | None:
    """The window after the issue of the card; its last day is the same day of the month, so many months later."""
    months = case.product.within_months_of_issue
    if months is None:
        return None
    rule, issued = f"products.{case.request.product}.within_months_of_issue", case.member.issued
    if issued is None:
        return Ruling(RefusalCode.NOT_KNOWN, rule, case.day)
    if case.day < issued:
        return Ruling(RefusalCode.CARD_NOT_YET_ISSUED, rule, issued)
    last = add_months(issued, months)
    return Ruling(RefusalCode.ISSUE_WINDOW_OVER, rule, count=months, day=last) if case.day > last else None


def _needed(case: Case) -> Ruling | None:
    """An earlier product, and the numbers of which one has to be reached."""
    product, place = case.product, f"products.{case.request.product}"
    if product.after is not None and not case.used(product.after):
        earlier = case.offer.benefit.products[product.after]
        return Ruling(RefusalCode.EARLIER_PRODUCT, f"{place}.after", case.day, texts=(earlier.name,))
    measures = case.request.measures
    if product.needs_any and not any(measures.get(need.measure, 0) >= need.least for need in product.needs_any):
        needs = product.needs_any
        return Ruling(
            RefusalCode.NEEDS_NOT_MET,
            f"{place}.needs_any",
            case.day,
            names=tuple(str(need.least) for need in needs),
            texts=tuple(need.name for need in needs),
        )
    return None


def _phase(case: Case) -> Ruling | None:
    """The step of the sequence that the member has reached; a product that is no step is free of it."""
    phases = case.offer.benefit.phases
    wanted = [place for place, phase in enumerate(phases) if phase.product == case.request.product]
    if not wanted:
        return None
    spent: dict[str, int] = {}
    for place, phase in enumerate(phases):
        spare = case.used(phase.product) - spent.get(phase.product, 0)
        if phase.uses is None or spare < phase.uses:
            return _step(case, place, wanted, None if phase.uses is None else phase.uses - max(0, spare))
        spent[phase.product] = spent.get(phase.product, 0) + phase.uses
    return Ruling(RefusalCode.PHASE_OVER, f"phases.{wanted[-1]}")


def _step(case: Case, place: int, wanted: list[int], left: int | None) -> Ruling | None:
    """The refusal of a request at a step of the sequence, of which ``left`` uses are left."""
    phases = case.offer.benefit.phases
    if place in wanted:
        if left is None:
            return None
        if case.request.quantity > left:
            return Ruling(RefusalCode.TOO_MANY, f"phases.{place}", case.day, count=phases[place].uses or 0, left=left)
        case.leave(left)
        return None
    here = case.offer.benefit.products[phases[place].product].name
    if max(wanted) > place:
        return Ruling(RefusalCode.PHASE_NOT_REACHED, f"phases.{place}", case.day, texts=(here,), left=left or 0)
    return Ruling(RefusalCode.PHASE_OVER, f"phases.{wanted[-1]}", texts=(here,))


def _limits(case: Case) -> Ruling | None:
    benefit = case.offer.benefit
    for place, limit in enumerate(benefit.limits):
        if not limit.covers(case.request.product):
            continue
        rule = f"limits.{place}"
        if limit is benefit.card_limit:
            ruling = _card(case, limit, rule)
            if ruling is not None:
                return ruling
            if not case.past.complete:
                continue
        ruling = _limit(case, limit, rule)
        if ruling is not None:
            return ruling
    return None


def _card(case: Case, limit: UseLimit, rule: str) -> Ruling | None:
    """What the chip has counted. Only a registry with all uses may do without the chip."""
    entitlement = case.past.card.get(case.offer.benefit.benefit_class or "")
    if entitlement is None:
        return None if case.past.complete else Ruling(RefusalCode.NOT_ON_CARD, "class", case.day)
    left = entitlement.left(case.day)
    if case.request.quantity <= left:
        case.leave(left)
        return None
    again = entitlement.renewed(case.day)
    return _over(case, rule, limit.per, entitlement.limit, left, again)


def _limit(case: Case, limit: UseLimit, rule: str) -> Ruling | None:
    """What the uses before add up to, in the period of the day."""
    uses = [use for use in case.uses if use.product in limit.products] if limit.products else case.uses
    again: date | None = None
    if limit.per == "event":
        event = fold(case.request.event)  # however a cashier writes it
        if not event:
            return Ruling(RefusalCode.EVENT_MISSING, rule, case.day)
        used = sum(use.quantity for use in uses if fold(use.event) == event)
    elif limit.per == "lifetime":
        used = sum(use.quantity for use in uses)
    else:
        first, last = _period(case, limit)
        used = sum([use.quantity for use in uses if first <= use.day <= last])
        again = _renewed(case, limit, last)
    left = max(0, limit.count - used)
    if case.request.quantity <= left:
        case.leave(left)
        return None
    return _over(case, rule, limit.per, limit.count, left, again)


def _period(case: Case, limit: UseLimit) -> DateSpan:
    """The period of a limit, or the season, that the day lies in; ``_sale`` has refused days between seasons."""
    if limit.per == "day" or limit.per == "month" or limit.per == "quarter" or limit.per == "year":
        return period_span(limit.per, limit.starts, case.day)
    spans = [span for window in case.offer.benefit.sold if (span := window.span(case.day)) is not None]
    return DateSpan(min(span.first for span in spans), max(span.last for span in spans))


def _renewed(case: Case, limit: UseLimit, last: date) -> date | None:
    """The first day of the next period, or season, after the last day of this one."""
    if limit.per != "season":
        return last + _DAY
    return min((day for window in case.offer.benefit.sold if (day := window.following(last)) is not None), default=None)


def _over(case: Case, rule: str, per: str, count: int, left: int, again: date | None) -> Ruling:
    """The refusal of more than is left: fewer are possible at once, as many as wanted in the next period, if ever."""
    if left:
        return Ruling(RefusalCode.TOO_MANY, rule, case.day, count=count, left=left, per=per)
    if case.request.quantity > count:
        again = None
    return Ruling(RefusalCode.LIMIT_REACHED, rule, again, count=count, per=per)


def _stock(case: Case) -> Ruling | None:
    """Units for all members together. Where several stocks have the product, the request names the place."""
    stocks = case.offer.benefit.stock
    if not stocks:
        return None
    fits = [code for code, stock in stocks.items() if stock.covers(case.request.product)]
    if not fits:
        return None
    code = case.request.place or (fits[0] if len(fits) == 1 else "")
    if code not in fits:
        return Ruling(RefusalCode.PLACE_MISSING, "stock", case.day, texts=tuple(stocks[one].name for one in fits))
    stock, rule = stocks[code], f"stock.{code}"
    days, hours = stock.days, stock.hours
    if days is not None and not days.first <= case.day <= days.last:
        return Ruling(RefusalCode.NOT_ON_SALE, rule, days.first if case.day < days.first else None, texts=(stock.name,))
    if hours is not None and case.at is not None and not hours.first <= case.at < hours.last:
        again = case.day if case.at < hours.first else case.day + _DAY
        opening = (f"{hours.first:%H:%M}", f"{hours.last:%H:%M}")
        return Ruling(RefusalCode.CLOSED_NOW, rule, again, names=opening, texts=(stock.name,))
    if case.past.taken is None:
        return Ruling(RefusalCode.OFFLINE, rule, case.day)
    left = stock.units - case.past.taken.get(code, 0)
    if case.request.quantity > left:
        if left > 0:
            return Ruling(RefusalCode.TOO_MANY, rule, case.day, count=stock.units, left=left)
        return Ruling(RefusalCode.SOLD_OUT, rule, count=stock.units, texts=(stock.name,))
    return None


_RULES: Final[tuple[Callable[[Case], Ruling | None], ...]] = (
    _valid,
    _eligible,
    _sale,
    _issue,
    _known,
    _needed,
    _phase,
    _limits,
    _stock,
)
