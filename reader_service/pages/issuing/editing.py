"""Edit page: a clerk changes rows of a returned roster, or sends in a corrected form and sees its differences first."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, UploadFile
from starlette.responses import Response

from personalize.intake.single import RowCells
from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from reader_service.services.issuing.rosters import FORM_NAMES
from reader_service.services.uploads import pieces
from registry.values import BatchKind, BatchState

ROWS: Final = 50
_SHOWN: Final = 500
_LAST_ROW: Final = 2**31 - 1
_DIGITS: Final = 10

router = page_router()


@router.get("/intake/{batch_id}/edit")
def edit_page(request: Request, shell: PageShell, service: Svc, batch_id: str, cursor: Cursor = None) -> Response:
    who = principal_of(request)
    shown = service.batches.show(who, batch_id)
    with_clerk = shown.review is None or shown.review.step.value != "submitted"
    roster = shown.batch.state is BatchState.DRAFT and shown.batch.kind is BatchKind.ROSTER
    return shell.page(
        request,
        "issuing/edit/page.html",
        batch=shown.batch,
        may_edit=who.may(Permission.ROSTERS_UPLOAD) and with_clerk and roster,
        form_names=FORM_NAMES,
        last_edit=service.editing.last_edit(who, batch_id),
        may_undo=service.editing.undoable(who, batch_id),
        history=service.editing.history(who, batch_id, cursor, ROWS),
    )


@router.post("/intake/{batch_id}/edit")
def edit_row(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    row: Text = "",
    id_number: Text = "",
    document: Text = "",
    name: Text = "",
    gender: Text = "",
    mobile: Text = "",
    unit: Text = "",
    seq: Text = "",
    reason: Text = "",
    last_edit: Text = "",
) -> Response:
    """Give a row the values that are filled in; without a row number, add one."""
    values = (id_number, document, name, gender, mobile, unit, seq)
    cells = RowCells(*(value.strip() or None for value in values))
    number = _row(row) if row.strip() else None
    seen = _last_edit(last_edit)
    done = service.editing.edit(principal_of(request), batch_id, number, cells, reason, last_edit=seen)
    verdict = "" if done.after is None else done.after.verdict
    return shell.go(request, f"/intake/{batch_id}/edit", f"editing.done-{verdict}", row=done.sheet_row)


@router.post("/intake/{batch_id}/leave-out")
def leave_out(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    row: Text = "",
    reason: Text = "",
    last_edit: Text = "",
) -> Response:
    seen = _last_edit(last_edit)
    done = service.editing.leave_out(principal_of(request), batch_id, _row(row), reason, last_edit=seen)
    return shell.go(request, f"/intake/{batch_id}/edit", "editing.done-left-out", row=done.sheet_row)


@router.post("/intake/{batch_id}/undo-edit")
def undo(request: Request, shell: PageShell, service: Svc, batch_id: str, last_edit: Text = "") -> Response:
    done = service.editing.undo(principal_of(request), batch_id, last_edit=_last_edit(last_edit))
    return shell.go(request, f"/intake/{batch_id}/edit", "editing.done-undo", n=len(done))


@router.post("/intake/{batch_id}/corrections")
def corrections(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    form: UploadFile,
    unit: Text = "",
    form_name: Text = "",
) -> Response:
    """How the form differs from the roster on record; nothing is stored."""
    who = principal_of(request)
    content = pieces(form.file.read)
    choices = {"unit": unit.strip() or None, "form": form_name or None}
    shown = service.editing.corrections(who, batch_id, form.filename or "", content, **choices)
    values: dict[str, Any] = {"batch_id": batch_id, "shown": shown, "rows": shown.rows[:_SHOWN]}
    return shell.part(request, "issuing/edit/corrections.html", **values)


@router.post("/intake/{batch_id}/correct")
def correct(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    form: UploadFile,
    unit: Text = "",
    form_name: Text = "",
    seen: Text = "",
    reason: Text = "",
) -> Response:
    """Put the rows of the same form in the place of those on record."""
    who = principal_of(request)
    content = pieces(form.file.read)
    choices = {"unit": unit.strip() or None, "form": form_name or None}
    done = service.editing.correct(who, batch_id, form.filename or "", content, seen=seen, reason=reason, **choices)
    counts = done.counts
    return shell.go(
        request,
        f"/intake/{batch_id}",
        "editing.done-correct",
        added=counts["added"],
        left_out=counts["left-out"],
        changed=counts["changed"],
    )


def _row(text: str) -> int:
    """The number of a row. Raises Invalid."""
    plain = text.strip()
    number = int(plain) if plain.isascii() and plain.isdecimal() and len(plain) <= _DIGITS else 0
    if not 0 < number <= _LAST_ROW:
        raise Invalid("a row has a number", {"row": "a whole number from 1"}, rule="whole")
    return number


def _last_edit(text: str) -> int | None:
    """The number of the newest edit that the page showed."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
