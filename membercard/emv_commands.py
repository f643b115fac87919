"""`membercard emv`: a payment terminal for developers and stations: whole transactions, explained, and card logs."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.text import Text

from membercard import output, settings
from membercard.card_commands import ReaderUrl, Wait, card_in
from membercard.errors import SettingsError
from membercard.issuer_link import HttpIssuer
from terminal.apdu import stack
from terminal.crypto.rsa import RsaPublic
from terminal.emv.cakeys import CaStore, SmCaKey, ca_store, load_ca_store
from terminal.emv.config import TerminalConfig, load_config, parse_config
from terminal.emv.cvm import OnlinePin
from terminal.emv.dictionary import lookup
from terminal.emv.kernel import run_transaction
from terminal.emv.logs import ElectronicCash, Log, LogKind, LogRecord, electronic_cash, read_log
from terminal.emv.oda import CaKey
from terminal.emv.outcome import Outcome, Receipt, Result
from terminal.emv.seams import Choice, Pin
from terminal.emv.selection import Selected, Supported, build_candidates, choose
from terminal.emv.steps import State, Step, Stop
from terminal.emv.transaction import Kind, Transaction
from terminal.errors import CardMalformed, CodecError, KeyNotFound
from terminal.keys import KeyCustody
from terminal.keys.custody import PinFormat

app = typer.Typer()

CA_KEYS, TERMINAL = "ca-keys.yaml", "terminal.yaml"
_PIN_KEY = "pek"
_RID, _OWN_KEYS = bytes.fromhex("A000000333"), {"pay-ca": 0x01, "pay-ca-sm2": 0x02}
"""The house's own scheme: RID, and its CA keys in custody with the index (8F) that the cards name."""
_FAULTS = (Result.TERMINATED, Result.TRY_ANOTHER_INTERFACE)

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
    reader: ReaderUrl,
    amount: Annotated[str, typer.Option(help="What is to be paid, cashback included, such as 12.34.")],
    cashback: Annotated[str, typer.Option(help="How much of it is cashback.")] = "0",
    kind: Annotated[KindName, typer.Option("--type", help="What kind of transaction.")] = KindName.PURCHASE,
    pin: Annotated[bool, typer.Option("--pin", help="This terminal has a PIN pad: the PIN is asked for here.")] = False,
    online: Annotated[
        str | None, typer.Option(help="The issuer's URL; none: never online.", show_default=False)
    ] = None,
    force_online: Annotated[bool, typer.Option("--force-online", help="The merchant wants the issuer asked.")] = False,
    terminal: TerminalFile = None,
    ca_keys: CaFile = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Run one contact transaction and explain every step of it.

    Terminal configuration and scheme CA keys come from the options, from the settings' directory (terminal.yaml,
    ca-keys.yaml), or else from the program and this house's own keystore. Exit code 0 only when approved; 3 when the
    card made a decision impossible.

    Example: membercard emv run --reader pcsc:0 --amount 12.34 --pin --online http://127.0.0.1:8583/authorize
    """
    config, keys = _configuration(terminal), _authorities(ca_keys)
    exponent = config.terminal.currency_exponent
    paid = Transaction(
        _minor(amount, exponent, "--amount"),
        datetime.now().astimezone(),
        _minor(cashback, exponent, "--cashback"),
        Kind[kind.name],
        force_online,
    )
    host = HttpIssuer(online) if online is not None else None
    with card_in(reader, wait) as transport:
        outcome = run_transaction(
            stack(transport),
            config,
            paid,
            keys=keys,
            cardholder=_Keyboard() if pin else None,
            host=host,
            online_pin=_online_pin() if pin and host is not None else None,
            pin_pad=pin,
        )
    if json:
        output.as_json(outcome.to_json())
    else:
        _show(outcome, exponent)
    if not outcome.approved:
        raise typer.Exit(3 if outcome.result in _FAULTS else 1)


@app.command("log")
def log(reader: ReaderUrl, terminal: TerminalFile = None, wait: Wait = 0, json: output.Json = False) -> None:
    """Show what a payment card tells anybody of its past: transaction log, load log, e-cash counters.

    Example: membercard emv log --reader pcsc:0
    """
    config = _configuration(terminal)
    with card_in(reader, wait) as transport:
        sender, state = stack(transport), State(config.data())
        supported = [Supported(entry.aid_bytes, entry.partial) for entry in config.applications]
        try:
            candidates = build_candidates(state, sender, supported, pse=config.terminal.pse)
            selected, _ = choose(state, sender, candidates, None)
        except Stop as stop:
            raise CardMalformed(f"selecting a payment application: {stop.reason}") from None
        logs = {kind: read_log(sender, selected.fci, kind) for kind in LogKind}
        cash = electronic_cash(sender)
    if json:
        output.as_json(_log_json(selected, logs, cash))
        return
    for kind, found in logs.items():
        _show_log(selected, kind, found)
    _show_cash(cash, config.terminal.currency_exponent)


class _Keyboard:
    """The cardholder at this keyboard. The PIN is read without echo, or as a line where input is no terminal."""

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        for number, candidate in enumerate(candidates, 1):
            typer.echo(f"{number}  {candidate.label}", err=True)
        answer = self._line(f"Pay with (1 to {len(candidates)}, nothing for none): ").strip()
        number = int(answer) if answer.isascii() and answer.isdigit() else 0
        return number - 1 if 1 <= number <= len(candidates) else None

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        if last_try:
            typer.echo("LAST TRY: a wrong PIN now blocks it.", err=True)
        left = "" if tries_left is None else f", {tries_left} tries left"
        while entered := self._hidden(f"PIN (nothing to go without{left}): "):
            try:
                return Pin(entered.encode("utf-8", "replace"))
            except CodecError as fault:
                typer.echo(str(fault), err=True)
        return None

    def _hidden(self, prompt: str) -> str:
        return getpass.getpass(prompt) if sys.stdin.isatty() else self._line(prompt).strip()

    def _line(self, prompt: str) -> str:
        typer.echo(prompt, nl=False, err=True)
        return sys.stdin.readline()


def _configuration(named: Path | None) -> TerminalConfig:
    here = settings.load().data_dir / TERMINAL
    if named is not None or here.exists():
        return load_config(named or here)
    shipped = files("terminal.emv") / "terminals" / "counter.yaml"
    return parse_config(shipped.read_text(encoding="utf-8"), "terminals/counter.yaml")


def _authorities(named: Path | None) -> CaStore:
    """The scheme CA keys that were named or lie in the data directory; else this house's own."""
    here = settings.load().data_dir / CA_KEYS
    if named is not None or here.exists():
        return load_ca_store(named or here)
    if not settings.load().keystore.exists():
        raise SettingsError(f"no scheme CA keys: name a file with --ca-keys, or put it at {here}")
    return own_authorities(settings.open_keystore())


