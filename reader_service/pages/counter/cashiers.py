"""Cashiers on the counter page: who is at the reader, the change of cashier in one step, and the PINs on record."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.responses import Response

from reader_service.errors import Unavailable
from reader_service.http.resource import Svc
from reader_service.pages.shell import PageShell, Shell, Text, page_router, principal_of
from reader_service.principal import Permission, Principal
from terminal.secret import Secret

router = page_router()


@router.post("/counter/{reader_id}/cashier")
def sign_in(
    request: Request, shell: PageShell, service: Svc, reader_id: str, name: Text = "", pin: Text = ""
) -> Response:
    cashier = service.cashiers.sign_in(principal_of(request), reader_id, name, Secret(pin.encode()))
    return shell.notify(request, f"/counter?reader={reader_id}", "till.done-sign-in", name=cashier.name)


@router.post("/counter/{reader_id}/cashier/leave")
def sign_out(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    service.cashiers.sign_out(principal_of(request), reader_id)
    return shell.done(request, f"/counter?reader={reader_id}")


@router.post("/counter/{reader_id}/cashier/pin")
def change_own(
    request: Request, shell: PageShell, service: Svc, reader_id: str, old: Text = "", pin: Text = ""
) -> Response:
    who = principal_of(request)
    service.cashiers.change_own(who, reader_id, Secret(old.encode()), Secret(pin.encode()))
    return shell.go(request, f"/counter?reader={reader_id}", "till.done-pin")


@router.get("/counter/cashiers")
def cashiers(request: Request, shell: PageShell, service: Svc, reader: str = "") -> Response:
    who = principal_of(request)
    return shell.page(
        request,
        "counter/counter_cashiers.html",
        cashiers=service.cashiers.cashiers(who),
        may_manage=service.cashiers.may_manage(who, reader),
        reader=reader,
    )


@router.post("/counter/cashiers")
def set_pin(
    request: Request,
    shell: PageShell,
    service: Svc,
    reader: Text = "",
    name: Text = "",
    pin: Text = "",
    manager: Text = "",
    own: Text = "",
) -> Response:
    who, right = principal_of(request), True if manager else None
    cashier = service.cashiers.set_pin(who, reader, name, Secret(pin.encode()), manager=right, own=Secret(own.encode()))
    return shell.go(request, f"/counter/cashiers?reader={reader}", "till.done-set", name=cashier.name)


@router.post("/counter/cashiers/remove")
def remove(
    request: Request, shell: PageShell, service: Svc, reader: Text = "", name: Text = "", own: Text = ""
) -> Response:
    service.cashiers.remove(principal_of(request), reader, name, own=Secret(own.encode()))
    return shell.go(request, f"/counter/cashiers?reader={reader}", "till.done-remove", name=name)


def present(shell: Shell, who: Principal, reader_id: str) -> dict[str, Any]:
    """What the template needs of the cashier at a reader; without names where nobody signs in here, or the file of
    the cashiers is damaged: cards are verified all the same, and a redemption says what is wrong."""
    if not (reader_id and shell.service.redemptions.enabled and who.may(Permission.REDEEM)):
        return {"cashier": None, "cashiers": ()}
    service = shell.service.cashiers
    try:
        return {"cashier": service.at(reader_id), "cashiers": service.cashiers(who)}
    except Unavailable:
        return {"cashier": None, "cashiers": ()}
