"""`membercard redemptions`: the redemption journal of this counter."""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from membercard import language, output, settings
from membercard.commands.card_options import ReaderUrl, Wait
from membercard.commands.counter.amounts import counted_amount
from membercard.commands.counter.card import HotlistFile, ListKey, TrustFile, judge
from membercard.commands.counter.cashiers import signed_in
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.credits import gives_back
from membercard.wiring.merchant import counter_redemptions, issued_receipts, receiver_of_counter
from membercard.wiring.readers import card_in
from terminal.apdu import stack

if TYPE_CHECKING:
    from reader_service.redemptions.receiver import UploadFaultCode
    from reader_service.redemptions.uploads import Uploaded

app = typer.Typer()

REFUSED, AWAY = 1, 3
"""Exit codes of an upload."""
_LOOK: Final = 1.0
_LONGEST: Final = 300.0
"""Seconds between looks at the journal, and the longest between attempts."""

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


@app.command("day")
def day(
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; today, if not given.", show_default=False)
    ] = None,
    counted: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CASHIER=YUAN", help="What a cashier counted in the till; once for each.", show_default=False
        ),
    ] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the sheet to this PDF file too.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """Print the end-of-day sheet: sums by benefit and cashier, what was taken back, and what is not certain.

    The text fits a printer of 80 mm; the PDF file is an A4 sheet with room for signatures.

    Example: membercard redemptions day --counted 王芳=320.00 --pdf day.pdf
    """
    from reader_service.redemptions.day_paper import day_lines, day_pdf
    from reader_service.redemptions.receipt import slip_text

    wanted = settings.load().today() if on is None else on.date()
    amounts = dict(map(counted_amount, counted or ()))
    with counter_redemptions() as counter:
        sheet = counter.day_sheet(wanted, settings.load().now())
    names = [one.cashier for one in sheet.cashiers]
    unknown = [name for name in amounts if name not in names]
    if unknown:
        listed = ", ".join(names) or "–"
        raise typer.BadParameter(
            language.text("no cashier {name} redeemed on that day; it has {names}", name=unknown[0], names=listed)
        )
    sheet = sheet.with_counted([amounts.get(name) for name in names])
    if pdf is not None:
        output.write_file(pdf, day_pdf(sheet))
    if json:
        output.as_json(sheet.to_json())
    else:
        typer.echo(slip_text(day_lines(sheet, language.current().value)), nl=False)


@app.command("receipt")
def receipt(
    number: Annotated[int, typer.Argument(help="The number of the redemption.", show_default=False)],
    pdf: Annotated[Path | None, typer.Option(help="Write it to this PDF file.", show_default=False)] = None,
    escpos: Annotated[
        Path | None, typer.Option(help="Write the bytes for an ESC/POS printer to this file.", show_default=False)
    ] = None,
    to_printer: Annotated[bool, typer.Option("--print", help="Print it at the counter's printer.")] = False,
    json: output.Json = False,
) -> None:
    """Print a receipt again.

    It is text, or goes to a file, or to the printer of the setting receipt_printer, and says that it is a copy.

    Example: membercard redemptions receipt 12 --print
    """
    from reader_service.redemptions.receipt import receipt_lines, slip_text
    from reader_service.redemptions.slip_paper import slip_bytes, slip_pdf

    with counter_redemptions() as counter:
        record, place, issued = counter.record(number), counter.place, issued_receipts()
        lines = list(receipt_lines(record, place.name, language.current().value, copy=issued.before(record)))
        if pdf is not None:
            output.write_file(pdf, slip_pdf(record.receipt, record.at.date(), lines, record.receipt))
        if escpos is not None:
            output.write_file(escpos, slip_bytes(lines, record.receipt))
        if to_printer:
            if place.printer is None:
                raise typer.BadParameter("the settings name no receipt_printer")
            place.printer.send(slip_bytes(lines, record.receipt))
        as_text = not json and pdf is escpos is None and not to_printer
        if as_text:
            typer.echo(slip_text(lines), nl=False)
        if json:
            output.as_json(record.to_json())
        if as_text or to_printer or pdf is not None or escpos is not None:
            issued.note(record)


