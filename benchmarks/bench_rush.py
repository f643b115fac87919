"""A rush: 1,000 clients of two processes claim 20,000 tickets of two lots at once, each client until it has none left
to claim; then the stock, every member's limit and the waiting list are counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

from sqlalchemy import select

from benchmarks.table import Row
from registry.db.tables import rush_claims
from registry.rush.values import Claimed, ClaimRefused, ClaimRequest, ClaimState
from registry.store import Registry
from registry.values import Claim
from terminal.keys.memory import MemoryCustody
from terminal.secret import Secret
from tests.support.cards.card_bench import fast_directory
from tests.support.registry.postgres import private_cluster
from tests.support.registry.registrar import LEASE, SetClock, approved, chip, custodian, prepare, rows
from tests.support.registry.rushes import OPENS, RULES, terms

CLIENTS, UNITS, LIMIT, LONGEST = 1000, (10_000, 10_000), 21, 400
CLAIMS = LIMIT + 1
"""Of each client: more than its limit, and together more than the stock and the waiting lists."""
PROCESSES = 2
DECISIONS_TARGET = 1000.0
OPENING_TARGET = 1.0
TRANSPORT = Secret(bytes(range(32)))
"""Under which the keys go to the processes: those of a benchmark guard nothing."""


def run() -> list[Row]:
    with fast_directory() as directory, private_cluster() as cluster:
        return [
            row
            for name, url in (("SQLite", f"sqlite:///{directory}/registry.db"), ("PostgreSQL", cluster.database()))
            for row in _measured(name, url)
        ]


def _measured(name: str, url: str) -> list[Row]:
    custody = custodian()
    cards = _filled(url, custody)
    at = time.time() + 5
    shares = [cards[number::PROCESSES] for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(partial(_clients, url, custody.snapshot(TRANSPORT), at), shares))
    took = max(ended for ended, _ in parts) - at
    seconds = sorted(one for _, listed in parts for one in listed)
    first = _of_first_claims(parts)
    _check(url, custody)
    decisions = len(seconds)
    rate, late = decisions / took, seconds[round(decisions * 0.99) - 1]
    what = f"rush on {name}: {CLIENTS:,} clients of {PROCESSES} processes, {sum(UNITS):,} tickets, {decisions:,} claims"
    each = f"{rate:.0f} a second; p50 {seconds[decisions // 2] * 1e3:.0f} ms, p99 {late * 1e3:.0f} ms"
    target = DECISIONS_TARGET / rate
    opening = f"rush on {name}: the longest wait for a first claim of {CLIENTS:,} clients at the opening instant"
    return [
        Row(what, each, target, "≥ 1,000 a second", rate >= DECISIONS_TARGET),
        Row(opening, f"{first:.2f} s", first / OPENING_TARGET, "≤ 1 s", first <= OPENING_TARGET),
    ]


def _of_first_claims(parts: Sequence[tuple[float, Sequence[float]]]) -> float:
    """Seconds that the slowest first claim took."""
    return max(one for _, listed in parts for one in listed[::CLAIMS])


def _filled(url: str, custody: MemoryCustody) -> list[str]:
    """Card numbers of the members, before an open rush."""
    with Registry.open(url, custody, clock=SetClock()) as registry:
        batch = approved(registry, rows(CLIENTS))
        prepare(registry, custody, batch, pans=[f"62109713{number:011d}" for number in range(CLIENTS)])
        cards = []
        for number in range(1, CLIENTS + 1):
            claim = registry.line.claim(batch, "lane 1", "station", chip(number), LEASE)
            assert isinstance(claim, Claim)
            cards.append(registry.line.verified(claim, {}, 1.0).card_number)
        registry.rushes.announce(terms(units=UNITS, most=LIMIT, longest=LONGEST), by="registrar")
    return cards


def _clients(url: str, keys: bytes, at: float, cards: Sequence[str]) -> tuple[float, list[float]]:
    """When the last claim of these clients was decided, and the seconds that each claim took, client by client."""
    custody = MemoryCustody.from_snapshot(keys, TRANSPORT)
    with Registry.open(url, custody, clock=SetClock(OPENS)) as registry, ThreadPoolExecutor(len(cards)) as threads:
        number = registry.rushes.find("fair").number

        def client(place: int) -> list[float]:
            time.sleep(max(0.0, at - time.time()))
            took = []
            for claim in range(CLAIMS):
                lot = f"lot-{1 + (place + claim) % len(UNITS)}"
                began = time.perf_counter()
                wanted = ClaimRequest(f"{cards[place]}-{claim}", number, lot, cards[place], "client")
                answer = registry.rush_claims.claim(wanted, RULES)
                took.append(time.perf_counter() - began)
                assert isinstance(answer, Claimed | ClaimRefused)
            return took

        listed = list(threads.map(client, range(len(cards))))
        return time.time(), [one for taken in listed for one in taken]


def _check(url: str, custody: MemoryCustody) -> None:
    """Sold is the stock, no member is over his limit, and each waiting list is whole and in the order of the claims."""
    with Registry.open(url, custody, clock=SetClock(OPENS)) as registry:
        lots = registry.rushes.find("fair").lots
        with registry._context.read() as conn:
            claims = conn.execute(select(rush_claims).order_by(rush_claims.c.id)).all()
    assert max(Counter(one.member_id for one in claims).values()) <= LIMIT
    for lot in lots:
        mine = [one for one in claims if one.lot == lot.code]
        granted = [one for one in mine if one.state == ClaimState.GRANTED]
        waiting = [one.position for one in mine if one.state == ClaimState.WAITING]
        assert (len(granted), len(waiting)) == (lot.taken, lot.waiting)
        assert lot.taken == lot.units, lot
        assert waiting == list(range(1, len(waiting) + 1))


if __name__ == "__main__":
    for row in run():
        print(row)
