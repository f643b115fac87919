"""Beijing: a debit card of a municipal federation. Collection in units, the park pass over New Year, the gym's phases,
films, check-ups, the book shop, and a card lost by telephone."""

from __future__ import annotations

from datetime import date
from typing import Final

from membercard.demo.counters import DemoMerchant, Wish
from membercard.demo.people import people
from membercard.demo.programmes.chapters import benefit_chapter, card_chapter, incident
from membercard.demo.programmes.opening import lose, titled
from membercard.demo.programmes.welfare import DemoWelfare
from membercard.demo.programmes.welfare_chapters import claim_chapter, cover_chapter, payment_chapter
from membercard.demo.programmes.year import CLERK, DemoYear, Shop
from membercard.language import text
from registry.covers.values import Departure
from registry.errors import RegistryConflict
from registry.programme.rates import Rate
from registry.values import Card
from terminal.member.outcome import VerdictCode

_UNITS: Final = {
    "首都机床厂工会": 90,
    "朝阳医院工会": 80,
    "东城区教育工会": 82,
    "海淀科技园工会": 75,
    "北京公交集团工会": 50,
}
"""Members of each unit: 377, of whom 200 are collected, 53 percent as in the published figures."""
_COLLECTED: Final = (50, 45, 45, 35, 25)
_BEGIN: Final = date(2027, 1, 1)
_PARK: Final = Shop(
    DemoMerchant("PARK-TIANTAN", "天坛公园售票处", "TTGY0001", ("park",)),
    {"0101": Rate("0101", _BEGIN, per_unit=10_000)},
    "62109713000000000018",
)
_GYM: Final = Shop(
    DemoMerchant("GYM-WORKERS", "工人体育馆健身房", "GTJS0001", ("gym",)), {"gym": Rate("gym", _BEGIN, share=1000)}
)
_BOOKS: Final = Shop(
    DemoMerchant("BOOKS-ONLINE", "网上书店", "WSSD0001", ("book-shop",)),
    {"gold-membership": Rate("gold-membership", _BEGIN)},
)
_PASSES: Final = 40
_BOUND: Final = 30
_GYM_GOERS: Final = 12
_FILM_GOERS: Final = 14
_CHECKED: Final = 6
_RENEWED: Final = 20
_NOT_ACTIVATED: Final = 12
_LOST: Final = -1
"""The card of the last member who has activated one."""
_TRANSIT: Final = frozenset({"transit-card"})


def beijing(year: DemoYear) -> None:
    """The year, month by month."""
    titled(year)
    welfare = DemoWelfare(year)
    cards = _issue(year)
    _park(year, cards)
    _cover(year, welfare, len(cards))
    _gym_and_books(year, cards)
    _lose_one(year, cards)
    _claims(year, welfare, cards)
    _renew(year, cards)
    _list_of_changes(year, welfare, cards)
    some = year.some
    uses = (
        some(_PASSES) + 1 + some(_BOUND) + 5 * (some(_GYM_GOERS) + some(_FILM_GOERS) + some(_CHECKED)) + some(_RENEWED)
    )
    year.report.expect("uses", len(year.uses), uses)
    year.report.chapters += [
        card_chapter(year),
        benefit_chapter(year),
        cover_chapter(welfare),
        claim_chapter(welfare),
        payment_chapter(welfare),
    ]


def _issue(year: DemoYear) -> list[Card]:
    year.to(1, 4)
    year.publish()
    year.contract(_PARK, _GYM, _BOOKS)
    year.plan("第一批", {unit: year.some(count) for unit, count in _UNITS.items()}, date(2027, 1, 12))
    batches, cards = [], list[Card]()
    for number, (unit, count) in enumerate(zip(_UNITS, _COLLECTED, strict=True)):
        year.to(1, 5, 9 + number)
        batches.append(year.collect(unit, people(year.some(count), 1 + 100 * number)))
    year.to(1, 6)
    for batch in batches:
        cards += year.issue(batch)
    year.to(1, 8)
    in_use = cards[: -year.some(_NOT_ACTIVATED)]
    year.hand_out(cards, len(in_use))
    year.report.expect("cards", len(cards), sum(map(year.some, _COLLECTED)))
    return in_use


def _park(year: DemoYear, cards: list[Card]) -> None:
    """The pass is sold until 15 January, once a season: a member who comes twice is refused, with the next day."""
    year.to(1, 12, 10)
    with year.counter(_PARK) as counter:
        for card in cards[: year.some(_PASSES)]:
            year.insert(counter, card, Wish("park-pass", "new", answers=_TRANSIT))
        again = year.insert(counter, cards[0], Wish("park-pass", "new", answers=_TRANSIT))
        counter.line.up = False
        torn = year.insert(counter, cards[year.some(_PASSES)], Wish("park-pass", "new", answers=_TRANSIT, torn=True))
        back = year.insert(counter, cards[year.some(_PASSES)])
    year.report.expect("second pass", bool(again.proven), False)
    year.report.expect("torn", bool(torn.proven), False)
    year.report.expect("recovered", len(back.proven), 1)
    incident(
        year,
        text("a card was pulled out while it counted a park pass, and the counter had no line"),
        text("at its next insertion, by the log of the chip"),
        text("the same redemption finished: counted once, charged once"),
    )


