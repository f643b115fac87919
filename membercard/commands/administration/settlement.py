"""`membercard settlement`: rates of merchants, their statements by month under two signatures, and disputes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from membercard import language, output, settings
from membercard.commands.administration import changes, payouts
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import Language, text
from membercard.wiring import identity

if TYPE_CHECKING:
    from registry.programme.statement import Statement, StatementLine, StatementSheet

app = typer.Typer()
app.add_typer(payouts.app)

_LEAST_DIGEST = 8
_DECISIONS = {None: "undecided", "accepted": "accepted", "refused": "not accepted"}

Merchant = Annotated[str, typer.Argument(help="The merchant identifier (tag 9F16).", show_default=False)]
Number = Annotated[int, typer.Argument(help="The number of the statement.", min=1, show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]


@app.command("rate")
def rate(
    merchant: Merchant,
    benefit: Annotated[
        str,
        typer.Argument(
            help="The benefit class, four digits, or the code of a benefit that the union counts online.",
            show_default=False,
        ),
    ],
    reason: Reason,
    valid_from: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day of redemption.", show_default=False)
    ],
    per_unit: Annotated[
        int, typer.Option(help="Fen that the union pays for each unit; below zero the merchant pays.")
    ] = 0,
    share: Annotated[
        int, typer.Option(help="Ten-thousandths of the amount that the union pays; below zero the merchant pays.")
    ] = 0,
    by: By = None,
) -> None:
    """Request what the union pays a merchant for a benefit, from a day on; a second person approves it.

    Example: membercard settlement rate PARK-EAST 0101 --from 2026-01-01 --per-unit 250 --reason "contract 7"
    """
    from reader_service.principal import Permission
    from registry.programme.rates import Rate

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        new = Rate(benefit, valid_from.date(), per_unit, share)
        change = registry.rates.request(merchant, new, by=person, reason=reason)
    changes.say_next(change)
    identity.note_unproven(person)


@app.command("rates")
def rates(merchant: Merchant, json: output.Json = False) -> None:
    """List the rates of a merchant, by benefit and day."""
    with settings.open_registry() as registry:
        views = registry.rates.of(merchant)
    if json:
        output.as_json(views)
        return
    if not views:
        output.say("no rate is on record: the union owes this merchant nothing")
        return
    rows = [
        (
            view.rate.benefit_class,
            view.rate.valid_from,
            _yuan(view.rate.per_unit),
            f"{view.rate.share / 100:.2f} %",
            text("in use" if view.in_use else "replaced"),
            language.person(view.by),
            language.person(view.approved_by) if view.approved_by else "",
            view.reason,
        )
        for view in views
    ]
    heads = ["benefit", "from", "per unit", "share", "state", "who", "approved by", "reason"]
    output.show(output.table("Rates", heads, rows))


@app.command("draw-up")
def draw_up(
    merchant: Merchant,
    month: Annotated[str, typer.Argument(help="The month, as 2026-11.", show_default=False)],
    reopen: Annotated[
        str, typer.Option(metavar="REASON", help="Reopen a closed month, for this reason.", show_default=False)
    ] = "",
    by: By = None,
    json: output.Json = False,
) -> None:
    """Draw up the statement of a month that is over, as a draft. Then two people sign it.

    A closed month is never changed: --reopen draws up its next version, and the one before stays in force until two
    people have signed.

    Example: membercard settlement draw-up PARK-EAST 2026-11
    """
    from reader_service.principal import Permission

    wanted = payouts.month_of(month)
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        sheet = registry.settlement.draw_up(merchant, wanted, by=person, reason=reopen)
    if json:
        output.as_json(sheet)
    else:
        _show(sheet)
        _say_next(sheet.statement)
    identity.note_unproven(person)


@app.command("list")
def show_all(
    merchant: Annotated[str | None, typer.Option(help="Only those of this merchant.", show_default=False)] = None,
    month: Annotated[str | None, typer.Option(help="Only those of this month, as 2026-11.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """List statements, the last drawn up first."""
    wanted = None if month is None else payouts.month_of(month)
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.settlement.page(cursor, 500, merchant=merchant, month=wanted))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no statement was drawn up")
        return
    rows = [
        (
            one.number,
            one.merchant,
            one.month,
            one.version,
            _state(one),
            one.entries,
            _yuan(one.amount),
            _yuan(one.due),
        )
        for one in listed
    ]
    heads = ["statement", "merchant", "month", "version", "state", "entries", "members paid", "owed to the merchant"]
    output.show(output.table("Statements of merchants", heads, rows))


@app.command("show")
def show(
    number: Number,
    pdf: Annotated[Path | None, typer.Option(help="Also write it as PDF there.", show_default=False)] = None,
    xlsx: Annotated[Path | None, typer.Option(help="Also write it as a workbook there.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """Show a statement with its sums by outlet and benefit, or write it as PDF and workbook.

    Example: membercard settlement show 12 --pdf statement.pdf
    """
    from programme.records.benefit_names import BenefitNames

    with settings.open_registry() as registry:
        names = BenefitNames(registry.programme_editions, settings.load().zone).refreshed()
        sheet = registry.settlement.sheet(number).named(names.of)
    if json:
        output.as_json(sheet)
    else:
        _show(sheet)
    today = settings.load().today()
    if pdf is not None:
        from personalize.sheets.statement import statement_pdf

        output.write_file(pdf, statement_pdf(sheet, today, settings.load().zone))
    if xlsx is not None:
        from personalize.sheets.statement_workbook import statement_workbook

        output.write_file(xlsx, statement_workbook(sheet, today, settings.load().zone))


@app.command("sign")
def sign(
    number: Number,
    digest: Annotated[
        str, typer.Argument(help="The digest that show prints, or its first 8 characters and more.", show_default=False)
    ],
    by: By = None,
) -> None:
    """Sign a statement: the first signature, or the second one by another person, which closes it.

    Example: membercard settlement sign 12 3f7a90c2 --by "Wang Fang"
    """
    from reader_service.principal import Permission
    from registry.programme.statement import StatementState

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN, in_person=True)
        whole = registry.settlement.sheet(number).statement.digest
        named = whole if len(digest) >= _LEAST_DIGEST and whole.startswith(digest.lower()) else digest
        done = registry.settlement.sign(number, named, by=person)
    if done.state is StatementState.CLOSED:
        output.say("statement {number} is closed", number=number)
    else:
        _say_next(done)
    identity.note_unproven(person)


@app.command("discard")
def discard(number: Number, reason: Reason, by: By = None) -> None:
    """Discard a statement that is not closed; its redemptions wait for the next one."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        registry.settlement.discard(number, by=person, reason=reason)
    output.say("statement {number} is discarded", number=number)
    identity.note_unproven(person)


