"""How a transaction and a card's logs look on a terminal: each function of the kernel, what it decided, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from membercard import output
from terminal.apdu import Trace, TraceEntry
from terminal.emv.data.dictionary import lookup
from terminal.emv.data.elements.codes import money, price
from terminal.emv.data.explain import Explained, Explainer, explain
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_8A_RESPONSE_CODE,
    TAG_9A_TRANSACTION_DATE,
    TAG_9B_TSI,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F4E_MERCHANT_NAME,
    TAG_9F5B_SCRIPT_RESULTS,
    TAG_9F10_IAD,
    TAG_9F21_TRANSACTION_TIME,
    TAG_9F34_CVM_RESULTS,
    TAG_9F36_ATC,
    TAG_95_TVR,
)
from terminal.emv.kernel.logs import ElectronicCash, Log, LogKind, LogRecord
from terminal.emv.selection.selection import Selected
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.outcome import Cryptogram, Outcome, Receipt, Result
from terminal.emv.transaction.step import Step
from terminal.tlv import decode, tlv

FAULTS: Final = (Result.TERMINATED, Result.TRY_ANOTHER_INTERFACE)
"""Results that come from the card or the reader, not from a decision."""
_TEXT_WIDTH: Final = 84
_ADVICE: Final = 0x08
"""Bit 4 of the cryptogram information data. EMV 4.4 Book 3, 6.5.5.4, table 15."""
_SHORT: Final = {
    TAG_9A_TRANSACTION_DATE: "date",
    TAG_9F21_TRANSACTION_TIME: "time",
    TAG_9F02_AMOUNT: "amount",
    TAG_9F03_AMOUNT_OTHER: "other amount",
    TAG_9F1A_TERMINAL_COUNTRY: "country",
    TAG_5F2A_CURRENCY: "currency",
    TAG_9F4E_MERCHANT_NAME: "merchant",
    TAG_9C_TRANSACTION_TYPE: "type",
    TAG_9F36_ATC: "ATC",
}
"""Heads of columns for what logs usually hold; anything else goes by its name in the dictionary."""
_CODES: Final = (TAG_9F1A_TERMINAL_COUNTRY, TAG_5F2A_CURRENCY)
"""Countries and currencies, which a table names by their letters alone."""


def show_outcome(outcome: Outcome, config: TerminalConfig) -> None:
    """The transaction function by function, then its result with every bit in words, then the receipt."""
    exponent = config.terminal.currency_exponent
    output.show(_course(outcome))
    output.show(Padding(_result(outcome), (1, 0, 0, 0)))
    if outcome.receipt is not None:
        output.show(_receipt(outcome.receipt, outcome.message, exponent))


def _course(outcome: Outcome) -> Table:
    """The steps under the names of their functions, in the order in which they came."""
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(max_width=_TEXT_WIDTH, overflow="fold")
    grid.add_column(no_wrap=True, style="dim")
    for number, (stage, steps) in enumerate(groupby(outcome.steps, lambda step: step.stage), 1):
        grid.add_row(Text(f"{number:>2}  {stage.value}", "bold cyan"), "")
        for step in steps:
            grid.add_row(Padding(Text(step.text), (0, 0, 0, 4)), step.source)
            for line in _bits(step):
                grid.add_row(Padding(line, (0, 0, 0, 6)), "")
    return grid


def _bits(step: Step) -> Iterator[Text]:
    """The bits that the step set. Those of the TVR are what action codes are about, those of the TSI mere notes."""
    for byte, bit, text in step.tvr.places():
        yield Text(f"▲ TVR byte {byte} bit {bit}: {text}", "yellow")
    for byte, bit, text in step.tsi.places():
        yield Text(f"· TSI byte {byte} bit {bit}: {text}", "dim")


def _result(outcome: Outcome) -> Panel:
    colour = "green" if outcome.approved else "red" if outcome.result in FAULTS else "yellow"
    rows = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(max_width=_TEXT_WIDTH, overflow="fold")
    for name, value in _facts(outcome):
        rows.add_row(name, value)
    title = Text(f" {outcome.message}: {outcome.result.value} ", f"bold {colour}")
    body: RenderableType = Group(Text(outcome.reason, "bold"), Text(), rows)
    return Panel(body, title=title, title_align="left", border_style=colour, expand=False, padding=(1, 2))


def _facts(outcome: Outcome) -> Iterator[tuple[str, RenderableType]]:
    if outcome.response_code:
        yield "response code", explain(TAG_8A_RESPONSE_CODE, outcome.response_code.encode("ascii")).text
    yield "TVR", _tree(explain(TAG_95_TVR, outcome.tvr.encode()))
    # Its bits stand beside the steps that set them, and speak for nothing beyond.
    yield "TSI", f"{outcome.tsi.encode().hex().upper()}  {explain(TAG_9B_TSI, outcome.tsi.encode()).text}"
    if outcome.cvm_results:
        yield "CVM results", _tree(explain(TAG_9F34_CVM_RESULTS, outcome.cvm_results))
    for name, made in (("first GENERATE AC", outcome.first), ("second", outcome.second)):
        if made is not None:
            yield name, _cryptogram(made, outcome.aid)
    if outcome.scripts:
        yield "issuer scripts", _tree(explain(TAG_9F5B_SCRIPT_RESULTS, outcome.script_results))
    if outcome.reversal:
        yield "reversal", Text(_reversal(outcome), "yellow")
    if outcome.advice:
        yield "advice", _advice(outcome)


def _reversal(outcome: Outcome) -> str:
    """Why the issuer's authorization is to be taken back. EMV 4.4 Book 4, 6.3.8, 12.2.3."""
    if outcome.approved:
        # Its answer never came: what was paid, was paid offline.
        return "the payment was approved offline: the request that may have reached the issuer is to be reversed"
    return "the issuer must be told that nothing was paid"


