"""Cards: the steps of their life after the verification, each with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reader_service.errors import Conflict, Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.db.paging import Page
from registry.members.cards import ENDS, needs_activation, next_states
from registry.values import Batch, Card, CardEvent, CardState
from terminal.emv.data.masking import masked_pan


@dataclass(frozen=True, slots=True)
class CardStep:
    """A change of a card's state. ``name`` is its place in addresses, operation ids and the pages' texts; ``to`` the
    state after it; ``only_from`` the one state that it starts from, None for every state that may become ``to``.
    ``summary`` and ``description`` are the API's texts."""

    name: str
    to: CardState
    summary: str
    description: str = "The change needs a reason, which is kept in the audit."
    only_from: CardState | None = None

    def starts_from(self, state: CardState) -> bool:
        return self.to in next_states(state) and self.only_from in (None, state)


CARD_STEPS: Final = {
    step.name: step
    for step in (
        CardStep("pack", CardState.PACKED, "Mark a verified card as packed"),
        CardStep("deliver", CardState.DELIVERED, "Mark a packed card as delivered to its unit"),
        CardStep(
            "activate",
            CardState.ACTIVE,
            "Activate a delivered card",
            "The member has received the card, and counters accept it.",
            only_from=CardState.DELIVERED,
        ),
        CardStep(
            "suspend",
            CardState.SUSPENDED,
            "Suspend a card",
            "The card is on the hotlist until it is unlocked.",
        ),
        CardStep(
            "unlock",
            CardState.ACTIVE,
            "Unlock a suspended card",
            "The card leaves the hotlist and is active again.",
            only_from=CardState.SUSPENDED,
        ),
        CardStep(
            "loss",
            CardState.LOST,
            "Report a card as lost",
            "The card goes on the hotlist. `POST /losses` does this and orders the replacement; `POST "
            "/losses/{number}/unlist` undoes it.",
        ),
        CardStep("withdraw", CardState.WITHDRAWN, "Withdraw a card", "This is final: the card goes on the hotlist."),
    )
}
"""The steps of a card's life after its verification, by name. The service, the API and the pages work from this table;
a replacement is apart, as it also makes a batch."""


def steps_from(state: CardState) -> tuple[str, ...]:
    """Names of the steps that a card in this state can take, ``replace`` among them."""
    steps = [step.name for step in CARD_STEPS.values() if step.starts_from(state)]
    return (*steps, "replace") if state is not CardState.REPLACED else ()


def steps_of(card: Card) -> tuple[str, ...]:
    """As ``steps_from``, for this card: one that is activated on its chip is not activated by hand."""
    by_chip = card.state is CardState.DELIVERED and needs_activation(card.result)
    return tuple(step for step in steps_from(card.state) if not (by_chip and step == "activate"))


class CardService:
    """Every change raises Invalid without a reason, NotFound, or Conflict where the card's state forbids it.
    ``on_hotlist`` is called when a card enters or leaves the hotlist, so that this service's counters know at once."""

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
        unit_part: str | None = None,
        state: CardState | None = None,
        batch_id: str | None = None,
    ) -> Page[Card]:
        """Verified cards, newest first."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.cards.page(
                cursor, limit, unit=unit, unit_part=unit_part, state=state, batch_id=batch_id
            )

    def card(self, p: Principal, number: str) -> Card:
        """The card of the highest sequence. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.cards.card(number)

    def payment_numbers(self, p: Principal, numbers: Sequence[str]) -> dict[str, str]:
        """The account numbers (PAN) of the bank application on these cards, masked to the first six and last four
        digits. Cards without one are left out."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            numbers_by_card = self._registry.pans.of_cards(numbers)
        return {card: masked_pan(pan) for card, pan in numbers_by_card.items()}

    def history(self, p: Principal, number: str) -> list[CardEvent]:
        """The events of the cards of that number, oldest first. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            self._registry.cards.card(number)
            return self._registry.cards.events(number)

    def allowed(self, p: Principal, number: str) -> tuple[str, ...]:
        """Names of the steps that this card can take now. Raises NotFound."""
        return steps_of(self.card(p, number))

    def take_step(self, p: Principal, number: str, step: CardStep, reason: str) -> Card:
        """Take a step of CARD_STEPS."""
        p.need(Permission.CARDS_CHANGE)
        checked = needs_reason(reason)
        with translate_registry_errors():
            state = self._registry.cards.card(number).state
            if not step.starts_from(state):
                sentence = f"a card that is {state} cannot take the step {step.name}"
                raise Conflict(sentence, reason="card-state", card=number)
            card = self._registry.cards.change(number, step.to, p.name, checked, only_from=step.only_from)
        self._on_hotlist()
        return card

    def replace(self, p: Principal, number: str, reason: str, *, because: str = "damaged") -> Batch:
        """End the card, unless it has ended, and give a draft batch for its successor, which a second person approves.
        ``because``: damaged, lost, expired or withdrawn."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        if because not in ENDS:
            raise Invalid("say how the card ends", {"because": ", ".join(ENDS)})
        with translate_registry_errors():
            batch = self._registry.cards.replace(number, by=p.name, reason=why, because=because)
        self._on_hotlist()
        self._bus.publish("batch.changed", batch.id, {"state": batch.state.value, "review": None})
        return batch
