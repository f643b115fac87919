"""Review page: a second person compares rows in clear with the ID copies (annex 5), and enters annex 3."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from reader_service.errors import Invalid, NotFound
from reader_service.http.resource import Svc
from reader_service.http.schemas import PDF, XLSX, private_download
from reader_service.pages.shell import PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from registry.batches.confirmations import ConfirmedCounts
from registry.batches.row_reviews import RowMark
from registry.values import BatchState

ROWS: Final = 50
_LAST_ROW: Final = 2**31 - 1
_DIGITS: Final = 10
_MARKS: Final = {"right": RowMark.RIGHT, "doubt": RowMark.DOUBT, "none": None}

router = page_router()


@router.get("/intake/{batch_id}/review")
def review(request: Request, shell: PageShell, service: Svc, batch_id: str) -> Response:
    who = principal_of(request)
    shown = service.batches.show(who, batch_id)
    sent = shown.review is not None and shown.review.step.value == "submitted"
    own = service.rosters.imported_by_caller(who, batch_id)
    may_review = who.may(Permission.ROSTERS_APPROVE) and sent and shown.batch.state is BatchState.DRAFT and not own
    return shell.page(
        request,
        "issuing/review/page.html",
        batch=shown.batch,
        own=own,
        sent=sent,
        may_review=may_review,
        may_cover=who.may(Permission.ROSTERS_APPROVE),
        progress=service.reviewing.progress(who, batch_id),
        doubts=service.reviewing.doubts(who, batch_id),
        confirmation=service.reviewing.confirmation(who, batch_id),
    )


@router.post("/intake/{batch_id}/rows")
def rows(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    reason: Text = "",
    first: Text = "",
    after: Text = "",
    printed: Text = "",
) -> Response:
    """Rows in clear: from ``first``, behind ``after``, or from the first one without a mark."""
    who = principal_of(request)
    if after:
        behind = _number("after", after)
    elif first.strip():
        behind = max(_number("first", first) - 1, 0)
    else:
        behind = service.reviewing.progress(who, batch_id).resume_after or 0
    shown = service.reviewing.look(who, batch_id, reason, after=behind, limit=ROWS, printed=bool(printed))
    values: dict[str, Any] = {"batch_id": batch_id, "reason": reason, "printed": bool(printed)}
    answer = shell.part(request, "issuing/review/rows.html", rows=shown.rows, next_row=shown.next, **values)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/intake/{batch_id}/rows/{sheet_row}")
def mark(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    sheet_row: int,
    mark: Text = "",
    note: Text = "",
) -> Response:
    """Raises Invalid for another mark."""
    if mark not in _MARKS:
        raise Invalid("a row is right or in doubt", {"mark": "right, doubt or none"})
    result = _MARKS[mark]
    progress = service.reviewing.mark(principal_of(request), batch_id, sheet_row, result, note if result else "")
    if "HX-Request" not in request.headers:
        return shell.go(request, f"/intake/{batch_id}/review", "reviewing.done-mark", row=sheet_row)
    stored = " ".join(note.split()) if result else ""
    values: dict[str, Any] = {"batch_id": batch_id, "sheet_row": sheet_row, "mark": result, "note": stored}
    return shell.part(request, "issuing/review/marked.html", progress=progress, **values)


@router.post("/intake/{batch_id}/confirm")
def confirm(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    members: Text = "",
    copies: Text = "",
    contact: Text = "",
    phone: Text = "",
    seal: Text = "",
    explanation: Text = "",
) -> Response:
    numbers = _number("members", members), _number("copies", copies)
    counts = ConfirmedCounts(*numbers, contact, phone, bool(seal), explanation)
    service.reviewing.confirm(principal_of(request), batch_id, counts)
    return shell.go(request, f"/intake/{batch_id}/review", "reviewing.done-confirm")


@router.get("/intake/{batch_id}/annex-3.{kind}")
def cover(request: Request, service: Svc, batch_id: str, kind: str) -> Response:
    """The cover sheet as pdf or xlsx. Raises NotFound for another kind."""
    who = principal_of(request)
    if kind == "pdf":
        return private_download(service.reviewing.cover_pdf(who, batch_id), f"{batch_id}-附件3.pdf", PDF)
    if kind == "xlsx":
        return private_download(service.reviewing.cover_xlsx(who, batch_id), f"{batch_id}-附件3.xlsx", XLSX)
    raise NotFound("there is no such sheet")


def _number(field: str, text: str) -> int:
    """A whole number. Raises Invalid."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= _DIGITS) or int(plain) > _LAST_ROW:
        raise Invalid(f"{field} is no number", {field: "a whole number"}, rule="whole")
    return int(plain)
