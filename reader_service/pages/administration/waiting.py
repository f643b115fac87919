"""Waiting page: what waits for the caller's signature, and the links of what the caller sent to a second person."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from reader_service.http.resource import Svc
from reader_service.pages.shell import PageShell, page_router, principal_of

router = page_router()


@router.get("/waiting")
def waiting(request: Request, shell: PageShell, service: Svc) -> Response:
    waits = service.signatures.waiting(principal_of(request))
    return shell.page(request, "administration/waiting.html", waiting=waits)
