"""What a request costs. A percentage is taken of the whole list price and rounded half-up to a fen, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from programme.benefit import NEW_YEAR, WHOLE, Fee, PriceRule
from programme.dates import add_months, period_span
from programme.facts import BenefitRequest, BenefitUse
from programme.outcome import RefusalCode, Ruling


@dataclass(frozen=True, slots=True)
class Terms:
    """Amounts in fen for the whole quantity; ``price`` includes the fees, each of which is listed with its amount."""

    price: int
    list_price: int | None
    saved: int
    fees: int
    due: tuple[tuple[Fee, int], ...] = ()


def priced(
    rule: PriceRule, fees: tuple[Fee, ...], request: BenefitRequest, uses: Iterable[BenefitUse], day: date
) -> Terms | Ruling:
    """The terms, or the refusal by a threshold, a cap that is used up, or a list price that nobody entered."""
    place = f"products.{request.product}.price"
    unit = request.list_price if rule.list_price is None else rule.list_price
    if rule.entered and unit is None:
        return Ruling(RefusalCode.PRICE_MISSING, place, day, texts=(rule.basis,) if rule.basis else ())
    total = None if unit is None else unit * request.quantity
    if rule.off is not None and total is not None and total < rule.threshold:
        return Ruling(RefusalCode.BELOW_THRESHOLD, f"{place}.from", day, count=rule.threshold)
    price = _price(rule, total, request.quantity)
    saved = 0 if total is None else total - price
    if rule.cap is not None and total is not None:
        capped = _capped(rule, saved, uses, day)
        if capped is None:
            following = add_months(day.replace(day=1), 1)
            return Ruling(RefusalCode.CAP_REACHED, f"{place}.cap.month", following, count=rule.cap.month or 0)
        saved = capped
        price = total - saved
    due = tuple((fee, fee.amount * request.quantity) for fee in fees if fee.due(request.answers)) if fees else ()
    added = sum(amount for _, amount in due)
    return Terms(price + added, total, saved, added, due)


def half_up(total: int, percent: int) -> int:
    """A percentage, in hundredths of a percent, of an amount in fen, none below zero; half a fen is rounded up."""
    return (total * percent + WHOLE // 2) // WHOLE


def _price(rule: PriceRule, total: int | None, quantity: int) -> int:
    if rule.fixed is not None:
        fixed = rule.fixed * quantity
        return fixed if total is None else min(fixed, total)
    if total is None:
        return 0  # no such rule comes here: the list price is missing
    if rule.percent is not None:
        return min(total, half_up(total, rule.percent))
    return max(0, total - (rule.off or 0))


def _capped(rule: PriceRule, saved: int, uses: Iterable[BenefitUse], day: date) -> int | None:
    """What the caps leave of what a member would save; None where the cap of the month is used up."""
    cap = rule.cap
    if cap is None:
        return saved
    if cap.use is not None:
        saved = min(saved, cap.use)
    if cap.month is not None:
        month = period_span("month", NEW_YEAR, day)
        left = cap.month - sum(use.saved for use in uses if month.first <= use.day <= month.last)
        if left <= 0:
            return None
        saved = min(saved, left)
    return saved
