"""Cards: the life of each after it was proven, always with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from reader_service.errors import Conflict, Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.db.paging import Page
from registry.line.cards import ENDS, next_states
from registry.values import Batch, Card, CardEvent, CardState

STEPS: Final = {
    "pack": CardState.PACKED,
    "deliver": CardState.DELIVERED,
    "activate": CardState.ACTIVE,
    "suspend": CardState.SUSPENDED,
    "unlock": CardState.ACTIVE,
    "loss": CardState.LOST,
    "withdraw": CardState.WITHDRAWN,
}
"""What is done to a card, and what it is then."""
_ONLY_FROM: Final = {"activate": CardState.DELIVERED, "unlock": CardState.SUSPENDED}


def steps_from(state: CardState) -> tuple[str, ...]:
    """The names of what may be done to a card in that state, ``replace`` among them."""
    coming = next_states(state)
    found = [step for step, to in STEPS.items() if to in coming and _ONLY_FROM.get(step, state) is state]
    return (*found, "replace") if state is not CardState.REPLACED else ()


class CardService:
    """Every change raises Invalid without a reason, NotFound, or Conflict where the card's state forbids it.
    ``on_hotlist`` is called when a card goes on the hotlist or off it, so that counters of this service know at once.
    """

    def __init__(self, parts: ServiceParts, bus: EventBus, *, on_hotlist: Callable[[], None] = lambda: None) -> None:
        self._registry = parts.registry
        self._bus = bus
        self._on_hotlist = on_hotlist

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        state: CardState | None = None,
        batch_id: str | None = None,
    ) -> Page[Card]:
        """Proven cards, newest first."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.members.cards(cursor, limit, unit=unit, state=state, batch_id=batch_id)

    def card(self, p: Principal, number: str) -> Card:
        """The card of the highest sequence. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.card(number)

    def payment_numbers(self, p: Principal, numbers: Sequence[str]) -> dict[str, str]:
        """The account numbers (PAN) of the bank's application on these cards, masked: first six and last four digits.
        Cards that have none are not in it."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            found = self._registry.pans_of(numbers)
        return {card: f"{pan[:6]}{'*' * (len(pan) - 10)}{pan[-4:]}" for card, pan in found.items()}

    def history(self, p: Principal, number: str) -> list[CardEvent]:
        """What happened to the cards of that number, oldest first. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            self._registry.card(number)
            return self._registry.events(number)

    def allowed(self, p: Principal, number: str) -> tuple[str, ...]:
        """The names of the changes below that this card's state allows now, for buttons. Raises NotFound."""
        return steps_from(self.card(p, number).state)

    def pack(self, p: Principal, number: str, reason: str) -> Card:
        return self._step(p, number, "pack", reason)

    def deliver(self, p: Principal, number: str, reason: str) -> Card:
        return self._step(p, number, "deliver", reason)

    def activate(self, p: Principal, number: str, reason: str) -> Card:
        """The member has it: a delivered card begins to count."""
        return self._step(p, number, "activate", reason)

    def suspend(self, p: Principal, number: str, reason: str) -> Card:
        """Not good for the time being."""
        return self._step(p, number, "suspend", reason)

    def unlock(self, p: Principal, number: str, reason: str) -> Card:
        """A suspended card is good again."""
        return self._step(p, number, "unlock", reason)

    def loss(self, p: Principal, number: str, reason: str) -> Card:
        """Lost for good; ``replace`` makes another."""
        return self._step(p, number, "loss", reason)

    def withdraw(self, p: Principal, number: str, reason: str) -> Card:
        return self._step(p, number, "withdraw", reason)

    def replace(self, p: Principal, number: str, reason: str, *, because: str = "damaged") -> Batch:
        """Ends the card, if nothing else did; gives a draft batch for its successor, which a second person approves.
        ``because``: damaged, lost, expired or withdrawn."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        if because not in ENDS:
            raise Invalid("say how the card ends", {"because": ", ".join(ENDS)})
        with translate_registry_errors():
            batch = self._registry.members.replace(number, by=p.name, reason=why, because=because)
        self._on_hotlist()
        self._bus.publish("batch.changed", batch.id, {"state": batch.state.value, "review": None})
        return batch

    def _step(self, p: Principal, number: str, step: str, reason: str) -> Card:
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            state = self._registry.card(number).state
            if step not in steps_from(state):
                sentence = f"a card that is {state} cannot take the step {step}"
                raise Conflict(sentence, reason="card-state", card=number)
            only_from = _ONLY_FROM.get(step)
            moved = self._registry.card_event(number, STEPS[step], p.name, why, only_from=only_from)
        self._on_hotlist()
        return moved
