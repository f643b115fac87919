"""Window: the card of a member who is present, activated, with a new PIN or brought up to date in a reader in counter
mode; and what two people order of a card, for the second person."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from personalize.updates import value_of
from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.pages.words import Words
from reader_service.principal import Permission
from reader_service.readers.values import Mode
from reader_service.services.counter.counter import VerdictView
from reader_service.services.window.updates import SHOWN
from registry.members.wanted import UpdateKind, UpdateState
from terminal.names import same_name
from terminal.secret import Secret

ROWS: Final = 50
ORDERS: Final = ("pin-unblock", "last-date", "block", "unblock")
"""What is ordered on this page; values come from lists and commands."""


router = page_router()


@router.get("/registry/window")
def window(
    request: Request, shell: PageShell, service: Svc, reader: str = "", card: str = "", cursor: Cursor = None
) -> Response:
    """The form, and the changes of chips that were ordered."""
    who = principal_of(request)
    service.updates.need_activate(who)
    changes: Any = service.updates.page(who, cursor, ROWS) if who.may(Permission.CARDS_VIEW) else None
    readers = [view for view in service.readers.views() if view.mode is Mode.COUNTER]
    return shell.page(
        request,
        "window/window.html",
        readers=readers,
        reader=reader,
        shown=SHOWN,
        changes=changes,
        orders=ORDERS,
        card=card if card.isdecimal() else "",
        today=service.parts.now().date().isoformat(),
    )


@router.post("/registry/window/activate")
def activate(
    request: Request, shell: PageShell, service: Svc, reader: Text = "", shown: Text = "", note: Text = ""
) -> Response:
    identified = _identified(shell.words(request), shown, note)
    return _after(request, shell, service.updates.activate(principal_of(request), reader, identified))


@router.post("/registry/window/pin")
def change_pin(
    request: Request,
    shell: PageShell,
    service: Svc,
    reader: Text = "",
    shown: Text = "",
    note: Text = "",
    pin: Text = "",
    again: Text = "",
    token: Text = "",
) -> Response:
    identified = _identified(shell.words(request), shown, note)
    first, second = Secret(pin.encode()), Secret(again.encode())
    who = principal_of(request)
    return _after(request, shell, service.updates.change_pin(who, reader, identified, first, second, token=token))


@router.post("/registry/window/order")
def order(
    request: Request,
    shell: PageShell,
    service: Svc,
    card: Text = "",
    what: Text = "",
    last_date: Text = "",
    reason: Text = "",
) -> Response:
    if what not in ORDERS:
        raise Invalid("choose what is ordered", {"what": ", ".join(ORDERS)})
    values: dict[str, tuple[UpdateKind, object]] = {
        "pin-unblock": (UpdateKind.PIN_UNBLOCK, True),
        "block": (UpdateKind.BLOCK, True),
        "unblock": (UpdateKind.BLOCK, False),
    }
    kind, value = values.get(what) or (UpdateKind.LAST_DATE, _day(last_date))
    (ordered,) = service.updates.want(principal_of(request), "".join(card.split()), {kind: value}, reason)
    done = "window.done-proposed" if ordered.state is UpdateState.PROPOSED else "window.done-order"
    return shell.go(request, "/registry/window", done, n=ordered.id)


@router.post("/registry/window/changes/{number}/consent")
def consent_here(request: Request, shell: PageShell, service: Svc, number: int, token: Text = "") -> Response:
    if not token.strip():
        raise Invalid("this token is not in force", {"token": "a token that is in force"})
    service.updates.consent(principal_of(request), number, token=token)
    return shell.go(request, "/registry/window", "window.done-consent", n=number)


@router.get("/changes/{number}")
def change(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    """A change that two people order, for the second person on their own screen."""
    who = principal_of(request)
    shown = service.updates.change(who, number)
    return shell.page(
        request,
        "window/change.html",
        change=shown,
        value=value_of(shown) if shown.state is UpdateState.PROPOSED else None,
        own=same_name(shown.wanted_by, who.name),
        waits=shown.state is UpdateState.PROPOSED,
        may_consent=who.may(Permission.ROSTERS_APPROVE),
    )


@router.post("/changes/{number}/consent")
def consent(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    service.updates.consent(principal_of(request), number)
    return shell.go(request, f"/changes/{number}", "window.done-consent", n=number)


@router.post("/changes/{number}/refuse")
def refuse(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.updates.refuse(principal_of(request), number, reason)
    return shell.go(request, f"/changes/{number}", "window.done-withdraw", n=number)


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


def _identified(t: Words, shown: str, note: str) -> str:
    what = t(f"window.shown-{shown}") if shown in SHOWN else ""
    return t("shell.comma").join(part for part in (what, note.strip()) if part)


def _day(text: str) -> date:
    """Raises Invalid."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Invalid("this needs a day", {"last_date": "a day, such as 2026-12-01"}) from None