def _gym_and_books(year: DemoYear, cards: list[Card]) -> None:
    year.to(2, 20, 10)
    with year.counter(_BOOKS) as counter:
        for card in cards[: year.some(_BOUND)]:
            year.insert(counter, card, Wish("gold-membership", "binding"))
    for month, wish in (
        (3, Wish("gym", "first-visit")),
        (4, Wish("gym", "visit")),
        (5, Wish("gym", "visit")),
        (6, Wish("gym", "visit")),
        (7, Wish("gym", "pass", price=200_000)),
    ):
        year.to(month, 6, 18)
        with year.counter(_GYM) as counter:
            for card in cards[: year.some(_GYM_GOERS)]:
                year.insert(counter, card, wish)
        year.to(month, 12, 19)
        for card in cards[month : month + year.some(_FILM_GOERS)]:
            year.discount(card, Wish("film", "ticket", 2, 4500, f"{month} 月首映"))
        year.to(month, 20, 8)
        for card in cards[month : month + year.some(_CHECKED)]:
            year.discount(card, Wish("check-up", "package", price=68_000))
    year.to(8, 2, 10)
    late = year.serve(_BOOKS, cards[-2], Wish("gold-membership", "binding"))
    year.report.expect("binding after six months", bool(late.proven), False)


def _cover(year: DemoYear, welfare: DemoWelfare, in_use: int) -> None:
    """Everybody with a card is covered, whether it is activated or not."""
    year.to(1, 20)
    for listed in welfare.cover("accident", "fire"):
        year.report.expect("covered", listed.covered, in_use + year.some(_NOT_ACTIVATED))


def _claims(year: DemoYear, welfare: DemoWelfare, cards: list[Card]) -> None:
    """Claims go straight to the card: fires, accidents, and one of an heir. A second claim for one event is noticed."""
    year.to(9, 20)
    burnt, hurt, victim = cards[: year.some(8)], cards[5 : 5 + year.some(12)], cards[-3]
    for place, card in enumerate(burnt):
        welfare.claim(card, "fire", date(2027, 9, 1), loss=1_000_000 + 700_000 * place)
    for place, card in enumerate(hurt):
        welfare.claim(card, "disability", date(2027, 8, 30), choice=f"grade-{10 - place % 10}")
    year.registry.members.withdraw(
        victim.member_id, by=CLERK, reason="讣告", because=Departure.DIED, left_on=date(2027, 9, 12)
    )
    welfare.claim(victim, "death", date(2027, 9, 12), heir=welfare.heir(2, "62220200000000000288"))
    try:
        welfare.claim(burnt[0], "fire", date(2027, 9, 1), loss=5_000_000)
        twice = ""
    except RegistryConflict as refused:
        twice = refused.reason
    year.report.expect("second claim", twice, "claim-double")
    incident(
        year,
        text("a member claimed for the same fire a second time"),
        text("at the window, by member, event and day"),
        text("refused with the number of the first claim"),
    )
    year.to(9, 24)
    paid = welfare.pay()
    year.report.expect("claims paid", (paid.paid, paid.failed), (len(burnt) + len(hurt) + 1, 0))


def _list_of_changes(year: DemoYear, welfare: DemoWelfare, cards: list[Card]) -> None:
    """Fifteen days before the new term: who has died, and whose card is lost without another, leave."""
    year.to(12, 17)
    for listed in welfare.cover("accident", "fire"):
        year.report.expect("list of changes", (listed.leaving, listed.effective), (2, date(2028, 1, 1)))
    year.to(12, 31, 17)
    sheet = year.settle(_PARK, 1)
    year.report.expect("statement", sheet.statement.entries, year.some(_PASSES) + 1)


def _lose_one(year: DemoYear, cards: list[Card]) -> None:
    """A member calls 12351: the card is refused at once."""
    year.to(9, 3, 22)
    card = cards[_LOST]
    lose(year, card, "12351")
    year.to(9, 3, 23)
    year.report.expect("lost card", year.verdict(card).code, VerdictCode.LOST)
    incident(
        year,
        text("a member lost the card in the evening and called {hotline}", hotline="12351"),
        text("name, ID number and telephone were asked for"),
        text("an hour later a counter refused the card that somebody presented"),
    )


def _renew(year: DemoYear, cards: list[Card]) -> None:
    """The next season begins on 15 December."""
    year.to(12, 14, 10)
    early = year.serve(_PARK, cards[0], Wish("park-pass", "renewal"))
    year.report.expect("before the season", bool(early.proven), False)
    year.to(12, 16, 10)
    with year.counter(_PARK) as counter:
        for card in cards[: year.some(_RENEWED)]:
            year.insert(counter, card, Wish("park-pass", "renewal", answers=frozenset({"pass-on-transit-card"})))
