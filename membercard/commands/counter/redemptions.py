"""`membercard redemptions`: the redemption journal of this counter."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from membercard import language, output, settings
from membercard.wiring.merchant import counter_redemptions

app = typer.Typer()

Reason = Annotated[str, typer.Option(help="Why; the office sees it.", show_default=False)]


@app.command("list")
def listed(
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; today, if not given.", show_default=False)
    ] = None,
    json: output.Json = False,
) -> None:
    """Show the redemptions of a day at this counter, the oldest first, with what became of each.

    Example: membercard redemptions list --on 2026-12-20
    """
    from programme.wording import yuan
    from reader_service.redemptions.receipt import WORDS

    day = settings.load().today() if on is None else on.date()
    with counter_redemptions() as counter:
        records = counter.records_on(day)
        waiting = counter.journal.waiting
    if json:
        output.as_json({"day": day, "waiting": waiting, "redemptions": [record.to_json() for record in records]})
        return
    chinese = language.current() is language.Language.CHINESE
    rows = [
        (
            record.number,
            f"{record.at:%H:%M:%S}",
            record.title.zh if chinese else record.title.en,
            record.quantity,
            yuan(record.amount),
            record.card,
            record.cashier,
            language.text("taken back")
            if record.reversed
            else (WORDS[record.outcome].zh if chinese else WORDS[record.outcome].en),
        )
        for record in records
    ]
    heads = ["", "time", "benefit", "quantity", "price", "card", "cashier", "result"]
    output.show(output.table(language.text("Redemptions of {day}", day=day), heads, rows))
    output.say("{count} rows of the journal wait for the office", count=waiting)


@app.command("receipt")
def receipt(
    number: Annotated[int, typer.Argument(help="The number of the redemption.", show_default=False)],
    json: output.Json = False,
) -> None:
    """Print a receipt again.

    Example: membercard redemptions receipt 12
    """
    from reader_service.redemptions.receipt import receipt_text

    with counter_redemptions() as counter:
        record = counter.record(number)
        if json:
            output.as_json(record.to_json())
        else:
            typer.echo(receipt_text(record, counter.place.name, language.current().value), nl=False)


@app.command("open")
def open_requests(json: output.Json = False) -> None:
    """Show the requests that got no answer or no proof: their cards say at the next insertion what became of them."""
    with counter_redemptions() as counter:
        records = counter.open_records()
    if json:
        output.as_json([record.to_json() for record in records])
        return
    if not records:
        output.say("every redemption has its result")
        return
    chinese = language.current() is language.Language.CHINESE
    rows = [
        (
            record.intent,
            output.local_time(record.at),
            record.title.zh if chinese else record.title.en,
            record.quantity,
            record.card,
            record.cashier,
        )
        for record in records
    ]
    heads = ["", "time", "benefit", "quantity", "card", "cashier"]
    output.show(output.table(language.text("Redemptions without a result"), heads, rows))


@app.command("give-up")
def give_up(
    number: Annotated[int, typer.Argument(help="The number of the request (redemptions open).", show_default=False)],
    reason: Reason,
) -> None:
    """End a request whose card does not come back: the office finds out what became of it.

    Example: membercard redemptions give-up 12 --reason "card destroyed"
    """
    with counter_redemptions() as counter:
        counter.give_up(number, settings.load().now(), by=settings.load().operator, reason=reason)
    output.say("request {number} is left to the office", number=number)


@app.command("acknowledge")
def acknowledge(reason: Reason) -> None:
    """Take note of a damaged journal, or of a clock that was set back, and go on: the office sees it.

    Example: membercard redemptions acknowledge --reason "disk replaced"
    """
    with counter_redemptions() as counter:
        counter.journal.acknowledge(settings.load().now(), by=settings.load().operator, reason=reason)
    output.say("the journal has it; redemptions go on")