def _advice(outcome: Outcome) -> str:
    """Who wants the acquirer told: the card (CID), or the rule that the issuer hears of its scripts.
    EMV 4.4 Book 4, 6.3.7, 6.3.9."""
    if any(made.cid & _ADVICE for made in (outcome.first, outcome.second) if made is not None):
        return "the card wants an advice to be sent"
    return "an advice is to be sent: the issuer must be told what became of its scripts"


def _cryptogram(made: Cryptogram, aid: bytes | None) -> Text:
    signed = ", signed by the card (CDA)" if made.verified else ""
    counter = int.from_bytes(made.atc, "big")
    head = f"{made.kind.value} {made.ac.hex().upper() or '–'}, transaction counter {counter}{signed}"
    if not made.issuer_data:
        return Text(head)
    return Text(f"{head}\n").append_text(_tree(explain(TAG_9F10_IAD, made.issuer_data, aid), "9F10 "))


def _tree(said: Explained, before: str = "") -> Text:
    """A value and what it says, its parts below it."""
    value = said.value.hex().upper() if said.value else ""
    text = "" if said.text == value else said.text
    found = Text(f"{before}{value}").append(f"  {text}{f' ! {said.fault}' if said.fault else ''}".rstrip(), "dim")
    for child in said.children:
        found.append(f"\n  {child}")
    return found


def _receipt(receipt: Receipt, message: str, exponent: int) -> Panel:
    lines = [
        f"{receipt.date}  {receipt.time}",
        receipt.application,
        receipt.aid,
        receipt.card_number,
        price(receipt.amount, receipt.currency, exponent),
        receipt.cryptogram,
        message,
    ]
    if receipt.signature_line:
        lines += ["", "signature: ____________________"]
    return Panel(Text("\n".join(lines)), title="receipt", title_align="left", expand=False, padding=(0, 2))


def in_words(recorded: Trace) -> list[tuple[TraceEntry, tuple[Explained, ...]]]:
    """Every exchange and what it says; personal data are masked, PINs never shown."""
    # Without --trace no dictionary of the member application is wanted.
    from membercard.commands.explained_trace import explain_trace

    return list(explain_trace(recorded, reveal=False))


