"""Findings of booking, booked redemptions and disputes: the work lists before a month is settled."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import Response

from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.pages.programme import finding_words
from reader_service.pages.shell import Cursor, PageShell, Text, own_path, page_router, principal_of
from reader_service.principal import Permission
from registry.programme.findings import Finding
from registry.programme.judgement import AGAIN, FindingKind
from terminal.emv.data.masking import masked_pan

ROWS: Final = 50

router = page_router()


@router.get("/settlements/findings")
def findings(
    request: Request, shell: PageShell, service: Svc, kind: str = "", closed: str = "", cursor: Cursor = None
) -> Response:
    who = principal_of(request)
    chosen = kind if kind in set(FindingKind) else ""
    page = service.booking.findings(who, cursor, ROWS, kind=chosen or None, closed=bool(closed))
    may = who.may(Permission.FINDINGS_CLOSE)
    return shell.page(
        request,
        "programme/findings.html",
        page=page,
        kind=chosen,
        closed=bool(closed),
        kinds=tuple(FindingKind),
        more=urlencode({"kind": chosen, "closed": closed}),
        masked=_masked,
        facts=finding_words.facts,
        effect=finding_words.effect,
        again=AGAIN,
        may_decide=may,
        to_book=service.booking.to_book(who) if may and not closed else 0,
    )


@router.post("/settlements/findings/{number}/close")
def close(
    request: Request, shell: PageShell, service: Svc, number: int, decision: Text = "", reason: Text = ""
) -> Response:
    closed = service.booking.close_finding(principal_of(request), number, decision, reason)
    if closed.closed_at is None:
        return shell.go(request, "/settlements/findings", "findings.done-first", number=number)
    return shell.go(request, "/settlements/findings", _message(decision), number=number)


@router.post("/settlements/findings/{number}/book")
def book(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    done = service.booking.book_again(principal_of(request), number)
    message = "done-booked" if done.booked else "done-other" if done.findings else "done-not-booked"
    kind = "ok" if done.booked else "warn"
    return shell.go(request, "/settlements/findings", f"findings.{message}", kind=kind, number=number)


@router.post("/settlements/findings/book")
def book_all(request: Request, shell: PageShell, service: Svc) -> Response:
    booked = sum(one.booked for one in service.booking.book_all_again(principal_of(request)))
    return shell.go(request, "/settlements/findings", "findings.done-all", number=booked)


@router.get("/settlements/redemptions")
def redemptions(
    request: Request,
    shell: PageShell,
    service: Svc,
    merchant: Annotated[str, Query(max_length=15)] = "",
    cursor: Cursor = None,
) -> Response:
    who = principal_of(request)
    page = service.booking.page(who, cursor, ROWS, merchant=merchant.strip() or None)
    may = who.may(Permission.FINDINGS_CLOSE)
    values: dict[str, Any] = {"page": page, "merchant": merchant, "may_dispute": may, "masked": masked_pan}
    return shell.page(request, "programme/redemptions.html", **values)


@router.get("/settlements/disputes")
def disputes(request: Request, shell: PageShell, service: Svc, decided: str = "", cursor: Cursor = None) -> Response:
    page = service.settlement.disputes(principal_of(request), cursor, ROWS, decided=bool(decided))
    return shell.page(request, "programme/disputes.html", page=page, decided=bool(decided))


@router.get("/settlements/disputes/new")
def dispute_form(request: Request, shell: PageShell, redemption: int, back: str = "") -> Response:
    """The form of one redemption, for the dialog."""
    principal_of(request).need(Permission.FINDINGS_CLOSE)
    return shell.part(request, "programme/dispute_form.html", redemption=redemption, back=own_path(back))


@router.post("/settlements/disputes")
def dispute(
    request: Request, shell: PageShell, service: Svc, redemption: Text = "", reason: Text = "", back: Text = ""
) -> Response:
    if not redemption.isdecimal() or len(redemption) > 18:
        raise Invalid("a redemption has a number", {"redemption": "a whole number"})
    raised = service.settlement.dispute(principal_of(request), int(redemption), reason)
    return shell.go(request, back or "/settlements/disputes", "findings.done-dispute", number=raised.number)


@router.get("/settlements/disputes/{number}")
def one_dispute(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    who = principal_of(request)
    shown = service.settlement.dispute_on_record(who, number)
    own = service.signatures.own(who, shown.by)
    may = shown.decision is None and who.may(Permission.FINDINGS_CLOSE)
    return shell.page(request, "programme/dispute.html", dispute=shown, own=own, may_decide=may)


@router.post("/settlements/disputes/{number}/decide")
def decide(
    request: Request, shell: PageShell, service: Svc, number: int, decision: Text = "", reason: Text = ""
) -> Response:
    service.settlement.decide(principal_of(request), number, decision, reason)
    return shell.go(request, f"/settlements/disputes/{number}", _message(decision), number=number)


def _message(decision: str) -> str:
    return "findings.done-refused" if decision == "refused" else "findings.done-accepted"


def _masked(finding: Finding) -> str:
    return "" if finding.card_number is None else masked_pan(finding.card_number)
