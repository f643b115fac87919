"""States of verified cards and the hotlist that follows from them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.errors import RegistryConflict
from registry.store import Registry
from registry.values import Card, CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, approved, claimed, ready, rows


@pytest.fixture
def card(registry: Registry, custody: MemoryCustody) -> Card:
    return registry.line.verified(claimed(registry, ready(registry, custody, 1), 1), {}, 1.0)


def test_a_card_goes_its_way_and_each_change_is_an_event(registry: Registry, clock: SetClock, card: Card) -> None:
    way = ["packed", "delivered", "active", "suspended", "active", "lost", "replaced"]
    for state in way:
        clock.forward(timedelta(days=1))
        moved = registry.cards.change(card.card_number, state, "前台", f"to {state}", place="网点 7")
        assert moved.state == state
    events = registry.cards.events(card.card_number)
    assert [event.event for event in events] == ["verified", *way]
    assert (events[1].by, events[1].place, events[1].reason) == ("前台", "网点 7", "to packed")
    assert events[-1].at - events[0].at == timedelta(days=len(way))


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        ((), "active"),
        ((), "suspended"),
        (("packed",), "packed"),
        (("lost",), "active"),
        (("lost",), "packed"),
        (("damaged", "replaced"), "active"),
        ((), "verified"),
    ],
)
def test_a_card_does_not_jump(registry: Registry, card: Card, way: tuple[str, ...], wrong: str) -> None:
    for state in way:
        registry.cards.change(card.card_number, state, "前台", "")
    with pytest.raises(RegistryConflict, match=f"not {wrong}"):
        registry.cards.change(card.card_number, wrong, "前台", "")
    assert len(registry.cards.events(card.card_number)) == 1 + len(way)


def test_a_state_nobody_knows_is_a_value_error(registry: Registry, card: Card) -> None:
    with pytest.raises(ValueError, match="eaten"):
        registry.cards.change(card.card_number, "eaten", "前台", "")


@pytest.mark.parametrize("state", ["lost", "damaged", "withdrawn"])
def test_an_ended_card_stays_on_the_hotlist(registry: Registry, clock: SetClock, card: Card, state: str) -> None:
    registry.cards.change(card.card_number, state, "前台", "")
    assert registry.hotlist.entries() == [(card.card_number, 1, state, clock())]
    registry.cards.change(card.card_number, "replaced", "前台", "")
    assert [entry.reason for entry in registry.hotlist.entries()] == [state]


def test_a_suspended_card_leaves_the_hotlist_when_it_is_active_again(registry: Registry, card: Card) -> None:
    for state in ("packed", "delivered", "active", "suspended"):
        registry.cards.change(card.card_number, state, "前台", "")
    assert [entry.reason for entry in registry.hotlist.entries()] == ["suspended"]
    registry.cards.change(card.card_number, "active", "前台", "")
    assert registry.hotlist.entries() == []
    registry.cards.change(card.card_number, "suspended", "前台", "")
    registry.cards.change(card.card_number, "lost", "前台", "")
    assert [entry.reason for entry in registry.hotlist.entries()] == ["lost"]


def test_an_expired_card_needs_no_hotlist(registry: Registry, card: Card) -> None:
    registry.cards.change(card.card_number, "expired", "前台", "")
    assert registry.hotlist.entries() == []


def test_a_card_that_was_ended_before_its_day_is_listed_once_there_is_another(registry: Registry, card: Card) -> None:
    """It says itself that it is good, and its successor does too."""
    registry.cards.replace(card.card_number, by="前台", reason="到期换卡", because="expired")
    assert [(entry.sequence, entry.reason) for entry in registry.hotlist.entries()] == [(1, "replaced")]


def test_a_member_with_a_living_card_is_in_no_new_roster(registry: Registry, card: Card) -> None:
    with pytest.raises(RegistryConflict, match="has a card"):
        approved(registry, rows(1), "d2")
    registry.cards.change(card.card_number, CardState.LOST, "前台", "")
    assert registry.dossiers.to_prepare(approved(registry, rows(1), "d2"))[0].card_number is None
