"""`membercard emv`: a payment terminal for developers and stations: explained transactions, and card logs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from membercard import output, settings
from membercard.commands.card_options import ReaderUrl, Wait
from membercard.commands.developers.emv.input import Keyboard, minor
from membercard.commands.developers.emv.view import (
    FAULTS,
    exchanges_json,
    explained_exchanges,
    history_json,
    show_exchanges,
    show_history,
    show_outcome,
)
from membercard.wiring.issuer_http import HttpIssuer
from membercard.wiring.readers import card_in
from membercard.wiring.terminal import terminal_config, terminal_keys, with_pin_pad
from terminal.apdu import Trace, stack
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.kernel.logs import read_history
from terminal.emv.selection.selection import Supported, build_candidates, choose
from terminal.emv.transaction.state import Stop, TransactionState
from terminal.emv.transaction.transaction import Transaction, TransactionKind
from terminal.errors import CardMalformed

app = typer.Typer()

TerminalFile = Annotated[
    Path | None, typer.Option("--terminal", help="Terminal configuration (YAML).", show_default=False)
]
CaFile = Annotated[Path | None, typer.Option("--ca-keys", help="Scheme CA keys (YAML or JSON).", show_default=False)]


class KindName(StrEnum):
    """Transaction types as words."""

    PURCHASE = "purchase"
    CASH = "cash"
    CASHBACK = "cashback"
    REFUND = "refund"
    INQUIRY = "inquiry"


@app.command("run")
def run(
    amount: Annotated[str, typer.Option(help="What is to be paid, cashback included, such as 12.34.")],
    reader: ReaderUrl,
    cashback: Annotated[str, typer.Option(help="How much of it is cashback.")] = "0",
    kind: Annotated[KindName, typer.Option("--type", help="What kind of transaction.")] = KindName.PURCHASE,
    pin: Annotated[bool, typer.Option("--pin", help="This terminal has a PIN pad: the PIN is typed here.")] = False,
    online: Annotated[
        str | None, typer.Option(help="The issuer's URL; none: never online.", show_default=False)
    ] = None,
    force_online: Annotated[
        bool, typer.Option("--force-online", help="The merchant forces the transaction online.")
    ] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Also show every command and response, explained.")] = False,
    terminal: TerminalFile = None,
    ca_keys: CaFile = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Run one contact transaction and explain every step of it.

    Terminal configuration and scheme CA keys come from the options, or from terminal.yaml and ca-keys.yaml in the data
    directory; else the shipped terminal is used, and the CA keys that the profile names under payment.trust.

    Exit codes: 0 approved, 1 declined or cancelled, 2 usage, 3 terminated: the card or its data make a decision
    impossible, or the reader failed.

    Example: membercard emv run --reader pcsc:0 --amount 12.34 --pin --online http://127.0.0.1:8583/authorize
    """
    config = terminal_config(terminal)
    exponent = config.terminal.currency_exponent
    paid = Transaction(
        minor(amount, exponent, "--amount"),
        settings.load().now(),
        minor(cashback, exponent, "--cashback"),
        TransactionKind[kind.name],
        force_online,
    )
    host = HttpIssuer(online) if online is not None else None
    keys, online_pin = terminal_keys(ca_keys, online_pin=pin and host is not None)
    recorded = Trace(reveal=True) if trace else None
    with card_in(reader, wait) as transport:
        outcome = run_transaction(
            stack(transport, recorded),
            with_pin_pad(config, offline=pin, online=online_pin is not None),
            paid,
            keys=keys,
            cardholder=Keyboard() if pin else None,
            host=host,
            online_pin=online_pin,
            pin_pad=pin,
        )
    exchanges = explained_exchanges(recorded) if recorded is not None else []
    if json:
        more = {"exchanges": exchanges_json(exchanges)} if trace else {}
        output.as_json(outcome.to_json() | more)
    else:
        show_exchanges(exchanges)
        show_outcome(outcome, config)
    if not outcome.approved:
        raise typer.Exit(3 if outcome.result in FAULTS else 1)


@app.command("log")
def log(reader: ReaderUrl, terminal: TerminalFile = None, wait: Wait = 0, json: output.Json = False) -> None:
    """Show the freely readable history of a payment card: transaction log, load log, e-cash balance and limits.

    What can be read is shown. Exit codes: 0 all of it, 1 all but some records, 2 usage, 3 a whole log is missing or the
    reader failed.

    Example: membercard emv log --reader pcsc:0
    """
    config = terminal_config(terminal)
    with card_in(reader, wait) as transport:
        sender, state = stack(transport), TransactionState(config.data())
        supported = [Supported(entry.aid_bytes, entry.partial) for entry in config.applications]
        try:
            candidates = build_candidates(state, sender, supported, pse=config.terminal.pse)
            selected, _ = choose(state, sender, candidates, None)
        except Stop as stop:
            raise CardMalformed(f"selecting a payment application: {stop.reason}") from None
        history = read_history(sender, selected.fci)
    if json:
        output.as_json(history_json(selected, history))
    else:
        show_history(selected, history, config.terminal.currency_exponent)
    if history.fault is not None:
        raise history.fault
    if history.missing:
        raise typer.Exit(3)
    if any(log is not None and log.remarks for log in history.logs.values()):
        raise typer.Exit(1)
