"""A unit is put below another: plans count it, its forms name it as before, circles are refused, and it is undone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from threading import Thread

import pytest

from registry.admin.plans import UnitPlan
from registry.admin.statistics import UnitProgress
from registry.admin.units import PlacedUnit, UnitView
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import AcceptedRow
from tests.support.registry.registrar import audit_entries, row

RAILWAY, TEACHERS, FEDERATION, LOGISTICS = "石家庄铁道大学工会", "河北师范大学工会", "河北省教育工会", "后勤处"
DUE, TODAY, WHY = date(2026, 12, 20), date(2026, 11, 22), "letter"


def imported(registry: Registry, title: str, *rows: AcceptedRow, digest: str = "") -> None:
    below = [replace(one, above=title) for one in rows]
    given = digest or f"{title} {[one.person.id_number for one in rows]}"
    batch = registry.rosters.import_roster(title, below, [], source="f", digest=given, by="张")
    registry.batches.approve(batch.id, "李")


def units_of(registry: Registry) -> dict[str, str]:
    return {one.unit: one.above for one in registry.units.page().items}


@pytest.fixture
def placed(registry: Registry) -> Registry:
    """A college of two members, one in a department, that was put below a federation with a plan."""
    imported(registry, RAILWAY, row(1, unit=LOGISTICS), row(2, unit=RAILWAY))
    registry.plans.put([UnitPlan(FEDERATION, "一", 500, DUE), UnitPlan(RAILWAY, "一", 9, DUE)], by="王")
    registry.units.place(RAILWAY, FEDERATION, by="王", reason=WHY)
    return registry


def test_the_plan_of_the_unit_above_counts_the_units_below(placed: Registry) -> None:
    whole = f"{FEDERATION} / {RAILWAY}"
    assert placed.statistics.units(TODAY) == [
        UnitProgress(FEDERATION, "一", 500, DUE, 2, 0, False),
        UnitProgress(whole, "一", 9, DUE, 2, 0, False, FEDERATION),
    ]
    assert placed.units.page().items == (
        UnitView(FEDERATION, "", "", "", 2, 500),
        UnitView(whole, FEDERATION, RAILWAY, "130000GH0000000001", 2, 9),
        UnitView(f"{whole} / {LOGISTICS}", whole, "", "130000GH0000000002", 1, None),
    )
    assert [one.unit for one in placed.members.page(unit=FEDERATION).items] == [f"{whole} / {LOGISTICS}", whole]
    assert len(placed.members.page(unit=RAILWAY).items) == 2
    assert audit_entries(placed, "unit.place") == [("王", f"unit:{RAILWAY}", WHY)]


def test_blanks_and_brackets_make_no_other_unit(registry: Registry) -> None:
    imported(registry, RAILWAY, row(1, unit="后 勤 处"), row(2, unit=LOGISTICS), row(3, unit="财务处（本部）"))
    imported(registry, "石家庄铁道大学 工会", row(4, unit="财务处(本部)"), row(5, unit="石家庄 铁道大学"))
    assert set(units_of(registry)) == {RAILWAY, f"{RAILWAY} / {LOGISTICS}", f"{RAILWAY} / 财务处（本部）"}
    known = registry.rosters.known_members([row(3).person.id_number])[row(3).person.id_number]
    assert known.may_register("财务处(本部)", "石家庄铁道大学 工会")
    assert not known.may_register("财务处(本部)", TEACHERS)


def test_forms_name_a_placed_unit_as_before_or_below_its_new_title(placed: Registry) -> None:
    whole = f"{FEDERATION} / {RAILWAY}"
    imported(placed, RAILWAY, row(3, unit=LOGISTICS), row(4, unit="图书馆"), row(5, unit=RAILWAY))
    imported(placed, FEDERATION, row(6, unit=RAILWAY))
    imported(placed, TEACHERS, row(7, unit=LOGISTICS))
    assert [one.unit for one in placed.members.page().items[2:]] == [
        f"{whole} / {LOGISTICS}",
        f"{whole} / 图书馆",
        whole,
        whole,
        f"{TEACHERS} / {LOGISTICS}",
    ]
    known = placed.rosters.known_members([row(1).person.id_number, row(2).person.id_number])
    department, college = known[row(1).person.id_number], known[row(2).person.id_number]
    assert department.may_register(LOGISTICS, RAILWAY)
    assert college.may_register(RAILWAY, "")
    assert college.may_register(RAILWAY, FEDERATION)
    assert not department.may_register(LOGISTICS, TEACHERS)
    with pytest.raises(RegistryConflict, match=f"registered by {whole} / {LOGISTICS}"):
        imported(placed, TEACHERS, row(1, unit=LOGISTICS), digest="again")
    placed.plans.remove(RAILWAY, by="王")
    assert [plan.unit for plan in placed.plans.all()] == [FEDERATION]


def test_placing_it_back_undoes_it(placed: Registry) -> None:
    done = placed.units.place(RAILWAY, "", by="王", reason="undo")
    assert done == PlacedUnit(RAILWAY, "", f"{FEDERATION} / {RAILWAY}", FEDERATION)
    assert units_of(placed) == {FEDERATION: "", RAILWAY: "", f"{RAILWAY} / {LOGISTICS}": RAILWAY}
    assert [one.registered for one in placed.statistics.units(TODAY)] == [0, 2]
    assert [one.known_as for one in placed.units.page().items] == ["", "", ""]
    again = placed.units.place(RAILWAY, done.above_before, by="王", reason=WHY)
    assert again.unit == done.unit_before


def test_circles_twins_strangers_and_nine_levels_are_refused(placed: Registry) -> None:
    whole = f"{FEDERATION} / {RAILWAY}"
    for unit, above in ((FEDERATION, f"{whole} / {LOGISTICS}"), (RAILWAY, RAILWAY), (FEDERATION, RAILWAY)):
        with pytest.raises(RegistryConflict, match="below itself"):
            placed.units.place(unit, above, by="王", reason=WHY)
    with pytest.raises(RegistryConflict, match="there already"):
        placed.units.place(RAILWAY, FEDERATION, by="王", reason=WHY)
    for unit, above in (("无此单位", FEDERATION), (RAILWAY, "无此单位")):
        with pytest.raises(NotOnRecord, match="no unit 无此单位"):
            placed.units.place(unit, above, by="王", reason=WHY)
    with pytest.raises(RegistryConflict, match="needs a reason"):
        placed.units.place(RAILWAY, "", by="王", reason=" ")
    imported(placed, TEACHERS, row(3, unit=LOGISTICS))
    with pytest.raises(RegistryConflict, match="on record too"):
        placed.units.place(f"{TEACHERS} / {LOGISTICS}", RAILWAY, by="王", reason=WHY)
    deep = " / ".join("一二三四五六七")
    with pytest.raises(RegistryConflict, match="8 levels at most"):
        placed.units.place(RAILWAY, deep, by="王", reason=WHY, new=True)
    assert "一" not in units_of(placed), "what was refused records nothing"


def test_a_unit_above_that_is_new_is_recorded_on_request(placed: Registry) -> None:
    placed.units.place(FEDERATION, "河北省总工会", by="王", reason=WHY, new=True)
    assert units_of(placed)[f"河北省总工会 / {FEDERATION} / {RAILWAY}"] == f"河北省总工会 / {FEDERATION}"
    assert len(placed.members.page(unit="河北省总工会").items) == 2
    imported(placed, RAILWAY, row(3, unit=LOGISTICS), digest="later")
    assert placed.members.member(3).unit == f"河北省总工会 / {FEDERATION} / {RAILWAY} / {LOGISTICS}"


def test_two_placements_at_once_make_no_circle(registry: Registry) -> None:
    imported(registry, RAILWAY, row(1, unit=RAILWAY))
    imported(registry, TEACHERS, row(2, unit=TEACHERS))
    refused: list[str] = []

    def place(unit: str, above: str) -> None:
        try:
            registry.units.place(unit, above, by="王", reason=WHY)
        except RegistryConflict as e:
            refused.append(e.reason)

    both = [Thread(target=place, args=pair) for pair in ((RAILWAY, TEACHERS), (TEACHERS, RAILWAY))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert refused == ["unit-below-itself"]
    assert sorted(units_of(registry).values())[0] == ""
