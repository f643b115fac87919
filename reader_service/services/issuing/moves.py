"""Steps of many cards at once, cards that come back into stock, and the undoing of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.window.cards import CardStep
from registry.db.paging import Page
from registry.handover.values import Move


class MoveService:
    """Every change raises Invalid without a reason, NotFound for a scan that is no card, and Conflict where a card's
    state forbids it; then nothing is changed. ``on_hotlist`` is called when cards enter or leave the hotlist."""

    def __init__(self, parts: ServiceParts, *, on_hotlist: Callable[[], None] = lambda: None) -> None:
        self._registry = parts.registry
        self._on_hotlist = on_hotlist

    def page(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, box_id: str | None = None
    ) -> Page[Move]:
        """All moves, or those of a box, newest first. Raises WrongCursor."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.moves.page(cursor, limit, box_id=box_id)

    def move(self, p: Principal, move_id: int) -> Move:
        """Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.moves.move(move_id)

    def cards_of(self, p: Principal, move_id: int) -> list[tuple[str, int]]:
        """Numbers and sequences of the cards of a move. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.moves.cards_of(move_id)

    def take(self, p: Principal, step: CardStep, cards: Sequence[str], reason: str) -> Move:
        """Take a step of CARD_STEPS with many cards, named by number or chip serial."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            move = self._registry.moves.take(step.name, step.to, cards, p.name, why, only_from=step.only_from)
        self._on_hotlist()
        return move

    def return_cards(self, p: Principal, cards: Sequence[str], reason: str) -> Move:
        """Take cards back into stock."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.moves.return_cards(cards, p.name, why)

    def undo(self, p: Principal, move_id: int, reason: str) -> Move:
        """Take a move back, unless one of its cards or its box went on."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            move = self._registry.moves.undo(move_id, p.name, why)
        self._on_hotlist()
        return move
