"""Packing pages: boxes created and filled with a barcode scanner, handed over and signed for; steps of many cards.

Card numbers stay out of addresses: a line of the delivery list names a card there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request
from starlette.responses import Response

from reader_service.errors import Invalid, NotFound
from reader_service.http.resource import Svc
from reader_service.http.schemas import XLSX, download
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.principal import Permission, Principal
from reader_service.services.window.cards import CARD_STEPS
from registry.handover.filling import CAPACITY
from registry.handover.values import BoxCard, BoxStage, CardPlace, Level, Tick

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROWS: Final = 50
_RETURN: Final = "return"
_PDF: Final = "application/pdf"
_SHEETS: Final[Mapping[str, str]] = {
    "list.pdf": "发放表.pdf",
    "list.xlsx": "发放表.xlsx",
    "labels.pdf": "标签.pdf",
    "carriers.pdf": "载卡函.pdf",
}
_LINE_DIGITS: Final = 4
"""A number of so many digits at most is a line of the delivery list, and no card number."""


router = page_router()


@router.get("/packing")
def packing(
    request: Request,
    shell: PageShell,
    service: Svc,
    unit: str = "",
    stage: str = "",
    batch: str = "",
    cursor: Cursor = None,
) -> Response:
    """The boxes, newest first, the scan field that opens one, and the form that creates those of a batch."""
    who = principal_of(request)
    wanted = BoxStage(stage) if stage in set(BoxStage) else None
    page = service.boxes.page(
        who, cursor, ROWS, batch_id=batch.strip() or None, stage=wanted, unit_part=unit.strip() or None
    )
    batches = [one for one in service.batches.page(who, None, 100).items if one.verified]
    places = service.boxes.places(who, batch) if any(one.id == batch for one in batches) else {}
    return shell.page(
        request,
        "issuing/packing.html",
        page=page,
        batches=batches,
        counts=[(place, places[place]) for place in CardPlace if places.get(place)],
        values={"unit": unit, "stage": stage, "batch": batch},
        stages=list(BoxStage),
        capacity=CAPACITY,
    )


@router.post("/packing/find")
def find(request: Request, shell: PageShell, service: Svc, scan: Text = "") -> Response:
    """Open the box of a scanned code or card."""
    return shell.go(request, f"/packing/{service.boxes.of_scan(principal_of(request), scan)}")


@router.post("/packing/boxes")
def create(
    request: Request, shell: PageShell, service: Svc, batch: Text = "", capacity: Text = "", together: Text = ""
) -> Response:
    boxes = service.boxes.create(
        principal_of(request),
        batch,
        capacity=_count("capacity", capacity),
        together=_count("together", together or "0"),
    )
    path = f"/packing?batch={batch}" if len(boxes) > 1 else f"/packing/{boxes[0].id}"
    return shell.go(request, path, "packing.done-create", n=len(boxes), cards=sum(box.cards for box in boxes))


@router.get("/packing/cards")
def many(request: Request, shell: PageShell, service: Svc, cursor: Cursor = None) -> Response:
    """Steps of many cards, and what was done so far."""
    who = principal_of(request)
    who.need(Permission.CARDS_CHANGE)
    page = service.moves.page(who, cursor, ROWS)
    return shell.page(request, "issuing/packing_cards.html", page=page, steps=[_RETURN, *CARD_STEPS])


@router.post("/packing/cards")
def take(
    request: Request, shell: PageShell, service: Svc, step: Text = "", cards: Text = "", reason: Text = ""
) -> Response:
    who = principal_of(request)
    if step != _RETURN and step not in CARD_STEPS:
        raise NotFound("there is no such step")
    if step == _RETURN:
        move = service.moves.return_cards(who, cards.split(), reason)
    else:
        move = service.moves.take(who, CARD_STEPS[step], cards.split(), reason)
    return shell.go(request, "/packing/cards", "packing.done-cards", n=move.cards)


@router.post("/packing/moves/{move_id}/undo")
def undo(request: Request, shell: PageShell, service: Svc, move_id: int, reason: Text = "") -> Response:
    move = service.moves.undo(principal_of(request), move_id, reason)
    path = f"/packing/{move.box_id}" if move.box_id else "/packing/cards"
    return shell.go(request, path, "packing.done-undo", n=move.cards)


@router.get("/packing/{box_id}")
def box(request: Request, shell: PageShell, service: Svc, box_id: str) -> Response:
    """A box: its cards, its way, and what can be done at its stage."""
    who = principal_of(request)
    shown = service.boxes.box(who, box_id)
    lower = list(Level)[list(Level).index(Level(shown.level)) + 1 :] if shown.level else list(Level)
    may_change = who.may(Permission.CARDS_CHANGE)
    return shell.page(
        request,
        "issuing/packing_box.html",
        **_live(service, who, box_id),
        moves=service.moves.page(who, None, ROWS, box_id=box_id).items,
        levels=lower,
        readers=service.boxes.readers(who) if may_change else [],
        may_change=may_change,
    )


@router.post("/packing/{box_id}/tick")
def tick(request: Request, shell: PageShell, service: Svc, box_id: str, scan: Text = "", reader: Text = "") -> Response:
    """Tick a scanned card off; without a scan, the card in the reader."""
    who = principal_of(request)
    if scan.strip():
        done = service.boxes.tick(who, box_id, scan)
    elif reader:
        done = service.boxes.tick_inserted(who, box_id, reader)
    else:
        raise Invalid("scan a card, or choose a reader", {"scan": "scan a card, or choose a reader"}, rule="scan-empty")
    if not request.headers.get("HX-Request"):
        return shell.go(request, f"/packing/{box_id}")
    return shell.part(request, "issuing/packing_live.html", **_live(service, who, box_id, done))


@router.post("/packing/{box_id}/lines/{line}/{what}")
def toggle(request: Request, shell: PageShell, service: Svc, box_id: str, line: int, what: str) -> Response:
    """Tick the card on a line of the list off, or take that back."""
    who = principal_of(request)
    card = next((one for one in service.boxes.cards(who, box_id) if one.place == line), None)
    if card is None or what not in ("tick", "untick"):
        raise NotFound("there is no such line")
    if what == "tick":
        service.boxes.tick(who, box_id, _key(card))
    else:
        service.boxes.untick(who, box_id, _key(card))
    return shell.go(request, f"/packing/{box_id}")


@router.post("/packing/{box_id}/hand-over")
def hand_over(
    request: Request, shell: PageShell, service: Svc, box_id: str, level: Text = "", recipient: Text = ""
) -> Response:
    if level not in set(Level):
        raise NotFound("there is no such level")
    service.boxes.hand_over(principal_of(request), box_id, Level(level), recipient)
    return shell.go(request, f"/packing/{box_id}", "packing.done-hand-over", name=recipient)


@router.post("/packing/{box_id}/receipt")
def receipt(
    request: Request,
    shell: PageShell,
    service: Svc,
    box_id: str,
    recipient: Text = "",
    day: Text = "",
    unit: Text = "",
    unsigned: Text = "",
    signed: Text = "",
) -> Response:
    """What the contact of a unit signed. ``unsigned``: scans, or lines of the list, apart by blanks."""
    who = principal_of(request)
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise Invalid("the day is no date", {"day": "a date, such as 2026-11-22"}, rule="day") from None
    lines = {str(card.place): _key(card) for card in service.boxes.cards(who, box_id)}
    back = [lines.get(one, one) if len(one) <= _LINE_DIGITS else one for one in unsigned.split()]
    counted = _count("signed", signed) if signed.strip() else None
    move = service.boxes.receipt(who, box_id, recipient, on, unsigned=back, unit=unit, signed=counted)
    signed_for = move.cards - move.unsigned
    return shell.go(request, f"/packing/{box_id}", "packing.done-receipt", n=signed_for, back=move.unsigned)


@router.post("/packing/{box_id}/{step}")
def step(request: Request, shell: PageShell, service: Svc, box_id: str, step: str, reason: Text = "") -> Response:
    """Close, leave out the missing, give up, or take back what was not signed for. Raises NotFound for another."""
    who = principal_of(request)
    if step == "close":
        service.boxes.close(who, box_id)
    elif step == "leave-out":
        service.boxes.leave_out(who, box_id, None, reason)
    elif step == "discard":
        service.boxes.discard(who, box_id, reason)
    elif step == _RETURN:
        service.boxes.return_unsigned(who, box_id, reason)
    else:
        raise NotFound("there is no such step")
    return shell.go(request, f"/packing/{box_id}", f"packing.done-{step}")


@router.get("/packing/{box_id}/{sheet}")
def sheet(request: Request, service: Svc, box_id: str, sheet: str) -> Response:
    """The delivery list, the labels or the carriers, with names in clear, which no cache keeps."""
    who = principal_of(request)
    if sheet not in _SHEETS:
        raise NotFound("there is no such sheet")
    write = {
        "list.pdf": service.boxes.list_pdf,
        "list.xlsx": service.boxes.list_xlsx,
        "labels.pdf": service.boxes.labels_pdf,
        "carriers.pdf": service.boxes.carriers_pdf,
    }
    kind = XLSX if sheet.endswith(".xlsx") else _PDF
    response = download(write[sheet](who, box_id), f"{box_id}-{_SHEETS[sheet]}", kind)
    response.headers["Cache-Control"] = "no-store"
    return response


def _live(service: ReaderService, who: Principal, box_id: str, last: Tick | None = None) -> dict[str, Any]:
    """What changes with every tick."""
    shown = service.boxes.box(who, box_id)
    may_tick = shown.stage is BoxStage.OPEN and who.may(Permission.CARDS_CHANGE)
    return {"box": shown, "cards": service.boxes.cards(who, box_id), "last": last, "may_tick": may_tick}


def _key(card: BoxCard) -> str:
    return f"{card.card_number}-{card.sequence}"


def _count(field: str, text: str) -> int:
    if not text.strip().isdecimal() or len(text.strip()) > _LINE_DIGITS:
        raise Invalid(f"{field} is no number", {field: "a whole number"}, rule="whole")
    return int(text)
