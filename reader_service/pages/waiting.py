"""Waiting page: what waits for the caller's signature, and the links of what the caller sent to a second person."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from reader_service.pages.shell import Shell, principal_of


def router(shell: Shell) -> APIRouter:
    pages = shell.router()

    @pages.get("/waiting")
    def waiting(request: Request) -> Response:
        waits = shell.service.signatures.waiting(principal_of(request))
        return shell.page(request, "waiting.html", waiting=waits)

    return pages
