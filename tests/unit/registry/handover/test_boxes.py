"""Boxes: created by unit, filled by ticking off, closed at once, handed over downwards, and signed for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from registry.errors import OWN_WORK, NotOnRecord, RegistryConflict
from registry.handover.filling import distributed
from registry.handover.values import Box, BoxStage, CardPlace, Level
from registry.store import Registry
from registry.values import Card, CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry import registrar
from tests.support.registry.registrar import SetClock, audit_entries, chip, row

DAY = date(2026, 11, 22)


def boxed(registry: Registry, custody: MemoryCustody, *units: tuple[str, int], digest: str = "d1") -> list[Card]:
    """Verified cards of a batch with so many members of each unit."""
    first = 1 + sum(1 for box in registry.batches.all() for _ in range(box.accepted))
    members = [unit for unit, count in units for _ in range(count)]
    rows = [row(number, unit=unit) for number, unit in enumerate(members, start=first)]
    batch_id = registrar.approved(registry, rows, digest)
    registrar.prepare(registry, custody, batch_id)
    return [
        registry.line.verified(registrar.claimed(registry, batch_id, number), {}, 1.0)
        for number in range(first, first + len(members))
    ]


def filled(registry: Registry, box: Box) -> Box:
    for card in registry.boxes.cards(box.id):
        registry.boxes.tick(box.id, card.card_number, "李娜")
    return registry.boxes.box(box.id)


def closed(registry: Registry, custody: MemoryCustody, count: int = 3) -> tuple[Box, list[str]]:
    """A closed box with so many cards."""
    cards = boxed(registry, custody, ("后勤处", count))
    (box,) = registry.boxes.create(cards[0].batch_id, "李娜")
    filled(registry, box)
    registry.boxes.close(box.id, "李娜")
    return registry.boxes.box(box.id), [card.card_number for card in registry.boxes.cards(box.id)]


def sent(registry: Registry, custody: MemoryCustody, count: int = 3) -> tuple[Box, list[str]]:
    box, numbers = closed(registry, custody, count)
    registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "李娜")
    return registry.boxes.box(box.id), numbers


def states(registry: Registry, batch_id: str) -> list[CardState]:
    return [card.state for card in registry.cards.of_batch(batch_id)]


def conflict(refused: pytest.ExceptionInfo[RegistryConflict]) -> str:
    return refused.value.reason


def test_each_unit_gets_its_box_and_a_large_one_several_filled_evenly() -> None:
    cards = [(str(number), 1, unit) for unit, count in ((1, 7), (2, 3), (3, 1)) for number in range(count)]
    assert [[card[2] for card in box] for box in distributed(cards, 3, 0)] == [
        [1, 1, 1], [1, 1], [1, 1], [2, 2, 2], [3]
    ]  # fmt: skip


def test_small_units_share_a_box_behind_dividers_and_are_never_parted() -> None:
    cards = [(str(number), 1, unit) for unit, count in ((1, 2), (2, 5), (3, 2), (4, 2)) for number in range(count)]
    assert [[card[2] for card in box] for box in distributed(cards, 5, 2)] == [[2] * 5, [1, 1, 3, 3], [4, 4]]


def test_a_box_names_its_units_and_counts_its_cards(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 2), ("教务处", 1))
    boxes = registry.boxes.create(cards[0].batch_id, "李娜", together=2)
    assert [(box.id, box.units, box.cards, box.ticked) for box in boxes] == [
        ("X20261122-001", ("后勤处", "教务处"), 3, 0)
    ]
    assert [(card.place, card.unit) for card in registry.boxes.cards("X20261122-001")] == [
        (1, "后勤处"), (2, "后勤处"), (3, "教务处")
    ]  # fmt: skip
    with pytest.raises(RegistryConflict, match="in no box yet"):
        registry.boxes.create(cards[0].batch_id, "李娜")


def test_a_card_is_ticked_off_by_its_number_and_by_its_chip(registry: Registry, custody: MemoryCustody) -> None:
    first, second = boxed(registry, custody, ("后勤处", 2))
    (box,) = registry.boxes.create(first.batch_id, "李娜")
    spaced = f"{first.card_number[:4]} {first.card_number[4:]}-1\n"
    assert registry.boxes.tick(box.id, spaced, "李娜").left == 1
    again = registry.boxes.tick(box.id, first.card_number, "李娜")
    assert (again.again, again.left) == (True, 1)
    by_chip = registry.boxes.tick(box.id, second.chip_serial.lower(), "李娜")
    assert (by_chip.card.card_number, by_chip.again, by_chip.left) == (second.card_number, False, 0)
    assert not registry.boxes.untick(box.id, second.card_number, "李娜").ticked


def test_a_foreign_card_is_refused_with_where_it_belongs(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 1), ("教务处", 1))
    here, there = registry.boxes.create(cards[0].batch_id, "李娜")
    (other,) = registry.boxes.cards(there.id)
    with pytest.raises(RegistryConflict, match=f"belongs into box {there.id}") as refused:
        registry.boxes.tick(here.id, other.card_number, "李娜")
    assert conflict(refused) == "card-other-box"
    (stray,) = boxed(registry, custody, ("工会", 1), digest="d2")
    with pytest.raises(RegistryConflict, match="does not belong") as refused:
        registry.boxes.tick(here.id, stray.card_number, "李娜")
    assert conflict(refused) == "card-foreign"
    with pytest.raises(NotOnRecord, match="put it aside"):
        registry.boxes.tick(here.id, chip(99), "李娜")


def test_a_box_that_lacks_a_card_is_not_closed_and_names_it(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 3))
    (box,) = registry.boxes.create(cards[0].batch_id, "李娜")
    for card in cards[:2]:
        registry.boxes.tick(box.id, card.card_number, "李娜")
    with pytest.raises(RegistryConflict, match=f"{cards[2].card_number}-1 is missing") as refused:
        registry.boxes.close(box.id, "李娜")
    assert refused.value.params["count"] == 1
    assert states(registry, box.batch_id) == [CardState.VERIFIED] * 3
    registry.boxes.leave_out(box.id, [cards[2].card_number], "李娜", "misprinted envelope")
    registry.boxes.close(box.id, "李娜")
    assert states(registry, box.batch_id) == [CardState.PACKED, CardState.PACKED, CardState.VERIFIED]
    assert [one.cards for one in registry.boxes.create(box.batch_id, "李娜")] == [1], "it waits for another box"


def test_a_card_that_ended_meanwhile_leaves_the_box(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 2))
    (box,) = registry.boxes.create(cards[0].batch_id, "李娜")
    registry.boxes.tick(box.id, cards[0].card_number, "李娜")
    registry.cards.change(cards[1].card_number, CardState.DAMAGED, "李娜", "bent")
    with pytest.raises(RegistryConflict, match="is damaged: put it aside"):
        registry.boxes.tick(box.id, cards[1].card_number, "李娜")
    assert registry.boxes.close(box.id, "李娜").cards == 1
    assert states(registry, box.batch_id) == [CardState.PACKED, CardState.DAMAGED]


@pytest.mark.parametrize("stage", [BoxStage.CLOSED, BoxStage.SENT])
def test_a_card_that_is_lost_in_its_box_is_taken_out_and_the_account_is_balanced(
    registry: Registry, custody: MemoryCustody, stage: BoxStage
) -> None:
    box, numbers = closed(registry, custody)
    if stage is BoxStage.SENT:
        registry.boxes.hand_over(box.id, Level.DISTRICT, "赵静", "李娜")
    registry.losses.report(numbers[1], by="李娜", reason="会员来电")
    shown = registry.boxes.box(box.id)
    assert (shown.cards, shown.ended, shown.stage) == (3, 1, stage)
    content = registry.boxes.sheet(box.id, "李娜")
    assert [line.ended for line in content.sections[0].lines] == [False, True, False]
    assert [line.card_number for line in content.sections[0].to_deliver] == [numbers[0], numbers[2]]
    with pytest.raises(RegistryConflict, match=f"{numbers[1]}-1 was lost or withdrawn since") as refused:
        registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "赵静")
    assert conflict(refused) == "box-ended"
    with pytest.raises(RegistryConflict) as refused:
        registry.boxes.leave_out(box.id, [numbers[0]], "李娜", "丢失")
    assert conflict(refused) == "card-not-ended"
    with pytest.raises(RegistryConflict):
        registry.boxes.leave_out(box.id, None, "李娜", " ")
    shown = registry.boxes.leave_out(box.id, None, "李娜", "已挂失")
    assert (shown.cards, shown.ended) == (2, 0)
    places = registry.boxes.places(box.batch_id)
    assert (places[CardPlace.ENDED], sum(places.values())) == (1, 3)
    registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "赵静")
    assert registry.boxes.receipt(box.id, "周敏", DAY, "李娜", signed=2).cards == 2
    assert registry.boxes.box(box.id).stage is BoxStage.RECEIVED
    assert sum(registry.boxes.places(box.batch_id).values()) == 3


def test_a_card_that_is_unlisted_again_goes_into_another_box(registry: Registry, custody: MemoryCustody) -> None:
    box, numbers = closed(registry, custody)
    loss = registry.losses.report(numbers[1], by="李娜", reason="会员来电")
    registry.boxes.leave_out(box.id, [numbers[1]], "李娜", "已挂失")
    for person in ("李娜", "周敏"):
        registry.losses.unlist(loss.number, by=person, reason="是旧卡")
    assert registry.boxes.places(box.batch_id)[CardPlace.PACKED] == 3
    (other,) = registry.boxes.create(box.batch_id, "李娜")
    assert [card.card_number for card in registry.boxes.cards(other.id)] == [numbers[1]]


def test_closing_packs_all_cards_in_one_move_and_undo_opens_the_box(registry: Registry, custody: MemoryCustody) -> None:
    box, numbers = closed(registry, custody)
    assert (box.stage, states(registry, box.batch_id)) == (BoxStage.CLOSED, [CardState.PACKED] * 3)
    event = registry.cards.events(numbers[0])[-1]
    assert (event.event, event.by, event.place) == ("packed", "李娜", box.id)
    (move,) = registry.moves.page(box_id=box.id).items
    assert (move.step, move.cards, move.undoable) == ("close", 3, True)
    undone = registry.moves.undo(move.id, "王芳", "wrong box")
    assert (undone.undone_by, undone.undoable) == ("王芳", False)
    assert (registry.boxes.box(box.id).stage, registry.boxes.box(box.id).ticked) == (BoxStage.OPEN, 3)
    assert states(registry, box.batch_id) == [CardState.VERIFIED] * 3
    with pytest.raises(RegistryConflict, match="undone already"):
        registry.moves.undo(move.id, "王芳")
    registry.boxes.close(box.id, "李娜")
    assert states(registry, box.batch_id) == [CardState.PACKED] * 3


def test_a_hand_over_goes_downwards_to_another_person(registry: Registry, custody: MemoryCustody) -> None:
    box, _ = closed(registry, custody)
    with pytest.raises(RegistryConflict) as refused:
        registry.boxes.hand_over(box.id, Level.DISTRICT, "李 娜", "李娜")
    assert conflict(refused) == OWN_WORK
    registry.boxes.hand_over(box.id, Level.CITY, "陈刚", "李娜")
    registry.boxes.hand_over(box.id, Level.DISTRICT, "赵静", "陈刚")
    for level in (Level.CITY, Level.DISTRICT):
        with pytest.raises(RegistryConflict) as refused:
            registry.boxes.hand_over(box.id, level, "钱七", "赵静")
        assert conflict(refused) == "level-order"
    registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "赵静", reason="by car")
    at_unit = registry.boxes.box(box.id)
    assert (at_unit.stage, at_unit.level, at_unit.recipient) == (BoxStage.SENT, "unit", "周敏")
    steps = [(one.level, one.recipient, one.by, one.cards) for one in registry.moves.page(box_id=box.id).items]
    assert steps[:3] == [("unit", "周敏", "赵静", 3), ("district", "赵静", "陈刚", 3), ("city", "陈刚", "李娜", 3)]
    assert [subject for _, subject, _ in audit_entries(registry, "box.hand-over")] == [f"box:{box.id}"] * 3


def test_hand_overs_are_undone_one_by_one_the_last_first(registry: Registry, custody: MemoryCustody) -> None:
    box, _ = closed(registry, custody)
    first = registry.boxes.hand_over(box.id, Level.DISTRICT, "赵静", "李娜")
    second = registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "李娜")
    with pytest.raises(RegistryConflict, match="took the next step"):
        registry.moves.undo(first.id, "李娜")
    registry.moves.undo(second.id, "李娜")
    assert (registry.boxes.box(box.id).stage, registry.boxes.box(box.id).level) == (BoxStage.SENT, "district")
    registry.moves.undo(first.id, "李娜")
    assert (registry.boxes.box(box.id).stage, registry.boxes.box(box.id).level) == (BoxStage.CLOSED, "")
    assert registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "李娜").level == "unit"


def test_a_receipt_delivers_what_was_signed_and_keeps_the_rest_for_return(
    registry: Registry, custody: MemoryCustody
) -> None:
    box, numbers = sent(registry, custody)
    move = registry.boxes.receipt(box.id, "周敏", DAY, "李娜", unsigned=[numbers[2]], signed=2)
    assert (move.cards, move.unsigned, move.day, move.recipient) == (3, 1, DAY, "周敏")
    assert states(registry, box.batch_id) == [CardState.DELIVERED, CardState.DELIVERED, CardState.PACKED]
    received = registry.boxes.box(box.id)
    assert (received.stage, received.signed, received.unsigned) == (BoxStage.RECEIVED, 2, 1)
    places = registry.boxes.places(box.batch_id)
    assert (places[CardPlace.DELIVERED], places[CardPlace.UNSIGNED], sum(places.values())) == (2, 1, 3)
    returned = registry.moves.return_unsigned(box.id, "李娜", "on sick leave")
    assert (returned.step, returned.cards, returned.reason) == ("return", 1, "on sick leave")
    assert registry.boxes.places(box.batch_id)[CardPlace.STOCK] == 1
    assert [one.cards for one in registry.boxes.create(box.batch_id, "李娜")] == [1]
    with pytest.raises(RegistryConflict, match="took the next step"):
        registry.moves.undo(returned.id, "李娜")


def test_a_receipt_and_a_return_are_undone(registry: Registry, custody: MemoryCustody, clock: SetClock) -> None:
    box, numbers = sent(registry, custody)
    receipt = registry.boxes.receipt(box.id, "周敏", DAY, "李娜", unsigned=[numbers[0]])
    clock.forward(timedelta(days=1))
    returned = registry.moves.return_cards([numbers[0], numbers[1]], "李娜", "moved away")
    assert registry.boxes.box(box.id).cards == 1
    with pytest.raises(RegistryConflict, match="took the next step"):
        registry.moves.undo(receipt.id, "李娜")
    registry.moves.undo(returned.id, "李娜")
    assert states(registry, box.batch_id) == [CardState.PACKED, CardState.DELIVERED, CardState.DELIVERED]
    registry.moves.undo(receipt.id, "李娜")
    assert states(registry, box.batch_id) == [CardState.PACKED] * 3
    assert registry.boxes.box(box.id).stage is BoxStage.SENT
    assert registry.statistics.units(DAY)[0].issued == 0, "a delivery that was undone counts nowhere"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"signed": 3}, "receipt-count"),
        ({"day": DAY + timedelta(days=1)}, "day-future"),
        ({"day": DAY - timedelta(days=1)}, "day-before"),
        ({"recipient": " "}, "recipient"),
        ({"recipient": "李娜"}, OWN_WORK),
        ({"unit": "教务处"}, "box-all-signed"),
    ],
)
def test_a_receipt_that_contradicts_the_box_is_refused(
    registry: Registry, custody: MemoryCustody, given: dict[str, object], reason: str
) -> None:
    box, numbers = sent(registry, custody)
    values: dict[str, object] = {"recipient": "周敏", "day": DAY, "by": "李娜", "unsigned": [numbers[0]]}
    with pytest.raises(RegistryConflict) as refused:
        registry.boxes.receipt(box.id, **(values | given))  # type: ignore[arg-type]
    assert conflict(refused) == reason
    assert states(registry, box.batch_id) == [CardState.PACKED] * 3


def test_units_that_share_a_box_sign_each_for_their_own(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 2), ("教务处", 1))
    (box,) = registry.boxes.create(cards[0].batch_id, "李娜", together=5)
    filled(registry, box)
    registry.boxes.close(box.id, "李娜")
    with pytest.raises(RegistryConflict, match="has to be sent"):
        registry.boxes.receipt(box.id, "周敏", DAY, "李娜")
    registry.boxes.hand_over(box.id, Level.UNIT, "周敏", "李娜")
    assert registry.boxes.receipt(box.id, "周敏", DAY, "李娜", unit="后勤处").cards == 2
    assert registry.boxes.box(box.id).stage is BoxStage.SENT
    with pytest.raises(RegistryConflict) as refused:
        registry.boxes.hand_over(box.id, Level.UNIT, "吴用", "李娜")
    assert conflict(refused) in ("level-order", "box-signed")
    registry.boxes.receipt(box.id, "吴用", DAY, "李娜", unit="教务处")
    assert registry.boxes.box(box.id).stage is BoxStage.RECEIVED


def test_an_open_box_is_given_up_and_its_cards_are_boxed_anew(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 2))
    (box,) = registry.boxes.create(cards[0].batch_id, "李娜")
    assert registry.boxes.discard(box.id, "李娜", "too large").stage is BoxStage.DISCARDED
    assert [one.cards for one in registry.boxes.create(box.batch_id, "李娜", capacity=1)] == [1, 1]
    with pytest.raises(RegistryConflict, match="is discarded"):
        registry.boxes.tick(box.id, cards[0].card_number, "李娜")


def test_a_scan_names_the_box_of_a_card(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 1), ("教务处", 1))
    for box in registry.boxes.create(cards[0].batch_id, "李娜"):
        (card,) = registry.boxes.cards(box.id)
        assert registry.boxes.of_scan(card.card_number) == registry.boxes.of_scan(box.id.lower()) == box.id
    with pytest.raises(NotOnRecord, match="there is no box"):
        registry.boxes.of_scan("X20261122-099")


def test_the_delivery_list_has_names_in_clear_and_its_printing_is_audited(
    registry: Registry, custody: MemoryCustody
) -> None:
    cards = boxed(registry, custody, ("后勤处", 1), ("教务处", 2))
    registry.boxes.create(cards[0].batch_id, "李娜")
    sheet = registry.boxes.sheet("X20261122-002", "李娜")
    assert (sheet.number, sheet.boxes, sheet.day) == (2, 2, DAY)
    ((section,), (first, _)) = sheet.sections, sheet.sections[0].lines
    assert (section.unit, first.place, first.name, first.card_number) == ("教务处", 1, "欧阳002", cards[1].card_number)
    assert first.name not in repr(sheet)
    assert audit_entries(registry, "box.sheet") == [("李娜", "box:X20261122-002", "")]


def test_boxes_come_in_pages_and_by_stage(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 3))
    ids = [box.id for box in registry.boxes.create(cards[0].batch_id, "李娜", capacity=1)]
    registry.boxes.discard(ids[0], "李娜", "x")
    first = registry.boxes.page(limit=2)
    assert [box.id for box in first.items] == ids[:0:-1]
    assert [box.id for box in registry.boxes.page(first.next, 2).items] == ids[:1]
    assert [box.id for box in registry.boxes.page(stage="open", unit_part="后勤").items] == ids[:0:-1]
    assert registry.boxes.page(unit_part="教务").items == ()


@pytest.mark.parametrize("written", ["li.na", "李娜", " 李 娜", "L1.na"])
def test_nobody_hands_over_to_themselves_by_another_of_their_names(
    registry: Registry, custody: MemoryCustody, written: str
) -> None:
    registry.users.first("li.na", "李娜", "hash", ["registrar"])
    closed_box, _ = closed(registry, custody)
    with pytest.raises(RegistryConflict) as refused:
        registry.boxes.hand_over(closed_box.id, Level.UNIT, written, "li.na")
    assert conflict(refused) == OWN_WORK
    registry.boxes.hand_over(closed_box.id, Level.UNIT, "周敏", "li.na")
    with pytest.raises(RegistryConflict) as refused:
        registry.boxes.receipt(closed_box.id, written, DAY, "li.na")
    assert conflict(refused) == OWN_WORK


def test_what_is_missing_is_what_nobody_has_ticked_off_by_then(registry: Registry, custody: MemoryCustody) -> None:
    cards = boxed(registry, custody, ("后勤处", 3))
    (box,) = registry.boxes.create(cards[0].batch_id, "李娜")
    registry.boxes.tick(box.id, cards[0].card_number, "李娜")
    registry.boxes.tick(box.id, cards[2].card_number, "周敏")
    assert registry.boxes.leave_out(box.id, None, "李娜", "not printed yet").cards == 2
    assert [card.card_number for card in registry.boxes.cards(box.id)] == [cards[0].card_number, cards[2].card_number]
