"""`membercard stock`: blank chips received, used and left."""

from __future__ import annotations

from typing import Annotated

import typer

from membercard import output, settings
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
    typer.echo(f"received {count} chips of {supplier_batch}; {account.left} blank chips should be on the shelf now")
    identity.note_unproven(person)


@app.command("show")
def show(json: output.Json = False) -> None:
    """Print the stock account: received = verified + rejected + in reader + left."""
    with settings.open_registry() as registry:
        account = registry.stock.accounts()
    if json:
        output.as_json(account)
    else:
        output.show(
            output.table(
                "Blank chips",
                ["received", "verified", "rejected", "in reader", "left", "foreign cards fed"],
                [
                    (
                        account.received,
                        account.verified,
                        account.rejected,
                        account.in_reader,
                        account.left,
                        account.foreign,
                    )
                ],
            )
        )
    if not account.balanced:
        typer.echo(
            "The stock does not balance: more chips were fed than booked. Book them with: membercard stock receive",
            err=True,
        )
        raise typer.Exit(1)
