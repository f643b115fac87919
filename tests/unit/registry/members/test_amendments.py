"""Amendments: nothing changes before a second person; a new card with it, where the old one has the old name."""

from __future__ import annotations

import pytest

from registry.errors import OWN_WORK, NotOnRecord, RegistryConflict
from registry.members.amendments import AmendmentState, NewData
from registry.store import Registry
from registry.values import BatchState, Card, CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import approved, audit_entries, carded, prepare, row, rows

NAME, MOBILE = "司马相如", "13977778888"


@pytest.fixture
def card(registry: Registry, custody: MemoryCustody) -> Card:
    return carded(registry, custody)[0]


def requested(registry: Registry, card: Card, *, new_card: bool = False, name: str = NAME, mobile: str = MOBILE) -> int:
    new = NewData(name, mobile)
    return registry.amendments.request(card.member_id, new, by="李", reason=f"{NAME} 改名", new_card=new_card).number


def test_the_record_changes_with_the_second_person_and_not_before(registry: Registry, card: Card) -> None:
    number = requested(registry, card)
    waiting = registry.amendments.amendment(number)
    assert (waiting.state, waiting.fields, waiting.reason) == (AmendmentState.WAITING, ("name", "mobile"), "司*** 改名")
    assert (waiting.name_now, waiting.name_after, waiting.mobile_after) == ("欧****", "司***", "*******8888")
    assert registry.members.find(NAME).items == ()
    with pytest.raises(RegistryConflict, match="a second person decides") as refused:
        registry.amendments.approve(number, by="李")
    assert refused.value.reason == OWN_WORK
    done = registry.amendments.approve(number, by="王")
    assert (done.state, done.decided_by, done.batch) == (AmendmentState.APPROVED, "王", None)
    assert [one.member_id for one in registry.members.find(NAME).items] == [card.member_id]
    assert [one.member_id for one in registry.members.find(MOBILE).items] == [card.member_id]
    assert registry.members.find("欧阳001").items == ()
    person = registry.members.unmask(card.member_id, by="李", reason="look")
    assert (person.name, person.mobile, person.id_number) == (NAME, MOBILE, row(1).person.id_number)
    assert [event.event for event in registry.members.history(card.member_id)][-1] == "amended"
    assert registry.cards.card(card.card_number).state is CardState.VERIFIED
    assert audit_entries(registry, "amendment.approved") == [("王", f"member:{card.member_id}", "")]


def test_a_new_card_is_approved_with_the_name_that_it_bears(
    registry: Registry, custody: MemoryCustody, card: Card
) -> None:
    done = registry.amendments.approve(requested(registry, card, new_card=True), by="王")
    assert (done.batch_state, registry.cards.card(card.card_number).state) == (
        BatchState.APPROVED,
        CardState.REPLACED,
    )
    assert done.batch is not None
    assert [(entry.sequence, entry.reason) for entry in registry.hotlist.entries()] == [(1, "withdrawn")]
    (wanted,) = registry.dossiers.to_prepare(done.batch)
    assert (wanted.person.name, wanted.sequence) == (NAME, 2)
    batch = registry.batches.batch(done.batch)
    assert (batch.imported_by, batch.approved_by) == ("李", "王")


def test_one_field_changes_nothing_else(registry: Registry, card: Card) -> None:
    number = requested(registry, card, name="", mobile=MOBILE)
    assert registry.amendments.approve(number, by="王").fields == ("mobile",)
    person = registry.members.unmask(card.member_id, by="李", reason="look")
    assert (person.name, person.mobile) == ("欧阳001", MOBILE)


def test_a_request_is_refused_or_cancelled_once(registry: Registry, card: Card) -> None:
    number = requested(registry, card)
    with pytest.raises(RegistryConflict, match=f"amendment {number} of this member waits already"):
        requested(registry, card)
    with pytest.raises(RegistryConflict, match="a second person decides"):
        registry.amendments.refuse(number, by="李", reason="no")
    refused = registry.amendments.refuse(number, by="王", reason="欧阳001 没有证明")
    assert (refused.state, refused.decided_reason) == (AmendmentState.REFUSED, "欧**** 没有证明")
    second = requested(registry, card)
    assert registry.amendments.cancel(second, by="李", reason="mistyped").state is AmendmentState.CANCELLED
    for change in (registry.amendments.refuse, registry.amendments.cancel):
        with pytest.raises(RegistryConflict, match="was decided already"):
            change(second, by="王", reason="x")
    with pytest.raises(RegistryConflict, match="was decided already"):
        registry.amendments.look(second, by="王")
    assert [one.number for one in registry.amendments.page().items] == [second, number]
    assert registry.amendments.page(state=AmendmentState.WAITING).items == ()
    with pytest.raises(NotOnRecord, match="no amendment with the number 9"):
        registry.amendments.approve(9, by="王")


def test_whoever_decides_sees_both_in_clear_and_the_audit_keeps_it(registry: Registry, card: Card) -> None:
    number = requested(registry, card)
    shown = registry.amendments.look(number, by="王")
    assert (shown.now.name, shown.after.name, shown.after.mobile) == ("欧阳001", NAME, MOBILE)
    assert NAME not in f"{shown!r}{registry.amendments.amendment(number)!r}{NewData(NAME, MOBILE)!r}"
    assert audit_entries(registry, "amendment.look") == [("王", f"member:{card.member_id}", "")]


def test_what_cannot_be_amended_says_why(registry: Registry, custody: MemoryCustody) -> None:
    first, second, third = carded(registry, custody, 3)
    with pytest.raises(RegistryConflict, match="on record as they are"):
        requested(registry, first, name="欧阳001", mobile="")
    registry.members.withdraw(second.member_id, by="李", reason="退休")
    with pytest.raises(RegistryConflict, match="left the union"):
        requested(registry, second)
    number = requested(registry, third, new_card=True)
    registry.cards.change(third.card_number, "lost", "李", "丢失")
    with pytest.raises(RegistryConflict, match="no card that could be replaced"):
        registry.amendments.approve(number, by="王")
    with pytest.raises(NotOnRecord):
        registry.amendments.request(99, NewData(NAME), by="李", reason="x", new_card=False)


def test_a_member_in_an_open_batch_is_amended_after_it(registry: Registry, custody: MemoryCustody) -> None:
    batch = approved(registry, rows(1))
    prepare(registry, custody, batch)
    with pytest.raises(RegistryConflict, match=f"in batch {batch}"):
        registry.amendments.request(1, NewData(NAME), by="李", reason="x", new_card=False)


def test_a_decision_is_stored_without_the_name_that_was_requested(registry: Registry, card: Card) -> None:
    refused = registry.amendments.refuse(requested(registry, card), by="王", reason=f"{NAME} 是欧阳001 的曾用名")
    assert refused.decided_reason == "司*** 是欧**** 的曾用名"
    cancelled = registry.amendments.cancel(requested(registry, card), by="李", reason=f"{NAME} 写错")
    assert cancelled.decided_reason == "司*** 写错"
    stored = audit_entries(registry, "amendment.refused") + audit_entries(registry, "amendment.cancelled")
    assert [reason for _, _, reason in stored] == ["司*** 是欧**** 的曾用名", "司*** 写错"]
