"""Intake page: a clerk uploads a form and sees its faults; a second person reviews the changes and decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, UploadFile
from starlette.responses import Response

from reader_service.access.settings import FILE_BYTES, FILE_MB
from reader_service.errors import NotFound
from reader_service.http.resource import Svc
from reader_service.http.schemas import XLSX, download
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission, Principal
from reader_service.services.issuing.rosters import FORM_NAMES
from reader_service.services.uploads import pieces
from registry.batches.reviews import ChangeKind, ReviewStep
from registry.batches.states import STATES
from registry.values import Batch, BatchKind, BatchState

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROWS: Final = 50
_KINDS: Final = ("rejected", "noted", "accepted", "change", "unchanged")
_MAY_BE_GIVEN_UP: Final = (BatchState.DRAFT, BatchState.APPROVED, BatchState.PREPARED, BatchState.RUNNING)
_CHANGES: Final = frozenset(ChangeKind) - {ChangeKind.SAME}
_CHANGE_KINDS: Final = frozenset(kind.value for kind in ChangeKind)


router = page_router()


@router.get("/intake")
def intake(request: Request, shell: PageShell, service: Svc, state: str = "", cursor: Cursor = None) -> Response:
    who = principal_of(request)
    chosen = state if state in STATES else ""
    page = service.batches.page(who, cursor, ROWS, state=chosen or None)
    review_state = {batch.id: _state_of(service, who, batch) for batch in page.items}
    values: dict[str, Any] = {"review_state": review_state, "state": chosen}
    values["states"] = service.batches.state_counts(who)
    values |= {"most": FILE_BYTES, "most_mb": FILE_MB, "form_names": FORM_NAMES}
    return shell.page(request, "issuing/intake.html", page=page, **values)


@router.post("/intake")
def upload_form(
    request: Request, shell: PageShell, service: Svc, form: UploadFile, unit: Text = "", form_name: Text = ""
) -> Response:
    """Raises what the roster service refuses: no form, too large, imported before."""
    who = principal_of(request)
    choices = {"unit": unit.strip() or None, "form": form_name or None}
    upload = service.rosters.upload(who, form.filename or "", pieces(form.file.read), **choices)
    if upload.batch is None:
        return shell.part(request, "issuing/intake_no_row_accepted.html", upload=upload)
    where = f"/intake/{upload.batch.id}"
    again = upload.unchanged or upload.changes
    return shell.go(
        request,
        where,
        "intake.done-uploaded-again" if again else "intake.done-uploaded",
        accepted=upload.accepted,
        rejected=upload.rejected,
        unchanged=upload.unchanged,
        changes=upload.changes,
    )


@router.post("/intake/check")
def check(request: Request, service: Svc, form: UploadFile, unit: Text = "", form_name: Text = "") -> Response:
    """The annotated form, for one without an accepted row."""
    who = principal_of(request)
    choices = {"unit": unit.strip() or None, "form": form_name or None}
    copy = service.rosters.check(who, form.filename or "", pieces(form.file.read), **choices)
    return download(copy.content, copy.filename, XLSX)


@router.get("/intake/{batch_id}")
def batch(
    request: Request,
    shell: PageShell,
    service: Svc,
    batch_id: str,
    only: str = "",
    change: str = "",
    cursor: Cursor = None,
    changed: Cursor = None,
) -> Response:
    who = principal_of(request)
    chosen = only if only in _KINDS else ""
    shown = service.batches.show(who, batch_id).batch
    if not chosen and cursor is None and not only and shown.rejected:
        chosen = _KINDS[0]
    rows = service.rosters.findings(who, batch_id, cursor, ROWS, only=chosen or None, rejected_first=not chosen)
    values: dict[str, Any] = {
        "batch": shown,
        "rows": rows,
        "only": chosen,
        "row_counts": service.rosters.row_counts(who, batch_id),
        "reviews": service.rosters.reviews(who, batch_id),
        "review_state": _state_of(service, who, shown),
        "counts": {},
        "full_ranges": [use for use in service.rosters.ranges(who, batch_id) if use.nearly_full],
    }
    if shown.state is BatchState.DRAFT:
        kinds = {ChangeKind(change)} if change in _CHANGE_KINDS else _CHANGES
        values["counts"] = service.rosters.change_counts(who, batch_id)
        values["change"] = change if change in _CHANGE_KINDS else ""
        values["changes"] = service.rosters.changes(who, batch_id, changed, ROWS, kinds=kinds)
    values["doubts"] = service.reviewing.doubts(who, batch_id)
    values["confirmation"] = service.reviewing.confirmation(who, batch_id)
    values["progress"] = service.reviewing.progress(who, batch_id)
    own = service.rosters.imported_by_caller(who, batch_id)
    values["sent"] = values["review_state"] == "submitted"
    actions = _permitted_actions(who, shown, values["review_state"], own)
    return shell.page(request, "issuing/intake_batch.html", **values, **actions)


@router.get("/intake/{batch_id}/annotated")
def annotated(request: Request, service: Svc, batch_id: str) -> Response:
    copy = service.rosters.annotated(principal_of(request), batch_id)
    return download(copy.content, copy.filename, XLSX)


@router.post("/intake/{batch_id}/{step}")
def step(request: Request, shell: PageShell, service: Svc, batch_id: str, step: str, reason: Text = "") -> Response:
    """Submit, approve, return or discard a batch. Raises NotFound for another step."""
    who = principal_of(request)
    rosters = service.rosters
    if step == "submit":
        rosters.submit(who, batch_id)
    elif step == "approve":
        rosters.approve(who, batch_id)
    elif step == "return":
        rosters.give_back(who, batch_id, reason)
    elif step == "discard":
        rosters.discard(who, batch_id, reason)
    else:
        raise NotFound("there is no such step")
    where = "/intake" if step == "discard" else f"/intake/{batch_id}"
    return shell.go(request, where, f"intake.done-{step}", batch=batch_id)


def _state_of(service: ReaderService, who: Principal, batch: Batch) -> str:
    """A batch's state for reviewers: that of the registry, or whether a draft was submitted or returned."""
    if batch.state is not BatchState.DRAFT:
        return batch.state.value
    steps = service.rosters.reviews(who, batch.id)
    if not steps:
        return "draft"
    return "submitted" if steps[-1].step is ReviewStep.SUBMITTED else "returned"


def _permitted_actions(who: Principal, batch: Batch, review_state: str, own: bool) -> dict[str, bool]:
    """Which buttons the page has; the service checks again."""
    without_cards = batch.state in _MAY_BE_GIVEN_UP and batch.verified == 0
    clerk, reviewer = who.may(Permission.ROSTERS_UPLOAD), who.may(Permission.ROSTERS_APPROVE)
    has_copy = batch.state not in (BatchState.CLOSED, BatchState.DISCARDED)
    return {
        "may_submit": clerk and review_state in ("draft", "returned") and batch.accepted + batch.changes > 0,
        "may_discard": clerk and without_cards,
        "may_edit": clerk and review_state in ("draft", "returned") and batch.kind is BatchKind.ROSTER,
        "may_decide": reviewer and review_state == "submitted",
        "own": own,
        "may_copy": clerk and has_copy and batch.kind is BatchKind.ROSTER,
    }
