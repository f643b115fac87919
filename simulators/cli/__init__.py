"""``membercard sim``: blank cards, cards in reader slots, simulated machines, the test bank."""

from __future__ import annotations

import typer

from simulators.cli import bank, cards, machines

app = typer.Typer(
    help="Virtual cards: a small card operating system with the member application, in files and in reader slots.",
    epilog="Exit codes: 0 ok, 1 the work found a problem, 2 usage, 3 reader or card fault.",
    no_args_is_help=True,
)
app.command()(cards.stock)
app.command()(cards.attach)
app.command()(bank.issuer)
app.command("show")(cards.show_card)
app.add_typer(machines.app, name="machine")
