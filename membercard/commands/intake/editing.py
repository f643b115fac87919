"""`membercard batch edit`, `undo-edit`, `edits`: a returned roster is edited row by row, and its history shown.

These commands belong to the group of ``membercard.commands.intake.batch``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.accounts import BatchId
from membercard.commands.intake.reviewing import app
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission

if TYPE_CHECKING:
    from registry.batches.editing.differences import MaskedRow, RowDifference

__all__ = ["app"]

_CHANGES = {"added": "row added", "left-out": "row left out", "changed": "row changed"}
_VERDICTS = {"accepted": "accepted", "rejected": "rejected", "unchanged": "unchanged", "change": "change of the record"}
_FIELDS = {
    "id_number": "ID number",
    "document": "document",
    "name": "name",
    "gender": "sex",
    "mobile": "mobile number",
    "unit": "unit",
    "seq": "number in the form",
    "verdict": "findings",
}


@app.command("edit")
def edit(
    batch: BatchId,
    row: Annotated[
        int | None, typer.Argument(help="The row of the form, counted from 1; none with --add.", min=1)
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why; it goes into the history of the batch.", show_default=False, prompt=False)
    ] = "",
    id_number: Annotated[str | None, typer.Option(help="Number of the identity document.", show_default=False)] = None,
    document: Annotated[
        str | None, typer.Option(help="The identity document, such as passport; else as its number shows.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The member's name.", show_default=False)] = None,
    gender: Annotated[str | None, typer.Option(help="The sex: male or female.", show_default=False)] = None,
    mobile: Annotated[str | None, typer.Option(help="The mobile number.", show_default=False)] = None,
    unit: Annotated[str | None, typer.Option(help="The unit.", show_default=False)] = None,
    seq: Annotated[str | None, typer.Option(help="The row's number in the form.", show_default=False)] = None,
    add: Annotated[bool, typer.Option("--add", help="Add a row behind the last one.")] = False,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Take the row out of the roster.")] = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Edit a row of a returned roster, add one, or leave one out. Its findings are renewed at once; whoever edits a
    batch does not approve it. The history is in `batch edits`.

    Example: membercard batch edit B20261122-001 12 --mobile 13900000000 --reason "as on the paper" --by "Li Na"
    """
    from personalize.intake.single import RowCells
    from personalize.roster_edits import edit_row

    cells = RowCells(id_number, document, name, gender, mobile, unit, seq)
    if add == (row is not None):
        raise typer.BadParameter("name a row, or add one by --add")
    if leave_out == bool(cells.given) or (add and leave_out):
        raise typer.BadParameter("give the row's new values, or leave it out by --leave-out")
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_UPLOAD)
        if leave_out and row is not None:
            done = registry.edits.leave_out(batch, row, by=person, reason=reason)
        else:
            today = settings.load().today()
            done = edit_row(registry, batch, row, cells, by=person, reason=reason, today=today)
    if json:
        output.as_json(done)
    else:
        show_differences([done], "Edit")
    identity.note_unproven(person)


@app.command("undo-edit")
def undo_edit(batch: BatchId, by: By = None, json: output.Json = False) -> None:
    """Undo the newest edit of a returned roster, a corrected form as a whole; possible until it is submitted again.

    Example: membercard batch undo-edit B20261122-001 --by "Li Na"
    """
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_UPLOAD)
        done = registry.edits.undo(batch, by=person)
    if json:
        output.as_json(list(done))
    else:
        show_differences(done, "Undone")
    identity.note_unproven(person)


@app.command("edits")
def edits(
    batch: BatchId,
    rows: Annotated[int, typer.Option(help="How many to show, the newest first.", min=1, max=500)] = 50,
    json: output.Json = False,
) -> None:
    """Show how a roster was edited: who, when, which fields; masked.

    Example: membercard batch edits B20261122-001
    """
    with settings.open_registry() as registry:
        history = registry.edits.history(batch, limit=rows).items
    if json:
        output.as_json(list(history))
        return
    lines = [
        (
            output.local_time(one.at),
            language.person(one.by),
            text("corrected form") if one.corrected else "",
            *_cells(one.difference),
            one.reason,
        )
        for one in history
    ]
    columns = ["time", "who", "by", *_COLUMNS, "reason"]
    output.show(output.table("Edits", columns, lines))


_COLUMNS = ("row", "edit", "fields", "before", "after", "findings")


def show_differences(rows: Iterable[RowDifference], title: str) -> None:
    """Print differences as a table, masked."""
    output.show(output.table(title, list(_COLUMNS), [_cells(row) for row in rows]))


def _cells(row: RowDifference) -> tuple[object, ...]:
    fields = "\n".join(text(_FIELDS[name]) for name in row.fields)
    codes = "" if row.after is None else "\n".join(row.after.codes)
    return (row.sheet_row, text(_CHANGES[row.change]), fields, _side(row.before), _side(row.after), codes)


def _side(row: MaskedRow | None) -> str:
    if row is None:
        return "–"
    lines = (row.name_masked, row.id_masked, row.mobile_masked, row.unit, text(_VERDICTS[row.verdict]))
    return "\n".join(filter(None, lines))
