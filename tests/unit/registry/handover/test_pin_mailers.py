"""PIN letters on record: begun once before their PIN is opened, by two people, confirmed or settled by two people."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from registry.errors import NotOnRecord, RegistryConflict
from registry.handover.mailers import MailerState, MailerTarget, PinKind
from registry.store import Registry
from registry.values import Card, CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, audit_entries, carded, claimed, ready

BATCH = "B20261122-001"
MEMBER = PinKind.MEMBER


@pytest.fixture
def cards(registry: Registry, custody: MemoryCustody) -> list[Card]:
    return carded(registry, custody, 3)


def begin(registry: Registry, *cards: Card, by: str = "李娜", second: str = "王芳") -> list[MailerTarget]:
    wanted = [(card.card_number, card.sequence, MEMBER) for card in cards]
    return registry.pin_mailers.begin(BATCH, wanted, by=by, second=second, printer="lp:letters")


def states(registry: Registry) -> list[MailerState]:
    return [letter.state for letter in registry.pin_mailers.of_batch(BATCH)]


def test_a_letter_is_begun_once(registry: Registry, cards: list[Card]) -> None:
    first = begin(registry, cards[1], cards[0])
    assert [(one.card_number, one.name) for one in first] == [
        (cards[1].card_number, "欧阳002"),
        (cards[0].card_number, "欧阳001"),
    ]
    assert [one.card_number for one in begin(registry, *cards)] == [cards[2].card_number]
    assert begin(registry, *cards) == []
    assert "欧阳" not in repr(first), "names do not print themselves"
    assert next((actor, subject) for actor, subject, _ in audit_entries(registry, "mailers.begin")) == (
        "李娜",
        f"batch:{BATCH}",
    )


def test_cards_are_due_by_unit_box_and_line_until_their_letter_is_begun(registry: Registry, cards: list[Card]) -> None:
    (box,) = registry.boxes.create(BATCH, "李娜")
    begin(registry, cards[1])
    due = registry.pin_mailers.due(BATCH)
    assert [(one.card_number, one.letters) for one in due] == [
        (cards[0].card_number, frozenset()),
        (cards[1].card_number, frozenset({MEMBER})),
        (cards[2].card_number, frozenset()),
    ]
    assert [one.card_number for one in registry.pin_mailers.due(BATCH, card_numbers=[cards[2].card_number])] == [
        cards[2].card_number
    ]
    assert registry.pin_mailers.due(BATCH, unit="another") == []
    assert [(one.box_id, one.place) for one in begin(registry, cards[2])] == [(box.id, 3)]
    with pytest.raises(NotOnRecord):
        registry.pin_mailers.due("B20261122-009")


@pytest.mark.parametrize(("by", "second"), [("李娜", "李娜"), ("li.na", "LI.NA"), ("李娜", ""), ("", "李娜")])
def test_one_person_begins_no_letter(registry: Registry, cards: list[Card], by: str, second: str) -> None:
    with pytest.raises(RegistryConflict, match="two different people"):
        begin(registry, *cards, by=by, second=second)
    assert states(registry) == []


def test_a_card_that_ended_has_no_letter(registry: Registry, cards: list[Card]) -> None:
    registry.cards.change(cards[0].card_number, CardState.LOST, "李娜", "lost")
    assert [one.card_number for one in begin(registry, *cards)] == [cards[1].card_number, cards[2].card_number]


def test_what_was_not_confirmed_stays_unknown(registry: Registry, cards: list[Card]) -> None:
    letters = begin(registry, *cards)
    registry.pin_mailers.printed(BATCH, [letters[0].id, letters[2].id], by="李娜")
    assert states(registry) == [MailerState.PRINTED, MailerState.UNKNOWN, MailerState.PRINTED]
    with pytest.raises(RegistryConflict, match="settled by others"):
        registry.pin_mailers.printed(BATCH, [letters[1].id, letters[0].id], by="李娜")
    assert states(registry)[1] is MailerState.UNKNOWN, "all or none"


def test_an_unknown_letter_ends_with_a_new_card_by_two_people(registry: Registry, cards: list[Card]) -> None:
    (letter,) = begin(registry, cards[0])
    number = letter.card_number
    with pytest.raises(RegistryConflict, match="two different people"):
        registry.pin_mailers.spoil(number, MEMBER, by="李娜", second="李娜", reason="torn")
    settled, draft = registry.pin_mailers.spoil(number, MEMBER, by="李娜", second="王芳", reason="欧阳001 的信已销毁")
    assert (settled.state, settled.spoilt_by, settled.spoilt_second) == (MailerState.SPOILT, "李娜", "王芳")
    assert "欧阳001" not in settled.reason
    assert registry.cards.card(number).state is CardState.REPLACED
    assert number in {entry.card_number for entry in registry.hotlist.entries()}
    registry.batches.approve(draft, "审核员")
    assert [(one.card_number, one.sequence) for one in registry.dossiers.to_prepare(draft)] == [(number, 2)]
    with pytest.raises(RegistryConflict, match="settled already"):
        registry.pin_mailers.spoil(number, MEMBER, by="李娜", second="王芳", reason="again")
    with pytest.raises(RegistryConflict, match="settled by others"):
        registry.pin_mailers.printed(BATCH, [letter.id], by="李娜")


def test_a_printed_letter_that_was_ruined_is_settled_and_its_card_may_stay(
    registry: Registry, cards: list[Card]
) -> None:
    (letter,) = begin(registry, cards[0])
    registry.pin_mailers.printed(BATCH, [letter.id], by="李娜")
    settled, draft = registry.pin_mailers.spoil(
        letter.card_number, MEMBER, by="李娜", second="王芳", reason="paper jam", new_card=False
    )
    assert (settled.state, draft) == (MailerState.SPOILT, "")
    assert registry.cards.card(letter.card_number).state is CardState.VERIFIED
    assert begin(registry, cards[0]) == [], "and is never printed again"
    with pytest.raises(NotOnRecord, match="was ever begun"):
        registry.pin_mailers.spoil(cards[1].card_number, MEMBER, by="李娜", second="王芳", reason="none")


def test_a_batch_closes_when_its_letters_are_finished(registry: Registry, cards: list[Card]) -> None:
    letters = begin(registry, *cards[:2])
    with pytest.raises(RegistryConflict, match="2 PIN letters of which nobody knows"):
        registry.batches.close(BATCH, "李娜", "王芳")
    registry.pin_mailers.printed(BATCH, [letters[0].id], by="李娜")
    registry.pin_mailers.spoil(letters[1].card_number, MEMBER, by="李娜", second="王芳", reason="torn")
    with pytest.raises(RegistryConflict, match="lacks 1 PIN letters"):
        registry.batches.close(BATCH, "李娜", "王芳")
    registry.pin_mailers.printed(BATCH, [one.id for one in begin(registry, cards[2])], by="李娜")
    registry.batches.close(BATCH, "李娜", "王芳")
    with pytest.raises(RegistryConflict, match="PINs of its cards are destroyed"):
        begin(registry, cards[0])
    with pytest.raises(RegistryConflict, match="PINs of its cards are destroyed"):
        registry.pin_mailers.due(BATCH)


def test_a_batch_without_letters_closes_as_before(registry: Registry, cards: list[Card]) -> None:
    assert len(cards) == 3
    assert registry.batches.close(BATCH, "李娜", "王芳").closed_at is not None


def test_two_that_begin_at_once_share_the_letters(registry: Registry, cards: list[Card]) -> None:
    barrier, begun = threading.Barrier(2), list[list[MailerTarget]]()

    def start(person: str) -> None:
        barrier.wait()
        begun.append(begin(registry, *cards, by=person))

    threads = [threading.Thread(target=start, args=(person,)) for person in ("李娜", "赵静")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.card_number for part in begun for one in part) == sorted(card.card_number for card in cards)


_ROW = 'INSERT INTO pin_mailers (card_number, sequence, kind, begun_at, "by", second, printer) SELECT '
FORBIDDEN = {
    "a letter twice": _ROW + "card_number, sequence, kind, begun_at, 'a', 'b', 'c' FROM pin_mailers WHERE id = 1",
    "one person as both": _ROW + "card_number, sequence, 'payment', begun_at, 'a', 'a', 'c' FROM pin_mailers",
    "another kind": _ROW + "card_number, sequence, 'bank', begun_at, 'a', 'b', 'c' FROM pin_mailers",
    "a card that is none": _ROW + "'1', 1, kind, begun_at, 'a', 'b', 'c' FROM pin_mailers WHERE id = 1",
    "a letter forgotten": "DELETE FROM pin_mailers",
    "another card": "UPDATE pin_mailers SET sequence = 2",
    "another person": "UPDATE pin_mailers SET second = 'd'",
    "a letter unprinted": "UPDATE pin_mailers SET printed_at = NULL WHERE id = 1",
    "printed at another time": "UPDATE pin_mailers SET printed_at = '2020-01-01 00:00:00' WHERE id = 1",
    "spoilt by one person": (
        "UPDATE pin_mailers SET spoilt_at = begun_at, spoilt_by = 'a', spoilt_second = 'a', reason = 'r' WHERE id = 2"
    ),
    "spoilt by nobody": "UPDATE pin_mailers SET spoilt_at = begun_at WHERE id = 2",
    "a settled letter printed": "UPDATE pin_mailers SET printed_at = begun_at WHERE id = 3",
    "a settled letter unsettled": (
        "UPDATE pin_mailers SET spoilt_at = NULL, spoilt_by = NULL, spoilt_second = NULL, reason = NULL WHERE id = 3"
    ),
}


def test_the_database_refuses(registry: Registry, cards: list[Card], clock: SetClock) -> None:
    letters = begin(registry, *cards)
    clock.forward(timedelta(minutes=1))
    registry.pin_mailers.printed(BATCH, [letters[0].id], by="李娜")
    registry.pin_mailers.spoil(letters[2].card_number, MEMBER, by="李娜", second="王芳", reason="torn", new_card=False)

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict as error:
            return "contradicts" in str(error)
        return False

    assert [what for what, statement in FORBIDDEN.items() if not refused(statement)] == []
    assert states(registry) == [MailerState.PRINTED, MailerState.UNKNOWN, MailerState.SPOILT]


def test_no_letter_is_begun_for_a_card_that_no_chip_has(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 2)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    waiting = registry.dossiers.waiting_cards(batch)
    assert registry.pin_mailers.begin(batch, [(waiting[0], 1, MEMBER)], by="李娜", second="王芳", printer="-") == []
