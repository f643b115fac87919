"""The queue: by priority, then as somebody moved, then by the day when a batch is due."""

from __future__ import annotations

from datetime import date

import pytest

from registry.admin.plans import UnitPlan
from registry.batches.priority import BatchPriority
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from tests.support.registry.registrar import UNIT, approved, audit_entries, row, rows

OTHER = "唐山市总工会"


@pytest.fixture
def batches(registry: Registry) -> list[str]:
    return [approved(registry, rows(1, number), f"d{number}") for number in (1, 2, 3)]


def order(registry: Registry) -> list[str]:
    return [place.batch_id for place in registry.queue.order()]


def test_batches_come_in_the_order_of_their_import_until_somebody_places_them(
    registry: Registry, batches: list[str]
) -> None:
    first, second, third = batches
    assert order(registry) == batches
    registry.queue.place(third, priority=BatchPriority.URGENT, due=None, by="op")
    registry.queue.place(first, priority=BatchPriority.LOW, due=None, by="op")
    assert order(registry) == [third, second, first]
    assert [(one.first, one.last) for one in registry.queue.order()] == [(True, True)] * 3
    assert audit_entries(registry, "batch.place")[0] == ("op", f"batch:{first}", "")


def test_a_batch_moves_up_and_down_within_its_priority_and_back(registry: Registry, batches: list[str]) -> None:
    first, second, third = batches
    registry.queue.move(third, up=True, by="op")
    registry.queue.move(third, up=True, by="op")
    assert order(registry) == [third, first, second]
    with pytest.raises(RegistryConflict, match="is the first of its priority"):
        registry.queue.move(third, up=True, by="op")
    registry.queue.move(third, up=False, by="op")
    assert order(registry) == [first, third, second]
    with pytest.raises(RegistryConflict, match="is the last of its priority"):
        registry.queue.move(second, up=False, by="op")
    registry.queue.place(second, priority=BatchPriority.URGENT, due=None, by="op")
    with pytest.raises(RegistryConflict, match="is the first of its priority"):
        registry.queue.move(first, up=True, by="op")
    assert order(registry) == [second, first, third]
    registry.queue.place(first, priority=BatchPriority.NORMAL, due=date(2026, 12, 1), by="op")
    assert order(registry) == [second, first, third], "a new day does not take the place that somebody gave"


def test_a_day_is_that_of_the_batch_else_of_the_units_plan(registry: Registry, batches: list[str]) -> None:
    registry.plans.put([UnitPlan(UNIT, "", 10, date(2026, 12, 10))], by="op")
    later = registry.rosters.import_roster(OTHER, [row(9, unit=OTHER)], [], source="f", digest="d9", by="a").id
    registry.batches.approve(later, "b")
    assert {place.due for place in registry.queue.order()} == {date(2026, 12, 10), None}
    assert order(registry) == [*batches, later], "one without a day comes last"
    place = registry.queue.place(later, priority=BatchPriority.NORMAL, due=date(2026, 12, 1), by="op")
    assert order(registry)[0] == later
    assert (place.late(date(2026, 12, 1)), place.late(date(2026, 12, 2))) == (False, True)


def test_only_approved_batches_have_a_place(registry: Registry, batches: list[str]) -> None:
    draft = registry.rosters.import_roster(UNIT, rows(1, 30), [], source="f", digest="d30", by="张").id
    assert draft not in order(registry)
    with pytest.raises(RegistryConflict, match="only an approved batch"):
        registry.queue.move(draft, up=True, by="op")
    with pytest.raises(NotOnRecord):
        registry.queue.place("B20260101-001", priority=BatchPriority.LOW, due=None, by="op")
    registry.batches.discard(batches[0], "op", reason="x")
    assert order(registry) == batches[1:]
