"""Licheng: two banks by streets, the first members of the medical mutual aid by 31 December, and from 1 October on all
mutual-aid money through the card."""

from __future__ import annotations

from datetime import date
from typing import Final

from membercard.demo.counters import DemoMerchant, Wish
from membercard.demo.programmes.chapters import benefit_chapter, card_chapter, incident, share
from membercard.demo.programmes.opening import issued, titled
from membercard.demo.programmes.report import Chapter, ReportTable
from membercard.demo.programmes.welfare import DemoWelfare
from membercard.demo.programmes.welfare_chapters import budget_chapter, payment_chapter
from membercard.demo.programmes.year import DemoYear, Shop
from membercard.language import text
from registry.programme.rates import Rate
from registry.values import Card

_BANK_B: Final = "62284813"
_A: Final = {"开元街道工会": 30, "鲤中街道工会": 25, "临江街道工会": 20, "海滨街道工会": 15}
_B: Final = {"浮桥街道工会": 25, "江南街道工会": 20, "金龙街道工会": 15, "常泰街道工会": 10}
"""Four streets for each bank."""
_DAYS: Final = ((9, 10), (10, 23))
"""The first and the last day of collection in the hall."""
_BEGIN: Final = date(2026, 10, 1)
_SIGHT: Final = Shop(
    DemoMerchant("KAIYUAN", "开元寺景区", "KYSJ0001", ("sight",)),
    {"0102": Rate("0102", _BEGIN, share=1000)},
    "62109713000000000042",
)


def licheng(year: DemoYear) -> None:
    """From September to December."""
    titled(year)
    welfare = DemoWelfare(year)
    year.to(9, 8)
    year.publish()
    year.contract(_SIGHT)
    due = date(2026, 12, 31)
    year.plan("甲银行", {unit: year.some(count) for unit, count in _A.items()}, due)
    year.plan("乙银行", {unit: year.some(count) for unit, count in _B.items()}, due)
    year.to(*_DAYS[0])
    of_a = issued(year, _A)
    year.to(9, 24)
    of_b = issued(year, _B, len(_A), year.bank("bank-b", _BANK_B))
    year.to(9, 28)
    year.hand_out([*of_a, *of_b])
    year.report.expect("accounts of bank A", {welfare.account(card)[:6] for card in of_a}, {"621097"})
    year.report.expect("accounts of bank B", {welfare.account(card)[:6] for card in of_b}, {"622848"})
    _aid(year, welfare, of_a, of_b)
    _sights(year, [*of_a, *of_b])
    year.to(12, 31, 17)
    year.settle(_SIGHT, 11)
    year.report.chapters += [
        card_chapter(year),
        _bank_chapter(year, of_a, of_b),
        benefit_chapter(year),
        budget_chapter(welfare),
        payment_chapter(welfare),
    ]


def _aid(year: DemoYear, welfare: DemoWelfare, of_a: list[Card], of_b: list[Card]) -> None:
    """Mutual-aid money goes to the card from 1 October on, each to the bank of the member's street."""
    year.to(10, 8)
    sick = [*of_a[: year.some(16)], *of_b[: year.some(10)]]
    wanted = [(card, "", 200_000 + 5_000 * place) for place, card in enumerate(sick)]
    year.report.expect("medical aid", welfare.grant("medical-aid", wanted), [])
    year.to(10, 10)
    first = welfare.pay()
    year.report.expect("paid", (first.paid, first.failed), (len(sick), 0))
    year.to(11, 20)
    visits = [(card, "", 100_000) for card in of_b[-year.some(8) :]]
    year.report.expect("visits", welfare.grant("visit", visits), [])
    welfare.faults[welfare.account(of_b[-1])] = "账户冻结"
    year.report.expect("failed", welfare.pay().failed, 1)
    incident(
        year,
        text("bank B could not pay a member: the account was frozen"),
        text("in the bank's return, row by row"),
        text("open: it waits until the member has cleared the account, and is ordered again then"),
    )


def _sights(year: DemoYear, cards: list[Card]) -> None:
    year.to(11, 22, 10)
    with year.counter(_SIGHT) as counter:
        for card in cards[: year.some(30)]:
            year.insert(counter, card, Wish("sights", "ticket", price=1_000))
        for _ in range(2):
            last = year.insert(counter, cards[0], Wish("sights", "ticket", price=1_000))
    year.report.expect("third ticket", bool(last.proven), False)
    incident(
        year,
        text("a member asked for a third ticket in the same quarter"),
        text("by the chip, without a line"),
        text("refused: two a quarter, and again from January on"),
    )


def _bank_chapter(year: DemoYear, of_a: list[Card], of_b: list[Card]) -> Chapter:
    """Which bank has which streets."""
    planned = {name: sum(year.some(count) for count in units.values()) for name, units in (("A", _A), ("B", _B))}
    rows = [
        (
            text("bank {name}", name=name),
            "、".join(units),
            str(planned[name]),
            str(len(cards)),
            share(len(cards), planned[name]),
        )
        for name, units, cards in (("A", _A, of_a), ("B", _B, of_b))
    ]
    return Chapter(
        text("Two banks by streets"),
        text("Each bank has its own card profile, range of account numbers and form of payment files."),
        [ReportTable([text("bank"), text("streets"), text("members"), text("cards"), text("share")], rows, numbers=2)],
    )