@app.command("dispute")
def dispute(
    redemption: Annotated[int, typer.Argument(help="The number of the redemption.", min=1, show_default=False)],
    reason: Reason,
    by: By = None,
) -> None:
    """Dispute a redemption: it is not settled before another person has decided.

    Example: membercard settlement dispute 31 --reason "the member was not there"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.FINDINGS_CLOSE)
        raised = registry.disputes.raise_one(redemption, by=person, reason=reason)
    output.say(
        "dispute {number} waits for a second person: membercard settlement decide {number} accepted --by NAME",
        number=raised.number,
    )
    identity.note_unproven(person)


@app.command("disputes")
def disputes(
    decided: Annotated[bool, typer.Option("--decided", help="Decided disputes instead of open ones.")] = False,
    json: output.Json = False,
) -> None:
    """List disputes, the oldest first."""
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.disputes.page(cursor, 500, decided=decided))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no dispute")
        return
    rows = [
        (
            one.number,
            one.redemption,
            output.local_time(one.at),
            language.person(one.by),
            one.reason,
            text(_DECISIONS[one.decision]),
            one.decided_reason or "",
        )
        for one in listed
    ]
    heads = ["dispute", "redemption", "time", "who", "reason", "decision", "its reason"]
    output.show(output.table("Disputes", heads, rows))


@app.command("decide")
def decide(
    number: Annotated[int, typer.Argument(help="The number of the dispute.", min=1, show_default=False)],
    decision: Annotated[str, typer.Argument(help="accepted or refused: the redemption.", show_default=False)],
    reason: Reason,
    by: By = None,
) -> None:
    """Decide a dispute that another person raised: the redemption is accepted as it is booked, or refused.

    Example: membercard settlement decide 4 refused --reason "the member was abroad" --by "Wang Fang"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.FINDINGS_CLOSE, in_person=True)
        registry.disputes.decide(number, decision, by=person, reason=reason)
    output.say("dispute {number} is decided", number=number)
    identity.note_unproven(person)


def _benefit(line: StatementLine) -> str:
    if line.benefit is None:
        return line.benefit_class
    chinese = language.current() is Language.CHINESE
    return f"{line.benefit_class} {line.benefit.zh if chinese else line.benefit.en}"


def _show(sheet: StatementSheet) -> None:
    from personalize.sheets.statement import balance, left_out

    statement, language_of = sheet.statement, 0 if language.current() is Language.CHINESE else 1
    heads = ["outlet", "benefit", "uses", "quantity", "members paid", "taken back", "owed to the merchant"]
    rows = [
        (
            line.outlet_name,
            _benefit(line),
            line.totals.uses,
            line.totals.quantity,
            _yuan(line.totals.amount),
            _yuan(line.totals.back),
            _yuan(line.totals.due),
        )
        for line in sheet.lines
    ]
    title = text(
        "Statement {number}: {merchant}, {month}, version {version}, {state}",
        number=statement.number,
        merchant=statement.merchant,
        month=statement.month,
        version=statement.version,
        state=_state(statement),
    )
    output.show(output.table(title, heads, rows))
    output.show(Text(balance(statement.due)[language_of], "bold"))
    output.show(Text(left_out(statement)[language_of]))
    for label, person, at in (
        ("first signature", statement.signed_by, statement.signed_at),
        ("second signature", statement.closed_by, statement.closed_at),
    ):
        if person is not None:
            output.show(Text(f"{text(label)}: {language.person(person)}, {output.local_time(at)}"))
    output.show(Text(f"{text('digest')}: {statement.digest}"))


def _say_next(statement: Statement) -> None:
    output.say(
        "statement {number} waits for a signature: membercard settlement sign {number} {digest} --by NAME",
        number=statement.number,
        digest=statement.digest[:_LEAST_DIGEST],
    )


def _state(statement: Statement) -> str:
    from personalize.sheets.statement import STATES

    zh, en = STATES[statement.state]
    return zh if language.current() is Language.CHINESE else en


def _yuan(fen: int) -> str:
    from personalize.sheets.statement import yuan

    return yuan(fen)
