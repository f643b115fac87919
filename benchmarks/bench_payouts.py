"""A bank batch of 100,000 instructions, from drawing it up to its return, in a process of its own for its memory."""

from __future__ import annotations

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import insert

from benchmarks.table import Row
from programme.records.payouts import draw_up, payment_file, take_return
from registry.db.tables import instructions
from registry.store import Registry
from registry.values import Claim
from terminal.keys import SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST
from terminal.secret import Secret
from tests.support.cards.card_bench import fast_directory
from tests.support.registry.payouts import BANK, bank_of, paying_custody, paying_programme, signed
from tests.support.registry.postgres import private_cluster
from tests.support.registry.registrar import LEASE, SetClock, approved, chip, prepare, rows

MEMBERS, INSTRUCTIONS = 1000, 100_000
SECONDS_TARGET, MEMORY_TARGET = 20.0, 300.0
DAY = date(2026, 11, 23)
PASSPHRASE = Secret(b"a benchmark's own")


def run() -> list[Row]:
    with fast_directory() as directory, private_cluster() as cluster:
        return [
            row
            for name, url in (("SQLite", f"sqlite:///{directory}/registry.db"), ("PostgreSQL", cluster.database()))
            for row in _measured(name, url, Path(directory, f"{name}.keys"))
        ]


def _measured(name: str, url: str, keystore: Path) -> list[Row]:
    process = partial(ProcessPoolExecutor, 1, mp_context=get_context("spawn"))
    with process() as pool:
        pool.submit(_fill, url, keystore).result()
    with process() as pool:
        seconds, megabytes = pool.submit(_work, url, keystore).result()
    what = f"bank batch of {INSTRUCTIONS:,} instructions on {name}: drawn up, its file, and its return booked"
    whole = sum(seconds)
    parts = ", ".join(f"{part} {one:.1f} s" for part, one in zip(("batch", "file", "return"), seconds, strict=True))
    return [
        Row(what, f"{whole:.1f} s ({parts})", whole, "≤ 20 s", whole <= SECONDS_TARGET),
        Row(f"{what}: memory of the process", f"{megabytes:.0f} MB", megabytes, "≤ 300 MB", megabytes <= MEMORY_TARGET),
    ]


def _fill(url: str, keystore: Path) -> None:
    """Members with accounts, and the instructions, each for one of them by turns; their keys."""
    keys = paying_custody()
    custody = SoftwareKeystore.create(keystore, PASSPHRASE, simulation=True, contents=keys, cost=CHEAP_COST)
    with Registry.open(url, custody, clock=SetClock()) as registry:
        batch = approved(registry, rows(MEMBERS))
        prepare(registry, custody, batch, pans=[f"62109713{number:011d}" for number in range(MEMBERS)])
        members = []
        for number in range(1, MEMBERS + 1):
            claim = registry.line.claim(batch, "lane 1", "station", chip(number), LEASE)
            assert isinstance(claim, Claim)
            members.append(registry.line.verified(claim, {}, 1.0).member_id)
        common = {"kind": "grant", "attempt": 1, "purpose": "补助", "by": "zhang", "reason": "", "state": "waiting"}
        with registry.instructions._context.write() as conn:
            for start in range(0, INSTRUCTIONS, 10_000):
                conn.execute(
                    insert(instructions),
                    [
                        common
                        | {
                            "reference": f"list/{number}",
                            "member_id": members[number % MEMBERS],
                            "amount": 100 + number,
                            "at": SetClock().now,
                        }
                        for number in range(start, start + 10_000)
                    ],
                )


def _work(url: str, keystore: Path) -> tuple[tuple[float, float, float], float]:
    """Seconds of each part, and the most memory in megabytes before the test bank takes the file."""
    custody = SoftwareKeystore.unlock(keystore, PASSPHRASE)
    programme = paying_programme("fixed")
    with Registry.open(url, custody, clock=SetClock()) as registry:
        began = time.perf_counter()
        batch = signed(registry, draw_up(registry, programme, BANK, by="zhang").batch)
        drawn = time.perf_counter()
        content = b"".join(payment_file(registry, custody, programme, batch.id, zone=UTC, by="zhang"))
        written = time.perf_counter()
        bank = bank_of(custody)
        bank.faults["6210971300000000007"] = "账户已销户"
        bank.execute(content)
        answer = bank.answer(content, DAY)
        del content, bank
        answered = time.perf_counter()
        booked = take_return(registry, custody, programme, BANK, answer, "return.txt", by="li").booked
        ended = time.perf_counter()
    assert booked.paid + booked.failed == INSTRUCTIONS
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (drawn - began, written - drawn, ended - answered), most
