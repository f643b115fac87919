"""Display of transactions and card logs: each function of the kernel, its decision, and the reason."""

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
from membercard.exchanges import line as exchange_line
from membercard.explained import localized
from membercard.language import sentence, text
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
from terminal.emv.kernel.logs import ElectronicCash, History, Log, LogKind, LogRecord
from terminal.emv.selection.selection import Selected
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.outcome import Cryptogram, Outcome, Receipt, Result
from terminal.emv.transaction.step import Step
from terminal.tlv import Tag

FAULTS: Final = (Result.TERMINATED, Result.TRY_ANOTHER_INTERFACE)
"""Results caused by the card or the reader, not by a decision."""
_TEXT_WIDTH: Final = 84
_SIGNATURE_WIDTH: Final = 20
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
"""Column heads for the usual elements of logs; others have their name from the dictionary."""
_TITLES: Final = {LogKind.TRANSACTIONS: "Transaction log", LogKind.LOADS: "Load log"}
_CODES: Final = (TAG_9F1A_TERMINAL_COUNTRY, TAG_5F2A_CURRENCY)
"""Countries and currencies, shown in tables by their letter codes."""


def show_outcome(outcome: Outcome, config: TerminalConfig) -> None:
    """Print the transaction function by function, then its result with every bit explained, then the receipt."""
    exponent = config.terminal.currency_exponent
    output.show(_course(outcome))
    output.show(Padding(_result(outcome), (1, 0, 0, 0)))
    if outcome.receipt is not None:
        output.show(_receipt(outcome.receipt, outcome.message, exponent))


def _course(outcome: Outcome) -> Table:
    """The steps under the names of their functions, in order."""
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(max_width=_TEXT_WIDTH, overflow="fold")
    grid.add_column(no_wrap=True, style="dim")
    for number, (stage, steps) in enumerate(groupby(outcome.steps, lambda step: step.stage), 1):
        grid.add_row(Text(f"{number:>2}  {sentence(stage.value)}", "bold cyan"), "")
        for step in steps:
            grid.add_row(Padding(Text(sentence(step.text)), (0, 0, 0, 4)), sentence(step.source))
            for line in _bits(step):
                grid.add_row(Padding(line, (0, 0, 0, 6)), "")
    return grid


def _bits(step: Step) -> Iterator[Text]:
    """The bits that the step set: those of the TVR, which action codes refer to, then those of the TSI."""
    for byte, bit, flag in step.tvr.places():
        yield Text(text("▲ TVR byte {byte} bit {bit}: {flag}", byte=byte, bit=bit, flag=sentence(flag)), "yellow")
    for byte, bit, flag in step.tsi.places():
        yield Text(text("· TSI byte {byte} bit {bit}: {flag}", byte=byte, bit=bit, flag=sentence(flag)), "dim")


def _result(outcome: Outcome) -> Panel:
    colour = "green" if outcome.approved else "red" if outcome.result in FAULTS else "yellow"
    rows = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(max_width=_TEXT_WIDTH, overflow="fold")
    for name, value in _facts(outcome):
        rows.add_row(sentence(name), value)
    title = Text(f" {sentence(outcome.message)}: {sentence(outcome.result.value)} ", f"bold {colour}")
    body: RenderableType = Group(Text(sentence(outcome.reason), "bold"), Text(), rows)
    return Panel(body, title=title, title_align="left", border_style=colour, expand=False, padding=(1, 2))


def _facts(outcome: Outcome) -> Iterator[tuple[str, RenderableType]]:
    if outcome.response_code:
        code = explain(TAG_8A_RESPONSE_CODE, outcome.response_code.encode("ascii"))
        yield "response code", localized(code).text
    yield "TVR", _tree(explain(TAG_95_TVR, outcome.tvr.encode()))
    # Its bits stand beside the steps that set them.
    yield "TSI", f"{outcome.tsi.encode().hex().upper()}  {sentence(explain(TAG_9B_TSI, outcome.tsi.encode()).text)}"
    if outcome.cvm_results:
        yield "CVM results", _tree(explain(TAG_9F34_CVM_RESULTS, outcome.cvm_results))
    for name, cryptogram in (("first GENERATE AC", outcome.first), ("second", outcome.second)):
        if cryptogram is not None:
            yield name, _cryptogram(cryptogram, outcome.aid)
    if outcome.scripts:
        yield "issuer scripts", _tree(explain(TAG_9F5B_SCRIPT_RESULTS, outcome.script_results))
    if outcome.reversal:
        yield "reversal", Text(sentence(_reversal(outcome)), "yellow")
    if outcome.advice:
        yield "advice", sentence(_advice(outcome))


