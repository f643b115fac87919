"""Intake: a clerk drags a form in and sees what is wrong with it; a second person sees what changes, and decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, UploadFile
from starlette.responses import Response

from reader_service.errors import NotFound
from reader_service.pages.shell import Shell, principal_of
from reader_service.principal import Permission, Principal
from registry.batches.reviews import ChangeKind, ReviewStep
from registry.values import Batch, BatchKind, BatchState

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROWS: Final = 50
_PIECE: Final = 64 * 1024
_AROUND: Final = 64 * 1024
"""Bytes that a browser puts around a file, at most."""
_SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STAGES: Final = ("draft", "approved", "closed", "discarded")
_KINDS: Final = ("rejected", "noted", "accepted")
_REAL: Final = frozenset(ChangeKind) - {ChangeKind.SAME}

Text = Annotated[str, Form()]
Cursor = Annotated[str | None, Query()]


def router(shell: Shell) -> APIRouter:
    pages = shell.router()
    _lists(pages, shell)
    _batch(pages, shell)
    _review(pages, shell)
    return pages


def _lists(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.get("/intake")
    def intake(request: Request, stage: str = "", cursor: Cursor = None) -> Response:
        who = principal_of(request)
        chosen = stage if stage in _STAGES else ""
        found = service.batches.page(who, cursor, ROWS, stage=chosen or None)
        standing = {batch.id: _standing(service, who, batch) for batch in found.items}
        most = service.door.settings.upload - _AROUND
        values: dict[str, Any] = {"standing": standing, "stage": chosen, "stages": _STAGES, "most": most}
        return shell.page(request, "intake.html", page=found, **values)

    @pages.post("/intake")
    def upload(request: Request, form: UploadFile, unit: Text = "") -> Response:
        """Raises what the desk refuses: no form, too large, imported before."""
        who = principal_of(request)
        made = service.rosters.upload(who, form.filename or "", pieces(form), unit=unit.strip() or None)
        if made.batch is None:
            return shell.part(request, "intake_nobody.html", made=made)
        where = f"/intake/{made.batch.id}"
        return shell.go(request, where, "intake.said-uploaded", accepted=made.accepted, rejected=made.rejected)

    @pages.post("/intake/check")
    def check(request: Request, form: UploadFile, unit: Text = "") -> Response:
        """The form with its reasons, for one that made no batch."""
        who = principal_of(request)
        copy = service.rosters.check(who, form.filename or "", pieces(form), unit=unit.strip() or None)
        return as_download(copy.filename, copy.content)


def _batch(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.get("/intake/{batch_id}")
    def batch(
        request: Request, batch_id: str, only: str = "", cursor: Cursor = None, changed: Cursor = None
    ) -> Response:
        who = principal_of(request)
        chosen = only if only in _KINDS else ""
        shown = service.batches.show(who, batch_id).batch
        if not chosen and cursor is None and not only and shown.rejected:
            chosen = _KINDS[0]
        rows = service.rosters.findings(who, batch_id, cursor, ROWS, only=chosen or None)
        values: dict[str, Any] = {
            "batch": shown,
            "rows": rows,
            "only": chosen,
            "kinds": _KINDS,
            "reviews": service.rosters.reviews(who, batch_id),
            "standing": _standing(service, who, shown),
            "counts": {},
        }
        if shown.state is BatchState.DRAFT:
            values["counts"] = service.rosters.change_counts(who, batch_id)
            values["changes"] = service.rosters.changes(who, batch_id, changed, ROWS, kinds=_REAL)
        return shell.page(request, "intake_batch.html", **values, **_may(who, shown, values["standing"]))

    @pages.get("/intake/{batch_id}/annotated")
    def annotated(request: Request, batch_id: str) -> Response:
        copy = service.rosters.annotated(principal_of(request), batch_id)
        return as_download(copy.filename, copy.content)


def _review(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.post("/intake/{batch_id}/{step}")
    def step(request: Request, batch_id: str, step: str, reason: Text = "") -> Response:
        """submit, approve, return or discard. Raises NotFound for another step."""
        who = principal_of(request)
        desk = service.rosters
        if step == "submit":
            desk.submit(who, batch_id)
        elif step == "approve":
            desk.approve(who, batch_id)
        elif step == "return":
            desk.give_back(who, batch_id, reason)
        elif step == "discard":
            desk.discard(who, batch_id, reason)
        else:
            raise NotFound("there is no such step")
        where = "/intake" if step == "discard" else f"/intake/{batch_id}"
        return shell.go(request, where, f"intake.said-{step}", batch=batch_id)


def as_download(filename: str, content: bytes) -> Response:
    """A workbook to save. RFC 6266, 4.3: the name in UTF-8, for it is Chinese more often than not."""
    disposition = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return Response(content, media_type=_SHEET, headers=headers)


def pieces(form: UploadFile) -> Iterator[bytes]:
    while piece := form.file.read(_PIECE):
        yield piece


def _standing(service: ReaderService, who: Principal, batch: Batch) -> str:
    """Where a batch stands for those who review: as the record has it, and whether a draft was sent or given back."""
    if batch.state is not BatchState.DRAFT:
        return batch.state.value
    steps = service.rosters.reviews(who, batch.id)
    if not steps:
        return "draft"
    return "submitted" if steps[-1].step is ReviewStep.SUBMITTED else "returned"


def _may(who: Principal, batch: Batch, standing: str) -> dict[str, bool]:
    """Which buttons there are; the desk decides again."""
    draft = batch.state is BatchState.DRAFT
    clerk, reviewer = who.may(Permission.ROSTERS_UPLOAD), who.may(Permission.ROSTERS_APPROVE)
    kept = batch.state not in (BatchState.CLOSED, BatchState.DISCARDED)
    return {
        "may_submit": clerk and standing in ("draft", "returned") and batch.accepted > 0,
        "may_discard": clerk and draft,
        "may_decide": reviewer and standing == "submitted",
        "own": batch.imported_by == who.name,
        "may_copy": clerk and kept and batch.kind is BatchKind.ROSTER,
    }
