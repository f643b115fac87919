"""Waiting page: what waits for the caller's signature, and the links of what the caller sent to a second person."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from starlette.responses import Response

from personalize.updates import value_of
from reader_service.http.resource import Svc
from reader_service.pages.shell import PageShell, page_router, principal_of
from reader_service.principal import Permission
from terminal.names import same_name

router = page_router()


@router.get("/waiting")
def waiting(request: Request, shell: PageShell, service: Svc) -> Response:
    who = principal_of(request)
    changes = service.updates.proposed(who) if who.may(Permission.ROSTERS_APPROVE) else ()
    return shell.page(
        request,
        "administration/waiting.html",
        waiting=service.signatures.waiting(who),
        changes=[(one, value_of(one)) for one in changes if not same_name(one.wanted_by, who.name)],
    )


@router.post("/waiting/consent")
def consent(
    request: Request, shell: PageShell, service: Svc, change: Annotated[tuple[int, ...], Form()] = ()
) -> Response:
    """Consent to the chosen changes of cards."""
    done = service.updates.consent_all(principal_of(request), change)
    return shell.go(request, "/waiting", "waiting.done-consent", n=len(done))
