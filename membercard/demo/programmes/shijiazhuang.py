"""Shijiazhuang: nothing works before activation; covers, promotion grants and a medical subsidy within its budget, a
concert by rush, and coverage from a third of the members to more than four fifths."""

from __future__ import annotations

from datetime import date
from typing import Final

from membercard.demo.counters import DemoMerchant, Wish
from membercard.demo.programmes.chapters import benefit_chapter, card_chapter, incident
from membercard.demo.programmes.opening import issued, titled
from membercard.demo.programmes.report import Bar, BarPlot, Chapter
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

_MEMBERS: Final = {"市公交总公司工会": 80, "市纺织工会": 70, "市第一医院工会": 50}
_FIRST: Final = {"市公交总公司工会": 28, "市纺织工会": 25, "市第一医院工会": 17}
"""35 percent in the first half of the year, between the 30 and 40 that were published."""
_SECOND: Final = {"市公交总公司工会": 40, "市纺织工会": 35, "市第一医院工会": 25}
"""With them 85 percent."""
_BEGIN: Final = date(2026, 1, 1)
_WASH: Final = Shop(
    DemoMerchant("CARWASH", "惠民洗车店", "HMXC0001", ("car-wash",)),
    {"0401": Rate("0401", _BEGIN, per_unit=1_500)},
    "62109713000000000034",
)
_SHOP: Final = Shop(
    DemoMerchant("BEIGUO", "北国超市", "BGCS0001", ("shop",)),
    {"group-purchase": Rate("group-purchase", _BEGIN, per_unit=1_000)},
)
_COVERS: Final = ("accident", "fire")
_RUSHING: Final = 40


def shijiazhuang(year: DemoYear) -> None:
    """The year, month by month."""
    titled(year)
    welfare, coverage = DemoWelfare(year), list[tuple[str, int]]()
    year.to(1, 5)
    year.publish()
    year.contract(_WASH, _SHOP)
    year.plan("全市", {unit: year.some(count) for unit, count in _MEMBERS.items()}, date(2026, 12, 31))
    cards = _first_half(year, welfare)
    coverage.append(("06-30", len(cards)))
    _grants(year, welfare, cards)
    cards += _second_half(year, welfare, cards)
    coverage.append(("12-31", len(cards)))
    members = sum(year.some(count) for count in _MEMBERS.values())
    rush = _concert(year, cards)
    _end(year, welfare, cards)
    bars = [
        Bar(day, count / members, f"{100 * count / members:.0f} %", target)
        for (day, count), target in zip(coverage, (0.3, 0.85), strict=True)
    ]
    year.report.chapters += [
        card_chapter(year),
        Chapter(
            text("Coverage against the target"),
            text("30 to 40 percent of the members in the first half, 85 percent by the end."),
            (),
            [BarPlot(text("members with a card; the mark is the target"), bars, full=1)],
        ),
        benefit_chapter(year),
        cover_chapter(welfare),
        claim_chapter(welfare),
        budget_chapter(welfare),
        rush_chapter(welfare, [rush]),
        payment_chapter(welfare),
    ]


def _first_half(year: DemoYear, welfare: DemoWelfare) -> list[Card]:
    """Nothing works before a card is activated: no counter, and no cover."""
    year.to(3, 2)
    cards = issued(year, _FIRST)
    year.to(3, 9)
    year.hand_out(cards, len(cards) - 2)
    year.report.expect("not activated", year.verdict(cards[-1]).code, VerdictCode.NOT_ACTIVATED)
    incident(
        year,
        text("two members did not activate their cards"),
        text("a counter read it from the chip"),
        text("refused with the windows where a card is activated; no cover either until then"),
    )
    year.to(3, 16)
    for listed in welfare.cover(*_COVERS):
        year.report.expect("covered", listed.covered, len(cards) - 2)
    return cards