def exchanges_json(exchanges: list[tuple[TraceEntry, tuple[Explained, ...]]]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [output.plain(entry) | {"explained": [tree.to_json() for tree in said]} for entry, said in exchanges]


def show_exchanges(exchanges: list[tuple[TraceEntry, tuple[Explained, ...]]]) -> None:
    """Commands and answers, each with what it says beneath it."""
    for entry, said in exchanges:
        typer.echo(str(entry))
        output.trees(said, "             ")


def show_log(selected: Selected, kind: LogKind, found: Log | None) -> None:
    """One log as a table, its values in words."""
    title = {LogKind.TRANSACTIONS: "Transaction log", LogKind.LOADS: "Load log"}[kind]
    if found is None or not found.records:
        typer.echo(f"{title}: {'the card keeps none' if found is None else 'no records'}")
        return
    rows = [_fields(record, selected.name) for record in found.records]
    idle = _idle(found.records)
    columns = [name for name in rows[0] if name not in idle]
    cells = [(r.number, *(row[name] for name in columns)) for r, row in zip(found.records, rows, strict=True)]
    output.show(
        output.table(
            f"{title} (SFI {found.sfi}), newest first",
            ["#", *columns],
            cells,
            right=("#", "amount", "other amount", "ATC"),
        )
    )


def _idle(records: Sequence[LogRecord]) -> set[str]:
    """Columns that would say nothing: other amounts where none has one, currencies that stand beside their amounts."""
    other = any(any(record.values.get(TAG_9F03_AMOUNT_OTHER, b"")) for record in records)
    named = all(TAG_9F02_AMOUNT in record.values and TAG_5F2A_CURRENCY in record.values for record in records)
    return ({_SHORT[TAG_9F03_AMOUNT_OTHER]} if not other else set()) | ({_SHORT[TAG_5F2A_CURRENCY]} if named else set())


def _fields(record: LogRecord, aid: bytes) -> dict[str, str]:
    """Names and values of a record, amounts in the currency that stands beside them."""
    shown = {name: value.hex().upper() for name, value in record.head.items()}
    explainer = Explainer(aid)
    values = {tag: explainer.unpadded(tag, value) for tag, value in record.values.items()}
    told = explainer.objects(decode(b"".join(tlv(tag, value).encode() for tag, value in values.items())))
    for tag, said in zip(values, told, strict=True):
        known = lookup(tag, aid)
        name = _SHORT.get(tag) or (known.name if known is not None else f"{tag:02X}")
        shown[name] = _code(said.text) if tag in _CODES else said.text
        if tag == TAG_9C_TRANSACTION_TYPE:
            shown[name] = said.text.partition(", ")[2] or said.text
    return shown


def _code(text: str) -> str:
    """The letters of ``China (156, CN)``."""
    return text.rpartition(", ")[2].rstrip(")")


def show_cash(cash: ElectronicCash, exponent: int) -> None:
    """The e-cash counters, or that there are none."""
    if cash.balance is None:
        typer.echo("E-cash: the card tells no balance")
        return
    rows = [
        (name, "–" if value is None else money(value, exponent))
        for name, value in (
            ("balance (9F79)", cash.balance),
            ("balance limit (9F77)", cash.balance_limit),
            ("limit for one payment (9F78)", cash.payment_limit),
            ("reset threshold (9F6D)", cash.reset_threshold),
        )
    ]
    output.show(output.table("E-cash", ["", "amount"], rows, right=("amount",)))


def log_json(selected: Selected, logs: dict[LogKind, Log | None], cash: ElectronicCash) -> dict[str, Any]:
    """Logs and counters for programs: values by tag, in hex."""
    told: dict[str, Any] = {"aid": selected.name, "ecash": cash}
    for kind, found in logs.items():
        told[kind.name.lower()] = None if found is None else [_record_json(record) for record in found.records]
    return told


def _record_json(record: LogRecord) -> dict[str, Any]:
    values = {f"{tag:02X}": value for tag, value in record.values.items()}
    return {"number": record.number, "values": values, "head": dict(record.head)}
