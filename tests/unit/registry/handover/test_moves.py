"""Steps of many cards at once, all or none, and undone until one of them goes on."""

from __future__ import annotations

import pytest

from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import audit_entries, carded


@pytest.fixture
def numbers(registry: Registry, custody: MemoryCustody) -> list[str]:
    return [card.card_number for card in carded(registry, custody, 3)]


def states(registry: Registry, numbers: list[str]) -> list[str]:
    return [registry.cards.card(number).state.value for number in numbers]


def test_many_cards_take_a_step_in_one_transaction(registry: Registry, numbers: list[str]) -> None:
    move = registry.moves.take("pack", CardState.PACKED, numbers, "李娜", "ready")
    assert (move.step, move.cards, move.by, move.reason) == ("pack", 3, "李娜", "ready")
    assert states(registry, numbers) == ["packed"] * 3
    assert registry.moves.cards_of(move.id) == [(number, 1) for number in numbers]
    assert audit_entries(registry, "move.take") == [("李娜", f"move:{move.id}", "ready")]


def test_one_card_that_cannot_keeps_all_where_they_are_and_is_named(registry: Registry, numbers: list[str]) -> None:
    registry.cards.change(numbers[1], CardState.LOST, "李娜", "")
    with pytest.raises(RegistryConflict, match=f"{numbers[1]}-1, the first of which is lost") as refused:
        registry.moves.take("pack", CardState.PACKED, numbers, "李娜", "ready")
    assert refused.value.reason == "cards-state"
    assert states(registry, numbers) == ["verified", "lost", "verified"]
    with pytest.raises(NotOnRecord):
        registry.moves.take("pack", CardState.PACKED, [numbers[0], "6212269999999999999"], "李娜", "ready")
    with pytest.raises(RegistryConflict, match="name 1 to"):
        registry.moves.take("pack", CardState.PACKED, [" "], "李娜", "ready")


def test_a_card_named_twice_takes_one_step(registry: Registry, numbers: list[str]) -> None:
    assert registry.moves.take("pack", CardState.PACKED, [numbers[0], f"{numbers[0]}-1"], "李娜", "").cards == 1


def test_a_move_is_undone_until_one_of_its_cards_goes_on(registry: Registry, numbers: list[str]) -> None:
    packed = registry.moves.take("pack", CardState.PACKED, numbers, "李娜", "")
    delivered = registry.moves.take("deliver", CardState.DELIVERED, numbers[:1], "李娜", "")
    with pytest.raises(RegistryConflict, match="took the next step"):
        registry.moves.undo(packed.id, "李娜")
    registry.moves.undo(delivered.id, "李娜")
    registry.moves.undo(packed.id, "李娜")
    assert states(registry, numbers) == ["verified"] * 3
    assert [move.undoable for move in registry.moves.page().items] == [False, False]


def test_a_step_of_a_single_card_is_a_next_step_too(registry: Registry, numbers: list[str]) -> None:
    packed = registry.moves.take("pack", CardState.PACKED, numbers, "李娜", "")
    registry.cards.change(numbers[2], CardState.DELIVERED, "李娜", "by hand")
    with pytest.raises(RegistryConflict, match="took the next step"):
        registry.moves.undo(packed.id, "李娜")


def test_what_ends_a_card_is_final(registry: Registry, numbers: list[str]) -> None:
    lost = registry.moves.take("loss", CardState.LOST, numbers, "李娜", "parcel stolen")
    assert len(registry.hotlist.entries()) == 3
    with pytest.raises(RegistryConflict, match="final"):
        registry.moves.undo(lost.id, "李娜")


def test_undoing_a_suspension_lifts_the_cards_from_the_hotlist(registry: Registry, numbers: list[str]) -> None:
    for step, state in (("pack", "packed"), ("deliver", "delivered"), ("activate", "active")):
        registry.moves.take(step, CardState(state), numbers, "李娜", "")
    suspended = registry.moves.take("suspend", CardState.SUSPENDED, numbers, "李娜", "")
    assert len(registry.hotlist.entries()) == 3
    registry.moves.undo(suspended.id, "李娜")
    assert (registry.hotlist.entries(), states(registry, numbers)) == ([], ["active"] * 3)


@pytest.mark.parametrize("way", [(), ("packed", "delivered", "active"), ("lost",)])
def test_only_cards_that_left_stock_and_are_not_in_use_come_back(
    registry: Registry, numbers: list[str], way: tuple[str, ...]
) -> None:
    for state in way:
        registry.cards.change(numbers[0], state, "李娜", "")
    with pytest.raises(RegistryConflict, match="return is not possible"):
        registry.moves.return_cards(numbers[:1], "李娜", "unsigned")


def test_a_return_needs_a_reason(registry: Registry, numbers: list[str]) -> None:
    registry.cards.change(numbers[0], CardState.PACKED, "李娜", "")
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.moves.return_cards(numbers[:1], "李娜", "  ")
    registry.moves.return_cards(numbers[:1], "李娜", "unsigned")
    history = registry.members.history(registry.cards.card(numbers[0]).member_id)
    assert [(event.event, event.reason) for event in history][-2:] == [("packed", ""), ("in-stock", "unsigned")]


def test_moves_come_in_pages(registry: Registry, numbers: list[str]) -> None:
    ids = [registry.moves.take("pack", CardState.PACKED, [number], "李娜", "").id for number in numbers]
    first = registry.moves.page(limit=2)
    assert [move.id for move in first.items] == ids[:0:-1]
    assert [move.id for move in registry.moves.page(first.next).items] == ids[:1]
    with pytest.raises(NotOnRecord):
        registry.moves.move(99)


def test_a_reason_of_a_step_is_stored_without_the_names_of_its_members(registry: Registry, numbers: list[str]) -> None:
    name = registry.members.unmask(registry.cards.card(numbers[1]).member_id, by="李娜", reason="test").name
    masked = f"{name[0]}{'*' * (len(name) - 1)}"
    packed = registry.moves.take("pack", CardState.PACKED, numbers, "李娜", f"{name}代领")
    undone = registry.moves.undo(packed.id, "李娜", f"{name}未到")
    registry.moves.take("pack", CardState.PACKED, numbers, "李娜", "")
    back = registry.moves.return_cards(numbers, "李娜", f"{name}退回")
    assert (packed.reason, back.reason) == (f"{masked}代领", f"{masked}退回")
    assert undone.undone_by == "李娜"
    stored = [event.reason for number in numbers for event in registry.cards.events(number)]
    stored += [reason for _, _, reason in audit_entries(registry, "move.take") + audit_entries(registry, "move.undo")]
    assert f"{masked}未到" in stored
    assert not [reason for reason in stored if name in reason]
