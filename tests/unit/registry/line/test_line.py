"""The line: claims, returning chips, fencing, journal, and how a chip ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.errors import FenceLost, NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import BatchState, CardState, ChipKnown, Claim, JournalEntry, JournalEvent, NothingLeft
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import (
    LEASE,
    SetClock,
    approved,
    audit_entries,
    chip,
    claimed,
    prepare,
    ready,
    rows,
)


@pytest.fixture
def batch(registry: Registry, custody: MemoryCustody) -> str:
    return ready(registry, custody, 2)


def test_an_unknown_chip_gets_the_next_dossier(registry: Registry, custody: MemoryCustody, batch: str) -> None:
    assert registry.batches.batch(batch).state is BatchState.PREPARED
    first, second = claimed(registry, batch, 1), claimed(registry, batch, 2, "lane 2")
    assert (first.card_number, second.card_number) == ("621226000000000001", "621226000000000002")
    assert (first.returning, first.chip_serial, first.lane) == (False, chip(1), "lane 1")
    assert custody.open(first.sealed).reveal() == b"dossier of 621226000000000001"
    assert second.token > first.token
    assert registry.batches.batch(batch).state is BatchState.RUNNING
    assert registry.line.claim(batch, "lane 3", "s", chip(3), LEASE) == NothingLeft(claimed=2, to_prepare=0)


def test_a_returning_chip_gets_its_own_dossier_and_the_old_token_dies(registry: Registry, batch: str) -> None:
    old = claimed(registry, batch, 1)
    new = claimed(registry, batch, 1, "lane 2")
    assert (new.dossier_id, new.card_number, new.returning) == (old.dossier_id, old.card_number, True)
    assert new.token > old.token
    for write in (
        lambda: registry.line.journal(old, JournalEntry("store data", JournalEvent.INTENT)),
        lambda: registry.line.verified(old, {}, 1.0),
        lambda: registry.line.reject(old, "mute", "select", "A"),
    ):
        with pytest.raises(FenceLost, match="returning chip"):
            write()
    assert registry.line.verified(new, {}, 1.0).lane == "lane 2"


def test_a_lease_that_ran_out_leaves_the_dossier_bound(registry: Registry, clock: SetClock, batch: str) -> None:
    bound = claimed(registry, batch, 1)
    clock.forward(LEASE + timedelta(seconds=1))
    counted = registry.batches.accounts(batch)
    assert (counted.claimed, counted.missing, counted.balanced) == (1, 1, True)
    assert claimed(registry, batch, 2).dossier_id != bound.dossier_id
    assert claimed(registry, batch, 1).dossier_id == bound.dossier_id
    assert registry.batches.accounts(batch).missing == 0


def test_a_chip_that_comes_back_gets_a_new_lease(registry: Registry, clock: SetClock, batch: str) -> None:
    claimed(registry, batch, 1)
    clock.forward(LEASE - timedelta(seconds=1))
    again = claimed(registry, batch, 1)
    assert again.lease_until == clock() + LEASE
    clock.forward(timedelta(seconds=2))
    (bound,) = registry.line.bound_chips(batch)
    assert (bound.chip_serial, bound.missing, bound.lease_until) == (chip(1), False, again.lease_until)


def test_the_journal_keeps_every_line_in_order(registry: Registry, clock: SetClock, batch: str) -> None:
    claim = claimed(registry, batch, 1)
    registry.line.journal(claim, JournalEntry("install", JournalEvent.INTENT))
    registry.line.journal(claim, JournalEntry("install", JournalEvent.FAULT, "card answered 6A80"))
    registry.line.journal(claim, JournalEntry("store data", JournalEvent.DONE, block=7))
    lines = registry.line.journal_of(batch)
    written = [(line.step, line.event, line.detail, line.block) for line in lines]
    assert written == [
        ("install", "intent", "", None),
        ("install", "fault", "card answered 6A80", None),
        ("store data", "done", "", 7),
    ]
    assert {(line.chip_serial, line.lane, line.token, line.at) for line in lines} == {
        (chip(1), "lane 1", claim.token, clock())
    }


def test_a_verified_card_begins_to_live(registry: Registry, clock: SetClock, batch: str) -> None:
    claim = claimed(registry, batch, 1)
    card = registry.line.verified(claim, {"checks": ["oda", "dates"]}, 12.5)
    assert (card.card_number, card.sequence, card.state) == (claim.card_number, 1, CardState.VERIFIED)
    assert (card.seconds, card.result, card.chip_serial) == (12.5, {"checks": ["oda", "dates"]}, chip(1))
    assert (card.name_masked, card.member_number) == ("欧****", "130000000001")
    (event,) = registry.cards.events(card.card_number)
    assert (event.event, event.by, event.place, event.at) == ("verified", "lane 1", "station", clock())
    assert registry.cards.of_batch(batch) == [card]
    assert [(timing.card_number, timing.seconds) for timing in registry.line.timings(batch)] == [
        (card.card_number, 12.5)
    ]
    assert registry.line.claim(batch, "lane 1", "s", chip(1), LEASE) == ChipKnown("verified", card.card_number)
    with pytest.raises(FenceLost):
        registry.line.journal(claim, JournalEntry("late", JournalEvent.DONE))


def test_a_repeated_verified_changes_nothing(registry: Registry, batch: str) -> None:
    claim = claimed(registry, batch, 1)
    card = registry.line.verified(claim, {}, 1.0)
    assert registry.line.verified(claim, {"again": True}, 2.0) == card
    assert len(registry.cards.events(card.card_number)) == 1
    with pytest.raises(FenceLost):
        registry.line.reject(claim, "mute", "select", "A")


def test_a_rejected_chip_is_refused_for_ever_and_its_dossier_remade(
    registry: Registry, custody: MemoryCustody, clock: SetClock, batch: str
) -> None:
    claim = claimed(registry, batch, 1)
    registry.line.reject(claim, "wrong cryptogram", "authenticate", "A")
    registry.line.reject(claim, "wrong cryptogram", "authenticate", "A")
    assert registry.line.claim(batch, "lane 1", "s", chip(1), LEASE) == ChipKnown("rejected", "wrong cryptogram")
    assert registry.hotlist.entries() == [(claim.card_number, 1, "rejected", clock())]
    (reject,) = registry.line.rejects(batch)
    assert (reject.chip_serial, reject.reason, reject.step, reject.bin) == (
        chip(1),
        "wrong cryptogram",
        "authenticate",
        "A",
    )
    assert (reject.card_number, reject.sequence, reject.at) == (claim.card_number, 1, clock())
    with pytest.raises(FenceLost):
        registry.line.verified(claim, {}, 1.0)

    (again,) = registry.dossiers.to_prepare(batch)
    assert (again.card_number, again.sequence) == (claim.card_number, 2)
    prepare(registry, custody, batch)
    claimed(registry, batch, 2)
    remade = claimed(registry, batch, 3)
    assert (remade.card_number, remade.sequence, remade.member_id) == (claim.card_number, 2, claim.member_id)
    assert registry.line.verified(remade, {}, 1.0).sequence == 2


def test_a_chip_bound_in_another_batch_is_not_taken(registry: Registry, custody: MemoryCustody, batch: str) -> None:
    claimed(registry, batch, 1)
    other = ready(registry, custody, 1, "d2", start=50)
    assert registry.line.claim(other, "lane 1", "s", chip(1), LEASE) == ChipKnown("other batch", batch)


def test_a_chip_without_a_claim(registry: Registry, batch: str) -> None:
    assert registry.line.reject_chip(
        batch, chip(9), "foreign card", "connect", "B", "lane 1", from_stock=False
    ) == chip(9)
    unread = [registry.line.reject_chip(batch, "", "no answer to reset", "connect", "B", "lane 1") for _ in range(2)]
    assert len(set(unread)) == 2
    assert registry.line.reject_chip(batch, chip(9), "other words", "connect", "B", "lane 1") == chip(9)
    assert sorted(reject.reason for reject in registry.line.rejects(batch)) == [
        "foreign card",
        "no answer to reset",
        "no answer to reset",
    ]
    counted = registry.batches.accounts(batch)
    assert (counted.chips_fed, counted.chips_rejected, counted.balanced) == (3, 3, True)
    assert registry.line.claim(batch, "lane 1", "s", chip(9), LEASE) == ChipKnown("rejected", "foreign card")


def test_rejecting_a_bound_chip_by_its_serial_takes_the_dossier_with_it(registry: Registry, batch: str) -> None:
    claim = claimed(registry, batch, 1)
    registry.line.reject_chip(batch, chip(1), "mute", "connect", "B", "lane 2")
    assert registry.batches.accounts(batch).remade == 1
    with pytest.raises(FenceLost):
        registry.line.journal(claim, JournalEntry("late", JournalEvent.DONE))
    registry.line.verified(claimed(registry, batch, 2), {}, 1.0)
    with pytest.raises(RegistryConflict, match="verified card"):
        registry.line.reject_chip(batch, chip(2), "mute", "connect", "B", "lane 2")


def test_a_missing_chip_is_given_up_by_the_operator(registry: Registry, clock: SetClock, batch: str) -> None:
    claim = claimed(registry, batch, 1)
    with pytest.raises(RegistryConflict, match="in a lane's hands"):
        registry.line.release_missing(batch, chip(1), "值班员", reason="chip lost")
    clock.forward(LEASE)
    registry.line.release_missing(batch, chip(1), "值班员", reason="chip lost")
    (reject,) = registry.line.rejects(batch)
    assert (reject.step, reject.reason, reject.lane) == ("missing", "chip lost (reported by 值班员)", "lane 1")
    assert (reject.code, reject.params) == ("missing", {"said": "chip lost", "by": "值班员"})
    assert registry.hotlist.entries()[0].card_number == claim.card_number
    with pytest.raises(RegistryConflict, match="not missing"):
        registry.line.release_missing(batch, chip(1), "值班员", reason="chip lost")
    with pytest.raises(NotOnRecord, match="bound to chip"):
        registry.line.release_missing(batch, chip(2), "值班员", reason="chip lost")


def test_nothing_is_claimed_from_a_batch_that_is_no_batch_of_the_line(registry: Registry) -> None:
    draft = registry.rosters.import_roster("u", rows(1), [], source="f", digest="d", by="张").id
    with pytest.raises(RegistryConflict, match="draft"):
        registry.line.claim(draft, "lane 1", "s", chip(1), LEASE)
    with pytest.raises(RegistryConflict, match="draft"):
        registry.line.reject_chip(draft, chip(1), "mute", "connect", "B", "lane 1")
    with pytest.raises(NotOnRecord):
        registry.line.claim("B1", "lane 1", "s", chip(1), LEASE)


def test_a_chip_without_a_serial_gets_no_dossier(registry: Registry, batch: str) -> None:
    with pytest.raises(RegistryConflict, match="without a serial"):
        registry.line.claim(batch, "lane 1", "s", "", LEASE)


def test_a_batch_that_waits_for_preparation_says_so(registry: Registry) -> None:
    batch_id = approved(registry, rows(3))
    assert registry.line.claim(batch_id, "lane 1", "s", chip(1), LEASE) == NothingLeft(claimed=0, to_prepare=3)
    assert registry.batches.accounts(batch_id).chips_fed == 0


def test_tokens_and_leases_are_values_a_claim_carries(registry: Registry, clock: SetClock, batch: str) -> None:
    claim = registry.line.claim(batch, "lane 1", "station 7", chip(1), timedelta(seconds=30))
    assert isinstance(claim, Claim)
    assert (claim.station, claim.lease_until, claim.batch_id) == ("station 7", clock() + timedelta(seconds=30), batch)
    assert "sealed" not in repr(claim)


def test_lines_that_belong_together_are_written_all_or_none(registry: Registry, batch: str) -> None:
    old = claimed(registry, batch, 1)
    together = (JournalEntry("install", JournalEvent.DONE), JournalEntry("store", JournalEvent.INTENT))
    registry.line.journal(old, *together)
    new = claimed(registry, batch, 1)
    with pytest.raises(FenceLost):
        registry.line.journal(old, *together)
    with pytest.raises(FenceLost):
        registry.line.verified(old, {}, 1.0, *together)
    last = JournalEntry("read back", JournalEvent.DONE)
    registry.line.verified(new, {}, 1.0, last)
    registry.line.verified(new, {}, 1.0, last)  # repeated: neither card nor journal changes
    written = [(line.step, line.event, line.token) for line in registry.line.journal_of(batch)]
    assert written == [("install", "done", old.token), ("store", "intent", old.token), ("read back", "done", new.token)]


def test_rejected_chips_are_audited(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    registry.line.reject(claimed(registry, batch, 1), "wrong key", "authenticate", "red")
    assert audit_entries(registry, "chip.reject") == [("station, lane 1", f"chip:{chip(1)}", "wrong key")]
