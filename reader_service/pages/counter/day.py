"""The end-of-day sheet of a counter: on the screen, on paper, and against what the cashiers counted."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import PlainTextResponse, Response

from programme.wording import yuan
from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.http.schemas import download
from reader_service.pages.counter.amounts import fen
from reader_service.pages.counter.redeeming import TONES
from reader_service.pages.shell import PageShell, page_router, principal_of
from reader_service.redemptions.day_paper import day_lines
from reader_service.redemptions.receipt import slip_text

Counted = Annotated[list[str] | None, Query()]
"""What each cashier counted in yuan, in the order of the sheet, as names stay out of addresses; empty: not counted."""

router = page_router()


@router.get("/counter/day")
def day(request: Request, shell: PageShell, service: Svc, on: str = "", counted: Counted = None) -> Response:
    sheet = service.redemptions.day(principal_of(request), _day(on), _amounts(counted))
    amounts = [("counted", "" if one.counted is None else yuan(one.counted)) for one in sheet.cashiers]
    query = urlencode([("on", sheet.day.isoformat()), *amounts])
    records = service.redemptions.records_on(principal_of(request), sheet.day)
    template = "counter/counter_day.html"
    return shell.page(request, template, sheet=sheet, records=records, tones=TONES, query=query)


@router.get("/counter/day.pdf")
def day_as_pdf(request: Request, service: Svc, on: str = "", counted: Counted = None) -> Response:
    who, amounts = principal_of(request), _amounts(counted)
    wanted = _day(on) or service.parts.now().date()
    pdf = service.redemptions.day_pdf(who, wanted, amounts)
    return download(pdf, f"核销日结单-{wanted.isoformat()}.pdf", "application/pdf")


@router.get("/counter/day.txt")
def day_as_text(request: Request, service: Svc, on: str = "", counted: Counted = None) -> Response:
    sheet = service.redemptions.day(principal_of(request), _day(on), _amounts(counted))
    return PlainTextResponse(slip_text(day_lines(sheet, request.state.language)))


def _day(text: str) -> date | None:
    """The day of an address; None for today. Raises Invalid."""
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Invalid("a day is written as 2026-12-20", {"on": "write 2026-12-20"}) from None


def _amounts(counted: list[str] | None) -> list[int | None]:
    return [fen(text, "counted") if text.strip() else None for text in counted or ()]
