"""A roster that names people who have a card or are in a batch: unchanged, or a change for a second person."""

from __future__ import annotations

import pytest

from registry.batches.reviews import ChangeKind
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import Batch, BatchState, KnownRow
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, approved, carded, claimed, prepare, ready, row, rows


def known(number: int, *, mobile: str = "", name: str = "") -> KnownRow:
    """A row of a person on record; with another mobile number or name it asks for a change."""
    given = row(number, mobile=mobile, name=name)
    codes = (("PHONE_CHANGED",) if mobile else ()) + (("NAME_CHANGED",) if name else ())
    place = (given.sheet_row, given.seq, given.person, given.unit)
    return KnownRow(*place, codes or ("UNCHANGED",), "", bool(codes))


def resubmitted(registry: Registry, *of: KnownRow, new: int = 0) -> Batch:
    accepted = [row(new)] if new else []
    return registry.rosters.import_roster(UNIT, accepted, [], source="g", digest="again", by="张", known=of)


def test_a_living_member_gets_another_phone_number_by_approval(registry: Registry, custody: MemoryCustody) -> None:
    carded(registry, custody)
    batch = resubmitted(registry, known(1, mobile="13700000000"))
    assert (batch.state, batch.accepted, batch.changes, batch.unchanged) == (BatchState.DRAFT, 0, 1, 0)
    (change,) = registry.reviews.changes(batch.id).items
    assert (change.kind, change.fields) == (ChangeKind.CHANGED, ("mobile",))
    assert (change.mobile_before, change.mobile_after) == ("*" * 7 + "0001", "*" * 7 + "0000")
    assert registry.reviews.change_counts(batch.id) == {ChangeKind.CHANGED: 1}
    assert registry.members.member(1).mobile_masked == "*" * 7 + "0001"
    with pytest.raises(RegistryConflict, match="a second person"):
        registry.batches.approve(batch.id, "张")
    closed = registry.batches.approve(batch.id, "李")
    assert registry.members.unmask(1, by="王", reason="check").mobile == "13700000000"
    assert (closed.state, closed.closed_by) == (BatchState.CLOSED, ("张", "李"))
    assert registry.members.member(1).card_state == "verified", "the card lives on"
    assert registry.rosters.refuse_living_batch("again") == batch.id


def test_unchanged_rows_make_no_card_and_no_member(registry: Registry, custody: MemoryCustody) -> None:
    registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d1", by="张")
    batch = resubmitted(registry, known(1), new=2)
    assert (batch.accepted, batch.unchanged) == (1, 1)
    assert registry.reviews.change_counts(batch.id) == {ChangeKind.NEW: 1, ChangeKind.SAME: 1}
    lines = registry.rosters.rows(batch.id)
    assert [(line.verdict, line.accepted, line.codes) for line in lines] == [
        ("unchanged", False, ("UNCHANGED",)),
        ("accepted", True, ()),
    ]
    assert [line.sheet_row for line in registry.rosters.page(batch.id, only="unchanged").items] == [3]
    registry.batches.approve(batch.id, "李")
    assert registry.members.member(1).member_number is None, "the draft that names them is not approved"
    assert [one.member_id for one in registry.dossiers.to_prepare(batch.id)] == [2]


def test_a_change_of_a_draft_counts_when_that_is_approved_later(registry: Registry) -> None:
    first = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d1", by="张")
    changed = resubmitted(registry, known(1, name="欧阳新"))
    registry.batches.approve(changed.id, "李")
    registry.batches.approve(first.id, "李")
    (member,) = registry.dossiers.to_prepare(first.id)
    assert (member.person.name, member.member_number) == ("欧阳新", "130000000001")


def test_a_draft_that_is_given_up_leaves_its_people_to_the_next_that_names_them(registry: Registry) -> None:
    first = registry.rosters.import_roster(UNIT, rows(3), [], source="f", digest="d1", by="张")
    second = resubmitted(registry, known(1), known(2, mobile="13700000000"))
    registry.batches.discard(first.id)
    assert registry.batches.batch(second.id).accepted == 2
    registry.batches.approve(second.id, "李")
    members = registry.dossiers.to_prepare(second.id)
    assert [(one.member_number, one.person.mobile) for one in members] == [
        ("130000000001", row(1).person.mobile),
        ("130000000002", "13700000000"),
    ]
    with pytest.raises(NotOnRecord):
        registry.members.member(3)


def test_card_data_of_before_a_change_are_prepared_again(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 2)
    claimed(registry, batch, 1)
    changed = resubmitted(registry, known(1, mobile="13700000001"), known(2, mobile="13700000002"))
    registry.batches.approve(changed.id, "李")
    assert [one.member_id for one in registry.dossiers.to_prepare(batch)] == [2], "a chip has that of the first"
    assert registry.batches.accounts(batch).balanced
    assert prepare(registry, custody, batch) == 1
    claimed(registry, batch, 2)
    assert registry.batches.accounts(batch).balanced


def test_a_person_whose_card_ended_meanwhile_is_no_known_row(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    registry.cards.change(card.card_number, "lost", "前台", "挂失")
    with pytest.raises(RegistryConflict, match="row 3: this person has no card any more"):
        resubmitted(registry, known(1))
    assert len(registry.batches.all()) == 1


def test_known_members_come_with_their_record_and_batch(registry: Registry, custody: MemoryCustody) -> None:
    batch = approved(registry, rows(1))
    number = row(1).person.id_number
    record = registry.rosters.known_members([number])[number]
    assert (record.person, record.batch) == (row(1).person, batch)
    prepare(registry, custody, batch)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    record = registry.rosters.known_members([number])[number]
    assert (record.person, record.batch, record.living_card) == (row(1).person, "", True)
