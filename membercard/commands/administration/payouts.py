"""`membercard settlement payout`: what the signed statements of a month come to, as a list for whoever pays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from membercard import output, settings
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity

if TYPE_CHECKING:
    from registry.programme.payouts import PayoutList
    from registry.programme.statement import Month

app = typer.Typer()


@app.command("payout")
def payout(
    month: Annotated[str, typer.Argument(help="The month, as 2026-11.", show_default=False)],
    xlsx: Annotated[Path | None, typer.Option(help="Write it as a workbook there.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option(help="Write it as CSV there.", show_default=False)] = None,
    number: Annotated[
        int | None, typer.Option(min=1, help="Write this list once more; no new one.", show_default=False)
    ] = None,
    by: By = None,
    json: output.Json = False,
) -> None:
    """List what the signed statements of a month come to: accounts, amounts, totals and a hash.

    Each statement is listed once. A month that was reopened is listed with the difference to what was listed
    before. The files have the accounts in clear, and the audit keeps who wrote them.

    Example: membercard settlement payout 2026-11 --xlsx payout.xlsx --csv payout.csv
    """
    from personalize.sheets.payout import payout_csv, payout_workbook
    from reader_service.principal import Permission

    wanted = month_of(month)
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        drawn = registry.payouts.draw_up(wanted, by=person) if number is None else registry.payouts.payout(number)
        opened = registry.payouts.opened(drawn.payout.number, by=person) if xlsx or csv else None
    zone = settings.load().zone
    if opened is not None and xlsx is not None:
        output.write_file(xlsx, payout_workbook(opened, zone))
    if opened is not None and csv is not None:
        output.write_file(csv, payout_csv(opened, zone))
    if json:
        output.as_json(drawn)
    else:
        _show(drawn)
    identity.note_unproven(person)


def _show(drawn: PayoutList) -> None:
    from personalize.sheets.statement import yuan

    rows = [(one.merchant, one.name, one.account, one.statement, one.version, yuan(one.amount)) for one in drawn.rows]
    title = text("Payout list {number} of {month}", number=drawn.payout.number, month=drawn.payout.month)
    heads = ["merchant", "merchant name", "account", "statement", "version", "owed to the merchant"]
    output.show(output.table(title, heads, rows))
    output.say("to pay {pay}, to collect {collect}", pay=yuan(drawn.payout.pay), collect=yuan(drawn.payout.collect))
    if drawn.without_account:
        output.say("without an account, for a later list: {merchants}", merchants=", ".join(drawn.without_account))
    output.show(Text(f"{text('digest')}: {drawn.payout.digest}"))


def month_of(written: str) -> Month:
    """Raises typer.BadParameter."""
    from registry.programme.statement import Month

    try:
        return Month.parse(written)
    except ValueError:
        raise typer.BadParameter(text("{month}: write the month as 2026-11", month=written)) from None