def _reversal(outcome: Outcome) -> str:
    """Why the issuer's authorization has to be reversed. EMV 4.4 Book 4, 6.3.8, 12.2.3."""
    if outcome.approved:
        # The response never came; the payment was made offline.
        return "the payment was approved offline: the request that may have reached the issuer is to be reversed"
    return "the issuer has to learn that nothing was paid"


def _advice(outcome: Outcome) -> str:
    """Why an advice has to be sent: the card asks for it (CID), or the issuer has to get its script results.
    EMV 4.4 Book 4, 6.3.7, 6.3.9."""
    if any(one.cid & _ADVICE for one in (outcome.first, outcome.second) if one is not None):
        return "the card requests an advice"
    return "an advice has to be sent: the issuer needs the results of its scripts"


def _cryptogram(cryptogram: Cryptogram, aid: bytes | None) -> Text:
    signed = ", signed by the card (CDA)" if cryptogram.verified else ""
    counter = int.from_bytes(cryptogram.atc, "big")
    value = f"{cryptogram.kind.value} {cryptogram.ac.hex().upper() or '–'}"
    head = sentence(f"{value}, transaction counter {counter}{signed}")
    if not cryptogram.issuer_data:
        return Text(head)
    return Text(f"{head}\n").append_text(_tree(explain(TAG_9F10_IAD, cryptogram.issuer_data, aid), "9F10 "))


def _tree(explained: Explained, before: str = "") -> Text:
    """A value and its explanation, with its parts below."""
    value = explained.value.hex().upper() if explained.value else ""
    shown = localized(explained)
    meaning = "" if explained.text == value else shown.text
    fault = f" ! {shown.fault}" if explained.fault else ""
    lines = Text(f"{before}{value}").append(f"  {meaning}{fault}".rstrip(), "dim")
    for child in shown.children:
        lines.append(f"\n  {child}")
    return lines


def _receipt(receipt: Receipt, message: str, exponent: int) -> Panel:
    lines = [
        f"{receipt.date}  {receipt.time}",
        receipt.application,
        receipt.aid,
        receipt.card_number,
        price(receipt.amount, receipt.currency, exponent),
        receipt.cryptogram,
        sentence(message),
    ]
    if receipt.signature_line:
        lines += ["", text("signature: {line}", line="_" * _SIGNATURE_WIDTH)]
    return Panel(Text("\n".join(lines)), title=text("receipt"), title_align="left", expand=False, padding=(0, 2))


def explained_exchanges(recorded: Trace) -> list[tuple[TraceEntry, tuple[Explained, ...]]]:
    """Every exchange with its explanation; personal data are masked, PINs never shown."""
    # Only --trace needs the dictionary of the member application.
    from membercard.commands.developers.emv.trace import explain_trace

    return list(explain_trace(recorded, reveal=False))


def exchanges_json(exchanges: list[tuple[TraceEntry, tuple[Explained, ...]]]) -> list[dict[str, Any]]:
    """The exchanges as JSON values."""
    return [output.plain(entry) | {"explained": [tree.to_json() for tree in trees]} for entry, trees in exchanges]


def show_exchanges(exchanges: list[tuple[TraceEntry, tuple[Explained, ...]]]) -> None:
    """Print commands and responses, each with its explanation."""
    for entry, trees in exchanges:
        typer.echo(exchange_line(entry))
        output.trees(trees, "             ")


