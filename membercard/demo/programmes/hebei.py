"""Hebei's provincial organs: annex 4 by groups of units, the opening grant, four covers, one-cent tickets by rush, a
member of two units, a card lost by telephone."""

from __future__ import annotations

from datetime import date
from typing import Final

from membercard.demo.counters import DemoMerchant, Wish
from membercard.demo.people import person
from membercard.demo.programmes.chapters import benefit_chapter, card_chapter, incident
from membercard.demo.programmes.opening import issued, lose, titled
from membercard.demo.programmes.welfare import DemoWelfare
from membercard.demo.programmes.welfare_chapters import (
    budget_chapter,
    claim_chapter,
    cover_chapter,
    payment_chapter,
    rush_chapter,
)
from membercard.demo.programmes.year import DemoYear, Shop
from membercard.language import text
from programme.records.rush_rules import ProgrammeRushRules, rush_terms
from registry.covers.values import Departure
from registry.programme.rates import Rate
from registry.rush.values import ClaimRefused, ClaimRequest, RushView
from registry.values import Card
from terminal.member.outcome import VerdictCode

_GROUPS: Final = (
    ("第一组", (4, 6), {"省直机关工会": 48}),
    ("第二组", (4, 14), {"省教育厅工会": 36}),
    ("第三组", (4, 24), {"省文化厅工会": 24}),
    ("第四组", (5, 20), {"省卫生厅工会": 36}),
    ("第五组", (6, 9), {"省科学院工会": 16}),
)
"""Groups of units with the day on which they hand in annexes 3, 4 and 5."""
_BEGIN: Final = date(2026, 1, 1)
_WAITING_ROOM: Final = Shop(
    DemoMerchant("AIRPORT", "石家庄机场贵宾厅", "SJZA0001", ("travel",)),
    {"0501": Rate("0501", _BEGIN, per_unit=3_000)},
    "62109713000000000026",
)
_COVERS: Final = ("cataract", "traffic", "accident", "fire")
_TRAVELLERS: Final = 24
_RUSHING: Final = 60
_ABROAD: Final = "62220200000000000171"


def hebei(year: DemoYear) -> None:
    """The year, month by month."""
    titled(year)
    welfare = DemoWelfare(year)
    cards = _collect(year, welfare)
    year.to(6, 17)
    opened = welfare.cover(*_COVERS)
    year.report.expect("covered", {one.covered for one in opened}, {len(cards)})
    _travel(year, cards)
    _claims(year, welfare, cards)
    _lose_one(year, cards)
    rush = _rush(year, cards)
    year.to(12, 31, 17)
    year.settle(_WAITING_ROOM, 7)
    year.report.chapters += [
        card_chapter(year),
        benefit_chapter(year),
        cover_chapter(welfare),
        claim_chapter(welfare),
        budget_chapter(welfare),
        rush_chapter(welfare, [rush]),
        payment_chapter(welfare),
    ]


def _collect(year: DemoYear, welfare: DemoWelfare) -> list[Card]:
    """Each group hands in on its day. Who works in two units is left out of the second form."""
    cards: list[Card] = []
    year.to(4, 1)
    year.publish()
    year.contract(_WAITING_ROOM)
    for group, (month, day), units in _GROUPS:
        year.plan(group, {unit: year.some(count) for unit, count in units.items()}, date(year.clock.year, month, day))
    for number, (_, (month, day), units) in enumerate(_GROUPS):
        year.to(month, day, 9)
        if number == 1:
            _twice(year)
        new = issued(year, units, number)
        year.to(month, day, 15)
        year.hand_out(new)
        cards += new
        year.report.expect("opening grants", welfare.grant_on_activation("opening"), len(new))
        welfare.pay()
    count, amount = len(cards), 2_000 * len(cards)
    year.report.expect("opening grants paid", sum(one.amount for one in welfare.paid), amount)
    year.report.expect("cards", count, sum(year.some(one) for _, _, units in _GROUPS for one in units.values()))
    return cards


