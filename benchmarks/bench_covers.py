"""The list of changes of a cover for 1.8 million members on PostgreSQL, against reading the members once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from sqlalchemy import select, text

from benchmarks.table import Row
from programme.records.cover_terms import next_list
from registry.covers.values import CoverList
from registry.db.tables import members
from registry.store import Registry
from tests.support.registry.covered import Population, covering_programme, signed_list
from tests.support.registry.postgres import private_cluster
from tests.support.registry.registrar import SetClock, custodian

MEMBERS, CHANGED = 1_800_000, 20_000
TARGET = 3.0
_PIECE = 10_000
_FILL = (
    "INSERT INTO members (id, unit_id, id_index, sealed, seal_key, id_masked, name_masked, mobile_masked, "
    "member_number, category, registered_at) SELECT n, 1, decode(md5(n::text), 'hex'), decode(repeat('ab', 150), "
    "'hex'), 'seal/1', '1301***', '欧*', '139***', lpad(n::text, 12, '0'), 0, now() FROM generate_series(2, :most) n",
    "INSERT INTO dossiers (id, batch_id, member_id, card_number, sequence, profile_name, profile_digest, state, token) "
    "SELECT n, 'b', n, '622848' || lpad(n::text, 12, '0'), 1, 'default', repeat('0', 64), 'verified', 1 "
    "FROM generate_series(2, :most) n",
    "INSERT INTO chips (serial, batch_id, dossier_id, state, from_stock, fed_at, lane) "
    "SELECT 'filled' || n, 'b', n, 'bound', false, now(), '1' FROM generate_series(2, :most) n",
    "INSERT INTO cards (card_number, sequence, member_id, dossier_id, chip_serial, state, verified_at, seconds, "
    "result) SELECT '622848' || lpad(n::text, 12, '0'), 1, n, n, 'filled' || n, 'active', now(), 1, '{}' "
    "FROM generate_series(2, :most) n",
)


def run() -> list[Row]:
    clock = SetClock(datetime(2026, 1, 1, 4, tzinfo=UTC))
    with private_cluster() as cluster, Registry.open(cluster.database(), custodian(), clock=clock) as registry:
        Population(registry).holder()
        with registry.members._context.write() as conn:
            for statement in _FILL:
                conn.execute(text(statement), {"most": MEMBERS})
        _analyze(registry)
        reading = min(_seconds(lambda: _read(registry)) for _ in range(2))
        first = _drawn_in(registry, date(2026, 1, 1))
        signing = _seconds(lambda: signed_list(registry, first[1]))
        _change(registry)
        _analyze(registry)
        clock.now = datetime(2026, 12, 17, 4, tzinfo=UTC)
        second = _drawn_in(registry, date(2026, 12, 17))
    assert (first[1].covered, second[1].leaving) == (MEMBERS, CHANGED)
    what = f"list of changes of {MEMBERS:,} members on PostgreSQL"
    return [
        _row(f"{what}: the first, which adds all", first[0], reading),
        _row(f"{what}: the next, {CHANGED:,} leave", second[0], reading),
        Row(
            f"{what}: the second signature, with the orders for all chips",
            f"{signing:.1f} s, {signing / reading:.1f} × reading",
            signing / reading,
            "no target",
            True,
        ),
    ]


def _row(what: str, seconds: float, reading: float) -> Row:
    ratio = seconds / reading
    measured = f"{seconds:.1f} s, {ratio:.2f} × reading the members once ({reading:.1f} s)"
    return Row(what, measured, ratio, "≤ 3 ×", ratio <= TARGET)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _read(registry: Registry) -> None:
    """Every member's row once, as a program gets it."""
    with registry.members._context.read() as conn:
        rows = conn.execute(select(members).execution_options(yield_per=_PIECE))
        assert sum(len(piece) for piece in rows.partitions()) == MEMBERS


def _drawn_in(registry: Registry, day: date) -> tuple[float, CoverList]:
    terms = next_list(covering_programme(), "accident", registry.cover_lists.last("accident"), day).terms
    began = time.perf_counter()
    drawn = registry.cover_lists.draw_up(terms, by="zhang")
    return time.perf_counter() - began, drawn


def _change(registry: Registry) -> None:
    with registry.members._context.write() as conn:
        conn.execute(text("UPDATE members SET category = 1 WHERE id % :part = 0"), {"part": MEMBERS // CHANGED})


def _analyze(registry: Registry) -> None:
    """As a database does by itself soon after it was filled."""
    with registry.members._context.write() as conn:
        conn.execute(text("ANALYZE"))
