"""The issuing schedule."""

from __future__ import annotations

from datetime import date

import pytest

from registry.admin.plans import UnitPlan
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from tests.support.registry.registrar import UNIT


def test_the_schedule_is_put_and_changed(registry: Registry) -> None:
    first = UnitPlan(UNIT, "第一组", 500, date(2026, 12, 20))
    second = UnitPlan("唐山市总工会", "第二组", 300, date(2026, 12, 10))
    registry.plans.put([first, second], by="王")
    assert registry.plans.all() == [second, first]
    later = UnitPlan(UNIT, "第二组", 600, date(2027, 1, 5))
    registry.plans.put([later], by="王")
    registry.plans.remove("唐山市总工会", by="王")
    assert registry.plans.all() == [later]
    with pytest.raises(NotOnRecord, match="no plan for 唐山市总工会"):
        registry.plans.remove("唐山市总工会", by="王")
    for bad in (UnitPlan(" ", "", 1, date(2027, 1, 1)), UnitPlan("u", "", 0, date(2027, 1, 1))):
        with pytest.raises(RegistryConflict, match="at least one card"):
            registry.plans.put([later, bad], by="王")
    twice = [
        UnitPlan(f"财务处{brackets}", "", cards, date(2027, 1, 1))
        for brackets, cards in (("（本部）", 4), ("(本部)", 6))
    ]
    with pytest.raises(RegistryConflict, match="two plans of the schedule are of one unit"):
        registry.plans.put(twice, by="王")
    registry.plans.put([], by="王")
    entries = [(row.entry.action, row.entry.subject, row.entry.facts) for row in registry.audit.page().items]
    assert entries == [
        ("plan.remove", "unit:唐山市总工会", {}),
        ("plan.set", f"unit:{UNIT}", {"units": 1, "planned": 600}),
        ("plan.set", "schedule", {"units": 2, "planned": 800}),
    ]