def own_authorities(custody: KeyCustody) -> CaStore:
    """The payment scheme's CA keys in custody, RSA and SM2. Raises KeyNotFound when there is neither."""
    found = list[CaKey | SmCaKey]()
    for name, index in _OWN_KEYS.items():
        try:
            info = custody.info(custody.latest(name))
        except KeyNotFound:
            continue
        if info.point is not None:
            found.append(SmCaKey(_RID, index, info.point))
        elif info.modulus is not None and info.exponent is not None:
            found.append(CaKey(_RID, index, RsaPublic(info.modulus, info.exponent)))
    if not found:
        raise KeyNotFound(f"the keystore has neither {' nor '.join(_OWN_KEYS)}; name a file with --ca-keys")
    return ca_store(found)


def _online_pin() -> OnlinePin | None:
    """Enciphers PINs under the house's PIN key; None where there is no keystore."""
    if not settings.load().keystore.exists():
        return None
    custody = settings.open_keystore()
    key = custody.latest(_PIN_KEY)
    return lambda pin, number: custody.encrypt_pin(key, PinFormat.ISO0, pin, number).block


def _minor(text: str, exponent: int, option: str) -> int:
    """An amount in the smallest unit of the currency."""
    try:
        value = Decimal(text).scaleb(exponent)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value < 10**12:
        raise typer.BadParameter(f"an amount such as 12.34, with at most {exponent} decimals", param_hint=option)
    return int(value)


