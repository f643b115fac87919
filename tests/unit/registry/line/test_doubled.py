"""Serials that two chips have: the evidence, the mark, and what later claims make of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.line.doubled import Acknowledged, DoubledChip
from registry.store import Registry
from registry.values import CardState, ChipKnown, JournalEntry, JournalEvent
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import LEASE, SetClock, audit_entries, chip, claimed, ready

PROOF = "both chips were in readers"


@pytest.fixture
def batch(registry: Registry, custody: MemoryCustody) -> str:
    return ready(registry, custody, 3)


def mark(registry: Registry, number: int) -> None:
    registry.line.doubled(chip(number), "lane 2", "east", PROOF)


def test_no_chip_of_a_doubled_serial_is_claimed_and_the_newest_claim_finishes(
    registry: Registry, clock: SetClock, batch: str
) -> None:
    claim = claimed(registry, batch, 1)
    mark(registry, 1)
    known = ChipKnown("doubled", claim.card_number)
    assert registry.line.claim(batch, "lane 3", "s", chip(1), LEASE) == known
    registry.line.journal(claim, JournalEntry("store", JournalEvent.DONE))
    card = registry.line.verified(claim, {}, 1.0)
    assert card.state is CardState.VERIFIED
    assert registry.line.claim(batch, "lane 1", "s", chip(1), LEASE) == known
    assert registry.line.doubled_chips(batch) == [
        DoubledChip(chip(1), "verified", claim.card_number, 1, clock(), "east, lane 2")
    ]
    assert registry.batches.accounts(batch).balanced


def test_a_verified_card_stays_issued_and_a_person_may_end_it(registry: Registry, batch: str) -> None:
    card = registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    mark(registry, 1)
    assert registry.cards.card(card.card_number).state is CardState.VERIFIED
    registry.cards.change(card.card_number, CardState.DAMAGED, "王", "two chips of one serial")
    assert registry.line.claim(batch, "lane 1", "s", chip(1), LEASE) == ChipKnown("doubled", card.card_number)


def test_a_bound_chip_of_a_doubled_serial_is_given_up_as_any_other(
    registry: Registry, clock: SetClock, batch: str
) -> None:
    claim = claimed(registry, batch, 1)
    mark(registry, 1)
    clock.forward(LEASE)
    registry.line.release_missing(batch, chip(1), "王", reason="two chips of one serial")
    known = registry.line.claim(batch, "lane 1", "s", chip(1), LEASE)
    assert isinstance(known, ChipKnown)
    assert (known.why, known.code) == ("rejected", "missing")
    assert [entry.card_number for entry in registry.hotlist.entries()] == [claim.card_number]
    assert registry.batches.accounts(batch).balanced


def test_the_first_mark_counts_and_is_audited_once(registry: Registry, clock: SetClock, batch: str) -> None:
    claimed(registry, batch, 1)
    mark(registry, 1)
    first = registry.line.doubled_chips(batch)
    clock.forward(timedelta(minutes=1))
    registry.line.doubled(chip(1), "lane 9", "west", "again")
    assert registry.line.doubled_chips(batch) == first
    assert audit_entries(registry, "chip.doubled") == [("east, lane 2", f"chip:{chip(1)}", PROOF)]


def test_a_serial_without_a_dossier_gets_no_mark(registry: Registry, batch: str) -> None:
    registry.line.reject_chip(batch, chip(8), "foreign card", "connect", "B", "lane 1")
    for number in (8, 9):
        mark(registry, number)
    assert registry.line.doubled_chips(batch) == []
    assert audit_entries(registry, "chip.doubled") == []


def test_a_doubled_serial_is_doubled_in_every_batch(registry: Registry, custody: MemoryCustody, batch: str) -> None:
    claim = claimed(registry, batch, 1)
    mark(registry, 1)
    other = ready(registry, custody, 1, "d2", start=50)
    assert registry.line.claim(other, "lane 1", "s", chip(1), LEASE) == ChipKnown("doubled", claim.card_number)


def test_a_rival_has_answered_once_a_step_of_a_newer_claim_is_done(registry: Registry, batch: str) -> None:
    old = claimed(registry, batch, 1)
    registry.line.journal(old, JournalEntry("authenticate", JournalEvent.DONE))
    assert not registry.line.rival_answered(old)
    new = claimed(registry, batch, 1, "lane 2")
    registry.line.journal(new, JournalEntry("authenticate", JournalEvent.INTENT))
    assert not registry.line.rival_answered(old), "an intent needs no chip"
    registry.line.journal(new, JournalEntry("authenticate", JournalEvent.DONE))
    assert registry.line.rival_answered(old)
    assert not registry.line.rival_answered(new)
    other = claimed(registry, batch, 2)
    assert not registry.line.rival_answered(other)


def test_completed_steps_are_those_of_every_claim_of_the_dossier(registry: Registry, batch: str) -> None:
    first = claimed(registry, batch, 1)
    registry.line.journal(
        first,
        JournalEntry("store", JournalEvent.INTENT),
        JournalEntry("store", JournalEvent.DONE, block=3),
        JournalEntry("store", JournalEvent.DONE, "F04D"),
        JournalEntry("keys", JournalEvent.INTENT),
    )
    second = claimed(registry, batch, 1, "lane 2")
    assert registry.line.acknowledged(second) == {Acknowledged("store", "F04D")}
    registry.line.journal(second, JournalEntry("keys", JournalEvent.DONE))
    assert registry.line.acknowledged(second) == {Acknowledged("store", "F04D"), Acknowledged("keys", "")}
    assert registry.line.acknowledged(claimed(registry, batch, 2)) == frozenset()
