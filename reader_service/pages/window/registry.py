"""Registry page: search for members by number or name; their cards, and the steps of a card's life, with reasons.

Search terms go in the body of a request, never in its address, so that ID numbers stay out of histories and logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import Form, Request
from starlette.responses import Response

from reader_service.errors import Invalid, NotFound
from reader_service.http.resource import Svc
from reader_service.pages.shell import Cursor, PageShell, Text, page_router, principal_of
from reader_service.pages.words import Words
from reader_service.principal import Permission, Principal
from reader_service.services.window.cards import CARD_STEPS, steps_of
from registry.covers.values import Departure
from registry.members.cards import ENDS
from registry.values import Card, CardState

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROWS: Final = 50
_UNMASKED_SECONDS: Final = 60
"""Seconds that a person's data stay on the screen in full."""

_CARD_STATES: Final = tuple(state.value for state in CardState)
_MEMBER_STATES: Final[Mapping[str, Literal["no card", "withdrawn"]]] = {"no-card": "no card", "left": "withdrawn"}
_STATES: Final = (*_MEMBER_STATES, *_CARD_STATES)
"""What the filter offers: every badge of the two tables."""


router = page_router()


@router.get("/registry")
def registry(
    request: Request, shell: PageShell, service: Svc, unit: str = "", state: str = "", cursor: Cursor = None
) -> Response:
    """All members, those without a card, those who left, or the cards in one state."""
    who, part = principal_of(request), unit.strip() or None
    values: dict[str, Any] = {"unit": unit, "state": state, "states": _STATES, "text": ""}
    if state in _CARD_STATES:
        page: Any = service.cards.page(who, cursor, ROWS, unit_part=part, state=CardState(state))
        return shell.page(request, "window/registry.html", page=page, cards=True, **values)
    page = service.members.page(who, cursor, ROWS, unit_part=part, only=_MEMBER_STATES.get(state))
    return shell.page(request, "window/registry.html", page=page, cards=False, **values)


@router.post("/registry/units")
def units(
    request: Request, shell: PageShell, service: Svc, unit: Text = "", text: Text = "", above: Text = ""
) -> Response:
    """Suggestions for the name of a unit, as options. The text may be a person's name, so it is in the body."""
    names = service.members.units(principal_of(request), unit or text or above)
    return shell.part(request, "window/registry_units.html", names=names)


@router.post("/registry")
def find(
    request: Request, shell: PageShell, service: Svc, text: Text = "", cursor: Annotated[str | None, Form()] = None
) -> Response:
    """The matching members; the member's own page where there is one match."""
    who = principal_of(request)
    page = service.members.find(who, text, cursor or None, ROWS)
    if len(page.items) == 1 and cursor is None:
        return shell.go(request, f"/registry/{page.items[0].member_id}")
    if request.headers.get("HX-Request"):
        return shell.part(request, "window/registry_matches.html", page=page, text=text)
    values: dict[str, Any] = {"unit": "", "state": "", "states": _STATES, "cards": False}
    return shell.page(request, "window/registry.html", page=page, text=text, **values)


@router.get("/registry/{member_id}")
def member(request: Request, shell: PageShell, service: Svc, member_id: int) -> Response:
    who = principal_of(request)
    cards = service.members.cards(who, member_id)
    may_change = who.may(Permission.CARDS_CHANGE)
    return shell.page(
        request,
        "window/registry_member.html",
        member=service.members.member(who, member_id),
        accounts=service.cards.payment_numbers(who, [card.card_number for card in cards]),
        cards=[(card, steps_of(card) if may_change else ()) for card in reversed(cards)],
        history=service.members.history(who, member_id)[::-1],
        ends_of=_ends_of(shell.words(request)),
        departures=[(one.value, shell.words(request)(f"registry.departure-{one.value}")) for one in Departure],
    )


@router.post("/registry/{member_id}/unmask")
def unmask(request: Request, shell: PageShell, service: Svc, member_id: int, reason: Text = "") -> Response:
    who = principal_of(request)
    shown = service.members.unmask(who, member_id, reason)
    answer = shell.part(request, "window/registry_unmasked.html", person=shown, seconds=_UNMASKED_SECONDS)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/registry/{member_id}/transfer")
def transfer(
    request: Request, shell: PageShell, service: Svc, member_id: int, unit: Text = "", reason: Text = ""
) -> Response:
    service.members.transfer(principal_of(request), member_id, unit, reason)
    return shell.go(request, f"/registry/{member_id}", "registry.done-transfer", unit=unit.strip())


@router.post("/registry/{member_id}/withdraw")
def withdraw(
    request: Request,
    shell: PageShell,
    service: Svc,
    member_id: int,
    reason: Text = "",
    because: Text = Departure.WITHDREW.value,
    left_on: Text = "",
) -> Response:
    service.members.withdraw(principal_of(request), member_id, reason, _departure(because), _left_on(left_on))
    return shell.go(request, f"/registry/{member_id}", "registry.done-withdraw")


@router.post("/registry/{member_id}/cards/{dossier_id}/replace")
def replace(
    request: Request,
    shell: PageShell,
    service: Svc,
    member_id: int,
    dossier_id: int,
    reason: Text = "",
    because: Text = CardState.DAMAGED.value,
) -> Response:
    who = principal_of(request)
    card = _card(service, who, member_id, dossier_id)
    batch = service.cards.replace(who, card.card_number, reason, because=because)
    return shell.go(request, f"/registry/{member_id}", "registry.done-replace", batch=batch.id)


@router.post("/registry/{member_id}/cards/{dossier_id}/{step}")
def step(
    request: Request, shell: PageShell, service: Svc, member_id: int, dossier_id: int, step: str, reason: Text = ""
) -> Response:
    """A step of ``CARD_STEPS``. Raises NotFound for another."""
    who = principal_of(request)
    if step not in CARD_STEPS:
        raise NotFound("there is no such step")
    card = _card(service, who, member_id, dossier_id)
    service.cards.take_step(who, card.card_number, CARD_STEPS[step], reason)
    return shell.go(request, f"/registry/{member_id}", f"registry.done-{step}")


def _ends_of(t: Words) -> dict[str, list[tuple[str, str]]]:
    """Reasons for a replacement, by the card's state: a card that has ended allows only the way it ended."""
    every = [(end.value, t(f"registry.state-{end.value}")) for end in ENDS]
    return {state.value: [every[ENDS.index(state)]] if state in ENDS else every for state in CardState}


def _card(service: ReaderService, who: Principal, member_id: int, dossier_id: int) -> Card:
    """A member's card by dossier id, as card numbers stay out of addresses. Raises NotFound."""
    for card in service.members.cards(who, member_id):
        if card.dossier_id == dossier_id:
            return card
    raise NotFound("this member has no such card")


def _departure(written: str) -> Departure:
    try:
        return Departure(written)
    except ValueError:
        raise Invalid("choose why the member leaves", {"because": ", ".join(Departure)}) from None


def _left_on(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise Invalid("a day is written as 2026-11-22", {"left_on": "2026-11-22"}) from None
