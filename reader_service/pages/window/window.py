"""Window: the card of a member who is present, activated or brought up to date in a reader in counter mode."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from reader_service.http.resource import Svc
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from reader_service.readers.values import Mode
from reader_service.services.counter.counter import VerdictView

ROWS: Final = 50
SHOWN: Final = ("id-card", "passport", "residence", "officer", "other")
"""What identifies a member."""


router = page_router()


@router.get("/registry/window")
def window(request: Request, shell: PageShell, service: Svc, reader: str = "", cursor: Cursor = None) -> Response:
    """The form, and the changes of chips that were ordered."""
    who = principal_of(request)
    service.updates.need_activate(who)
    changes: Any = service.updates.page(who, cursor, ROWS) if who.may(Permission.CARDS_VIEW) else None
    readers = [view for view in service.readers.views() if view.mode is Mode.COUNTER]
    return shell.page(request, "window/window.html", readers=readers, reader=reader, shown=SHOWN, changes=changes)


@router.post("/registry/window/activate")
def activate(
    request: Request, shell: PageShell, service: Svc, reader: Text = "", shown: Text = "", note: Text = ""
) -> Response:
    t = shell.words(request)
    what = t(f"window.shown-{shown}") if shown in SHOWN else ""
    identified = t("shell.comma").join(part for part in (what, note.strip()) if part)
    return _after(request, shell, service.updates.activate(principal_of(request), reader, identified))


@router.post("/registry/window/run")
def run(request: Request, shell: PageShell, service: Svc, reader: Text = "") -> Response:
    return _after(request, shell, service.updates.run(principal_of(request), reader))


@router.post("/registry/window/changes/{number}/withdraw")
def withdraw(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.updates.withdraw(principal_of(request), number, reason)
    return shell.go(request, "/registry/window", "window.done-withdraw", n=number)


def _after(request: Request, shell: PageShell, view: VerdictView) -> Response:
    """Lead back to the form, with what is on the card now, and the verdict in words."""
    t = shell.words(request)
    kinds = t("shell.comma").join(t(f"counter.update-{kind}") for kind in view.updates.kinds)
    word = t(f"counter.word.{view.verdict.code.lower()}")
    done = "window.done" if kinds else "window.done-nothing"
    kind = "ok" if view.verdict.accepted and not view.updates.refused else "warn"
    return shell.go(request, f"/registry/window?reader={view.reader}", done, kind=kind, what=kinds, verdict=word)
