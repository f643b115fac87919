"""Chapters of a report about covers, claims, grants and payments."""

from __future__ import annotations

from datetime import date

from membercard import language
from membercard.demo.programmes.chapters import word
from membercard.demo.programmes.report import Bar, BarPlot, Chapter, HeadFigure, ReportTable
from membercard.demo.programmes.welfare import DemoWelfare
from membercard.language import text
from personalize.sheets.cover_list import KINDS, REASONS
from personalize.sheets.statement import yuan
from programme.records.rush_rules import section_of
from registry.claims.values import ClaimStage
from registry.covers.values import Change, CoverList
from registry.paying.instructions import InstructionState, PaymentKind
from registry.rush.values import RushView


def cover_chapter(welfare: DemoWelfare) -> Chapter:
    """The lists of changes, with totals that tie each to the one before, and why members left."""
    year = welfare.year
    lists = sorted(year.registry.cover_lists.page(None, 500).items, key=lambda one: (one.cover, one.id))
    rows = [
        (
            word(year.programme.covers[one.cover].name),
            one.effective.isoformat(),
            _one(KINDS[one.kind]),
            str(one.before),
            f"+ {one.added}",
            f"− {one.leaving}",
            str(one.covered),
        )
        for one in lists
    ]
    last: dict[str, CoverList] = {one.cover: one for one in lists}
    year.report.figures.append(
        HeadFigure(
            text("members covered"), str(max(one.covered for one in last.values())), text("by {n} covers", n=len(last))
        )
    )
    reasons = [
        text(
            "left the cover {cover}: {reason} ({count})",
            cover=word(year.programme.covers[one.cover].name),
            reason=_one(REASONS[counted.reason]),
            count=counted.count,
        )
        for one in lists
        for counted in year.registry.cover_lists.reasons(one.id)
        if counted.change is Change.LEFT
    ]
    head = [
        text("cover code"),
        text("from day"),
        text("list"),
        text("covered before"),
        text("joining"),
        text("leaving"),
        text("covered"),
    ]
    return Chapter(
        text("Who is covered"),
        text("Lists of changes are drawn up from the registry and signed by two; each ties to the one before it."),
        [ReportTable(head, rows, numbers=3)],
        (),
        sorted(set(reasons)),
    )


def claim_chapter(welfare: DemoWelfare) -> Chapter:
    """Claims by kind: filed, approved, refused, paid, and how long it took."""
    year = welfare.year
    days = date(year.clock.year, 1, 1), date(year.clock.year, 12, 31)
    figures = year.registry.claim_statistics.by_kind(*days)
    rows = [
        (
            word(year.programme.claims[one.kind].name),
            str(one.filed),
            str(one.approved),
            str(one.refused),
            yuan(one.paid_amount),
            "–" if one.days_to_payment is None else f"{one.days_to_payment:.1f}",
        )
        for one in figures
    ]
    paid, amount = sum(one.paid for one in figures), sum(one.paid_amount for one in figures)
    rows.append(
        (
            text("total"),
            str(sum(one.filed for one in figures)),
            str(sum(one.approved for one in figures)),
            str(sum(one.refused for one in figures)),
            yuan(amount),
            "",
        )
    )
    year.report.figures.append(
        HeadFigure(text("claims paid"), str(paid), text("{amount} yuan in all", amount=yuan(amount)))
    )
    waiting = len(year.registry.claims.page(None, 500, stage=ClaimStage.FILED).items)
    head = [
        text("claim code"),
        text("filed"),
        text("passed review"),
        text("turned down"),
        text("sum paid"),
        text("days to payment"),
    ]
    return Chapter(
        text("Claims"),
        text("Each level is another person; the last one orders the payment, straight to the account of the card."),
        [ReportTable(head, rows, total=True)],
        (),
        [text("still under review: {count}", count=waiting)] if waiting else [],
    )


