"""Merchants pages: the list, one merchant, import from a sheet, and what waits for a second person."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Query, Request, UploadFile
from starlette.responses import Response

from reader_service.access.settings import FILE_BYTES, FILE_MB
from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.pages.programme.money import signed_fen, ten_thousandths
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from reader_service.services.uploads import pieces
from registry.programme.changes import ChangeState
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.rates import Rate

ROWS: Final = 50
_SHOWN_SECONDS: Final = 60
"""Seconds that an account stays on the screen in full."""
_BETWEEN: Final = re.compile(r"[\s,;，；、]+")


router = page_router()


@router.get("/merchants")
def merchants(
    request: Request,
    shell: PageShell,
    service: Svc,
    text: Annotated[str, Query(max_length=100)] = "",
    cursor: Cursor = None,
) -> Response:
    who = principal_of(request)
    page = service.merchants.page(who, cursor, ROWS, text=text.strip())
    waiting = service.merchants.changes(who, None, ROWS, state=ChangeState.WAITING).items
    today = service.parts.now().astimezone(service.parts.zone).date()
    values: dict[str, Any] = {"page": page, "text": text, "waits": waiting, "today": today}
    return shell.page(request, "programme/merchants.html", may_change=who.may(Permission.MERCHANTS_CHANGE), **values)


@router.post("/merchants")
def put(
    request: Request,
    shell: PageShell,
    service: Svc,
    number: Text = "",
    name: Text = "",
    name_en: Text = "",
    contract_from: Text = "",
    contract_until: Text = "",
    benefits: Text = "",
    account: Text = "",
    reason: Text = "",
) -> Response:
    """Record a merchant or change it; its outlets stay."""
    days = _day("contract_from", contract_from), _day("contract_until", contract_until)
    new = NewMerchant(number.strip(), name.strip(), *days, _listed(benefits), (), name_en.strip(), _plain(account))
    done = service.merchants.put(principal_of(request), new, reason)
    message = "merchants.done-put-waits" if done.waiting else "merchants.done-put"
    return shell.go(request, _path(done.number), message, name=done.name)


@router.get("/merchants/import")
def import_form(request: Request, shell: PageShell) -> Response:
    principal_of(request).need(Permission.MERCHANTS_CHANGE)
    return shell.page(request, "programme/import.html", most=FILE_BYTES, most_mb=FILE_MB)


@router.post("/merchants/import")
def import_sheet(request: Request, shell: PageShell, service: Svc, sheet: UploadFile, check: Text = "") -> Response:
    """Import a sheet, or only check it."""
    who = principal_of(request)
    done = service.merchants.import_sheet(who, sheet.filename or "", pieces(sheet.file.read), check=bool(check))
    if done.stored:
        message = "merchants.done-import-waits" if done.waiting else "merchants.done-import"
        return shell.go(request, "/merchants", message, n=done.merchants, outlets=done.outlets, waiting=done.waiting)
    return shell.part(request, "programme/import_result.html", done=done)


@router.get("/merchants/changes")
def changes(request: Request, shell: PageShell, service: Svc, only: str = "waiting", cursor: Cursor = None) -> Response:
    state = ChangeState(only) if only in set(ChangeState) else None
    page = service.merchants.changes(principal_of(request), cursor, ROWS, state=state)
    values: dict[str, Any] = {"page": page, "only": only if state else "", "states": tuple(ChangeState)}
    return shell.page(request, "programme/changes.html", **values)


@router.get("/merchants/changes/{number}")
def change(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    who = principal_of(request)
    shown = service.merchants.change(who, number)
    waits = shown.state is ChangeState.WAITING
    return shell.page(
        request,
        "programme/change.html",
        change=shown,
        waits=waits,
        own=service.signatures.own(who, shown.by),
        may_decide=waits and who.may(Permission.MERCHANTS_APPROVE),
        may_cancel=waits and who.may(Permission.MERCHANTS_CHANGE),
    )


@router.post("/merchants/changes/{number}/look")
def look(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    before, after = service.merchants.look(principal_of(request), number)
    values: dict[str, Any] = {"before": before, "after": after, "seconds": _SHOWN_SECONDS}
    return _unstored(shell.part(request, "programme/account_clear.html", **values))


@router.post("/merchants/changes/{number}/approve")
def approve(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    service.merchants.approve(principal_of(request), number)
    return shell.go(request, f"/merchants/changes/{number}", "merchants.done-approve")


@router.post("/merchants/changes/{number}/refuse")
def refuse(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.merchants.refuse(principal_of(request), number, reason)
    return shell.go(request, f"/merchants/changes/{number}", "merchants.done-refuse")


@router.post("/merchants/changes/{number}/cancel")
def cancel(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.merchants.cancel(principal_of(request), number, reason)
    return shell.go(request, f"/merchants/changes/{number}", "merchants.done-cancel")


@router.post("/merchants/outlets/{outlet}/close")
def close_outlet(request: Request, shell: PageShell, service: Svc, outlet: int, reason: Text = "") -> Response:
    done = service.merchants.close_outlet(principal_of(request), outlet, reason)
    return shell.go(request, f"/merchants/changes/{done.number}", "merchants.done-request")


@router.get("/merchants/number/{number}")
def merchant(request: Request, shell: PageShell, service: Svc, number: str) -> Response:
    who = principal_of(request)
    shown = service.merchants.merchant(who, number)
    values: dict[str, Any] = {
        "merchant": shown,
        "rates": service.settlement.rates(who, number).items,
        "changes": service.merchants.changes(who, None, ROWS, merchant=number).items,
        "statements": service.settlement.page(who, None, 12, merchant=number).items,
        "today": service.parts.now().astimezone(service.parts.zone).date(),
        "address": _path(number),
    }
    may = {"may_change": who.may(Permission.MERCHANTS_CHANGE), "may_rate": who.may(Permission.SETTLEMENTS_PREPARE)}
    return shell.page(request, "programme/merchant.html", seconds=_SHOWN_SECONDS, **values, **may)


@router.post("/merchants/number/{number}/outlets")
def add_outlet(
    request: Request,
    shell: PageShell,
    service: Svc,
    number: str,
    name: Text = "",
    address: Text = "",
    terminals: Text = "",
) -> Response:
    """Add an outlet, or terminals to one on record."""
    who = principal_of(request)
    known = service.merchants.merchant(who, number)
    outlet = NewOutlet(name.strip(), address.strip(), _listed(terminals))
    days = known.contract_from, known.contract_until
    service.merchants.put(who, NewMerchant(number, known.name, *days, known.benefits, (outlet,), known.name_en))
    return shell.go(request, _path(number), "merchants.done-outlet", name=outlet.name)


@router.post("/merchants/number/{number}/end")
def end(request: Request, shell: PageShell, service: Svc, number: str, reason: Text = "") -> Response:
    done = service.merchants.end(principal_of(request), number, reason)
    return shell.go(request, f"/merchants/changes/{done.number}", "merchants.done-request")


@router.post("/merchants/number/{number}/rates")
def add_rate(
    request: Request,
    shell: PageShell,
    service: Svc,
    number: str,
    benefit: Text = "",
    valid_from: Text = "",
    per_unit: Text = "",
    share: Text = "",
    reason: Text = "",
) -> Response:
    """Request a rate: yuan for each unit, and percent of the amount."""
    rate = Rate(
        benefit.strip(),
        _day("valid_from", valid_from),
        signed_fen(per_unit, "per_unit"),
        ten_thousandths(share, "share"),
    )
    done = service.settlement.request_rate(principal_of(request), number, rate, reason)
    return shell.go(request, f"/merchants/changes/{done.number}", "merchants.done-request")


@router.post("/merchants/number/{number}/account")
def account(request: Request, shell: PageShell, service: Svc, number: str, reason: Text = "") -> Response:
    opened = service.merchants.account(principal_of(request), number, reason)
    values: dict[str, Any] = {"before": opened, "after": "", "seconds": _SHOWN_SECONDS}
    return _unstored(shell.part(request, "programme/account_clear.html", **values))


def _path(number: str) -> str:
    return f"/merchants/number/{quote(number, safe='')}"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one for one in _BETWEEN.split(text) if one)


def _plain(account: str) -> str:
    """An account as it is stored; people write it in groups."""
    return "".join(account.split())


def _day(field: str, text: str) -> date:
    """Raises Invalid, naming the field."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("a day is written as 2026-12-31", {field: "write 2026-12-31"}) from None


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
