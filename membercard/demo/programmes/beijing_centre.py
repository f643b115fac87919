"""Beijing's service centre: holiday specials with stock, aid within its budget, hardship groups, and what is turned
away."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Final

from membercard.demo.counters import DemoCounter, DemoMerchant, Wish
from membercard.demo.programmes.chapters import benefit_chapter, card_chapter, incident, word
from membercard.demo.programmes.opening import issued, lose, titled
from membercard.demo.programmes.report import Chapter, ReportTable
from membercard.demo.programmes.welfare import DemoWelfare
from membercard.demo.programmes.welfare_chapters import budget_chapter, matter_chapter, payment_chapter
from membercard.demo.programmes.year import DemoYear, Shop
from membercard.language import text
from programme.records.windows import new_matter, window_above
from registry.matters.values import MatterChannel
from registry.programme.rates import Rate
from registry.values import Card
from terminal.member.outcome import VerdictCode

_UNITS: Final = {"环卫集团工会": 60, "地铁运营公司工会": 50, "快递行业工会联合会": 40}
_BEGIN: Final = date(2026, 1, 1)


def _free(number: str, name: str, terminal: str, kind: str, *benefits: str) -> Shop:
    """A merchant that gives these benefits, for which the union pays nothing here."""
    return Shop(DemoMerchant(number, name, terminal, (kind,)), {code: Rate(code, _BEGIN) for code in benefits})


_PARK: Final = _free("PARK-BEIHAI", "北海公园售票处", "BHGY0001", "park", "0101")
_CINEMA: Final = _free("CINEMA-DAHUA", "大华电影院", "DHDY0001", "cinema", "film")
_FAIR: Final = _free("FAIR-DITAN", "地坛庙会", "DTMH0001", "fair", "temple-fair")
_LIBRARY: Final = _free("LIBRARY", "职工图书馆", "ZGTS0001", "library", "books", "reading-room")
_LAUNDRY: Final = _free("LAUNDRY", "福奈特洗衣", "FNTX0001", "laundry", "0601")
_HOSPITAL: Final = _free("EYE-HOSPITAL", "同仁医院眼科", "TRYY0001", "hospital", "cataract")
_SHOPS: Final = (_PARK, _CINEMA, _FAIR, _LIBRARY, _LAUNDRY, _HOSPITAL)
_EMERGENCY: Final = 14
"""A tenth of the 140 emergency aids of a year."""


def beijing_centre(year: DemoYear) -> None:
    """The season of holidays, and the year of aid."""
    titled(year)
    welfare = DemoWelfare(year)
    year.to(1, 4)
    year.publish()
    year.contract(*_SHOPS)
    year.plan("全市", {unit: year.some(count) for unit, count in _UNITS.items()}, date(2026, 1, 31))
    year.to(1, 5)
    cards = issued(year, _UNITS)
    year.to(1, 8)
    year.hand_out(cards)
    taken = _specials(year, cards)
    _windows(year, cards)
    _aid(year, welfare, cards)
    _lose_one(year, cards)
    year.report.chapters += [
        card_chapter(year),
        _stock_chapter(year, taken),
        benefit_chapter(year),
        matter_chapter(welfare),
        budget_chapter(welfare),
        payment_chapter(welfare),
    ]


def _specials(year: DemoYear, cards: list[Card]) -> Counter[tuple[str, str]]:
    """Holiday specials, counted by the office or the chip: how many were taken of each stock."""
    taken = Counter[tuple[str, str]]()
    for month, day, shop, benefit, product, takers in (
        (1, 12, _PARK, "park-pass", "pass", 20),
        (2, 3, _CINEMA, "film", "ticket", 50),
        (2, 12, _FAIR, "temple-fair", "ticket", 60),
        (3, 5, _LIBRARY, "books", "book", 40),
        (3, 6, _LIBRARY, "reading-room", "card", 30),
        (3, 10, _LAUNDRY, "laundry", "laundry", 24),
        (4, 8, _HOSPITAL, "cataract", "operation", 6),
    ):
        year.to(month, day, 10)
        with year.counter(shop) as counter:
            for place, card in enumerate(cards[: year.some(takers)]):
                stocks = list(year.programme.benefits[benefit].stock)
                stock = stocks[place % len(stocks)] if stocks else ""
                served = year.insert(counter, card, Wish(benefit, product, stock=stock if len(stocks) > 1 else ""))
                taken[benefit, stock] += len(served.proven)
            if benefit == "reading-room":
                _once(year, counter, cards[0])
    year.report.expect("temple fair", sum(taken["temple-fair", one] for one in _fairs(year)), year.some(60))
    return taken


def _fairs(year: DemoYear) -> list[str]:
    return list(year.programme.benefits["temple-fair"].stock)


def _once(year: DemoYear, counter: DemoCounter, card: Card) -> None:
    again = year.insert(counter, card, Wish("reading-room", "card"))
    year.report.expect("second reading-room card", bool(again.proven), False)
    incident(
        year,
        text("a member asked for a second reading-room card"),
        text("by the office, which counts this benefit for every counter"),
        text("refused: one a lifetime"),
    )


def _windows(year: DemoYear, cards: list[Card]) -> None:
    """Matters come to a station, the district and the telephone; legal ones go up to the city, and one is late."""
    year.to(4, 10, 9)
    matters, programme = year.registry.matters, year.programme
    opened = []
    for place, card in enumerate(cards[: year.some(30)]):
        kind = ("consultation", "legal", "job", "aid")[place % 4]
        channel = MatterChannel.HOTLINE if place % 3 else MatterChannel.WINDOW
        window = "centre" if channel is MatterChannel.HOTLINE else "jianwai"
        member = card.member_id if place % 5 else None
        new = new_matter(programme, kind, window, channel=channel, words="", member=member)
        opened.append(matters.open(new, by="话务员" if place % 3 else "站窗口"))
    for one in opened:
        if one.kind == "legal":
            holder = one.holder.code
            while programme.federation.windows[holder].under is not None:
                to = window_above(programme, holder)
                matters.hand(one.number, holder, to, by="站窗口", reason="需要律师", up=True)
                holder = to.code
    year.to(4, 11, 9)
    late = [one for one in opened if one.kind == "consultation"][-1]
    for one in opened:
        if one is not late and one.kind != "legal":
            matters.close(one.number, "已答复", by="中心窗口")
    year.to(4, 14, 9)
    overdue = matters.page(None, 50, overdue=True).items
    year.report.expect("overdue", [one.number for one in overdue], [late.number])
    matters.close(late.number, "已补答复并致歉", by="中心窗口")
    incident(
        year,
        text("a consultation was not answered within its day"),
        text("on the list of overdue matters"),
        text("answered on the third day; the figures of the window count it as late"),
    )


def _aid(year: DemoYear, welfare: DemoWelfare, cards: list[Card]) -> None:
    """Emergency aid through the year, and train tickets home before the festival."""
    year.to(5, 20)
    travel = [(card, "", 30_000) for card in cards[-year.some(20) :]]
    year.report.expect("train tickets", welfare.grant("migrant-travel", travel), [])
    year.to(6, 8)
    emergency = [(card, "", 500_000 + 20_000 * place) for place, card in enumerate(cards[: year.some(_EMERGENCY)])]
    year.report.expect("emergency aid", welfare.grant("emergency", emergency), [])
    much = welfare.grant("emergency", [(cards[5], "", 1_000_001)])
    year.report.expect("more than the rule", [one.rule.value for one in much], ["most"])
    other = welfare.grant("school-aid", [(cards[6], "", 100)])
    year.report.expect("not in hardship", [one.rule.value for one in other], ["category"])
    incident(
        year,
        text("a list asked for more than the rule allows, and for a member who is not in hardship"),
        text("when the list was taken in"),
        text("both rows were left out, with the reason"),
    )
    year.to(6, 12)
    welfare.pay()


def _lose_one(year: DemoYear, cards: list[Card]) -> None:
    year.to(9, 3, 22)
    lose(year, cards[-1], "12351")
    year.to(9, 3, 23)
    year.report.expect("lost card", year.verdict(cards[-1]).code, VerdictCode.LOST)
    incident(
        year,
        text("a member lost the card in the evening and called {hotline}", hotline="12351"),
        text("name, ID number and telephone were asked for"),
        text("an hour later a counter refused the card that somebody presented"),
    )
    year.to(12, 31, 17)


def _stock_chapter(year: DemoYear, taken: Counter[tuple[str, str]]) -> Chapter:
    """Stocks of the season, and what was taken of them."""
    rows = [
        (f"{word(benefit.name)}: {word(stock.name)}", f"{stock.units:,}", str(taken[code, name]))
        for code, benefit in year.programme.benefits.items()
        for name, stock in benefit.stock.items()
    ]
    return Chapter(
        text("Holiday specials"),
        text("Each stock is counted in one place, by the office, for every counter that asks."),
        [ReportTable([text("special"), text("stock"), text("taken")], rows)],
    )