def show_history(selected: Selected, history: History, exponent: int) -> None:
    """Print logs and counters; what could not be read is a line on standard error."""
    for kind in LogKind:
        if kind in history.logs:
            _show_log(selected, kind, history.logs[kind])
        elif kind in history.missing:
            typer.echo(f"{text(_TITLES[kind])}: {sentence(history.missing[kind])}", err=True)
    if history.cash is not None:
        _show_cash(history.cash, exponent)


def _show_log(selected: Selected, kind: LogKind, log: Log | None) -> None:
    """Print a log as a table, with explained values."""
    title = text(_TITLES[kind])
    if log is None or not log.records:
        output.say("{title}: the card keeps none" if log is None else "{title}: no records", title=title)
        return
    rows = [_fields(record, selected.name) for record in log.records]
    idle = _idle(log.records)
    columns = [name for name in rows[0] if name not in idle]
    cells = [(r.number, *(row[name] for name in columns)) for r, row in zip(log.records, rows, strict=True)]
    output.show(
        output.table(
            text("{title} (SFI {sfi}), newest first", title=title, sfi=log.sfi),
            ["#", *columns],
            cells,
            right=("#", "amount", "other amount", "ATC"),
        )
    )
    for remark in log.remarks:
        typer.echo(f"{title}: {sentence(remark)}", err=True)


def _idle(records: Sequence[LogRecord]) -> set[str]:
    """Columns without information: other amounts where all are zero, and currencies, which stand beside the amounts."""
    other = any(any(record.values.get(TAG_9F03_AMOUNT_OTHER, b"")) for record in records)
    named = all(TAG_9F02_AMOUNT in record.values and TAG_5F2A_CURRENCY in record.values for record in records)
    return ({_SHORT[TAG_9F03_AMOUNT_OTHER]} if not other else set()) | ({_SHORT[TAG_5F2A_CURRENCY]} if named else set())


def _fields(record: LogRecord, aid: bytes) -> dict[str, str]:
    """Names and values of a record, amounts in the currency that stands beside them."""
    shown = {name: value.hex().upper() for name, value in record.head.items()}
    trees = Explainer(aid).values({Tag(tag): value for tag, value in record.values.items()})
    for tag, explained in zip(record.values, trees, strict=True):
        known = lookup(tag, aid)
        name = _SHORT.get(tag) or (known.name if known is not None else f"{tag:02X}")
        shown[name] = _code(explained.text) if tag in _CODES else localized(explained).text
        if tag == TAG_9C_TRANSACTION_TYPE:
            shown[name] = sentence(explained.text.partition(", ")[2] or explained.text)
    return shown


def _code(text: str) -> str:
    """The letters of ``China (156, CN)``; the digits of an unknown code."""
    return text.rpartition(", ")[2][:-1] if text.endswith(")") else text.partition(", ")[0]


def _show_cash(cash: ElectronicCash, exponent: int) -> None:
    """Print the e-cash counters, or that there are none."""
    if cash.balance is None:
        output.say("E-cash: the card gives no balance")
        return
    rows = [
        (text(name), "–" if value is None else money(value, exponent))
        for name, value in (
            ("balance (9F79)", cash.balance),
            ("balance limit (9F77)", cash.balance_limit),
            ("limit for one payment (9F78)", cash.payment_limit),
            ("reset threshold (9F6D)", cash.reset_threshold),
        )
    ]
    output.show(output.table("E-cash", ["", "amount"], rows, right=("amount",)))


def history_json(selected: Selected, history: History) -> dict[str, Any]:
    """Logs and counters for programs: values by tag, in hex. ``remarks`` say what could not be read."""
    values: dict[str, Any] = {"aid": selected.name, "ecash": history.cash}
    remarks = list(history.missing.values())
    for kind in LogKind:
        log = history.logs.get(kind)
        values[kind.name.lower()] = None if log is None else [_record_json(record) for record in log.records]
        remarks += log.remarks if log is not None else ()
    return values | {"remarks": remarks}


def _record_json(record: LogRecord) -> dict[str, Any]:
    values = {f"{tag:02X}": value for tag, value in record.values.items()}
    return {"number": record.number, "values": values, "head": dict(record.head)}