@app.command("reverse")
def reverse(
    receipt: Annotated[str, typer.Argument(help="The number of the receipt, such as T0000001-57.", show_default=False)],
    reason: Reason,
    reader: ReaderUrl,
    cashier: Annotated[
        str | None, typer.Option(help="Who takes it back; the setting operator, if not given.", show_default=False)
    ] = None,
    trust: TrustFile = None,
    hotlist: HotlistFile = None,
    list_key: ListKey = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Take back a redemption on its day, with its card in the reader.

    Where the office answers, here or at upload_url, the card gets its uses back at once; else at its next insertion
    where changes of the card run.

    Example: membercard redemptions reverse T0000001-57 --reason "wrong benefit"
    """
    from reader_service.redemptions.receipt import receipt_text

    lists, name = load_lists(trust, hotlist, list_key), signed_in(cashier)
    with counter_redemptions() as counter, card_in(reader, wait) as transport:
        sender = stack(transport)
        verdict = judge(sender, lists)
        record = counter.reverse(verdict, receipt, settings.load().now(), by=name, reason=reason)
        credited = gives_back(counter, sender, verdict)
        slip = receipt_text(record, counter.place.name, language.current().value)
        if not json:
            issued_receipts().note(record)
    if json:
        output.as_json({"redemption": record.to_json(), "credited": credited})
        return
    typer.echo(slip, nl=False)
    if credited:
        output.say("the card has its uses again")
    else:
        output.say("the card gets its uses back at its next insertion where changes of the card run")


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


@app.command("upload")
def upload(
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: upload what comes, and try again while the office is away.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Hand over to the office what waits in the journal.

    Rows go in their order, and what the office has already changes nothing: the command can be repeated whenever it
    ended. A running service uploads by itself. Exit code 0 when nothing waits any more; 1 where the office refuses; 3
    where it cannot be reached.

    Example: membercard redemptions upload
    """
    from reader_service.redemptions.errors import JournalBusy
    from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadRefused
    from reader_service.redemptions.uploads import Uploader, note_failed, note_fault

    current, failed = settings.load(), 0
    with receiver_of_counter() as receiver:
        while True:
            pause = _LOOK
            try:
                with counter_redemptions() as counter:
                    try:
                        done = Uploader(counter.journal, receiver, current.now).run()
                    finally:
                        waiting = counter.journal.waiting
            except (ReceiverAway, UploadRefused) as refusal:
                fault = refusal.fault if isinstance(refusal, UploadRefused) else UploadFaultCode.AWAY
                note_failed(current.data_dir, fault, current.now())
                _show_refused(fault, str(refusal), waiting, json)
                if not watch:
                    raise typer.Exit(AWAY if fault is UploadFaultCode.AWAY else REFUSED) from None
                failed += 1
                pause = min(_LONGEST, 2.0 ** min(failed, 9)) * random.uniform(0.75, 1.25)  # noqa: S311  # no secret
                output.say("the rows stay in the journal; next attempt in {count} s", err=True, count=round(pause))
            except JournalBusy:
                if not watch:
                    raise
            else:
                failed = 0
                note_fault(current.data_dir, None)
                if done.rows or not watch:
                    _show_uploaded(done, json)
                if not watch:
                    return
            time.sleep(pause)


@app.command("status")
def status(json: output.Json = False) -> None:
    """Show what waits for the office, since when, and why; and how old the lists of this counter are.

    A list that ends soon is named, and why no newer one is fetched. While a service runs, only the service knows what
    waits: its page, or GET /redemptions/queue.

    Example: membercard redemptions status --json
    """
    from membercard.commands.counter.lists import list_warnings
    from membercard.wiring.counter_lists import list_policy
    from membercard.wiring.list_dates import stored_dates
    from reader_service.redemptions.errors import JournalBusy
    from reader_service.redemptions.receiver import SENTENCES
    from reader_service.redemptions.uploads import fault_on_record
    from reader_service.services.counter.fetched_lists import NAMES, read_note

    current, busy = settings.load(), ""
    data: dict[str, Any] = dict.fromkeys(("waiting", "open", "damaged", "waiting_since", "uploaded_at"))
    try:
        with counter_redemptions() as counter:
            journal = counter.journal
            data |= {"waiting": journal.waiting, "open": len(journal.open_intents), "damaged": len(journal.damage)}
            data |= {"waiting_since": journal.waiting_since, "uploaded_at": journal.uploaded_at}
    except JournalBusy as held:
        busy = str(held)
    note, oldest, fault = read_note(current.data_dir), list_policy().oldest, fault_on_record(current.data_dir)
    dates = stored_dates(current.data_dir, current.now(), oldest, programme=True) if _has_lists(current) else []
    if json:
        sentence = SENTENCES[fault.fault] if fault else ""
        data |= {"busy": bool(busy), "fault": fault and fault.fault, "fault_since": fault and fault.since}
        data |= {"fault_sentence": sentence, "lists": dates, "lists_fetched_at": note.at, "lists_fault": note.fault}
        output.as_json(data)
        return
    if busy:
        typer.echo(language.sentence(busy))
    else:
        rows = [
            ("rows that wait", data["waiting"]),
            ("waiting since", output.local_time(data["waiting_since"])),
            ("last upload", output.local_time(data["uploaded_at"])),
            ("requests without a result", data["open"]),
            ("damaged places", data["damaged"]),
            ("lists fetched", output.local_time(note.at)),
        ]
        output.show(output.table("Redemption queue", ["", ""], [(language.text(name), value) for name, value in rows]))
    if fault is not None:
        since = output.local_time(fault.since)
        output.say("since {at}: {fault}", at=since, fault=language.sentence(SENTENCES[fault.fault]))
    if dates:
        cells = [
            (language.text(NAMES[one.kind]), one.version, output.local_time(one.issued), output.local_time(one.ends))
            for one in dates
        ]
        heads = ["list", "version", "issued", "relied on until"]
        output.show(output.table("Lists of this counter", heads, cells))
    for line in list_warnings(dates, note):
        typer.echo(line)


def _has_lists(current: settings.Settings) -> bool:
    """Whether this counter works by signed files; else it is the issuer's own."""
    from membercard.wiring.counter_lists import TRUST

    return bool(current.upload_url) or (current.data_dir / TRUST).exists()


def _show_uploaded(done: Uploaded, as_json: bool) -> None:
    if as_json:
        output.as_json(asdict(done))
        return
    if not done.rows:
        output.say("nothing waits for the office")
        return
    output.say(
        "{count} rows uploaded: {booked} redemptions booked, {known} known before",
        count=done.rows,
        booked=done.booked,
        known=done.known,
    )
    if done.findings:
        listed = ", ".join(f"{kind} {count}" for kind, count in sorted(done.findings.items()))
        output.say("findings of the office: {findings}", findings=listed)


def _show_refused(fault: UploadFaultCode, sentence: str, waiting: int, as_json: bool) -> None:
    if as_json:
        output.as_json({"fault": fault, "fault_sentence": sentence, "waiting": waiting})
    typer.echo(language.sentence(sentence), err=True)
    output.say("{count} rows of the journal wait for the office", err=True, count=waiting)
