"""Sentences of a decision for a cashier, in both languages: the rule, and when it is possible again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from programme.benefit import Product
from programme.eligibility import CATEGORY_TEXTS
from programme.facts import BenefitRequest
from programme.outcome import RefusalCode, Ruling
from programme.pricing import Terms
from programme.programme import Offer
from programme.wording import Sentence, day_text, joined, yuan

_C = RefusalCode
PERIODS: Final = {
    "day": Sentence("每日", "a day"),
    "month": Sentence("每月", "a month"),
    "quarter": Sentence("每季度", "a quarter"),
    "year": Sentence("每年", "a year"),
    "season": Sentence("每个销售期", "a season"),
    "lifetime": Sentence("终身", "in a lifetime"),
    "event": Sentence("每场", "at one event"),
}
_FACTS: Final = {
    "eligibility.federations": Sentence("所属工会", "the member's federation"),
    "eligibility.categories": Sentence("会员类别", "the member's category"),
    "eligibility.units": Sentence("所属单位", "the member's unit"),
    "eligibility.districts": Sentence("所属区县", "the member's district"),
    "eligibility.hardship": Sentence("是否困难职工", "whether the member is in hardship"),
    "eligibility.cover": Sentence("互助保障状态", "whether the cover is in force"),
    "eligibility.age": Sentence("年龄", "the member's age"),
    "eligibility.children": Sentence("子女情况", "the member's children"),
}
_ISSUE_DAY: Final = Sentence("发卡日期", "when the card was issued")
_AFTER_CHANGE: Final = frozenset(
    {
        _C.OTHER_FEDERATION,
        _C.OTHER_CATEGORY,
        _C.OTHER_UNIT,
        _C.OTHER_DISTRICT,
        _C.NOT_IN_HARDSHIP,
        _C.NO_COVER,
        _C.NO_CHILD,
    }
)
"""Refusals that end when the member's data change."""


def title(offer: Offer, product: Product) -> Sentence:
    """The name of the benefit, with the product's where there are several."""
    name = offer.benefit.name
    if len(offer.benefit.products) == 1:
        return Sentence(name.zh, name.en)
    return Sentence(f"{name.zh}（{product.name.zh}）", f"{name.en} ({product.name.en})")


def allowed(
    offer: Offer, product: Product, request: BenefitRequest, terms: Terms, left: int | None, through: date | None
) -> Sentence:
    """What the member pays and gets, and what the cashier looks at."""
    head = title(offer, product)
    zh, en = [f"{head.zh}×{request.quantity}：可以办理"], [f"{head.en} x {request.quantity}: allowed"]
    if terms.price:
        zh.append(f"应收 {yuan(terms.price)} 元")
        en.append(f"pays {yuan(terms.price)} yuan")
    else:
        zh.append("免费")
        en.append("free")
    if terms.saved:
        zh.append(f"原价 {yuan(terms.list_price or 0)} 元，优惠 {yuan(terms.saved)} 元")
        en.append(f"{yuan(terms.saved)} less than the list price of {yuan(terms.list_price or 0)}")
    for fee, amount in terms.due:
        zh.append(f"含{fee.name.zh} {yuan(amount)} 元")
        en.append(f"{fee.name.en} {yuan(amount)} included")
    if product.gives is not None and through is not None:
        zh.append(f"{product.gives.name.zh}至 {day_text(through)}")
        en.append(f"{product.gives.name.en} through {day_text(through)}")
    if offer.documents:
        seen = joined(offer.documents)
        zh.append(f"请查看{seen.zh}")
        en.append(f"look at: {seen.en}")
    if offer.benefit.pin:
        zh.append("请会员输入密码")
        en.append("the member enters the PIN")
    if left is not None:
        zh.append(f"此后还剩 {left} 次")
        en.append(f"{left} left after this")
    return Sentence("，".join(zh), "; ".join(en))


def refused(offer: Offer, product: Product, ruling: Ruling, day: date, again: date | None) -> Sentence:
    """Which rule refuses, and when it is possible again."""
    head, why, then = title(offer, product), _REASONS[ruling.code](ruling), _then(ruling, day, again)
    return Sentence(f"{head.zh}：{why.zh}；{then.zh}", f"{head.en}: {why.en}; {then.en}")


