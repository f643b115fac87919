"""Stock page: blank chips by the supplier's batch, what is needed, deliveries and spoilt ones booked."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.pages.shell import PageShell, Text, page_router, principal_of
from reader_service.principal import Permission

router = page_router()


@router.get("/station/stock")
def stock(request: Request, shell: PageShell, service: Svc) -> Response:
    who = principal_of(request)
    return shell.page(
        request, "issuing/stock.html", stock=service.stock.view(who), may_book=who.may(Permission.BATCHES_PREPARE)
    )


@router.post("/station/stock/deliveries")
def receive(request: Request, shell: PageShell, service: Svc, count: Text = "", supplier_batch: Text = "") -> Response:
    number = _count(count)
    accounts = service.stock.receive(principal_of(request), number, supplier_batch)
    return shell.go(request, "/station/stock", "stock.done-receive", n=number, left=accounts.left)


@router.post("/station/stock/spoilt")
def spoil(
    request: Request,
    shell: PageShell,
    service: Svc,
    count: Text = "",
    supplier_batch: Text = "",
    reason: Text = "",
) -> Response:
    number = _count(count)
    accounts = service.stock.spoil(principal_of(request), number, supplier_batch, reason)
    return shell.go(request, "/station/stock", "stock.done-spoil", n=number, left=accounts.left)


def _count(text: str) -> int:
    """Raises Invalid."""
    try:
        return int(text)
    except ValueError:
        raise Invalid("this needs a number of chips", {"count": "a whole number"}) from None
