"""Settlement pages: statements by merchant and month with their signatures and files, and payout lists."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import Query, Request
from starlette.responses import Response

from reader_service.http.resource import Svc
from reader_service.http.schemas import CSV, PDF, XLSX, download
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission
from reader_service.registry_errors import part_of
from registry.programme.statement import Month, StatementState

ROWS: Final = 50
ENTRIES: Final = 200
"""Redemptions on one page of a statement."""
_MONTH: Final = r"^(|[0-9]{4}-(0[1-9]|1[0-2]))$"


router = page_router()


@router.get("/settlements")
def settlements(
    request: Request,
    shell: PageShell,
    service: Svc,
    merchant: Annotated[str, Query(max_length=15)] = "",
    month: Annotated[str, Query(pattern=_MONTH)] = "",
    state: str = "",
    cursor: Cursor = None,
) -> Response:
    who = principal_of(request)
    chosen = StatementState(state) if state in set(StatementState) else None
    page = service.settlement.page(
        who, cursor, ROWS, merchant=merchant.strip() or None, month=month or None, state=chosen
    )
    values: dict[str, Any] = {"page": page, "merchant": merchant, "month": month, "state": state if chosen else ""}
    may = {"may_prepare": who.may(Permission.SETTLEMENTS_PREPARE)}
    last = Month.of(_today(service).replace(day=1) - timedelta(days=1))
    return shell.page(
        request, "programme/settlements.html", states=tuple(StatementState), last_month=str(last), **values, **may
    )


@router.post("/settlements")
def draw_up(
    request: Request, shell: PageShell, service: Svc, merchant: Text = "", month: Text = "", reason: Text = ""
) -> Response:
    sheet = service.settlement.draw_up(principal_of(request), merchant.strip(), month.strip(), reason)
    return shell.go(request, f"/settlements/{sheet.statement.number}", "settlements.done-draw-up")


@router.get("/settlements/payouts")
def payouts(request: Request, shell: PageShell, service: Svc, cursor: Cursor = None) -> Response:
    who = principal_of(request)
    page = service.settlement.payouts(who, cursor, ROWS)
    last = Month.of(_today(service).replace(day=1) - timedelta(days=1))
    may = who.may(Permission.SETTLEMENTS_PREPARE)
    return shell.page(request, "programme/payouts.html", page=page, last_month=str(last), may_prepare=may)


@router.post("/settlements/payouts")
def draw_up_payout(request: Request, shell: PageShell, service: Svc, month: Text = "") -> Response:
    drawn = service.settlement.draw_up_payout(principal_of(request), month.strip())
    return shell.go(request, f"/settlements/payouts/{drawn.payout.number}", "settlements.done-payout")


@router.get("/settlements/payouts/{number}")
def payout(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    who = principal_of(request)
    shown = service.settlement.payout(who, number)
    may = who.may(Permission.SETTLEMENTS_PREPARE)
    return shell.page(request, "programme/payout.html", shown=shown, payout=shown.payout, may_prepare=may)


@router.get("/settlements/payouts/{number}/payout.xlsx")
def payout_xlsx(request: Request, service: Svc, number: int) -> Response:
    content = service.settlement.payout_xlsx(principal_of(request), number)
    return _unstored(download(content, f"应付清单-{number}.xlsx", XLSX))


@router.get("/settlements/payouts/{number}/payout.csv")
def payout_csv(request: Request, service: Svc, number: int) -> Response:
    content = service.settlement.payout_csv(principal_of(request), number)
    return _unstored(download(content, f"应付清单-{number}.csv", CSV))


@router.get("/settlements/{number}")
def statement(request: Request, shell: PageShell, service: Svc, number: int, cursor: Cursor = None) -> Response:
    """A statement: its sums, its signatures and its redemptions."""
    who = principal_of(request)
    sheet = service.settlement.sheet(who, number)
    shown = sheet.statement
    own = shown.signed_by is not None and service.signatures.own(who, shown.signed_by)
    unfinished = shown.state in (StatementState.DRAFT, StatementState.SIGNED)
    return shell.page(
        request,
        "programme/statement.html",
        statement=shown,
        lines=sheet.lines,
        totals=sheet.totals,
        page=part_of(sheet.entries, cursor, ENTRIES),
        own=own,
        may_sign=unfinished and not own and who.may(Permission.SETTLEMENTS_SIGN),
        may_discard=unfinished and who.may(Permission.SETTLEMENTS_PREPARE),
        may_reopen=shown.state is StatementState.CLOSED and who.may(Permission.SETTLEMENTS_PREPARE),
        may_dispute=who.may(Permission.FINDINGS_CLOSE),
    )


@router.post("/settlements/{number}/sign")
def sign(request: Request, shell: PageShell, service: Svc, number: int, digest: Text = "") -> Response:
    done = service.settlement.sign(principal_of(request), number, digest)
    message = "settlements.done-close" if done.state is StatementState.CLOSED else "settlements.done-sign"
    return shell.go(request, f"/settlements/{number}", message)


@router.post("/settlements/{number}/discard")
def discard(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.settlement.discard(principal_of(request), number, reason)
    return shell.go(request, f"/settlements/{number}", "settlements.done-discard")


@router.post("/settlements/{number}/reopen")
def reopen(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    """Draw up the next version of a closed month."""
    who = principal_of(request)
    before = service.settlement.sheet(who, number).statement
    sheet = service.settlement.draw_up(who, before.merchant, before.month, reason)
    return shell.go(request, f"/settlements/{sheet.statement.number}", "settlements.done-reopen")


@router.get("/settlements/{number}/statement.pdf")
def statement_pdf(request: Request, service: Svc, number: int) -> Response:
    return download(service.settlement.statement_pdf(principal_of(request), number), f"结算单-{number}.pdf", PDF)


@router.get("/settlements/{number}/statement.xlsx")
def statement_xlsx(request: Request, service: Svc, number: int) -> Response:
    return download(service.settlement.statement_xlsx(principal_of(request), number), f"结算单-{number}.xlsx", XLSX)


def _today(service: Svc) -> date:
    return service.parts.now().astimezone(service.parts.zone).date()


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