def _grants(year: DemoYear, welfare: DemoWelfare, cards: list[Card]) -> None:
    year.to(6, 15)
    promoted = [(card, "technician", None) for card in cards[: year.some(12)]]
    promoted += [(card, "senior-technician", None) for card in cards[year.some(12) : year.some(12) + year.some(6)]]
    year.report.expect("promotions", welfare.grant("promotion", promoted), [])
    year.to(6, 22)
    again = welfare.grant("promotion", [(cards[0], "technician", None)])
    year.report.expect("second promotion", [one.rule.value for one in again], ["once"])
    incident(
        year,
        text("a unit listed a technician for the promotion grant a second time"),
        text("when the list was taken in, against all lists before"),
        text("the row was left out: once a lifetime"),
    )
    wrong = welfare.grant("medical", [(cards[1], "", 800_000)], name="张冠李")
    year.report.expect("another's name", [one.rule.value for one in wrong], ["name"])
    subsidies = [(card, "", 150_000 + 10_000 * place) for place, card in enumerate(cards[: year.some(10)])]
    year.report.expect("subsidies", welfare.grant("medical", subsidies), [])
    year.to(6, 25)
    welfare.faults[welfare.account(cards[0])] = "户名不符"
    year.report.expect("failed", welfare.pay().failed, 2)
    welfare.faults.clear()
    year.to(7, 2)
    year.report.expect("reissued", welfare.reissue("户名已更正"), 2)
    welfare.pay()
    incident(
        year,
        text("a bank returned two payments: the name was not that of the account"),
        text("in the bank's return, row by row"),
        text("ordered again once, with reference to the first payment, and paid"),
    )
    for month in (7, 8, 9):
        year.to(month, 4, 17)
        with year.counter(_SHOP) as counter:
            for place, card in enumerate(cards[: year.some(16)]):
                year.insert(counter, card, Wish("group-purchase", "purchase", price=15_800 + 900 * place))
        year.to(month, 10, 10)
        with year.counter(_WASH) as counter:
            for card in cards[: year.some(12)]:
                year.insert(counter, card, Wish("car-wash", "wash"))
            second = year.insert(counter, cards[0], Wish("car-wash", "wash"))
        year.report.expect("second wash", bool(second.proven), False)


def _second_half(year: DemoYear, welfare: DemoWelfare, before: list[Card]) -> list[Card]:
    year.to(9, 11)
    cards = issued(year, _SECOND, len(_FIRST))
    year.to(9, 12)
    year.hand_out(cards)
    for listed in welfare.cover(*_COVERS, within=True):
        year.report.expect("joined", (listed.before, listed.added), (len(before) - 2, len(cards)))
    year.to(9, 14)
    for card in cards[: year.some(3)]:
        welfare.claim(card, "fire", date(2026, 9, 13), loss=900_000)
    year.to(9, 14, 16)
    welfare.pay()
    return cards


def _concert(year: DemoYear, cards: list[Card]) -> RushView:
    """Free tickets from 10 September on, two for each member; who cannot come gives a ticket back."""
    terms = rush_terms(year.programme, "concert", 1, year.clock.zone)
    rush = year.registry.rushes.announce(terms, by="宣教部")
    year.to(9, 15, 9)
    tickets = []
    for number, card in enumerate(cards[: year.some(_RUSHING)]):
        wanted = ClaimRequest(f"concert-{number:06}", rush.number, "opening", card.card_number, "会员")
        answer = year.registry.rush_claims.claim(wanted, ProgrammeRushRules())
        if not isinstance(answer, ClaimRefused):
            tickets.append(answer.number)
    year.report.expect("tickets", len(tickets), year.some(_RUSHING))
    return year.registry.rushes.rush(rush.number)


def _end(year: DemoYear, welfare: DemoWelfare, cards: list[Card]) -> None:
    """The lists for the next year are drawn up fifteen days before it."""
    year.to(12, 17)
    for card, why in zip(cards[2:5], (Departure.RETIRED, Departure.MOVED, Departure.WITHDREW), strict=True):
        year.registry.members.withdraw(card.member_id, by="组织部", reason="变动登记", because=why)
    for listed in welfare.cover(*_COVERS):
        year.report.expect("left", (listed.leaving, listed.effective), (3, date(2027, 1, 1)))
    welfare.pay()
    year.to(12, 31, 17)
    year.settle(_WASH, 7)
