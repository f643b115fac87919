"""Blank chips: deliveries, spoilt ones, what is left, and the queue of the batches that need them."""

from __future__ import annotations

from datetime import date
from typing import Final

from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.batches.priority import BatchPriority
from registry.batches.queue import QueuePlace
from registry.batches.stock import StockView
from registry.values import StockAccounts
from terminal.names import all_visible

LONGEST_SUPPLIER_BATCH: Final = 60
MOST_CHIPS: Final = 1_000_000
"""Chips of one booking."""


class StockService:
    """Every change raises Invalid, or Conflict where the record forbids it."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry

    def view(self, p: Principal) -> StockView:
        """Deliveries, bookings, what is left and what is needed."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.stock.view()

    def receive(self, p: Principal, count: int, supplier_batch: str) -> StockAccounts:
        """Book a delivery. Raises Invalid."""
        p.need(Permission.BATCHES_PREPARE)
        _check(count, supplier_batch, least=1)
        with translate_registry_errors():
            return self._registry.stock.receive(count, supplier_batch.strip(), p.name)

    def spoil(self, p: Principal, count: int, supplier_batch: str, reason: str) -> StockAccounts:
        """Write off chips that cannot be used; below 0 takes earlier ones back."""
        p.need(Permission.BATCHES_PREPARE)
        why = needs_reason(reason)
        _check(count, supplier_batch, least=-MOST_CHIPS)
        with translate_registry_errors():
            return self._registry.stock.spoil(count, supplier_batch.strip(), p.name, reason=why)


class QueueService:
    """The order in which approved batches are worked on. Event: batch.changed of the batch that was placed."""

    def __init__(self, parts: ServiceParts, bus: EventBus) -> None:
        self._registry = parts.registry
        self._bus = bus

    def order(self, p: Principal, limit: int = 500) -> list[QueuePlace]:
        """The approved batches, the next one first."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.queue.order(limit)

    def place(self, p: Principal, batch_id: str, priority: BatchPriority, due: date | None) -> QueuePlace:
        """BatchPriority and day of a batch. Raises NotFound, Conflict for one that is not approved."""
        p.need(Permission.BATCHES_PREPARE)
        with translate_registry_errors():
            placed = self._registry.queue.place(batch_id, priority=priority, due=due, by=p.name)
        return self._announced(placed)

    def move(self, p: Principal, batch_id: str, *, up: bool) -> QueuePlace:
        """One up or down among those of its priority. Raises NotFound, Conflict at either end."""
        p.need(Permission.BATCHES_PREPARE)
        with translate_registry_errors():
            placed = self._registry.queue.move(batch_id, up=up, by=p.name)
        return self._announced(placed)

    def _announced(self, placed: QueuePlace) -> QueuePlace:
        self._bus.publish("batch.changed", placed.batch_id, {"priority": placed.priority.value})
        return placed


def _check(count: int, supplier_batch: str, *, least: int) -> None:
    """Raises Invalid."""
    fields = {}
    if not least <= count <= MOST_CHIPS or not count:
        fields["count"] = f"a number of chips up to {MOST_CHIPS}"
    if not all_visible(supplier_batch.strip()) or len(supplier_batch) > LONGEST_SUPPLIER_BATCH:
        fields["supplier_batch"] = f"1 to {LONGEST_SUPPLIER_BATCH} printable characters"
    if fields:
        raise Invalid("this cannot be booked", fields)
