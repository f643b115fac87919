"""Chapters that the report of every year has: who has a card, and what members got with it."""

from __future__ import annotations

from collections import Counter

from membercard import language
from membercard.demo.programmes.report import Bar, BarPlot, Chapter, HeadFigure, Incident, ReportTable
from membercard.demo.programmes.year import DemoYear
from membercard.language import Language, text
from personalize.sheets.statement import yuan
from registry.values import CardState


def word(sentence: object) -> str:
    """A text with ``zh`` and ``en`` in the language of the report."""
    return str(getattr(sentence, "zh" if language.current() is Language.CHINESE else "en"))


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def card_chapter(year: DemoYear) -> Chapter:
    """Members, forms and cards by unit, with the shares as a plot."""
    units = year.registry.statistics.units(year.clock.local().date())
    rows, bars = [], []
    for unit in units:
        planned = unit.planned or unit.registered
        rows.append((unit.unit, str(planned), str(unit.registered), str(unit.issued), share(unit.issued, planned)))
        bars.append(Bar(unit.unit, unit.issued / planned if planned else 0, share(unit.issued, planned)))
    cards, members = sum(unit.issued for unit in units), sum(unit.planned or unit.registered for unit in units)
    of_members = text("{share} of {count} members", share=share(cards, members), count=members)
    registered = sum(unit.registered for unit in units)
    rows.append((text("total"), str(members), str(registered), str(cards), share(cards, members)))
    year.report.figures += [
        HeadFigure(text("cards issued"), f"{cards:,}", of_members),
        HeadFigure(text("cards in use"), f"{in_use(year):,}", text("activated by their members")),
    ]
    head = [text("unit"), text("members"), text("collected"), text("cards"), text("share")]
    return Chapter(
        text("Who has a card"),
        text("Units hand in their forms; a second person approves; each chip is read back before its card counts."),
        [ReportTable(head, rows, total=True)],
        [BarPlot(text("cards of each unit's members"), bars, full=1)],
    )


def in_use(year: DemoYear) -> int:
    """Cards that were activated and have not ended."""
    cursor, count = None, 0
    while True:
        page = year.registry.cards.page(cursor, 500)
        count += sum(card.state is CardState.ACTIVE for card in page.items)
        cursor = page.next
        if cursor is None:
            return count


def benefit_chapter(year: DemoYear) -> Chapter:
    """What members used, what they paid and saved, by benefit and by month."""
    uses, quantity, paid, saved = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    months = Counter(use.month for use in year.uses)
    for use in year.uses:
        title = word(use.title)
        uses[title] += 1
        quantity[title] += use.quantity
        paid[title] += use.amount
        saved[title] += use.saved
    rows = [
        (title, str(uses[title]), str(quantity[title]), yuan(paid[title]), yuan(saved[title]))
        for title in sorted(uses, key=lambda title: (-uses[title], title))
    ]
    rows.append((text("total"), str(uses.total()), str(quantity.total()), yuan(paid.total()), yuan(saved.total())))
    year.report.figures += [
        HeadFigure(text("redemptions"), f"{uses.total():,}", text("{count} units in all", count=quantity.total())),
        HeadFigure(text("saved by members"), yuan(saved.total()), text("yuan, against the list price")),
    ]
    refusals = Counter(word(refused.sentence) for refused in year.refusals)
    return Chapter(
        text("What members got"),
        text("The chip counts and signs each use, without a line too; or the union counts it for a counter that asks."),
        [
            ReportTable(
                [text("benefit"), text("redemptions"), text("quantity"), text("members paid"), text("members saved")],
                rows,
                total=True,
            )
        ],
        [
            BarPlot(
                text("redemptions by month"),
                [Bar(f"{month:02d}", count, str(count)) for month, count in sorted(months.items())],
            )
        ],
        [text("refused: {sentence} ({count})", sentence=sentence, count=count) for sentence, count in refusals.items()],
    )


def incident(year: DemoYear, what: str, noticed: str, outcome: str) -> None:
    """Note something that went wrong today."""
    year.report.incidents.append(Incident(f"{year.clock.local():%m-%d}", what, noticed, outcome))
