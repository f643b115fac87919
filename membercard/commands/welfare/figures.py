"""`membercard figures`: what a federation reports of a year, cards by unit and month, redemptions by benefit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from membercard import output, settings
from membercard.language import text

app = typer.Typer()

First = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.", show_default=False)]
Last = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.", show_default=False)]
_FORMS = ("all", "beijing", "centre")


@app.command("year")
def year(
    first: First,
    last: Last,
    form: Annotated[
        str, typer.Option(help="beijing: cards, merchants and claims; centre: aid, matters and tickets; all of it.")
    ] = "all",
    json: output.Json = False,
) -> None:
    """Show the figures of a year, in the form of a municipal federation or of its service centre.

    Example: membercard figures year --from 2026-01-01 --to 2026-12-31 --form beijing
    """
    from programme.wording import yuan

    if form not in _FORMS:
        raise typer.BadParameter(text("the form is all, beijing or centre"))
    with settings.open_registry() as registry:
        figures = registry.figures.year(first.date(), last.date())
    if json:
        output.as_json(figures)
        return
    share = f"{100 * figures.cards / figures.members:.1f} %" if figures.members else "–"
    cards = [
        (text("cards handed over"), f"{figures.cards:,}"),
        (text("share of the members"), f"{share} / {figures.members:,}"),
        (text("cards in use now"), f"{figures.active:,}"),
        (text("merchants under contract"), f"{figures.merchants:,}"),
        (text("sites"), f"{figures.sites:,}"),
        (text("benefits under contract"), f"{figures.benefits:,}"),
        (text("redemptions"), f"{figures.redemptions:,}"),
        (text("claims paid"), f"{figures.claims_paid:,}"),
        (text("claims in yuan"), yuan(figures.claims_amount)),
    ]
    aid = [
        (text("grants paid"), f"{figures.grants_paid:,}"),
        (text("grants in yuan"), yuan(figures.grants_amount)),
        (text("matters opened"), f"{figures.matters_opened:,}"),
        (text("matters closed"), f"{figures.matters_closed:,}"),
        (text("tickets given out"), f"{figures.tickets:,}"),
        (text("cards reported lost"), f"{figures.losses:,}"),
        (text("payments still open"), f"{figures.open_payments:,} / {yuan(figures.open_amount)}"),
    ]
    rows = {"all": [*cards, *aid], "beijing": cards, "centre": aid}[form]
    output.show(output.table("", ["what for", "figure"], rows, right=["figure"]))


@app.command("coverage")
def coverage(
    first: First,
    last: Last,
    target: Annotated[float, typer.Option(help="Percent of the members, marked where it was reached.")] = 0,
    json: output.Json = False,
) -> None:
    """Show cards against members, by unit and by month.

    Example: membercard figures coverage --from 2026-01-01 --to 2026-12-31 --target 85
    """
    with settings.open_registry() as registry:
        months = registry.figures.coverage(first.date(), last.date())
        units = registry.statistics.units(last.date())
        members = registry.figures.year(first.date(), last.date()).members
    if json:
        output.as_json({"members": members, "months": months, "units": units})
        return
    rows = [
        (one.month, one.cards, one.total, _share(one.total, members), _reached(one.total, members, target))
        for one in months
    ]
    output.show(output.table("", ["month", "cards", "in all", "share", "target"], rows, right=["cards", "in all"]))
    whole = [
        (one.unit, one.planned or one.registered, one.issued, _share(one.issued, one.planned or one.registered))
        for one in units
    ]
    output.show(output.table("", ["unit", "members", "cards", "share"], whole, right=["members", "cards"]))


@app.command("benefits")
def benefits(first: First, last: Last, json: output.Json = False) -> None:
    """Show redemptions by benefit and month; those that were taken back do not count."""
    from programme.wording import yuan

    with settings.open_registry() as registry:
        items = registry.figures.benefits(first.date(), last.date())
    if json:
        output.as_json(items)
        return
    rows = [(one.benefit, one.month, one.redemptions, one.quantity, yuan(one.amount)) for one in items]
    heads = ["benefit", "month", "redemptions", "quantity", "members paid"]
    output.show(output.table("", heads, rows, right=heads[2:]))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _reached(part: int, whole: int, target: float) -> str:
    return "✓" if target and whole and 100 * part >= target * whole else ""