def _twice(year: DemoYear) -> None:
    """A form of another unit names a member of the first one."""
    batch = year.issuing.import_form("省属中学工会", [person(1)])
    rows = year.registry.batches.batch(batch)
    year.report.expect("cards of the second form", rows.to_prepare, 0)
    incident(
        year,
        text("a member who works in two units stood on both forms"),
        text("when the second form was taken in, by the ID number"),
        text("one card a person, at the first unit: the second row was left out"),
    )


def _travel(year: DemoYear, cards: list[Card]) -> None:
    year.to(7, 10, 8)
    with year.counter(_WAITING_ROOM) as counter:
        for card in cards[: year.some(_TRAVELLERS)]:
            year.insert(counter, card, Wish("waiting-room", "visit"))
    for month, day, wish in (
        (7, 18, Wish("check-up", "package", price=60_000)),
        (7, 25, Wish("optician", "glasses", price=90_000)),
        (8, 8, Wish("cinema", "ticket", 2, 4_500)),
        (8, 22, Wish("car-insurance", "policy", price=380_000)),
    ):
        year.to(month, day, 11)
        for card in cards[day : day + year.some(8)]:
            year.discount(card, wish)


def _claims(year: DemoYear, welfare: DemoWelfare, cards: list[Card]) -> None:
    """Cataracts, a fire, and a member who drowned: the heir is paid, and nobody else."""
    year.to(9, 1)
    for number, card in enumerate(cards[3 : 3 + year.some(16)]):
        choice = "institution" if number % 4 else "enterprise"
        welfare.claim(card, "cataract", date(2026, 8, 20), choice=choice)
    welfare.claim(cards[-3], "fire", date(2026, 8, 12), loss=1_850_000)
    victim = cards[-2]
    year.registry.members.withdraw(
        victim.member_id, by="组织部", reason="讣告", because=Departure.DIED, left_on=date(2026, 8, 29)
    )
    welfare.claim(victim, "traffic-death", date(2026, 8, 29), heir=welfare.heir(1, _ABROAD))
    welfare.faults[welfare.account(cards[3])] = "账户已销户"
    year.to(9, 3)
    first = welfare.pay()
    year.report.expect("failed", first.failed, 1)
    welfare.faults.clear()
    year.to(9, 10)
    year.report.expect("reissued", welfare.reissue("会员已恢复账户"), 1)
    welfare.pay()
    incident(
        year,
        text("the bank could not pay a member: the account was closed"),
        text("in the bank's return, row by row"),
        text("ordered again once, with reference to the first payment, and paid"),
    )


def _lose_one(year: DemoYear, cards: list[Card]) -> None:
    year.to(10, 8, 21)
    lose(year, cards[-1], "银行客服电话")
    year.to(10, 8, 22)
    year.report.expect("lost card", year.verdict(cards[-1]).code, VerdictCode.LOST)
    incident(
        year,
        text("a member lost the card and reported it by telephone"),
        text("name, ID number and telephone were asked for"),
        text("an hour later a counter refused the card that somebody presented"),
    )


def _rush(year: DemoYear, cards: list[Card]) -> RushView:
    """Ski tickets for one cent on 5 December at ten; each member one."""
    year.to(12, 1)
    terms = rush_terms(year.programme, "cent-ski", 1, year.clock.zone)
    rush = year.registry.rushes.announce(terms, by="活动部")
    year.to(12, 5, 10)
    tickets = 0
    for number, card in enumerate([*cards[: year.some(_RUSHING)], cards[0]]):
        lot = "morning" if number % 3 else "afternoon"
        wanted = ClaimRequest(f"hebei-{number:06}", rush.number, lot, card.card_number, "会员")
        answer = year.registry.rush_claims.claim(wanted, ProgrammeRushRules())
        tickets += not isinstance(answer, ClaimRefused)
    year.report.expect("tickets", tickets, year.some(_RUSHING))
    incident(
        year,
        text("a member tried to get a second one-cent ticket"),
        text("by the limit of the rush, in the database"),
        text("refused: one ticket a person"),
    )
    return year.registry.rushes.rush(rush.number)