def _money(minor: int, exponent: int) -> str:
    return f"{Decimal(minor).scaleb(-exponent):.{exponent}f}"


def _show(outcome: Outcome, exponent: int) -> None:
    rows = [(step.stage.value, step.text, _bits(step), step.source) for step in outcome.steps]
    output.show(output.table("Transaction", ["function", "what happened", "bits set", "source"], rows))
    colour = "green" if outcome.approved else "red" if outcome.result in _FAULTS else "yellow"
    lines = [
        outcome.reason,
        f"response code {outcome.response_code or '–'}, TVR {outcome.tvr.encode().hex().upper()}, "
        f"TSI {outcome.tsi.encode().hex().upper()}, CVM results {outcome.cvm_results.hex().upper() or '–'}",
    ]
    if outcome.scripts:
        lines.append(f"issuer script results {outcome.script_results.hex().upper()}")
    if outcome.reversal:
        lines.append("the issuer must be told that nothing was paid: send a reversal")
    if outcome.advice:
        lines.append("the card wants an advice to be sent")
    if outcome.receipt is not None:
        lines += ["", *_receipt(outcome.receipt, exponent)]
    title = Text(f"{outcome.message}: {outcome.result.value}", f"bold {colour}")
    output.show(Panel(Text("\n".join(lines)), title=title, border_style=colour, expand=False, padding=(1, 2)))


def _receipt(receipt: Receipt, exponent: int) -> list[str]:
    lines = [
        f"{receipt.date} {receipt.time}",
        f"{receipt.application} ({receipt.aid})",
        receipt.card_number,
        f"{_money(receipt.amount, exponent)} (currency {receipt.currency})",
        receipt.cryptogram,
    ]
    return [*lines, "signature: ____________________"] if receipt.signature_line else lines


def _bits(step: Step) -> str:
    return "\n".join(
        f"{name} {byte}.{bit} {text}"
        for name, field in (("TVR", step.tvr), ("TSI", step.tsi))
        for byte, bit, text in field.places()
    )


def _show_log(selected: Selected, kind: LogKind, found: Log | None) -> None:
    title = {LogKind.TRANSACTIONS: "Transaction log", LogKind.LOADS: "Load log"}[kind]
    if found is None or not found.records:
        typer.echo(f"{title}: {'the card keeps none' if found is None else 'no records'}")
        return
    names = list(_fields(found.records[0], selected.name))
    rows = [(record.number, *_fields(record, selected.name).values()) for record in found.records]
    output.show(output.table(f"{title} (SFI {found.sfi})", ["#", *names], rows, right=("#",)))


def _fields(record: LogRecord, aid: bytes) -> dict[str, str]:
    """Names and values of a record; numeric values read as they stand in hexadecimal digits."""
    shown = {name: value.hex().upper() for name, value in record.head.items()}
    for tag, value in record.values.items():
        element = lookup(tag, aid)
        shown[element.name if element is not None else f"{tag:02X}"] = value.hex().upper()
    return shown


def _show_cash(cash: ElectronicCash, exponent: int) -> None:
    if cash.balance is None:
        typer.echo("E-cash: the card tells no balance")
        return
    rows = [
        (name, "–" if value is None else _money(value, exponent))
        for name, value in (
            ("balance", cash.balance),
            ("balance limit", cash.balance_limit),
            ("limit for one payment", cash.payment_limit),
            ("reset threshold", cash.reset_threshold),
        )
    ]
    output.show(output.table("E-cash", ["", "amount"], rows, right=("amount",)))


def _log_json(selected: Selected, logs: dict[LogKind, Log | None], cash: ElectronicCash) -> dict[str, Any]:
    told: dict[str, Any] = {"aid": selected.name, "ecash": cash}
    for kind, found in logs.items():
        told[kind.name.lower()] = None if found is None else [_record_json(record) for record in found.records]
    return told


def _record_json(record: LogRecord) -> dict[str, Any]:
    values = {f"{tag:02X}": value for tag, value in record.values.items()}
    return {"number": record.number, "values": values, "head": dict(record.head)}
