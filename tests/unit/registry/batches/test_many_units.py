"""Thousands of units in one form or schedule: the statements do not grow with the units, whatever is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from registry.admin.plans import UnitPlan
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import new_registry, row
from tests.support.registry.statements import statements, steps

COLLEGE = "铁道大学工会"
DUE = date(2026, 12, 20)


def import_units(registry: Registry, first: int, count: int) -> str:
    """A draft of one person for each of so many new departments of a college."""
    rows = [replace(row(number, unit=f"学院{number}"), above=COLLEGE) for number in range(first, first + count)]
    return registry.rosters.import_roster(COLLEGE, rows, [], source="f", digest=f"{first}", by="张").id


def approve_units(registry: Registry, first: int, count: int) -> None:
    registry.batches.approve(import_units(registry, first, count), "李")


def plan_units(registry: Registry, first: int, count: int) -> None:
    plans = [UnitPlan(f"教育工会 / 学院{n % 7} / 系{n}", "一", 3, DUE) for n in range(first, first + count)]
    registry.plans.put(plans, by="王")


def discard_units(registry: Registry, first: int, count: int) -> None:
    registry.batches.discard(import_units(registry, first, count), by="张")


def check_again(registry: Registry, first: int, count: int) -> None:
    approve_units(registry, first, count)
    look_up(registry, first, count)


def show_units(registry: Registry, first: int, count: int) -> None:
    """What people look at once they are on record."""
    batch = import_units(registry, first, count)
    registry.batches.approve(batch, "李")
    registry.batches.accounts(batch)
    registry.dossiers.to_prepare(batch)
    registry.statistics.units(DUE)
    registry.units.page()


def look_up(registry: Registry, first: int, count: int) -> None:
    """Once they are on record: what the check of a form asks."""
    numbers = [row(number).person.identity_key for number in range(first, first + count)]
    registry.rosters.known_members(numbers)


@pytest.mark.parametrize("work", [import_units, approve_units, plan_units])
def test_statements_do_not_grow_with_the_units(
    registry: Registry, work: Callable[[Registry, int, int], object]
) -> None:
    counts = []
    for first, count in ((1, 3), (101, 30), (201, 300)):
        with statements(registry) as executed:
            work(registry, first, count)
        counts.append(len(executed))
    assert counts[2] <= counts[1] <= counts[0] + 2


def test_a_look_at_members_of_many_units_costs_no_statement_for_each(registry: Registry) -> None:
    import_units(registry, 1, 300)
    counts = []
    for count in (3, 300):
        with statements(registry) as executed:
            look_up(registry, 1, count)
        counts.append(len(executed))
    assert counts[0] == counts[1]


def test_no_statement_looks_at_all_units_for_each_unit(registry: Registry) -> None:
    """All units are read a fixed number of times."""
    with statements(registry) as executed:
        approve_units(registry, 1, 5000)
    whole = [one for one, _ in executed if "FROM units ORDER BY" in one.replace("\n", "")]
    assert len(whole) <= 3
    assert len(executed) < 60
    codes = [one.code for one in registry.units.page(limit=500, text="学院").items]
    assert len(set(codes)) == 500


@pytest.mark.parametrize("work", [import_units, approve_units, plan_units, discard_units, check_again, show_units])
def test_four_times_the_units_take_four_times_the_steps(
    tmp_path: Path, custody: MemoryCustody, work: Callable[[Registry, int, int], object]
) -> None:
    taken = []
    for count in (200, 800):
        (tmp_path / f"{count}.db").write_bytes(new_registry())
        with Registry.open(f"sqlite:///{tmp_path}/{count}.db", custody) as registry, steps(registry) as one:
            work(registry, 1, count)
        taken += one
    assert taken[1] < 6 * taken[0], "16 times, if each unit looks at all others"


def test_the_units_of_a_form_are_those_of_before(registry: Registry) -> None:
    """Levels, spellings, and departments of one name, all new in one schedule."""
    names = ["甲 / 后 勤 处", "甲 / 后勤处（本部）", "乙 / 后勤处", "甲 / 后勤处 / 食堂", "甲"]
    registry.plans.put([UnitPlan(name, "一", 3, DUE) for name in names], by="王")
    above = {one.unit: one.above for one in registry.units.page().items}
    assert above == {
        "甲": "",
        "乙": "",
        "甲 / 后勤处": "甲",
        "甲 / 后勤处（本部）": "甲",
        "乙 / 后勤处": "乙",
        "甲 / 后勤处 / 食堂": "甲 / 后勤处",
    }
    registry.plans.put([UnitPlan("甲/后勤处".replace("/", " ／ ") + " / 食 堂", "一", 9, DUE)], by="王")
    assert {one.unit for one in registry.units.page().items} == set(above)
    assert {one.unit: one.planned for one in registry.plans.all()}["甲 / 后勤处 / 食堂"] == 9
