"""Units as organisations: departments below a unit, plans that count them, members who come back elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from registry.admin.plans import UnitPlan
from registry.admin.statistics import UnitProgress
from registry.errors import RegistryConflict
from registry.store import Registry
from registry.unit_names import levels, own_name, whole_name
from registry.values import AcceptedRow, Batch
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, carded, row

RAILWAY, TEACHERS, LOGISTICS = "石家庄铁道大学工会", "河北师范大学工会", "后勤处"
DUE = date(2026, 12, 20)
TODAY = date(2026, 11, 22)


def imported(registry: Registry, college: str, *rows: AcceptedRow) -> Batch:
    """An approved roster of a college, whose title names it; the rows name departments."""
    below = [replace(one, above=college) for one in rows]
    batch = registry.rosters.import_roster(college, below, [], source="f", digest=f"{college} {rows}", by="张")
    return registry.batches.approve(batch.id, "李")


@pytest.mark.parametrize(
    ("name", "above", "whole"),
    [
        (LOGISTICS, RAILWAY, "石家庄铁道大学工会 / 后勤处"),
        (RAILWAY, RAILWAY, RAILWAY),
        ("石家庄铁道大学", RAILWAY, RAILWAY),
        ("石家庄铁道大学", "石家庄铁道大学 工会委员会", "石家庄铁道大学 工会委员会"),
        ("", RAILWAY, RAILWAY),
        (LOGISTICS, "", LOGISTICS),
        (LOGISTICS, "教育工会 / 石家庄铁道大学", "教育工会 / 石家庄铁道大学 / 后勤处"),
        ("教育工会 / 石家庄铁道大学 / 后勤处", "教育工会 / 石家庄铁道大学", "教育工会 / 石家庄铁道大学 / 后勤处"),
        ("财务处/审计处", RAILWAY, "石家庄铁道大学工会 / 财务处/审计处"),
        ("工会", "教育工会", "教育工会 / 工会"),
    ],
)
def test_the_whole_name_of_a_unit_has_the_unit_above(name: str, above: str, whole: str) -> None:
    assert whole_name(name, above) == whole


def test_levels_stand_between_blanks() -> None:
    assert levels(" 教育工会 ／ 铁道大学  /  财务处/审计处 ") == ("教育工会", "铁道大学", "财务处/审计处")
    assert (own_name("教育工会 / 后勤处"), own_name("后勤处"), own_name("")) == ("后勤处", "后勤处", "")


def test_departments_of_one_name_in_two_colleges_are_two_units(registry: Registry) -> None:
    first = imported(registry, RAILWAY, row(1, unit=LOGISTICS), row(2, unit=LOGISTICS))
    second = imported(registry, TEACHERS, row(3, unit=LOGISTICS))
    railway, teachers = registry.dossiers.to_prepare(first.id), registry.dossiers.to_prepare(second.id)
    assert {(one.unit_name, one.unit_code) for one in railway} == {(LOGISTICS, "130000GH0000000001")}
    assert {(one.unit_name, one.unit_code) for one in teachers} == {(LOGISTICS, "130000GH0000000002")}
    units = [one.unit for one in registry.members.page().items]
    assert units == [f"{RAILWAY} / {LOGISTICS}"] * 2 + [f"{TEACHERS} / {LOGISTICS}"]
    assert (first.unit, second.unit) == (RAILWAY, TEACHERS)
    assert len(registry.members.page(unit=RAILWAY).items) == 2
    assert len(registry.members.page(unit=f"{TEACHERS} / {LOGISTICS}").items) == 1
    assert registry.members.page(unit=LOGISTICS).items == ()


def test_a_person_of_the_department_of_another_college_is_refused(registry: Registry) -> None:
    imported(registry, RAILWAY, row(1, unit=LOGISTICS))
    with pytest.raises(RegistryConflict, match=f"registered by {RAILWAY} / {LOGISTICS}"):
        imported(registry, TEACHERS, row(1, unit=LOGISTICS))


def test_the_plan_of_a_college_counts_its_departments(registry: Registry) -> None:
    registry.plans.put([UnitPlan(RAILWAY, "一", 500, DUE), UnitPlan(f"{RAILWAY} / 图书馆", "一", 9, DUE)], by="王")
    imported(registry, RAILWAY, row(1, unit=LOGISTICS), row(2, unit="图书馆"), row(3, unit=RAILWAY))
    imported(registry, TEACHERS, row(4, unit=LOGISTICS), row(5, unit=LOGISTICS))
    assert registry.statistics.units(TODAY) == [
        UnitProgress(RAILWAY, "一", 500, DUE, 3, 0, False),
        UnitProgress(f"{RAILWAY} / 图书馆", "一", 9, DUE, 1, 0, False, RAILWAY),
        UnitProgress(TEACHERS, "", None, None, 2, 0, False),
    ]


def test_a_unit_with_a_plan_is_no_department_of_the_title(registry: Registry) -> None:
    registry.plans.put([UnitPlan(RAILWAY, "一", 500, DUE)], by="王")
    imported(registry, "河北省教育工会", row(1, unit=RAILWAY), row(2, unit="机关"))
    assert [one.unit for one in registry.members.page().items] == [RAILWAY, "河北省教育工会 / 机关"]


def test_a_department_recorded_without_its_college_is_known_by_the_roster_that_brought_it(registry: Registry) -> None:
    flat = registry.rosters.import_roster(RAILWAY, [row(1, unit=LOGISTICS)], [], source="f", digest="d", by="张")
    registry.batches.approve(flat.id, "李")
    (known,) = registry.rosters.known_members([row(1).person.id_number]).values()
    assert known.unit_name == LOGISTICS
    assert known.may_register(LOGISTICS, RAILWAY)
    assert not known.may_register(LOGISTICS, TEACHERS)


def test_a_withdrawn_member_joins_another_unit_by_a_new_roster(registry: Registry, custody: MemoryCustody) -> None:
    carded(registry, custody)
    registry.members.withdraw(1, by="王", reason="退会")
    known = registry.rosters.known_members([row(1).person.id_number])[row(1).person.id_number]
    assert known.may_register(LOGISTICS, RAILWAY)
    below = replace(row(1, unit=LOGISTICS), above=RAILWAY)
    batch = registry.rosters.import_roster(RAILWAY, [below], [], source="f", digest="d9", by="张")
    assert registry.members.member(1).unit == UNIT, "until a second person approves"
    (change,) = registry.reviews.changes(batch.id).items
    assert (change.kind, change.unit) == ("back", f"{RAILWAY} / {LOGISTICS}")
    registry.batches.approve(batch.id, "李")
    member = registry.members.member(1)
    assert (member.unit, member.withdrawn_at) == (f"{RAILWAY} / {LOGISTICS}", None)
    (prepared,) = registry.dossiers.to_prepare(batch.id)
    assert (prepared.unit_name, prepared.member_number) == (LOGISTICS, "130000000001")
    assert len(prepared.unit_code) == 18
    events = [(event.event, event.detail) for event in registry.members.history(1)][-2:]
    assert events == [("returned", batch.id), ("transferred", f"{UNIT} → {RAILWAY} / {LOGISTICS}")]
