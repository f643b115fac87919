"""Members after their registration: searched, masked, unmasked for a reason, transferred, withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from registry.batches.reviews import ChangeKind
from registry.db.database import Database
from registry.errors import NotOnRecord, RegistryConflict
from registry.migrations import migrate
from registry.person import Person
from registry.store import Registry
from registry.values import AcceptedRow, CardState
from terminal.keys.memory import MemoryCustody
from terminal.member.values import IdType, Sex
from tests.support.registry.registrar import UNIT, SetClock, audit_entries, carded, prepare, row, rows

OTHER = "唐山市总工会"


def member_ids(registry: Registry, query: str) -> list[int]:
    return [member.member_id for member in registry.members.find(query).items]


def test_members_are_searched_by_every_kind_of_number_and_by_name(registry: Registry, custody: MemoryCustody) -> None:
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
    assert member_ids(registry, "130000000002") == [2]
    assert member_ids(registry, row(3).person.id_number) == [3]
    assert member_ids(registry, f" {row(3).person.id_number[:6]} {row(3).person.id_number[6:].lower()}") == [3]
    assert member_ids(registry, number) == [2]  # before the card exists
    assert member_ids(registry, "买买提•艾力") == member_ids(registry, "买买提艾力") == [1]
    assert member_ids(registry, "ＬＩ ｎａ") == [2]
    assert member_ids(registry, "李娜") == member_ids(registry, "李") == [3, 4]
    assert member_ids(registry, "１３０１０２１９８００１０１０００１") == [1]
    assert member_ids(registry, row(1).person.id_number) == [1]
    for nobody in ("", "%", "_", "130000000009", "6" * 19, "130102198001010009", "x\x00y", "1" * 400):
        assert member_ids(registry, nobody) == []
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


def test_unmasking_takes_a_reason_and_is_audited(registry: Registry, custody: MemoryCustody) -> None:
    carded(registry, custody)
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.members.unmask(1, by="王", reason=" ")
    assert audit_entries(registry, "member.unmask") == []
    person = registry.members.unmask(1, by="王", reason="欧阳001 来电 13903110001 核对")
    assert (person.id_number, person.name, person.mobile) == (row(1).person.id_number, "欧阳001", "13903110001")
    assert "欧阳" not in repr(person)
    assert person.id_number not in repr(person)
    assert audit_entries(registry, "member.unmask") == [("王", "member:1", "欧**** 来电 ****0001 核对")]


def test_nothing_is_unmasked_without_an_audit_entry(
    registry: Registry, custody: MemoryCustody, monkeypatch: Any
) -> None:
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
    assert audit_entries(registry, "member.transfer") == [("王", "member:1", "欧****调动")]
    events = registry.members.history(1)
    assert [(event.event, event.by, event.reason, event.detail, event.card) for event in events] == [
        ("verified", "lane 1", "read back and proven", "station", f"{card.card_number}-1"),
        ("transferred", "王", "欧****调动", f"{UNIT} → {OTHER}", ""),
    ]
    batch = registry.cards.replace(card.card_number, by="王", reason="调动").id
    registry.batches.approve(batch, "李")
    (again,) = registry.dossiers.to_prepare(batch)
    assert (again.unit_name, again.unit_code) == (OTHER, "130000GH0000000002")


def test_the_code_of_a_new_unit_has_the_scheme_and_no_digits_of_a_number(
    registry: Registry, custody: MemoryCustody
) -> None:
    """Of member number 130003400001 the first six digits are no scheme."""
    carded(registry, custody)
    registry.members.transfer(1, OTHER, by="王", reason="调动", scheme="420000")
    with registry._context.read() as conn:
        code = conn.execute(text("SELECT code FROM units WHERE name = :name"), {"name": OTHER}).scalar_one()
    assert code == "420000GH0000000001"


@pytest.mark.parametrize("unit", [UNIT, f" {UNIT} ", "", "a\nb"])
def test_transfers_that_are_refused(registry: Registry, custody: MemoryCustody, unit: str) -> None:
    carded(registry, custody)
    with pytest.raises(RegistryConflict, match=r"already|name the unit"):
        registry.members.transfer(1, unit, by="王", reason="调动")


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
    assert member_ids(registry, "欧阳改") == [1]
    assert member_ids(registry, "欧阳001") == []


def test_nobody_in_a_batch_on_its_way_is_changed(registry: Registry, custody: MemoryCustody) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="张").id
    for refused in (
        lambda: registry.members.withdraw(1, by="王", reason="x"),
        lambda: registry.members.transfer(1, OTHER, by="王", reason="x"),
    ):
        with pytest.raises(RegistryConflict, match=f"this member is in batch {batch}"):
            refused()


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


def test_texts_that_no_database_takes(registry: Registry) -> None:
    with pytest.raises(RegistryConflict, match="cannot be stored or searched for"):
        registry.members.page(unit="\ud800")
    with pytest.raises(RegistryConflict, match="cannot be stored or searched for"):
        registry.members.member(2**64)
    if registry._context.database.dialect == "postgresql":  # SQLite takes it
        with pytest.raises(RegistryConflict, match="cannot be stored or searched for"):
            registry.members.page(unit="\x00")
    assert registry.members.page(unit="x" * 100_000).items == ()


def test_a_registry_of_before_finds_its_members_by_name(url: str, custody: MemoryCustody) -> None:
    with Registry.open(url, custody) as registry:
        registry.rosters.import_roster(UNIT, rows(3), [], source="f", digest="d", by="张")
    database = Database(url)
    migrate.downgrade(database, "0002")
    database.close()
    with Registry.open(url, custody) as registry:
        assert member_ids(registry, "欧阳002") == [2]
        assert registry.audit.verify().whole


def test_the_search_knows_other_documents(registry: Registry) -> None:
    person = Person("C01X00T47", "JOHN SMITH", Sex.MALE, "13900000000", IdType.PASSPORT)
    other = replace(person, id_number="01234567", document_type=IdType.ENTRY_PERMIT, name="李大明")
    rows = [AcceptedRow(3, 1, person, UNIT), AcceptedRow(4, 2, other, UNIT)]
    registry.rosters.import_roster(UNIT, rows, [], source="f", digest="d", by="张")
    assert member_ids(registry, "c01x00t47") == [1]
    assert member_ids(registry, "01234567") == [2]
    assert registry.members.unmask(2, by="王", reason="check").document_type is IdType.ENTRY_PERMIT
    assert registry.rosters.known_members(["C01X00T47"]) == {}, "without the document it is nobody's"
    assert set(registry.rosters.known_members([person.identity_key])) == {"C01X00T47/2"}
