"""Members after their registration: found by blind indexes, masked, unmasked for a reason, moved, replaced, gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from registry.admin.audit import AuditFilter
from registry.batches.reviews import ChangeKind
from registry.db.database import Database
from registry.db.paging import BadCursor, write_cursor
from registry.db.tables import roster_rows
from registry.errors import NotOnRecord, RegistryConflict
from registry.migrations import migrate
from registry.person import Person
from registry.store import Registry
from registry.values import Card, CardState, RejectedRow
from terminal.keys.memory import MemoryCustody
from terminal.member.values import Sex
from tests.support.registry.registrar import UNIT, SetClock, chip, claimed, prepare, ready, row, rows

OTHER = "唐山市总工会"


def carded(registry: Registry, custody: MemoryCustody, count: int = 1) -> list[Card]:
    batch = ready(registry, custody, count)
    return [registry.line.verified(claimed(registry, batch, number), {}, 1.0) for number in range(1, count + 1)]


def told(registry: Registry, action: str) -> list[tuple[str, str, str]]:
    rows = registry.audit.page(where=AuditFilter(action=action)).items
    return [(found.entry.actor, found.entry.subject, found.entry.reason) for found in rows]


def found(registry: Registry, query: str) -> list[int]:
    return [member.member_id for member in registry.members.find(query).items]


def test_found_by_every_kind_of_number_and_by_name(registry: Registry, custody: MemoryCustody) -> None:
    batch = registry.rosters.import_roster(
        UNIT,
        [row(1, name="买买提·艾力"), row(2, name="Li Na"), row(3, name="李娜"), row(4, name="李娜")],
        [],
        source="f",
        digest="d",
        by="张",
    ).id
    assert [member.member_number for member in registry.members.find("李娜").items] == [None, None]
    registry.batches.approve(batch, "李")
    prepare(registry, custody, batch)
    number = registry.dossiers.waiting_cards(batch)[1]
    assert found(registry, "130000000002") == [2]
    assert found(registry, row(3).person.id_number) == [3]
    assert found(registry, f" {row(3).person.id_number[:6]} {row(3).person.id_number[6:].lower()}") == [3]
    assert found(registry, number) == [2]  # before the card exists
    assert found(registry, "买买提•艾力") == found(registry, "买买提艾力") == [1]
    assert found(registry, "ＬＩ ｎａ") == [2]
    assert found(registry, "李娜") == [3, 4]
    assert found(registry, "１３０１０２１９８００１０１０００１") == found(registry, row(1).person.id_number) != []
    for nobody in ("", "李", "%", "130000000009", "6" * 19, "130102198001010009", "x\x00y", "1" * 400):
        assert found(registry, nobody) == []
    first = registry.members.find("李娜", limit=1)
    assert [member.member_id for member in registry.members.find("李娜", first.next, 1).items] == [4]


def test_a_view_is_masked_and_names_the_newest_card(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    member = registry.members.member(1)
    assert (member.name_masked, member.id_masked, member.mobile_masked) == ("欧****", "*" * 14 + "0001", "*******0001")
    assert (member.unit, member.member_number) == (UNIT, "130000000001")
    assert (member.card_number, member.card_state) == (card.card_number, CardState.VERIFIED)
    assert registry.cards.of_member(1) == [card]
    with pytest.raises(NotOnRecord, match="no member with the record number 77"):
        registry.members.member(77)


def test_unmasking_takes_a_reason_and_is_told(registry: Registry, custody: MemoryCustody) -> None:
    carded(registry, custody)
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.members.unmask(1, by="王", reason=" ")
    assert told(registry, "member.unmask") == []
    person = registry.members.unmask(1, by="王", reason="欧阳001 来电 13903110001 核对")
    assert (person.id_number, person.name, person.mobile) == (row(1).person.id_number, "欧阳001", "13903110001")
    assert "欧阳" not in repr(person)
    assert person.id_number not in repr(person)
    assert told(registry, "member.unmask") == [("王", "member:1", "欧**** 来电 ****0001 核对")]


def test_who_cannot_be_told_is_not_shown(registry: Registry, custody: MemoryCustody, monkeypatch: Any) -> None:
    """Where the audit cannot be written, nothing is unmasked."""
    carded(registry, custody)

    def fail(*_: object) -> None:
        raise RegistryConflict("no", reason="no")

    monkeypatch.setattr("registry.db.audit_chain.append", fail)
    with pytest.raises(RegistryConflict, match="no"):
        registry.members.unmask(1, by="王", reason="核对")


def test_a_transfer_gives_a_new_unit_its_code(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    moved = registry.members.transfer(1, OTHER, by="王", reason="欧阳001调动")
    assert (moved.unit, moved.card_number) == (OTHER, card.card_number)
    assert told(registry, "member.transfer") == [("王", "member:1", "欧****调动")]
    events = registry.members.history(1)
    assert [(event.event, event.by, event.reason, event.detail, event.card) for event in events] == [
        ("verified", "lane 1", "read back and proven", "station", f"{card.card_number}-1"),
        ("transferred", "王", "欧****调动", f"{UNIT} → {OTHER}", ""),
    ]
    batch = registry.cards.replace(card.card_number, by="王", reason="调动").id
    registry.batches.approve(batch, "李")
    (again,) = registry.dossiers.to_prepare(batch)
    assert (again.unit_name, again.unit_code) == (OTHER, "130000GH0000000002")


@pytest.mark.parametrize("unit", [UNIT, f" {UNIT} ", "", "a\nb"])
def test_transfers_that_are_refused(registry: Registry, custody: MemoryCustody, unit: str) -> None:
    carded(registry, custody)
    with pytest.raises(RegistryConflict, match=r"already|name the unit"):
        registry.members.transfer(1, unit, by="王", reason="调动")


def test_a_replacement_has_the_same_number_and_the_next_sequence(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    batch = registry.cards.replace(card.card_number, by="王", reason="欧阳001 丢失", because="lost")
    assert (batch.state.value, batch.accepted, batch.imported_by) == ("draft", 1, "王")
    assert registry.cards.card(card.card_number).state is CardState.REPLACED
    assert [(entry.sequence, entry.reason) for entry in registry.hotlist.entries()] == [(1, "lost")]
    assert [change.kind for change in registry.reviews.changes(batch.id).items] == [ChangeKind.REPLACEMENT]
    with pytest.raises(RegistryConflict, match=f"this member is in batch {batch.id}"):
        registry.cards.replace(card.card_number, by="王", reason="again")
    with pytest.raises(RegistryConflict, match="second person"):
        registry.batches.approve(batch.id, "王")
    registry.batches.approve(batch.id, "李")
    (wanted,) = registry.dossiers.to_prepare(batch.id)
    assert (wanted.card_number, wanted.sequence) == (card.card_number, 2)
    prepare(registry, custody, batch.id)
    registry.line.reject(claimed(registry, batch.id, 2), "dead", "install", "red")
    (wanted,) = registry.dossiers.to_prepare(batch.id)
    assert (wanted.card_number, wanted.sequence) == (card.card_number, 3)
    prepare(registry, custody, batch.id)
    second = registry.line.verified(claimed(registry, batch.id, 3), {}, 1.0)
    assert (second.card_number, second.sequence, second.member_id) == (card.card_number, 3, 1)
    assert registry.batches.accounts(batch.id).balanced
    assert registry.members.member(1).card_state is CardState.VERIFIED
    reasons = [event.reason for event in registry.members.history(1)]
    assert reasons.count("欧**** 丢失") == 2
    third = registry.cards.replace(card.card_number, by="王", reason="坏了")
    registry.batches.approve(third.id, "李")
    assert registry.dossiers.to_prepare(third.id)[0].sequence == 4


def test_a_replacement_that_was_given_up_can_be_asked_for_again(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    registry.cards.change(card.card_number, "lost", "前台", "挂失")
    draft = registry.cards.replace(card.card_number, by="王", reason="挂失")
    registry.batches.discard(draft.id, "王")
    assert registry.cards.replace(card.card_number, by="王", reason="挂失").state.value == "draft"
    with pytest.raises(RegistryConflict, match="a card ends as"):
        registry.cards.replace(card.card_number, by="王", reason="x", because="active")
    with pytest.raises(NotOnRecord):
        registry.cards.replace("62", by="王", reason="x")


def test_the_hundredth_card_gets_a_new_number(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    with registry._context.database.write() as conn:
        conn.execute(text("UPDATE dossiers SET sequence = 99"))
    batch = registry.cards.replace(card.card_number, by="王", reason="坏").id
    registry.batches.approve(batch, "李")
    (wanted,) = registry.dossiers.to_prepare(batch)
    assert (wanted.card_number, wanted.sequence) == (None, 1)


def test_who_leaves_has_no_card_and_may_come_back(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    gone = registry.members.withdraw(1, by="王", reason="退会")
    assert gone.withdrawn_at is not None
    assert registry.cards.card(card.card_number).state is CardState.WITHDRAWN
    assert [entry.reason for entry in registry.hotlist.entries()] == ["withdrawn"]
    for refused in (
        lambda: registry.members.withdraw(1, by="王", reason="x"),
        lambda: registry.members.transfer(1, OTHER, by="王", reason="x"),
        lambda: registry.cards.replace(card.card_number, by="王", reason="x"),
    ):
        with pytest.raises(RegistryConflict, match="has left the union"):
            refused()
    batch = registry.rosters.import_roster(UNIT, [row(1, name="欧阳改")], [], source="f", digest="d2", by="张").id
    (change,) = registry.reviews.changes(batch).items
    assert (change.kind, change.fields, change.name_after) == (ChangeKind.BACK, ("name",), "欧**")
    registry.batches.approve(batch, "李")
    assert registry.members.member(1).withdrawn_at is None
    assert [event.event for event in registry.members.history(1)] == ["verified", "withdrawn", "withdrawn", "returned"]
    assert found(registry, "欧阳改") == [1]
    assert found(registry, "欧阳001") == []


def test_nobody_in_a_batch_on_its_way_is_changed(registry: Registry, custody: MemoryCustody) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="张").id
    for refused in (
        lambda: registry.members.withdraw(1, by="王", reason="x"),
        lambda: registry.members.transfer(1, OTHER, by="王", reason="x"),
    ):
        with pytest.raises(RegistryConflict, match=f"this member is in batch {batch}"):
            refused()


def test_reasons_of_card_events_name_nobody(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    registry.cards.change(card.card_number, "lost", "前台", "欧阳001 身份证 130102198001010001 挂失")
    assert registry.cards.events(card.card_number)[-1].reason == "欧**** 身份证 ****0001 挂失"
    assert told(registry, "card.lost") == [("前台", f"card:{card.card_number}-1", "欧**** 身份证 ****0001 挂失")]


def test_pages_of_members_cards_and_batches(registry: Registry, custody: MemoryCustody, clock: SetClock) -> None:
    cards = carded(registry, custody, 5)
    clock.forward(timedelta(seconds=1))
    registry.members.transfer(2, OTHER, by="王", reason="调动")
    registry.cards.change(cards[3].card_number, "lost", "前台", "挂失")
    first = registry.members.page(limit=3)
    second = registry.members.page(first.next, 3)
    assert [member.member_id for member in (*first.items, *second.items)] == [1, 2, 3, 4, 5]
    assert second.next is None
    assert [member.member_id for member in registry.members.page(unit=OTHER).items] == [2]
    of_cards = registry.cards.page(limit=4)
    rest = registry.cards.page(of_cards.next, 4)
    assert [card.dossier_id for card in (*of_cards.items, *rest.items)] == [5, 4, 3, 2, 1]
    assert [card.member_id for card in registry.cards.page(unit=OTHER).items] == [2]
    assert [card.member_id for card in registry.cards.page(state="lost").items] == [4]
    assert registry.cards.page(batch_id="B0").items == ()
    for number in range(3):
        registry.rosters.import_roster(OTHER, [], [], source="f", digest=f"p{number}", by="张")
    newest = registry.batches.page(limit=2)
    older = registry.batches.page(newest.next, 2)
    every = [batch.id for batch in (*newest.items, *older.items)]
    assert every == [batch.id for batch in reversed(registry.batches.all())]
    assert older.next is None
    assert [batch.unit for batch in registry.batches.page(unit=UNIT).items] == [UNIT]
    assert len(registry.batches.page(stage="draft").items) == 3


@pytest.mark.parametrize("time", ["x", "2026-11-22", "0001-01-01T00:00:00+14:00"])
def test_forged_cursors_of_batches(registry: Registry, time: str) -> None:
    with pytest.raises(RegistryConflict, match="ask for its first page"):
        registry.batches.page(write_cursor(time, "B1"))


def test_texts_that_no_database_takes(registry: Registry) -> None:
    with pytest.raises(RegistryConflict, match="cannot be stored or searched for"):
        registry.members.page(unit="\ud800")
    with pytest.raises(RegistryConflict, match="cannot be stored or searched for"):
        registry.members.member(2**64)
    if registry._context.database.dialect == "postgresql":  # SQLite takes it
        with pytest.raises(RegistryConflict, match="cannot be stored or searched for"):
            registry.members.page(unit="\x00")
    assert registry.members.page(unit="x" * 100_000).items == ()


def test_a_reviewer_sees_what_changes(registry: Registry, custody: MemoryCustody) -> None:
    (card, *_) = carded(registry, custody, 2)
    for number in (1, 2):
        registry.cards.change(registry.cards.of_member(number)[0].card_number, "lost", "前台", "挂失")
    coming = [row(1), row(2, mobile="13999990002", name="欧阳新"), row(3)]
    rejected = [RejectedRow(9, 9, ("X",), "x")]
    batch = registry.rosters.import_roster(UNIT, coming, rejected, source="f", digest="d2", by="张").id
    changes = registry.reviews.changes(batch).items
    assert [(change.kind, change.fields) for change in changes] == [
        (ChangeKind.SAME, ()),
        (ChangeKind.CHANGED, ("name", "mobile")),
        (ChangeKind.NEW, ()),
    ]
    assert (changes[1].name_before, changes[1].name_after) == ("欧****", "欧**")
    assert (changes[1].mobile_before, changes[1].mobile_after) == ("*******0002", "*******0002")
    assert (changes[2].name_before, changes[2].name_after) == ("", "欧****")
    counts = registry.reviews.change_counts(batch)
    assert counts == {ChangeKind.NEW: 1, ChangeKind.CHANGED: 1, ChangeKind.SAME: 1}
    for ask in (registry.reviews.changes, registry.reviews.change_counts):
        with pytest.raises(NotOnRecord):
            ask("B0")
    assert card.member_id == 1


def test_changes_come_in_pages_by_kind(registry: Registry, monkeypatch: Any) -> None:
    monkeypatch.setattr("registry.batches.reviews._CHUNK", 3)
    known = registry.rosters.import_roster(UNIT, rows(6), [], source="f", digest="d1", by="张").id
    registry.batches.approve(known, "李")
    with registry._context.database.write() as conn:
        conn.execute(update(roster_rows).values(open=False))
    coming = [row(number, name="" if number % 2 == 0 else f"改{number}") for number in range(1, 10)]
    batch = registry.rosters.import_roster(UNIT, coming, [], source="f", digest="d2", by="张").id
    seen: list[tuple[int, ChangeKind]] = []
    cursor = None
    while True:
        page = registry.reviews.changes(batch, cursor, 2, kinds={ChangeKind.CHANGED, ChangeKind.NEW})
        assert len(page.items) <= 2
        seen += [(change.sheet_row, change.kind) for change in page.items]
        if (cursor := page.next) is None:
            break
    changes, new = ChangeKind.CHANGED, ChangeKind.NEW
    assert seen == [(3, changes), (5, changes), (7, changes), (9, new), (10, new), (11, new)]
    assert registry.reviews.change_counts(batch) == {new: 3, changes: 3, ChangeKind.SAME: 3}
    assert registry.reviews.changes(batch, kinds={ChangeKind.BACK}).items == ()
    with pytest.raises(BadCursor):
        registry.reviews.changes(batch, "nonsense")


def test_a_registry_of_before_finds_its_members_by_name(url: str, custody: MemoryCustody) -> None:
    with Registry.open(url, custody) as registry:
        registry.rosters.import_roster(UNIT, rows(3), [], source="f", digest="d", by="张")
    database = Database(url)
    migrate.downgrade(database, "0002")
    database.close()
    with Registry.open(url, custody) as registry:
        assert found(registry, "欧阳002") == [2]
        assert registry.audit.verify().whole


def test_a_person_is_printed_masked() -> None:
    person = Person("secret", "secret", Sex.MALE, "secret")
    assert "secret" not in f"{person} {person!r}"


def test_chips_are_told(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    registry.line.reject(claimed(registry, batch, 1), "wrong key", "authenticate", "red")
    assert told(registry, "chip.reject") == [("station, lane 1", f"chip:{chip(1)}", "wrong key")]
