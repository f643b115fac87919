"""Losses: one member's loss from the report to the slip, the list of all, and the reports for the bank."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import Form, Request
from starlette.responses import Response

from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.http.schemas import CSV, XLSX, download
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from reader_service.services.window.cards import CARD_STEPS
from reader_service.services.window.losses import FileFormat
from registry.members.identity import LEAST_RIGHT, Caller, CallerKind, Question
from registry.members.losses import CollectionPoint
from registry.values import BatchState

ROWS: Final = 50
_LISTED: Final = {"listed": True, "found": False}


router = page_router()


@router.get("/registry/losses")
def losses(request: Request, shell: PageShell, service: Svc, only: str = "", cursor: Cursor = None) -> Response:
    who = principal_of(request)
    values: dict[str, Any] = {"bank_new": 0, "bank_reports": ()}
    if who.may(Permission.MEMBERS_UNMASK):
        values = {
            "bank_new": service.losses.new_for_bank(who),
            "bank_reports": service.losses.reports(who, None, 10).items,
        }
    page = service.losses.page(who, cursor, ROWS, listed=_LISTED.get(only))
    return shell.page(
        request, "window/losses.html", page=page, only=only, today=service.parts.now().date().isoformat(), **values
    )


@router.post("/registry/losses/bank")
def make_report(request: Request, shell: PageShell, service: Svc) -> Response:
    report = service.losses.make_report(principal_of(request))
    return shell.go(request, "/registry/losses", "losses.done-report", n=report.losses, m=report.unlistings)


@router.get("/registry/losses/bank/{number}")
def report_file(request: Request, service: Svc, number: int, kind: FileFormat = "xlsx") -> Response:
    file = service.losses.report_file(principal_of(request), number, kind)
    return download(file.content, file.filename, XLSX if kind == "xlsx" else CSV)


@router.get("/registry/losses/since")
def file_since(request: Request, service: Svc, since: str = "", kind: FileFormat = "xlsx") -> Response:
    file = service.losses.file_since(principal_of(request), _day(since, "since"), kind)
    return download(file.content, file.filename, XLSX if kind == "xlsx" else CSV)


@router.get("/registry/losses/{number}")
def loss(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    who = principal_of(request)
    shown = service.losses.loss(who, number)
    may_change = who.may(Permission.CARDS_CHANGE)
    waits = shown.batch_state is BatchState.DRAFT
    return shell.page(
        request,
        "window/loss.html",
        loss=shown,
        may_change=may_change,
        may_order=may_change and shown.listed and shown.batch_state in (None, BatchState.DISCARDED),
        waits=waits,
        day=service.losses.proposed_day().isoformat(),
    )


@router.post("/registry/losses/{number}/order")
def order(
    request: Request,
    shell: PageShell,
    service: Svc,
    number: int,
    reason: Text = "",
    collect_at: Text = "",
    collect_on: Text = "",
) -> Response:
    point = CollectionPoint(collect_at.strip(), _day(collect_on, "collect_on"))
    ordered = service.losses.order(principal_of(request), number, point, reason)
    return shell.go(request, f"/registry/losses/{number}", "losses.done-order", batch=ordered.batch)


@router.post("/registry/losses/{number}/consent")
def consent(request: Request, shell: PageShell, service: Svc, number: int, token: Text = "") -> Response:
    batch = service.losses.consent(principal_of(request), number, token)
    return shell.go(request, f"/registry/losses/{number}", "losses.done-consent", batch=batch.id)


@router.post("/registry/losses/{number}/unlist")
def unlist(
    request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "", token: Text = ""
) -> Response:
    listed = service.losses.unlist(principal_of(request), number, reason, token)
    if listed.loss.listed:
        return shell.go(request, f"/registry/losses/{number}", "losses.done-found")
    done = ("losses.done-unlist", "ok") if listed.edition else ("losses.done-unpublished", "warn")
    return shell.go(request, f"/registry/losses/{number}", done[0], kind=done[1])


@router.post("/registry/losses/{number}/still-lost")
def still_lost(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.losses.still_lost(principal_of(request), number, reason)
    return shell.go(request, f"/registry/losses/{number}", "losses.done-still-lost")


@router.get("/registry/{member_id}/loss")
def form(request: Request, shell: PageShell, service: Svc, member_id: int) -> Response:
    """The form of a loss, for the member's living card."""
    who = principal_of(request)
    who.need(Permission.CARDS_CHANGE)
    cards = service.members.cards(who, member_id)
    return shell.page(
        request,
        "window/loss_form.html",
        member=service.members.member(who, member_id),
        card=next((card for card in reversed(cards) if CARD_STEPS["loss"].starts_from(card.state)), None),
        losses=service.losses.page(who, None, 10, member_id=member_id).items,
        callers=tuple(CallerKind),
        questions=tuple(Question),
        least=LEAST_RIGHT,
        day=service.losses.proposed_day().isoformat(),
    )


@router.post("/registry/{member_id}/loss")
def report(
    request: Request,
    shell: PageShell,
    service: Svc,
    member_id: int,
    card: Text = "",
    reason: Text = "",
    channel: Annotated[Literal["window", "hotline"], Form()] = "window",
    caller: Text = CallerKind.MEMBER.value,
    caller_name: Text = "",
    telephone: Text = "",
    name: Text = "",
    id_end: Text = "",
    mobile_end: Text = "",
    unit: Text = "",
    replace: Text = "",
    collect_at: Text = "",
    collect_on: Text = "",
) -> Response:
    who = principal_of(request)
    answers = dict(zip(Question, (name, id_end, mobile_end, unit), strict=True))
    calling = None
    if channel == "hotline":
        if caller not in list(CallerKind):
            raise Invalid("say who calls", {"caller": ", ".join(CallerKind)})
        calling = Caller(CallerKind(caller), answers, caller_name.strip()[:60], telephone.strip()[:20])
    point = CollectionPoint(collect_at.strip(), _day(collect_on, "collect_on")) if replace else None
    listed = service.losses.report(who, card, reason, caller=calling, collection=point)
    done = ("losses.done-report-loss", "ok") if listed.edition else ("losses.done-unpublished", "warn")
    where = f"/registry/losses/{listed.loss.number}"
    return shell.go(request, where, done[0], kind=done[1], number=listed.loss.number)


def _day(text: str, name: str) -> date:
    """Raises Invalid."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Invalid("this needs a day", {name: "a day, such as 2026-12-01"}) from None
