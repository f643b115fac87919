"""`membercard stock`: blank chips received, used and left."""

from __future__ import annotations

from typing import Annotated

import typer

from membercard import output, settings
from membercard.commands.accounts import shortage_warning, unbooked_warning
from membercard.wiring import identity

app = typer.Typer()


@app.command("receive")
def receive(
    count: Annotated[int, typer.Argument(help="How many blank chips were delivered.", min=1, show_default=False)],
    supplier_batch: Annotated[str, typer.Option(help="The supplier's delivery or batch number.", show_default=False)],
    by: Annotated[
        str | None,
        typer.Option(help="Who counted them; you, if not given. With users on record, a password is asked for."),
    ] = None,
) -> None:
    """Book a delivery of blank chips, so that the stock can be reconciled.

    Example: membercard stock receive 500 --supplier-batch L-2026-17
    """
    with settings.open_registry() as registry:
        person = identity.actor(registry, by)
        account = registry.stock.receive(count, supplier_batch, person)
    output.say(
        "received {count} chips of {supplier_batch}; {left} blank chips should be on the shelf now",
        count=count,
        supplier_batch=supplier_batch,
        left=account.left,
    )
    identity.note_unproven(person)


@app.command("spoil")
def spoil(
    count: Annotated[int, typer.Argument(help="How many chips; below 0 takes earlier ones back.", show_default=False)],
    supplier_batch: Annotated[str, typer.Option(help="The supplier's delivery or batch number.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)],
    by: Annotated[
        str | None,
        typer.Option(help="Who counted them; you, if not given. With users on record, a password is asked for."),
    ] = None,
) -> None:
    """Write off blank chips that cannot be used.

    Example: membercard stock spoil 3 --supplier-batch L-2026-17 --reason "scratched"
    """
    with settings.open_registry() as registry:
        person = identity.actor(registry, by)
        account = registry.stock.spoil(count, supplier_batch, person, reason=reason)
    output.say(
        "wrote off {count} chips of {supplier_batch}; {left} blank chips should be on the shelf now",
        count=count,
        supplier_batch=supplier_batch,
        left=account.left,
    )
    identity.note_unproven(person)


@app.command("deliveries")
def deliveries(json: output.Json = False) -> None:
    """List the blank chips by the supplier's batch; those fed are taken from the oldest. Exit code 1 where fewer are
    left than the approved batches need."""
    with settings.open_registry() as registry:
        view = registry.stock.view()
    if json:
        output.as_json({"stock": view, "short": view.short})
    elif not view.deliveries:
        output.say("no delivery was booked; begin with: membercard stock receive COUNT --supplier-batch NUMBER")
    else:
        rows = [
            (d.supplier_batch, output.local_time(d.first_at), d.received, d.fed, d.rejected, d.spoilt, d.left)
            for d in view.deliveries
        ]
        columns = ["supplier's batch", "first delivery", "received", "fed", "rejected", "spoilt", "left"]
        output.show(output.table("Blank chips by delivery", columns, rows))
    if view.short:
        typer.echo(shortage_warning(view.accounts, view.needed), err=True)
        raise typer.Exit(1)


@app.command("show")
def show(json: output.Json = False) -> None:
    """Print the stock account: received = verified + rejected + in reader + spoilt + left."""
    with settings.open_registry() as registry:
        account = registry.stock.accounts()
    if json:
        output.as_json(account)
    else:
        output.show(
            output.table(
                "Blank chips",
                ["received", "verified", "rejected", "in reader", "spoilt", "left", "foreign cards fed"],
                [
                    (
                        account.received,
                        account.verified,
                        account.rejected,
                        account.in_reader,
                        account.spoilt,
                        account.left,
                        account.foreign,
                    )
                ],
            )
        )
    if not account.balanced:
        typer.echo(unbooked_warning(account), err=True)
        raise typer.Exit(1)
