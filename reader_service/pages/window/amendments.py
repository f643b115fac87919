"""Amendments of a member's name or mobile number: requested on the member's page, decided here by a second person."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import Response

from reader_service.http.resource import Svc
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from registry.members.amendments import AmendmentState
from terminal.names import same_name

ROWS: Final = 50
_SHOWN_SECONDS: Final = 60
"""Seconds that data stay on the screen in full."""


router = page_router()


@router.get("/amendments")
def amendments(request: Request, shell: PageShell, service: Svc, only: str = "", cursor: Cursor = None) -> Response:
    state = AmendmentState(only) if only in list(AmendmentState) else None
    page = service.amendments.page(principal_of(request), cursor, ROWS, state=state)
    return shell.page(request, "window/amendments.html", page=page, only=only, states=tuple(AmendmentState))


@router.post("/registry/{member_id}/amend")
def amend(
    request: Request,
    shell: PageShell,
    service: Svc,
    member_id: int,
    name: Text = "",
    mobile: Text = "",
    new_card: Text = "",
    reason: Text = "",
) -> Response:
    requested = service.amendments.request(
        principal_of(request), member_id, name, mobile, reason, new_card=bool(new_card)
    )
    return shell.go(request, f"/amendments/{requested.number}", "amendments.done-request")


@router.get("/amendments/{number}")
def amendment(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    who = principal_of(request)
    shown = service.amendments.amendment(who, number)
    waits = shown.state is AmendmentState.WAITING
    return shell.page(
        request,
        "window/amendment.html",
        amendment=shown,
        own=same_name(shown.by, who.name),
        waits=waits,
        may_decide=waits and who.may(Permission.ROSTERS_APPROVE),
        may_cancel=waits and who.may(Permission.MEMBERS_CHANGE),
        may_find=who.may(Permission.MEMBERS_FIND),
    )


@router.post("/amendments/{number}/look")
def look(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    shown = service.amendments.look(principal_of(request), number)
    answer = shell.part(request, "window/amendment_clear.html", person=shown, seconds=_SHOWN_SECONDS)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/amendments/{number}/approve")
def approve(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    service.amendments.approve(principal_of(request), number)
    return shell.go(request, f"/amendments/{number}", "amendments.done-approve")


@router.post("/amendments/{number}/refuse")
def refuse(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.amendments.refuse(principal_of(request), number, reason)
    return shell.go(request, f"/amendments/{number}", "amendments.done-refuse")


@router.post("/amendments/{number}/cancel")
def cancel(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.amendments.cancel(principal_of(request), number, reason)
    return shell.go(request, f"/amendments/{number}", "amendments.done-cancel")