def reason(ruling: Ruling) -> Sentence:
    """Which condition refuses, by itself."""
    return _REASONS[ruling.code](ruling)


def _then(ruling: Ruling, day: date, again: date | None) -> Sentence:
    if again is not None and again > day:
        on = day_text(again)
        return Sentence(f"{on} 起可以办理", f"possible from {on}")
    if ruling.code is _C.TOO_MANY:
        return Sentence(f"今天最多可办 {ruling.left} 次", f"today {ruling.left} at most")
    if ruling.code is _C.CLOSED_NOW:
        return Sentence(f"今天 {ruling.names[0]} 起可以办理", f"possible today from {ruling.names[0]}")
    if again is not None:
        return Sentence("满足后今天即可办理", "possible today once that is met")
    if ruling.code in _AFTER_CHANGE:
        return Sentence("会员情况变化后才可办理", "not possible unless the member's data change")
    return Sentence("今后也不能办理", "never possible again")


def _fact(ruling: Ruling) -> Sentence:
    fact = _FACTS.get(ruling.rule, _ISSUE_DAY)
    return Sentence(f"本柜台不掌握{fact.zh}，请向工会查询", f"this counter does not know {fact.en}; ask the union")


def _categories(ruling: Ruling) -> Sentence:
    names = [CATEGORY_TEXTS[name] for name in ruling.names]
    zh, en = "、".join(name.zh for name in names), ", ".join(name.en for name in names)
    return Sentence(f"仅限{zh}", f"for {en} only")


def _on_sale(ruling: Ruling) -> Sentence:
    if not ruling.texts:
        return Sentence("不在销售期内", "not on sale on this day")
    place = joined(ruling.texts)
    return Sentence(f"{place.zh}不在发放日期内", f"{place.en} is not on these days")


def _needs(ruling: Ruling) -> Sentence:
    zh = "或".join(f"{text.zh} {least}" for text, least in zip(ruling.texts, ruling.names, strict=True))
    en = " or ".join(f"{least} {text.en}" for text, least in zip(ruling.texts, ruling.names, strict=True))
    return Sentence(f"须有{zh}", f"needs {en}")


def _too_many(ruling: Ruling) -> Sentence:
    if ruling.per:
        per = PERIODS[ruling.per]
        return Sentence(
            f"{per.zh}每人限 {ruling.count} 次，只剩 {ruling.left} 次",
            f"at most {ruling.count} {per.en} a person, {ruling.left} left",
        )
    return Sentence(f"共 {ruling.count} 次，只剩 {ruling.left} 次", f"{ruling.left} of {ruling.count} left")


def _reached(ruling: Ruling) -> Sentence:
    per = PERIODS[ruling.per]
    return Sentence(f"{per.zh}每人限 {ruling.count} 次，已用完", f"at most {ruling.count} {per.en} a person, all used")


def _over(ruling: Ruling) -> Sentence:
    if not ruling.texts:
        return Sentence("各阶段均已用完", "every step of the sequence is used up")
    here = joined(ruling.texts)
    return Sentence(f"此阶段已过，现为{here.zh}", f"this step is over, now it is {here.en}")


def _entered(ruling: Ruling) -> Sentence:
    basis = joined(ruling.texts) if ruling.texts else Sentence("原价", "the list price")
    return Sentence(f"请录入{basis.zh}", f"enter {basis.en}")


def _fixed(zh: str, en: str) -> Callable[[Ruling], Sentence]:
    sentence = Sentence(zh, en)
    return lambda ruling: sentence


def _ended(ruling: Ruling) -> Sentence:
    return Sentence(f"本方案已于 {ruling.day} 结束", f"the programme ended on {ruling.day}")


def _no_cover(ruling: Ruling) -> Sentence:
    return Sentence(
        f"须在互助保障期内，保障已于 {ruling.day} 到期", f"needs a cover in force, it ended on {ruling.day}"
    )


def _young(ruling: Ruling) -> Sentence:
    return Sentence(f"须满 {ruling.count} 周岁", f"from the age of {ruling.count}")


def _old(ruling: Ruling) -> Sentence:
    return Sentence(f"限 {ruling.count} 周岁及以下", f"to the age of {ruling.count}")


