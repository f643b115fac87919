"""Statistics over some thousand cards, each checked against a count in Python."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from registry.admin.plans import UnitPlan
from registry.admin.statistics import CardSeconds, HourCount, RejectCount
from registry.db import tables
from registry.members.verdicts import VerdictNote
from registry.store import Registry
from registry.values import Coded
from terminal.keys.memory import MemoryCustody
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import SetClock, chip, claimed, custodian, ready
from tests.support.registry.statements import statements

CARDS, VERDICTS = 3000, 5000
BEGIN = datetime.fromisoformat("2026-11-20T00:00:00+00:00")
UNITS = {"甲": 1500, "乙": 900, "丙": 600}
REASONS = [("authenticate", "wrong key"), ("install", "card silent"), ("read back", "differs"), ("reset", "dead")]


@dataclass
class Filled:
    """A registry and the plain facts it was filled with."""

    registry: Registry
    cards: list[tuple[datetime, float, str, str]] = field(default_factory=list)  # at, seconds, station, lane
    rejects: list[tuple[datetime, str, str]] = field(default_factory=list)
    verdicts: list[VerdictNote] = field(default_factory=list)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('statistics')}/registry.db"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.database()
    with Registry.open(url, custodian(), clock=SetClock()) as registry:
        yield fill(Filled(registry))


def fill(filled: Filled) -> Filled:
    """Straight into the tables: the line would take minutes."""
    chance = random.Random(4)
    batch = filled.registry.rosters.import_roster("甲", [], [], source="f", digest="d", by="张").id
    filled.registry.plans.put(
        [
            UnitPlan("甲", "第一组", 1500, date(2026, 11, 25)),
            UnitPlan("乙", "第一组", 1000, date(2026, 11, 25)),
            UnitPlan("丁", "第二组", 50, date(2026, 11, 30)),
        ],
        by="张",
    )
    order = ("members", "dossiers", "claims", "chips", "cards", "card_events")
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in order}
    names = [unit for unit, count in UNITS.items() for _ in range(count)]
    with filled.registry._context.database.write() as conn:
        ids = {}
        for unit in UNITS:
            known_unit = conn.execute(tables.units.select().where(tables.units.c.name == unit)).one_or_none()
            ids[unit] = (
                known_unit.id
                if known_unit
                else conn.execute(insert(tables.units).values(name=unit).returning(tables.units.c.id)).scalar_one()
            )
        for number in range(1, CARDS + 1):
            at = BEGIN + timedelta(seconds=chance.randrange(72 * 3600))
            seconds = round(chance.lognormvariate(2.3, 0.3), 3)
            station, lane = f"S{number % 2}", f"lane {number % 5}"
            good = number % 10 != 0
            add(rows, batch, number, ids[names[number - 1]], at, seconds, station, lane, good)
            if good:
                filled.cards.append((at, seconds, station, lane))
            else:
                step, reason = REASONS[number // 10 % 4]
                filled.rejects.append((at, step, reason))
                rows["chips"][-1] |= {"step": step, "reason": reason}
        for name in order:
            conn.execute(insert(tables.metadata.tables[name]), rows[name])
    for _ in range(VERDICTS):
        at = BEGIN + timedelta(seconds=chance.randrange(48 * 3600))
        code = chance.choice(["ACTIVE"] * 8 + ["EXPIRED", "LOST"])
        filled.verdicts.append(VerdictNote(at, chance.choice("AB"), "r1", code, chance.random(), str(chance.random())))
    filled.registry.verdicts.note(*filled.verdicts)
    return filled


def add(
    rows: dict[str, list[dict[str, object]]],
    batch: str,
    number: int,
    unit_id: int,
    at: datetime,
    seconds: float,
    station: str,
    lane: str,
    good: bool,
) -> None:
    serial, card = f"{number:020d}", f"62{number:017d}"
    masked = {"id_masked": "*", "name_masked": "*", "mobile_masked": "*"}
    rows["members"].append(
        {
            "id": number,
            "unit_id": unit_id,
            "id_index": number.to_bytes(32, "big"),
            "name_index": (number % 700).to_bytes(32, "big"),
            "sealed": b"",
            "seal_key": "seal/1",
            **masked,
            "member_number": f"{130000000000 + number}",
            "category": 0,
            "registered_at": BEGIN,
        }
    )
    state = "verified" if good else "remade"
    dossier = {"id": number, "batch_id": batch, "member_id": number, "card_number": card, "sequence": 1}
    rows["dossiers"].append({**dossier, "profile_name": "p", "profile_digest": "d", "state": state, "token": number})
    claim = {"token": number, "dossier_id": number, "lane": lane, "station": station}
    rows["claims"].append({**claim, "claimed_at": at, "lease_until": at})
    chip = {"serial": serial, "batch_id": batch, "dossier_id": number, "from_stock": True, "fed_at": at, "lane": lane}
    chip |= {"ended_at": at, "reason": None, "step": None, "bin": None}
    rows["chips"].append({**chip, "state": "verified" if good else "rejected"})
    if good:
        proven = {"card_number": card, "sequence": 1, "member_id": number, "dossier_id": number, "chip_serial": serial}
        rows["cards"].append({**proven, "state": "active", "verified_at": at, "seconds": seconds, "result": "{}"})
        verified = {"card_number": card, "sequence": 1, "at": at, "by": "王", "place": "", "reason": ""}
        rows["card_events"].append({**verified, "event": "verified"})
        if number % 3 == 0:
            later = at + timedelta(days=1)
            rows["card_events"].append({**verified, "event": "delivered", "at": later})


def test_units_against_plan_and_due_date(filled: Filled) -> None:
    units = filled.registry.statistics.units(date(2026, 11, 26))
    progress = [(unit.unit, unit.planned, unit.registered, unit.verified, unit.issued, unit.late) for unit in units]
    assert progress == [
        ("乙", 1000, 900, 810, 270, True),
        ("甲", 1500, 1500, 1350, 450, True),
        ("丁", 50, 0, 0, 0, False),
        ("丙", None, 600, 540, 180, False),
    ]
    assert not any(unit.late for unit in filled.registry.statistics.units(date(2026, 11, 25)))


def test_rejects_by_reason_and_step(filled: Filled) -> None:
    counted = Counter((step, reason) for _, step, reason in filled.rejects)
    got = filled.registry.statistics.rejects()
    assert {(one.step, one.reason): one.count for one in got} == counted
    assert [one.count for one in got] == sorted(counted.values(), reverse=True)
    since, until = BEGIN + timedelta(hours=10), BEGIN + timedelta(hours=20)
    within = Counter((step, reason) for at, step, reason in filled.rejects if since <= at < until)
    assert {(one.step, one.reason): one.count for one in filled.registry.statistics.rejects(since, until)} == within
    assert filled.registry.statistics.rejects(batch_id="B0") == []


def test_rejects_of_one_code_count_together_whatever_they_say(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    for number, (code, sentence) in enumerate(
        [*[("mute", "no answer"), ("mute", "still no answer")] * 2, ("", "words"), ("", "words"), ("", "other words")]
    ):
        coded = Coded(code, {"number": str(number)})
        registry.line.reject_chip(batch, chip(number), sentence, "connect", "1", "lane 1", coded=coded)
    assert registry.statistics.rejects() == [
        RejectCount("connect", "no answer", 4, "mute"),
        RejectCount("connect", "words", 2),
        RejectCount("connect", "other words", 1),
    ]
    assert [(one.code, one.params) for one in registry.line.rejects(batch)][1] == ("mute", {"number": "1"})


def test_seconds_per_card(filled: Filled) -> None:
    seconds = sorted(spent for _, spent, _, _ in filled.cards)
    got = filled.registry.statistics.seconds_per_card()
    assert (got.count, got.most) == (2700, seconds[-1])
    assert got.mean == pytest.approx(statistics.fmean(seconds))
    assert (got.p50, got.p90, got.p95, got.p99) == (seconds[1349], seconds[2429], seconds[2564], seconds[2672])
    nothing = filled.registry.statistics.seconds_per_card(until=BEGIN)
    assert nothing == CardSeconds(0, None, None, None, None, None, None)


def test_lanes(filled: Filled) -> None:
    good = Counter((station, lane) for _, _, station, lane in filled.cards)
    got = filled.registry.statistics.lanes()
    assert {(one.station, one.lane): one.verified for one in got if one.verified} == good
    assert sum(one.rejected for one in got) == len(filled.rejects)
    first = got[0]
    mine = [(at, spent) for at, spent, station, lane in filled.cards if (station, lane) == (first.station, first.lane)]
    if mine:
        assert first.mean_seconds == pytest.approx(statistics.fmean(spent for _, spent in mine))
        assert first.last_at >= max(at for at, _ in mine)


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0)


def test_verdicts_per_hour(filled: Filled) -> None:
    counted = Counter((hour(note.at), note.code) for note in filled.verdicts)
    got = filled.registry.statistics.verdicts_per_hour()
    assert got == [HourCount(at, code, counted[at, code]) for at, code in sorted(counted)]
    since, until = BEGIN + timedelta(hours=5), BEGIN + timedelta(hours=7)
    some = filled.registry.statistics.verdicts_per_hour(since, until, station="A")
    within = [note for note in filled.verdicts if since <= note.at < until and note.station == "A"]
    assert sum(one.count for one in some) == len(within)


def test_verified_per_hour(filled: Filled) -> None:
    counted = Counter(hour(at) for at, *_ in filled.cards)
    got = filled.registry.statistics.verified_per_hour()
    assert got == [HourCount(at, "", counted[at]) for at in sorted(counted)]


def test_issued_per_hour(filled: Filled) -> None:
    numbers = [number for number in range(1, CARDS + 1) if number % 10]
    verified = zip(numbers, filled.cards, strict=True)
    counted = Counter(hour(at + timedelta(days=1)) for number, (at, *_) in verified if number % 3 == 0)
    got = filled.registry.statistics.issued_per_hour()
    assert got == [HourCount(at, "", counted[at]) for at in sorted(counted)]


def test_issued_is_handed_over_and_neither_verified_nor_ended_before(
    registry: Registry, custody: MemoryCustody
) -> None:
    batch = ready(registry, custody, 5)
    numbers = []
    for number in range(1, 6):
        claim = claimed(registry, batch, number)
        registry.line.verified(claim, {}, 2.0)
        numbers.append(claim.card_number)

    def figures() -> tuple[int, int]:
        (unit,) = registry.statistics.units(date(2026, 11, 26))
        return unit.verified, unit.issued

    assert figures() == (5, 0)
    for number in numbers[1:]:
        registry.cards.change(number, "packed", "王", "装袋")
    registry.cards.change(numbers[1], "damaged", "王", "压坏")
    assert figures() == (5, 0)
    for number in numbers[2:]:
        registry.cards.change(number, "delivered", "王", "发放")
    assert figures() == (5, 3)
    registry.cards.change(numbers[3], "active", "王", "启用")
    registry.cards.change(numbers[4], "lost", "王", "挂失")
    assert figures() == (5, 3), "handed over once, whatever became of the card"
    registry.cards.replace(numbers[4], by="王", reason="补卡")
    assert figures() == (5, 3)
    assert sum(one.count for one in registry.statistics.issued_per_hour()) == 3
    assert sum(one.count for one in registry.statistics.verified_per_hour()) == 5


def whole_table_for_each_row(registry: Registry, statement: str, parameters: Any) -> list[str]:
    """The steps of SQLite's plan that read a whole table once for each row of another."""
    with registry._context.database.engine.connect() as conn:
        steps = list(conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
    within = {0: ""} | {step[0]: step[3] for step in steps}
    inner, begun = [], set()
    for _, parent, _, detail in steps:
        if detail.startswith("SCAN") and (parent in begun or within[parent].startswith("CORRELATED")):
            inner.append(detail)
        if detail.startswith(("SCAN", "SEARCH")):
            begun.add(parent)
    return inner


def test_a_page_of_thousands_and_a_figure_read_no_table_twice(filled: Filled) -> None:
    """A page costs the same few statements whatever its place; SQLite's plans show that each goes by index."""
    registry = filled.registry
    cursor, seen = None, 0
    with statements(registry) as executed:
        while True:
            page = registry.members.page(cursor, 500)
            seen += len(page.items)
            if (cursor := page.next) is None:
                break
        assert len(executed) <= 3 * CARDS / 500
        registry.cards.page(limit=100)
        registry.members.find("130000001234")
        registry.statistics.units(date(2026, 11, 26))
        registry.statistics.seconds_per_card()
        registry.statistics.lanes()
        assert len(executed) <= 3 * (CARDS / 500 + 5)
    assert seen == CARDS
    if registry._context.database.engine.dialect.name == "sqlite":
        for statement, parameters in executed:
            if statement.startswith(("SELECT", "WITH")):
                assert whole_table_for_each_row(registry, statement, parameters) == [], statement


def test_chips_rejected_before_they_were_bound_are_counted_by_lane(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    registry.line.reject_chip(batch, "", "dead", "reset", "red", "lane 9")
    registry.line.verified(claimed(registry, batch, 1), {}, 2.0)
    lanes = registry.statistics.lanes()
    assert [(lane.station, lane.lane, lane.verified, lane.rejected, lane.mean_seconds) for lane in lanes] == [
        ("", "lane 9", 0, 1, None),
        ("station", "lane 1", 1, 0, 2.0),
    ]
    assert registry.statistics.rejects() == [RejectCount("reset", "dead", 1)]
