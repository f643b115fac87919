"""`membercard audit`: list the audit and verify its hash chain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.language import Language

if TYPE_CHECKING:
    from registry.db.audit_chain import AuditRow

app = typer.Typer()

_NOTED = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})")


@app.command("verify")
def verify(
    noted: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:HASH", help="The end of the chain as an earlier run printed it.", show_default=False
        ),
    ] = None,
    json: output.Json = False,
) -> None:
    """Check the whole hash chain: rows that were changed, moved, inserted or removed are named.

    Rows cut off at the end show only by an end of the chain that was noted elsewhere: keep the last line of the output
    at another place, and give it again. Exit code 0: the chain is whole; 1: it is not.

    Example: membercard audit verify --noted 1204:9f2c...
    """
    anchor = None
    if noted is not None:
        if (parts := _NOTED.fullmatch(noted)) is None:
            raise typer.BadParameter("write the row's number, a colon and the 64 hex digits of its hash")
        anchor = int(parts[1]), parts[2]
    with settings.open_registry() as registry:
        report = registry.audit.verify(anchor)
    if json:
        output.as_json(report)
    else:
        for chain_break in report.breaks:
            typer.echo(chain_break.sentence)
        if report.further:
            output.say("and {further} more", further=report.further)
        output.say(
            "{rows} rows; the chain is whole" if report.whole else "{rows} rows; the chain is broken", rows=report.rows
        )
        if report.rows:
            output.say("its end: {last_number}:{last_hash}", last_number=report.last_number, last_hash=report.last_hash)
    if not report.whole:
        raise typer.Exit(1)


@app.command("list")
def show(
    actor: Annotated[str | None, typer.Option(help="Only what this person or machine did.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this action (batch.approve), or all that begin so (batch.).")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this, as card:NUMBER-SEQUENCE.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows, newest first.", min=1)] = 50,
    json: output.Json = False,
) -> None:
    """List the audit, newest first. It holds no personal data.

    Example: membercard audit list --action user. --limit 20
    """
    from registry.admin.audit import AuditFilter

    where = AuditFilter(actor=actor, action=action, subject=subject)
    rows: list[AuditRow] = []
    cursor: str | None = None
    with settings.open_registry() as registry:
        while len(rows) < limit:
            page = registry.audit.page(cursor, limit - len(rows), where=where)
            rows += page.items
            if (cursor := page.next) is None:
                break
    if json:
        output.as_json([{"number": row.number, "at": row.at, "deed": row.entry, "hash": row.hash} for row in rows])
        return
    if not rows:
        output.say("no entry fits; an action is such as batch.approve, or batch. for all of its kind")
        return
    cells = [_cells(row) if language.current() is Language.ENGLISH else _cells_in_words(row) for row in rows]
    output.show(output.table("Audit", ("number", "time", "who", "what", "to", "why", "more"), cells, right=("number",)))


def _cells(row: AuditRow) -> tuple[object, ...]:
    entry = row.entry
    more = [f"{name} {fact}" for name, fact in entry.facts.items() if fact not in (None, "")]
    if entry.origin:
        more.append(f"from {entry.origin}")
    return (
        row.number,
        output.local_time(row.at),
        entry.actor,
        entry.action,
        entry.subject,
        entry.reason,
        ", ".join(more),
    )


def _cells_in_words(row: AuditRow) -> tuple[object, ...]:
    """As the audit page words them; beside an action its code, and subjects as they are: they are values of options."""
    from reader_service.pages.administration.audit_words import facts, reason
    from reader_service.pages.words import Words

    words, entry = Words(language.current()), row.entry
    meaning = words.either(f"audit.action-{entry.action}", "")
    more = [f"{name}{words('shell.colon')}{value}" for name, value in facts(words, entry)]
    return (
        row.number,
        output.local_time(row.at),
        words.actor(entry.actor),
        f"{meaning} {entry.action}".strip(),
        entry.subject,
        reason(words, entry),
        words("shell.semicolon").join(more),
    )
