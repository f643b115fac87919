"""Redemptions on the counter page: what a member can have, the result in large type, and the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from programme.facts import BenefitRequest
from programme.wording import yuan
from reader_service.errors import Conflict, Invalid, NotFound, ServiceError
from reader_service.http.resource import Svc
from reader_service.http.schemas import download
from reader_service.pages.counter.amounts import fen
from reader_service.pages.shell import PageShell, Shell, Text, page_router, principal_of
from reader_service.principal import Permission, Principal
from reader_service.readers.values import ReaderState
from reader_service.redemptions.offers import BenefitChoice
from reader_service.redemptions.record import CounterRecord
from reader_service.redemptions.slip_paper import slip_code
from reader_service.services.redeeming.redemptions import RedemptionService
from terminal.member.cvr import CvrFlag
from terminal.member.presentation import Tone
from terminal.member.redemption.presentation import REFUSALS
from terminal.secret import Secret

if TYPE_CHECKING:
    from reader_service.service import ReaderService

TONES = {
    "DONE": Tone.OK,
    "RECOVERED": Tone.OK,
    "LOGGED": Tone.DOUBT,
    "REFUSED": Tone.WARN,
    "NOT_COUNTED": Tone.WARN,
    "NOT_PROVEN": Tone.BAD,
    "REPEATED": Tone.BAD,
    "TORN": Tone.DOUBT,
    "UNKNOWN": Tone.DOUBT,
}
"""By the outcome of a redemption at the counter."""
_DIGITS = 2
"""Digits of a quantity."""

router = page_router()


@router.post("/counter/{reader_id}/redeem")
def redeem(
    request: Request,
    shell: PageShell,
    service: Svc,
    reader_id: str,
    insertion: Text = "",
    benefit: Text = "",
    product: Text = "",
    quantity: Text = "",
    more: Text = "",
    list_price: Text = "",
    event: Text = "",
    place: Text = "",
    answers: Annotated[list[str] | None, Form()] = None,
    pin: Text = "",
) -> Response:
    units = _units(quantity or more or "1")
    price = fen(list_price, "list_price") if list_price.strip() else None
    wanted = BenefitRequest(product, units, price, event.strip(), place, frozenset(answers or ()))
    secret = Secret(pin.encode()) if pin else None
    service.redemptions.redeem(principal_of(request), reader_id, insertion, BenefitChoice(benefit, wanted), pin=secret)
    return shell.done(request, f"/counter?reader={reader_id}")


@router.post("/counter/{reader_id}/again")
def again(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    service.counter.verify(principal_of(request), reader_id)
    return shell.done(request, f"/counter?reader={reader_id}")


@router.post("/counter/queue/upload")
def upload(request: Request, shell: PageShell, service: Svc) -> Response:
    service.redemptions.upload(principal_of(request))
    return shell.done(request, "/counter")


@router.post("/counter/queue/acknowledge")
def acknowledge(request: Request, shell: PageShell, service: Svc, reason: Text = "", reader: Text = "") -> Response:
    """Take note of a clock that was set back, or of a damaged journal; a card in the reader is verified anew."""
    who = principal_of(request)
    service.redemptions.acknowledge(who, reason)
    with suppress(ServiceError):
        if service.readers.view(reader).state is not ReaderState.EMPTY:
            service.counter.verify(who, reader)
    return shell.go(request, f"/counter?reader={quote(reader)}", "redeem.done-acknowledge")


@router.get("/counter/receipts")
def find(request: Request, shell: PageShell, service: Svc, number: str = "") -> Response:
    """The page of a receipt's number as it was typed or scanned."""
    return shell.go(request, f"/counter/receipts/{service.redemptions.find(principal_of(request), number).number}")


