"""`membercard batch review`, `mark`, `confirm`: a second person compares a roster with the papers of the unit.

These commands belong to the group of ``membercard.commands.intake.batch``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.accounts import BatchId
from membercard.commands.intake.batch import app
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission

if TYPE_CHECKING:
    from registry.batches.row_reviews import ClearRow, ReviewProgress

__all__ = ["app"]

_MARKS = ("right", "doubt", "none")
Row = Annotated[int, typer.Argument(help="The row of the form, counted from 1.", min=1, show_default=False)]


def _mark(value: str) -> str:
    if value not in _MARKS:
        raise typer.BadParameter("a row is right or doubt; none takes its mark back")
    return value


def _paper(value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in (".pdf", ".xlsx"):
        raise typer.BadParameter("the cover sheet must be named .pdf or .xlsx")
    return value


@app.command("review")
def review(
    batch: BatchId,
    reason: Annotated[
        str | None, typer.Option(help="Why the data are shown in clear; it goes into the audit.", show_default=False)
    ] = None,
    first: Annotated[
        int | None,
        typer.Option("--from", help="The first row to show; else the first one without a mark.", min=1),
    ] = None,
    rows: Annotated[int, typer.Option(help="How many rows to show.", min=1, max=50)] = 50,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Show the rows of a draft in clear beside the numbers of their ID copies, for a second person; each look is
    audited. Without --reason, only how far the review has come.

    Example: membercard batch review B20261122-001 --reason "compared with annex 5" --by "Wang Fang"
    """
    with settings.open_registry() as registry:
        if reason is None:
            shown, person = None, ""
        else:
            person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
            resumed = registry.row_reviews.progress(batch).resume_after or 0
            after = resumed if first is None else first - 1
            shown = registry.row_reviews.look(batch, by=person, reason=reason, after=after, limit=rows)
        progress, doubts = registry.row_reviews.progress(batch), registry.row_reviews.doubts(batch)
        confirmation = registry.confirmations.of(batch)
    if json:
        clear = [] if shown is None else [_fields(row) for row in shown.rows]
        facts = {"rows": clear, "next": shown and shown.next, "progress": output.plain(progress), "doubts": doubts}
        output.as_json(facts | {"confirmation": confirmation})
        return
    if shown is not None:
        columns = ["row", "ID copy", "name", "ID number", "sex", "mobile number", "unit", "review"]
        output.show(output.table("Rows in clear", columns, [_cells(row) for row in shown.rows]))
    if doubts:
        lines = [(one.sheet_row, one.note, language.person(one.by), output.local_time(one.at)) for one in doubts]
        output.show(output.table("Rows in doubt", ["row", "what is in doubt", "who", "time"], lines))
    _print_progress(progress)
    if person:
        identity.note_unproven(person)


@app.command("mark")
def mark(
    batch: BatchId,
    row: Row,
    result: Annotated[
        str, typer.Argument(help="right, doubt, or none to take a mark back.", callback=_mark, show_default=False)
    ],
    note: Annotated[str, typer.Option(help="What is in doubt.")] = "",
    by: By = None,
) -> None:
    """Mark a row of a draft as right or in doubt; a batch with a row in doubt cannot be approved.

    Example: membercard batch mark B20261122-001 12 doubt --note "the copy shows another birthday" --by "Wang Fang"
    """
    from reader_service.services.issuing.reviewing import checked_note
    from registry.batches.row_reviews import RowMark

    checked = checked_note(note)
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
        value = None if result == "none" else RowMark(result)
        progress = registry.row_reviews.mark(batch, row, value, checked, by=person)
    _print_progress(progress)
    identity.note_unproven(person)


@app.command("confirm")
def confirm(
    batch: BatchId,
    members: Annotated[int, typer.Option(help="Members that the unit confirms.", min=0, show_default=False)],
    copies: Annotated[int, typer.Option(help="Copies of ID cards that the unit confirms.", min=0, show_default=False)],
    contact: Annotated[str, typer.Option(help="The unit's contact.", show_default=False)],
    phone: Annotated[str, typer.Option(help="The contact's phone number.", show_default=False)],
    seal: Annotated[bool, typer.Option("--seal/--no-seal", help="Whether it bears the unit's seal.")] = True,
    explanation: Annotated[
        str, typer.Option(help="Why the numbers differ from the form, or the seal is missing.")
    ] = "",
    cover: Annotated[
        Path | None,
        typer.Option(help="Write the cover sheet there, .pdf or .xlsx.", callback=_paper, show_default=False),
    ] = None,
    by: By = None,
) -> None:
    """Enter the unit's confirmation of its numbers (annex 3), for a second person. Forms that come with annex 3 are
    approved only with it.

    Example: membercard batch confirm B20261122-001 --members 50 --copies 50 --contact "Li Na" --phone 0311-85000000
    """
    from reader_service.services.issuing.reviewing import checked_counts
    from registry.batches.confirmations import ConfirmedCounts

    counts = checked_counts(ConfirmedCounts(members, copies, contact, phone, seal, explanation))
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
        done = registry.confirmations.confirm(batch, counts, by=person)
        sheet = None if cover is None else registry.confirmations.sheet(batch, by=person)
    if sheet is not None and cover is not None:
        from personalize.sheets.confirmation import confirmation_pdf, confirmation_workbook

        write = confirmation_pdf if cover.suffix.lower() == ".pdf" else confirmation_workbook
        here = settings.load()
        output.write_file(cover, write(sheet, here.today(), here.zone))
    output.say(
        "{batch}: {members} members and {copies} ID copies confirmed, the form has {people} rows",
        batch=batch,
        members=done.members,
        copies=done.copies,
        people=done.people,
    )
    identity.note_unproven(person)


def _fields(row: ClearRow) -> dict[str, object]:
    person = row.person
    return {
        "sheet_row": row.sheet_row,
        "copy": row.copy,
        "verdict": row.verdict,
        "codes": list(row.codes),
        "id_number": None if person is None else person.id_number,
        "name": row.name_masked if person is None else person.name,
        "gender": None if person is None else person.sex.name.lower(),
        "mobile": None if person is None else person.mobile,
        "unit": row.unit,
        "mark": row.mark,
        "note": row.note,
    }


def _cells(row: ClearRow) -> tuple[object, ...]:
    person = row.person
    result = text({"right": "as on the copy", "doubt": "in doubt"}[row.mark]) if row.mark else ""
    data: tuple[object, ...] = (row.name_masked, text("returned"), "", "")
    if person is not None:
        data = (person.name, person.id_number, text(person.sex.name.lower()), person.mobile)
    return (row.sheet_row, "–" if row.copy is None else row.copy, *data, row.unit, result)


def _print_progress(progress: ReviewProgress) -> None:
    output.say(
        "{right} rows right, {doubts} in doubt, {open} open, of {rows}",
        right=progress.right,
        doubts=progress.doubts,
        open=progress.open,
        rows=progress.rows,
    )
