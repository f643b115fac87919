"""The stock of blanks: deliveries by the supplier's batch, first in first out, spoilt ones, and what is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.errors import RegistryConflict
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, audit_entries, claimed, ready


def summary(registry: Registry) -> list[tuple[str, int, int, int, int, int]]:
    return [
        (one.supplier_batch, one.received, one.spoilt, one.fed, one.rejected, one.left)
        for one in registry.stock.view().deliveries
    ]


def test_chips_are_taken_from_the_oldest_delivery(registry: Registry, custody: MemoryCustody, clock: SetClock) -> None:
    batch = ready(registry, custody, 4)
    registry.stock.receive(2, "A", "op")
    registry.stock.receive(5, "B", "op")
    assert registry.stock.view().needed == 4
    for number in (1, 2, 3):
        clock.forward(timedelta(seconds=1))
        claim = claimed(registry, batch, number)
        if number == 2:
            registry.line.reject(claim, "dead", "install", "red")
        else:
            registry.line.verified(claim, {}, 1.0)
    assert summary(registry) == [("A", 2, 0, 2, 1, 0), ("B", 5, 0, 1, 0, 4)]
    view = registry.stock.view()
    assert (view.needed, view.short, view.accounts.left, view.accounts.balanced) == (2, 0, 4, True)
    registry.stock.spoil(3, "B", "op", reason="受潮")
    assert registry.stock.view().short == 1
    assert registry.stock.shortage() == (1, 2)


def test_spoilt_chips_are_written_off_and_taken_back_within_what_is_there(registry: Registry) -> None:
    registry.stock.receive(10, "A", "op")
    accounts = registry.stock.spoil(4, "A", "op", reason="划伤")
    assert (accounts.spoilt, accounts.left, accounts.balanced) == (4, 6, True)
    assert audit_entries(registry, "stock.spoil") == [("op", "delivery:A", "划伤")]
    for count in (7, -5, 0):
        with pytest.raises(RegistryConflict):
            registry.stock.spoil(count, "A", "op", reason="x")
    with pytest.raises(RegistryConflict, match="of C 0 are left, 0 written off"):
        registry.stock.spoil(1, "C", "op", reason="x")
    assert registry.stock.spoil(-4, "A", "op", reason="数错了").spoilt == 0
    assert sorted((event.count, event.spoilt) for event in registry.stock.view().events) == [
        (-4, True),
        (4, True),
        (10, False),
    ]


def test_chips_that_no_delivery_booked_leave_none_below_zero(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 2)
    registry.stock.receive(1, "A", "op")
    for number in (1, 2):
        registry.line.verified(claimed(registry, batch, number), {}, 1.0)
    assert summary(registry) == [("A", 1, 0, 1, 0, 0)]
    assert registry.stock.accounts().left == -1
    assert registry.stock.view().short == 0
