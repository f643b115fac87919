"""The rules of a benefit or a rush in words: one sentence for each, as a cashier reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from programme.benefit import Benefit, Fee, LimitedStock, PriceRule, Product, UseLimit
from programme.dates import SaleWindow
from programme.eligibility import CATEGORY_TEXTS, AgeRange, Eligibility
from programme.programme import Offer
from programme.sections.rush import TicketRush
from programme.sentences import PERIODS
from programme.wording import Sentence, Wording, joined, percent_text, yuan

_COUNTED: Final = {
    "card": Sentence("由卡计数，可脱机使用", "counted by the card, also without a line"),
    "office": Sentence("由工会联网计数", "counted by the union, online"),
    "none": Sentence("不计数", "not counted"),
}


def explained(offer: Offer) -> Iterator[Sentence]:
    """Every rule of the benefit: products with their prices, when, how often, for whom, what to look at."""
    benefit = offer.benefit
    for product in benefit.products.values():
        name = Sentence(product.name.zh, product.name.en)
        for sentence in _product(benefit, product):
            yield Sentence(f"{name.zh}：{sentence.zh}", f"{name.en}: {sentence.en}")
    yield from map(_window, benefit.sold)
    yield from (_limit(benefit, limit) for limit in benefit.limits)
    if benefit.phases:
        yield _phases(benefit)
    yield from map(_stock, benefit.stock.values())
    yield from _conditions(benefit.eligibility)
    if offer.documents:
        seen = joined(offer.documents)
        yield Sentence(f"须查看{seen.zh}", f"the cashier looks at: {seen.en}")
    if benefit.pin:
        yield Sentence("须输入密码", "with the PIN of the card")
    yield _COUNTED[benefit.counted]
    if benefit.text is not None:
        yield Sentence(benefit.text.zh, benefit.text.en)


def explained_rush(rush: TicketRush) -> Iterator[Sentence]:
    """Every rule of a rush: when, at what price, how many, each lot, for whom."""
    opens, closes = f"{rush.opens:%Y-%m-%d %H:%M}", f"{rush.closes:%Y-%m-%d %H:%M}"
    yield Sentence(f"{opens} 开抢，{closes} 结束", f"opens {opens}, closes {closes}")
    returns = f"{rush.returns or rush.closes:%Y-%m-%d %H:%M}"
    yield Sentence(f"{returns} 前可退票", f"tickets go back until {returns}")
    price = yuan(rush.price)
    yield Sentence(f"每张 {price} 元", f"{price} yuan a ticket")
    yield Sentence(f"每人限 {rush.limit} 张", f"{rush.limit} for a member at most")
    if rush.waiting:
        yield Sentence(f"每场候补 {rush.waiting} 人", f"a waiting list of {rush.waiting} for each lot")
    for lot in rush.lots.values():
        zh = f"{lot.name.zh}：{lot.units} 张，{lot.days.first} 至 {lot.days.last} 有效"
        en = f"{lot.name.en}: {lot.units} tickets, valid {lot.days.first} through {lot.days.last}"
        if lot.limit is not None:
            zh, en = f"{zh}，每人限 {lot.limit} 张", f"{en}, {lot.limit} for a member at most"
        yield Sentence(zh, en)
    if rush.benefit is not None:
        yield Sentence(f"并须符合权益 {rush.benefit} 的条件", f"the conditions of benefit {rush.benefit} hold as well")
    yield from _conditions(rush.eligibility)
    if rush.text is not None:
        yield Sentence(rush.text.zh, rush.text.en)


def price_text(rule: PriceRule) -> Sentence:
    """What a member pays, with the caps on what is saved."""
    basis = _basis(rule)
    if rule.fixed is not None:
        sentence = (
            Sentence("免费", "free")
            if rule.fixed == 0
            else Sentence(f"{yuan(rule.fixed)} 元", f"{yuan(rule.fixed)} yuan")
        )
        if rule.list_price is not None:
            worth = yuan(rule.list_price)
            sentence = Sentence(f"{sentence.zh}（原价 {worth} 元）", f"{sentence.en} (list price {worth})")
    elif rule.percent is not None:
        share = percent_text(rule.percent)
        sentence = Sentence(f"{basis.zh}的 {share}%", f"{share}% of {basis.en}")
    else:
        off, least = yuan(rule.off or 0), yuan(rule.threshold)
        sentence = Sentence(f"{basis.zh}满 {least} 元减 {off} 元", f"{off} yuan off {basis.en} from {least}")
    if rule.cap is None:
        return sentence
    zh, en = [sentence.zh], [sentence.en]
    if rule.cap.use is not None:
        zh.append(f"每次最多优惠 {yuan(rule.cap.use)} 元")
        en.append(f"saving {yuan(rule.cap.use)} at most each time")
    if rule.cap.month is not None:
        zh.append(f"每月最多优惠 {yuan(rule.cap.month)} 元")
        en.append(f"saving {yuan(rule.cap.month)} a month at most")
    return Sentence("，".join(zh), ", ".join(en))


def _basis(rule: PriceRule) -> Sentence:
    if rule.basis is not None:
        return Sentence(rule.basis.zh, rule.basis.en)
    if rule.list_price is None:
        return Sentence("原价", "the list price")
    return Sentence(f"原价 {yuan(rule.list_price)} 元", f"the list price of {yuan(rule.list_price)}")


def _product(benefit: Benefit, product: Product) -> Iterator[Sentence]:
    yield price_text(product.price)
    yield from (_fee(benefit, fee) for fee in product.fees)
    months = product.within_months_of_issue
    if months is not None:
        yield Sentence(f"限发卡后 {months} 个月内", f"within {months} months of the card's issue")
    if product.after is not None:
        earlier = benefit.products[product.after].name
        yield Sentence(f"须先办理{earlier.zh}", f"after {earlier.en}")
    if product.needs_any:
        zh = "或".join(f"{need.name.zh} {need.least}" for need in product.needs_any)
        en = " or ".join(f"{need.least} {need.name.en}" for need in product.needs_any)
        yield Sentence(f"须有{zh}", f"needs {en}")
    gives = product.gives
    if gives is not None:
        yield Sentence(f"获得{gives.name.zh} {gives.months} 个月", f"gives {gives.name.en} for {gives.months} months")


def _fee(benefit: Benefit, fee: Fee) -> Sentence:
    amount = yuan(fee.amount)
    zh, en = f"另收{fee.name.zh} {amount} 元", f"{fee.name.en} of {amount} added"
    question = fee.when or fee.unless
    if question is None:
        return Sentence(zh, en)
    text: Wording = benefit.questions[question]
    if fee.when:
        return Sentence(f"{text.zh}的，{zh}", f"{en} where {text.en}")
    return Sentence(f"{text.zh}的免收，否则{zh}", f"{en} unless {text.en}")


def _window(window: SaleWindow) -> Sentence:
    every = Sentence("每年", " every year") if window.yearly else Sentence("", "")
    zh = f"{every.zh} {window.first} 至 {window.last} 办理".strip()
    en = f"sold from {window.first} through {window.last}{every.en}"
    if window.hours is None:
        return Sentence(zh, en)
    hours = f"{window.hours.first:%H:%M}—{window.hours.last:%H:%M}"
    return Sentence(f"{zh}，{hours}", f"{en}, {hours}")


def _limit(benefit: Benefit, limit: UseLimit) -> Sentence:
    per = PERIODS[limit.per]
    zh, en = f"{per.zh}每人限 {limit.count} 次", f"at most {limit.count} {per.en} a person"
    if limit.per in ("month", "quarter", "year") and str(limit.starts) != "01-01":
        zh, en = f"{zh}（自 {limit.starts} 起算）", f"{en}, counted from {limit.starts}"
    if limit.products:
        names = joined(benefit.products[code].name for code in limit.products)
        zh, en = f"{names.zh}：{zh}", f"{names.en}: {en}"
    return Sentence(zh, en)


def _phases(benefit: Benefit) -> Sentence:
    zh, en = [], []
    for phase in benefit.phases:
        name = benefit.products[phase.product].name
        zh.append(name.zh if phase.uses is None else f"{name.zh} {phase.uses} 次")
        en.append(name.en if phase.uses is None else f"{name.en} ×{phase.uses}")
    return Sentence(f"依次为：{' → '.join(zh)}", f"one after the other: {' → '.join(en)}")


def _stock(stock: LimitedStock) -> Sentence:
    zh, en = f"{stock.name.zh}限量 {stock.units} 份", f"{stock.units} of {stock.name.en} in all"
    if stock.days is not None:
        zh, en = f"{zh}，{stock.days.first} 至 {stock.days.last}", f"{en}, {stock.days.first} through {stock.days.last}"
    if stock.hours is not None:
        hours = f"{stock.hours.first:%H:%M}—{stock.hours.last:%H:%M}"
        zh, en = f"{zh}，{hours}", f"{en}, {hours}"
    return Sentence(zh, en)


def _conditions(rules: Eligibility) -> Iterator[Sentence]:
    if rules.federations:
        listed = ", ".join(rules.federations)
        yield Sentence(f"仅限工会 {listed} 的会员", f"for members of the federations {listed} only")
    if rules.categories:
        names = [CATEGORY_TEXTS[name] for name in rules.categories]
        yield Sentence(
            f"仅限{'、'.join(name.zh for name in names)}", f"for {', '.join(name.en for name in names)} only"
        )
    if rules.units:
        yield Sentence(f"仅限单位 {', '.join(rules.units)}", f"for members of the units {', '.join(rules.units)} only")
    if rules.districts:
        listed = ", ".join(rules.districts)
        yield Sentence(f"仅限区县 {listed}", f"for members of the districts {listed} only")
    if rules.hardship:
        yield Sentence("仅限困难职工", "for members in hardship only")
    if rules.cover:
        yield Sentence("须在互助保障期内", "for members with a cover in force only")
    if rules.age is not None:
        zh, en = _ages(rules.age)
        yield Sentence(f"年龄{zh}", f"for members {en}")
    if rules.children is not None:
        zh, en = _ages(rules.children)
        yield Sentence(f"仅限会员子女，年龄{zh}", f"for members' children {en}")


def _ages(ages: AgeRange) -> tuple[str, str]:
    if ages.most is None:
        return f"满 {ages.least} 周岁", f"from the age of {ages.least}"
    return f" {ages.least} 至 {ages.most} 周岁", f"from the age of {ages.least} to {ages.most}"
