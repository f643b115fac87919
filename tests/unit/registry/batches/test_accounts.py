"""Batch accounts, stock, refusals of preparation, and the closing of a batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from registry.errors import RegistryConflict
from registry.store import Registry
from registry.values import BatchState, NewDossier
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import approved, chip, claimed, prepare, ready, rows


def dossier(custody: MemoryCustody, member_id: int, card_number: str, sequence: int = 1) -> NewDossier:
    sealed = custody.seal(custody.latest("seal"), b"dossier", f"dossier/{card_number}")
    return NewDossier(member_id, card_number, sequence, sealed, "default", "0" * 64)


def test_the_accounts_follow_every_card(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 4)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    registry.line.reject(claimed(registry, batch, 2), "mute", "select", "A")
    claimed(registry, batch, 3)
    registry.line.reject_chip(batch, "", "dead", "connect", "A", "lane 1")
    counted = registry.batches.accounts(batch)
    assert (counted.dossiers, counted.waiting, counted.claimed, counted.verified, counted.remade) == (4, 1, 1, 1, 1)
    assert (counted.chips_fed, counted.chips_verified, counted.chips_rejected, counted.chips_in_reader) == (4, 1, 2, 1)
    assert (counted.members, counted.to_prepare, counted.cards, counted.balanced) == (4, 1, 1, True)


def test_accounts_that_contradict_each_other_do_not_balance(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 2)
    claim = claimed(registry, batch, 1)
    with registry._context.database.write() as conn:
        conn.execute(text("UPDATE dossiers SET state = 'verified' WHERE id = :id"), {"id": claim.dossier_id})
    assert not registry.batches.accounts(batch).balanced


def test_stock_is_received_fed_and_left(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 3)
    assert registry.stock.receive(10, "supplier 7", "库管").left == 10
    registry.stock.receive(5, "supplier 8", "库管")
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    registry.line.reject(claimed(registry, batch, 2), "mute", "select", "A")
    claimed(registry, batch, 3)
    registry.line.reject_chip(batch, chip(9), "bank card", "select", "B", "lane 1", from_stock=False)
    stock = registry.stock.accounts()
    assert (stock.received, stock.fed, stock.verified, stock.rejected, stock.in_reader) == (15, 3, 1, 1, 1)
    assert (stock.left, stock.foreign, stock.balanced) == (12, 1, True)
    with pytest.raises(RegistryConflict, match="0 chips"):
        registry.stock.receive(0, "supplier 7", "库管")


def test_more_chips_fed_than_received_do_not_balance(registry: Registry, custody: MemoryCustody) -> None:
    claimed(registry, ready(registry, custody, 1), 1)
    assert (registry.stock.accounts().left, registry.stock.accounts().balanced) == (-1, False)
    registry.stock.receive(3, "supplier 7", "库管")
    assert (registry.stock.accounts().left, registry.stock.accounts().balanced) == (2, True)


def test_a_finished_batch_is_closed_by_two_people_and_its_secrets_are_gone(
    registry: Registry, custody: MemoryCustody, url: str
) -> None:
    batch = ready(registry, custody, 2)
    registry.line.reject(claimed(registry, batch, 1), "mute", "select", "A")
    with pytest.raises(RegistryConflict, match="1 wait, 0 are in a reader or missing and 1 have no dossier"):
        registry.batches.close(batch, "甲", "乙")
    prepare(registry, custody, batch)
    for number in (2, 3):
        registry.line.verified(claimed(registry, batch, number), {}, 1.0)
    assert registry.batches.batch(batch).state is BatchState.DONE
    for second in ("甲", " 甲", " "):
        with pytest.raises(RegistryConflict, match="two different people"):
            registry.batches.close(batch, "甲", second)
    closed = registry.batches.close(batch, "甲", "乙")
    assert (closed.state, closed.closed_by) == (BatchState.CLOSED, ("甲", "乙"))
    with registry._context.database.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM dossier_secrets")).scalar() == 0
    assert registry.batches.accounts(batch).balanced
    for late in (lambda: registry.batches.close(batch, "甲", "乙"), lambda: registry.dossiers.add(batch, [])):
        with pytest.raises(RegistryConflict, match=r"closed|not approved"):
            late()
    with pytest.raises(RegistryConflict, match="closed"):
        claimed(registry, batch, 9)


def test_dossiers_are_taken_for_those_who_need_one_and_all_or_none(registry: Registry, custody: MemoryCustody) -> None:
    batch = approved(registry, rows(2))
    first, second = (member.member_id for member in registry.dossiers.to_prepare(batch))
    good = dossier(custody, first, "621226000000000001")
    for bad, why in (
        (dossier(custody, 999, "621226000000000002"), "needs no dossier"),
        (dossier(custody, second, "621226000000000001"), "refused a record"),
        (dossier(custody, second, "621226000000000001", 2), "belongs to another member"),
        (replace(good, card_number="621226000000000003"), "refused a record"),
        (dossier(custody, second, "621226000000000002", 100), "refused a record"),
    ):
        with pytest.raises(RegistryConflict, match=why):
            registry.dossiers.add(batch, [good, bad])
        assert registry.batches.accounts(batch).dossiers == 0
    registry.dossiers.add(batch, [good])
    assert registry.batches.batch(batch).state is BatchState.APPROVED
    with pytest.raises(RegistryConflict, match="needs no dossier"):
        registry.dossiers.add(batch, [dossier(custody, first, "621226000000000009")])


def test_a_draft_is_not_prepared(registry: Registry, custody: MemoryCustody) -> None:
    batch = registry.rosters.import_roster("u", rows(1), [], source="f", digest="d", by="张").id
    with pytest.raises(RegistryConflict, match="second person"):
        registry.dossiers.to_prepare(batch)
    with pytest.raises(RegistryConflict, match="not approved"):
        registry.dossiers.add(batch, [dossier(custody, 1, "62")])


def test_after_sequence_99_a_member_gets_a_new_card_number(registry: Registry, custody: MemoryCustody) -> None:
    batch = approved(registry, rows(1))
    (member,) = registry.dossiers.to_prepare(batch)
    registry.dossiers.add(batch, [dossier(custody, member.member_id, "621226000000000001", 99)])
    registry.line.reject(claimed(registry, batch, 1), "mute", "select", "A")
    (again,) = registry.dossiers.to_prepare(batch)
    assert (again.card_number, again.sequence) == (None, 1)


def test_card_serials_are_given_out_once(registry: Registry) -> None:
    assert registry.cards.allocate_serials("62", 3) == range(1, 4)
    assert registry.cards.allocate_serials("62", 2) == range(4, 6)
    assert registry.cards.allocate_serials("63", 1) == range(1, 2)
    with pytest.raises(RegistryConflict, match="0 numbers"):
        registry.cards.allocate_serials("62", 0)
