"""Lanes as threads and stations as processes: no dossier has two holders, no number is given out twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count
from threading import Barrier

import psycopg
import pytest

from registry.errors import FenceLost, RegistryConflict
from registry.store import Registry
from registry.values import Claim, JournalEntry, JournalEvent, NothingLeft
from terminal.keys.memory import MemoryCustody
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import LEASE, UNIT, chip, prepare, ready, rows
from tests.support.registry.stations import stations
from tests.support.waiting import PATIENCE, eventually

LANES = 8
CARDS = 60


def test_lanes_never_take_the_same_dossier(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, CARDS)
    chips = count(1)
    together = Barrier(LANES)

    def lane(number: int) -> list[Claim]:
        issued = []
        together.wait()
        while True:
            claim = registry.line.claim(batch, f"lane {number}", "s", chip(next(chips)), LEASE)
            if not isinstance(claim, Claim):
                assert isinstance(claim, NothingLeft)
                return issued
            registry.line.journal(claim, JournalEntry("store data", JournalEvent.DONE, block=0))
            registry.line.verified(claim, {}, 1.0)
            issued.append(claim)

    with ThreadPoolExecutor(LANES) as pool:
        claims = [claim for issued in pool.map(lane, range(LANES)) for claim in issued]
    assert len({claim.dossier_id for claim in claims}) == len(claims) == CARDS
    assert len({claim.token for claim in claims}) == CARDS
    counted = registry.batches.accounts(batch)
    assert (counted.verified, counted.balanced) == (CARDS, True)
    assert len(registry.line.journal_of(batch)) == CARDS


def test_one_chip_in_two_readers_is_bound_once(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 20)
    for number in range(1, 11):
        together = Barrier(4)

        def lane(which: int, number: int = number, together: Barrier = together) -> Claim:
            together.wait()
            claim = registry.line.claim(batch, f"lane {which}", "s", chip(number), LEASE)
            assert isinstance(claim, Claim)
            return claim

        with ThreadPoolExecutor(4) as pool:
            claims = list(pool.map(lane, range(4)))
        assert len({claim.dossier_id for claim in claims}) == 1
        assert len({claim.token for claim in claims}) == 4
        assert sorted(claim.returning for claim in claims) == [False, True, True, True]
    counted = registry.batches.accounts(batch)
    assert (counted.claimed, counted.waiting, counted.balanced) == (10, 10, True)


def test_rosters_that_name_a_new_unit_at_once_are_all_taken(registry: Registry) -> None:
    together = Barrier(4)

    def take(number: int) -> str:
        together.wait()
        return registry.rosters.import_roster(
            "新单位", rows(1, number), [], source="f", digest=f"d{number}", by="张"
        ).unit

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(take, range(1, 5))) == ["新单位"] * 4


def test_only_the_newest_of_rival_claims_may_finish(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 6)
    for number in range(1, 7):
        claims = [registry.line.claim(batch, f"lane {lane}", "s", chip(number), LEASE) for lane in range(3)]
        together = Barrier(3)

        def finish(claim: Claim, together: Barrier = together) -> bool:
            together.wait()
            try:
                registry.line.verified(claim, {}, 1.0)
            except FenceLost:
                return False
            return True

        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(finish, claims)) == [False, False, True]
    assert registry.batches.accounts(batch).balanced


@pytest.mark.postgres
def test_a_journal_line_waits_for_a_concurrent_claim(cluster: Cluster, custody: MemoryCustody) -> None:
    url = cluster.database()
    with Registry.open(url, custody) as registry, psycopg.connect(url) as other, ThreadPoolExecutor(1) as pool:
        batch = ready(registry, custody, 1)
        claim = registry.line.claim(batch, "lane 1", "s", chip(1), LEASE)
        assert isinstance(claim, Claim)
        other.execute("SELECT 1 FROM dossiers FOR UPDATE")
        line = pool.submit(registry.line.journal, claim, JournalEntry("store data", JournalEvent.DONE))
        with pytest.raises(TimeoutError):
            line.result(timeout=0.3)
        other.execute("UPDATE dossiers SET token = token + 1")
        other.commit()
        with pytest.raises(FenceLost):
            line.result(PATIENCE)
        assert registry.line.journal_of(batch) == []


def test_serials_are_given_out_once_to_rivals(registry: Registry) -> None:
    with ThreadPoolExecutor(LANES) as pool:
        given = list(pool.map(lambda _: registry.cards.allocate_serials("62", 3), range(40)))
    numbers = [number for part in given for number in part]
    assert sorted(numbers) == list(range(1, 121))


def test_two_preparations_of_one_batch_make_each_dossier_once(registry: Registry, custody: MemoryCustody) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(10), [], source="f", digest="d", by="张").id
    registry.batches.approve(batch, "李")
    together = Barrier(2)

    def run(_: int) -> int:
        together.wait()
        try:
            return prepare(registry, custody, batch)
        except RegistryConflict:
            return 0

    with ThreadPoolExecutor(2) as pool:
        issued = list(pool.map(run, range(2)))
    assert sum(issued) == 10
    assert registry.batches.accounts(batch).dossiers == 10


def test_two_stations_never_take_the_same_dossier(registry: Registry, custody: MemoryCustody, url: str) -> None:
    batch = ready(registry, custody, CARDS)
    with stations(url, batch, 1000, 2000) as both:
        for word in ("ready", "one"):
            assert [station.heard() for station in both] == [word] * 2
            for station in both:
                station.go_on()
        taken = [station.heard() for station in both]
        assert all(station.ended() for station in both)
    assert all(taken)
    assert sorted(chain.from_iterable(taken)) == list(range(1, CARDS + 1))
    assert registry.batches.accounts(batch).balanced


def test_two_programs_make_a_new_database_together(url: str, custody: MemoryCustody) -> None:
    together = Barrier(4)

    def start(_: int) -> int:
        together.wait()
        with Registry.open(url, custody) as registry:
            return len(registry.batches.all())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_killed_station_leaves_accounts_that_balance(registry: Registry, custody: MemoryCustody, url: str) -> None:
    batch = ready(registry, custody, CARDS)
    done = 0
    for start in (1000, 2000, 3000):
        with stations(url, batch, start) as (station,):
            assert station.heard() == "ready"
            station.go_on(2)
            assert eventually(lambda more=done + 5: registry.batches.accounts(batch).verified >= more)
        counted = registry.batches.accounts(batch)
        assert counted.balanced
        done = counted.verified
    for bound in registry.line.bound_chips(batch):
        claim = registry.line.claim(batch, "lane", "s", bound.chip_serial, LEASE)
        assert isinstance(claim, Claim)
        assert (claim.dossier_id, claim.returning) == (bound.dossier_id, True)