@router.get("/counter/receipts/{number}")
def receipt(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    who = principal_of(request)
    record = service.redemptions.record(who, number)
    values = _receipt(request, service, record) | {"prints": service.receipts.prints}
    return shell.page(
        request, "counter/counter_receipt.html", reversible=_reversible(service.redemptions, who, record), **values
    )


@router.post("/counter/receipts/{number}/reverse")
def reverse(
    request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "", other: Text = ""
) -> Response:
    who = principal_of(request)
    record = service.redemptions.record(who, number)
    done = service.reversals.reverse(who, record.receipt, other.strip() or reason)
    message = "till.done-reverse" if done.credited else "till.done-reverse-later"
    return shell.go(request, f"/counter/receipts/{number}", message, yuan=yuan(record.amount))


@router.get("/counter/receipts/{number}/text")
def receipt_as_text(request: Request, service: Svc, number: int) -> Response:
    return PlainTextResponse(service.receipts.text(principal_of(request), number, request.state.language))


@router.get("/counter/receipts/{number}/pdf")
def receipt_as_pdf(request: Request, service: Svc, number: int) -> Response:
    pdf = service.receipts.pdf(principal_of(request), number, request.state.language)
    return download(pdf, f"核销凭证-{number}.pdf", "application/pdf")


@router.get("/counter/receipts/{number}/escpos")
def receipt_for_printer(request: Request, service: Svc, number: int) -> Response:
    """Bytes for a printer that another program of the counter feeds."""
    content = service.receipts.escpos(principal_of(request), number, request.state.language)
    return download(content, f"receipt-{number}.bin", "application/octet-stream")


@router.post("/counter/receipts/{number}/print")
def print_receipt(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    service.receipts.print(principal_of(request), number, request.state.language)
    return shell.notify(request, f"/counter/receipts/{number}", "till.done-print")


@router.post("/counter/receipts/{number}/issued")
def issued(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    """The browser has printed the page; what it would print next says that it is a copy."""
    who = principal_of(request)
    service.receipts.issued(who, number)
    values = _receipt(request, service, service.redemptions.record(who, number))
    return shell.part(request, "counter/receipt_paper.html", **values)


def _receipt(request: Request, service: ReaderService, record: CounterRecord) -> dict[str, Any]:
    lines = service.receipts.lines(principal_of(request), record.number, request.state.language)
    return {"record": record, "lines": lines, "code": slip_code(record.receipt)}


def _reversible(redemptions: RedemptionService, who: Principal, record: CounterRecord) -> bool:
    try:
        redemptions.reversible(who, record.receipt)
    except Conflict:
        return False
    return True


def queue(shell: Shell, who: Principal) -> Mapping[str, Any] | None:
    """What waits at this counter; None where nothing is redeemed, or not by this user."""
    if not (shell.service.redemptions.enabled and who.may(Permission.REDEEM)):
        return None
    try:
        return asdict(shell.service.redemptions.queue(who))
    except ServiceError:
        return None


def card_values(card: Mapping[str, Any] | None, refused: str = "") -> dict[str, Any]:
    """What the template needs of a card's offers (CardOffers.to_json); None: no card was verified."""
    recovered = card and card["recovered"]
    return {"card": card, "record": None, "refused": refused, "reasons": [], **_toned(recovered)}


def refused_values(data: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The same after a choice that was refused (event redemption.refused)."""
    return card_values(data["card"], data["sentence"][language])


def result_values(record: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What the template needs of a result (CounterRecord.to_json)."""
    reasons = [_reason(name, language) for name in record["reasons"] if name in CvrFlag.__members__]
    return {"card": None, "record": record, "refused": "", "reasons": reasons, **_toned(record)}


def current(shell: Shell, who: Principal, reader_id: str) -> dict[str, Any]:
    """The values for a page that is opened now."""
    service = shell.service.redemptions
    if not (service.enabled and who.may(Permission.REDEEM)):
        return card_values(None)
    try:
        view = shell.service.readers.view(reader_id)
        return card_values(None if view.state is ReaderState.EMPTY else service.offers(who, reader_id).to_json())
    except NotFound:
        return card_values(None)


def _toned(record: Mapping[str, Any] | None) -> dict[str, str]:
    tone = TONES[record["outcome"]] if record else Tone.IDLE
    outcome = str(record["outcome"]).lower().replace("_", "-") if record else ""
    return {"tone": tone, "sign": tone.sign, "outcome": outcome}


def _reason(name: str, language: str) -> str:
    word = REFUSALS[CvrFlag[name]].word
    return word.en if language == "en" else word.zh


def _units(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text)):
        raise Invalid("a quantity is 1 to 99", {"quantity": "1 to 99"})
    return int(text)