def _closed(ruling: Ruling) -> Sentence:
    first, last = ruling.names
    return Sentence(f"办理时间为 {first}—{last}", f"open from {first} to {last}")


def _issue_over(ruling: Ruling) -> Sentence:
    return Sentence(
        f"限发卡后 {ruling.count} 个月内，已于 {ruling.day} 截止",
        f"within {ruling.count} months of the card's issue, which ended on {ruling.day}",
    )


def _earlier(ruling: Ruling) -> Sentence:
    first = joined(ruling.texts)
    return Sentence(f"须先办理{first.zh}", f"first comes {first.en}")


def _not_reached(ruling: Ruling) -> Sentence:
    here = joined(ruling.texts)
    return Sentence(f"须先完成{here.zh}，还剩 {ruling.left} 次", f"first comes {here.en}, {ruling.left} left of it")


def _places(ruling: Ruling) -> Sentence:
    places = joined(ruling.texts)
    return Sentence(f"请选择地点：{places.zh}", f"choose a place: {places.en}")


def _sold_out(ruling: Ruling) -> Sentence:
    stock = joined(ruling.texts)
    return Sentence(f"{stock.zh}共 {ruling.count} 份，已发完", f"all {ruling.count} of {stock.en} are given out")


def _threshold(ruling: Ruling) -> Sentence:
    return Sentence(f"消费满 {yuan(ruling.count)} 元才可优惠", f"from a purchase of {yuan(ruling.count)} yuan")


def _cap(ruling: Ruling) -> Sentence:
    return Sentence(
        f"每月最多优惠 {yuan(ruling.count)} 元，本月已用完",
        f"saves {yuan(ruling.count)} yuan a month at most, all used",
    )


_REASONS: Final[dict[RefusalCode, Callable[[Ruling], Sentence]]] = {
    _C.PROGRAMME_NOT_YET: _fixed("本方案尚未开始", "the programme has not begun"),
    _C.PROGRAMME_OVER: _ended,
    _C.OTHER_FEDERATION: _fixed("不是本工会的会员", "not for members of this federation"),
    _C.OTHER_CATEGORY: _categories,
    _C.OTHER_UNIT: _fixed("仅限指定单位的会员", "for members of certain units only"),
    _C.OTHER_DISTRICT: _fixed("仅限指定区县的会员", "for members of certain districts only"),
    _C.NOT_IN_HARDSHIP: _fixed("仅限困难职工", "for members in hardship only"),
    _C.NO_COVER: _no_cover,
    _C.TOO_YOUNG: _young,
    _C.TOO_OLD: _old,
    _C.NO_CHILD: _fixed("仅限有适龄子女的会员", "for members with a child of that age only"),
    _C.NOT_KNOWN: _fact,
    _C.NOT_ON_SALE: _on_sale,
    _C.CLOSED_NOW: _closed,
    _C.ISSUE_WINDOW_OVER: _issue_over,
    _C.CARD_NOT_YET_ISSUED: _fixed("卡的发卡日期尚未到", "the card's day of issue has not come"),
    _C.EARLIER_PRODUCT: _earlier,
    _C.NEEDS_NOT_MET: _needs,
    _C.PHASE_NOT_REACHED: _not_reached,
    _C.PHASE_OVER: _over,
    _C.LIMIT_REACHED: _reached,
    _C.TOO_MANY: _too_many,
    _C.EVENT_MISSING: _fixed("请录入场次", "enter the event"),
    _C.OFFLINE: _fixed(
        "由工会联网计次，目前无法连接；未扣次数，请恢复网络后再试",
        "counted by the union online, which cannot be reached; nothing was counted, try again once the line is back",
    ),
    _C.ISSUER: _fixed("工会未受理", "the union does not allow it"),
    _C.NOT_ON_CARD: _fixed("卡上没有此权益，请先更新卡", "this benefit is not on the card; update the card first"),
    _C.PLACE_MISSING: _places,
    _C.SOLD_OUT: _sold_out,
    _C.PRICE_MISSING: _entered,
    _C.BELOW_THRESHOLD: _threshold,
    _C.CAP_REACHED: _cap,
}