def payment_chapter(welfare: DemoWelfare) -> Chapter:
    """What the banks paid by kind, and what is open."""
    year = welfare.year
    names = {
        PaymentKind.CLAIM: text("claims"),
        PaymentKind.GRANT: text("grants"),
        PaymentKind.MERCHANT: text("merchants"),
        PaymentKind.PARTNER: text("partners"),
    }
    sums = {kind: welfare.amounts(kind) for kind in names}
    rows = [(names[kind], str(count), yuan(amount)) for kind, (count, amount) in sums.items() if count]
    count, amount = sum(one for one, _ in sums.values()), sum(fen for _, fen in sums.values())
    rows.append((text("total"), str(count), yuan(amount)))
    banked = sum(one.amount for one in welfare.paid)
    year.report.expect("paid by the banks", banked, amount)
    year.report.figures.append(
        HeadFigure(text("paid by banks"), yuan(amount), text("yuan in {count} payments", count=count))
    )
    states = {one.state: one for one in year.registry.instructions.totals()}
    points = [
        text("could not be paid at first: {count}", count=sum(one.failed for one in welfare.paid)),
        *(
            text(
                "still to be paid: {count}, {amount} yuan", count=states[state].count, amount=yuan(states[state].amount)
            )
            for state in (InstructionState.WAITING, InstructionState.BATCHED)
            if state in states
        ),
    ]
    bars = [Bar(names[kind], fen, yuan(fen)) for kind, (_, fen) in sums.items() if fen]
    return Chapter(
        text("What was paid"),
        text("Bank batches leave with two signatures; each payment has one reason and is made once; both sides agree."),
        [ReportTable([text("what for"), text("payments"), text("yuan")], rows, total=True)],
        [BarPlot(text("yuan by reason"), bars)],
        points,
    )


def budget_chapter(welfare: DemoWelfare) -> Chapter:
    """What was granted by kind, and what is left of each budget."""
    year = welfare.year
    budgets = {one.kind: one for one in year.registry.aid_lists.budgets() if one.year == year.clock.year}
    rows, bars = [], []
    granted: dict[str, tuple[int, int]] = {}
    for one in year.registry.aid_lists.page(None, 500).items:
        count, amount = granted.get(one.kind, (0, 0))
        granted[one.kind] = (count + one.rows, amount + one.amount)
    for kind, (count, amount) in sorted(granted.items()):
        name, budget = word(year.programme.grants[kind].name), budgets.get(kind)
        left = "–" if budget is None else yuan(budget.amount - budget.spent)
        rows.append((name, str(count), yuan(amount), left))
        bars.append(Bar(name, amount, yuan(amount)))
    total = sum(count for count, _ in granted.values()), sum(amount for _, amount in granted.values())
    rows.append((text("total"), str(total[0]), yuan(total[1]), ""))
    year.report.figures.append(
        HeadFigure(text("grants"), str(total[0]), text("{amount} yuan in all", amount=yuan(total[1])))
    )
    head = [text("grant"), text("members"), text("yuan"), text("left of the budget")]
    return Chapter(
        text("What was granted"),
        text("Lists come from the units; rows that do not stand are left out, and no budget is overdrawn."),
        [ReportTable(head, rows, total=True)],
        [BarPlot(text("yuan by grant"), bars)],
    )


def matter_chapter(welfare: DemoWelfare) -> Chapter:
    """Matters at windows and the hotline, by kind and window."""
    year = welfare.year
    figures = year.registry.matters.figures(date(year.clock.year, 1, 1), date(year.clock.year, 12, 31))
    windows = year.programme.federation.windows
    rows = [
        (
            f"{word(year.programme.matters[one.kind].name)} · {word(windows[one.window].name)}",
            str(one.opened),
            str(one.closed),
            str(one.late),
            str(one.handed),
            "–" if one.days is None else f"{one.days:.1f}",
        )
        for one in figures
    ]
    opened, closed = sum(one.opened for one in figures), sum(one.closed for one in figures)
    year.report.figures.append(HeadFigure(text("matters"), str(opened), text("{count} are closed", count=closed)))
    head = [text("matter kind"), text("opened"), text("brought to an end"), text("late"), text("handed on")]
    return Chapter(
        text("Windows and the hotline"),
        text("A matter is at one window at a time, goes up and down by levels, and is due by its kind."),
        [ReportTable([*head, text("days to the end")], rows)],
    )


def rush_chapter(welfare: DemoWelfare, rushes: list[RushView]) -> Chapter:
    """Limited tickets: stock, given out, waiting."""
    rows = []
    for rush in rushes:
        names = section_of(rush).lots
        for lot in rush.lots:
            name = f"{word(section_of(rush).name)}: {word(names[lot.code].name)}"
            rows.append((name, str(lot.units), str(lot.taken), str(lot.waiting)))
            welfare.year.report.expect(f"{lot.code} oversold", lot.taken > lot.units, False)
    given = sum(int(row[2]) for row in rows)
    welfare.year.report.figures.append(
        HeadFigure(text("tickets given out"), str(given), text("first come, first served"))
    )
    return Chapter(
        text("Tickets that members rushed for"),
        text("Who comes first is served first, by the clock of the registry; nobody has more than the rule allows."),
        [ReportTable([text("what for"), text("tickets in all"), text("tickets given out"), text("waiting")], rows)],
    )


def _one(words: tuple[str, str]) -> str:
    return words[0] if language.current() is language.Language.CHINESE else words[1]
