"""The queue of a station: in which order the approved batches are worked on, and when each is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, case, delete, func, insert, select

from registry.batches.lookup import stage_for_update
from registry.batches.priority import BatchPriority
from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.paging import cut
from registry.db.tables import batches, plans, queue
from registry.errors import RegistryConflict


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """The place of a batch in the queue. ``due``: its own day, else that of its unit's plan. ``first`` and ``last`` of
    its priority: it cannot be moved further up or down."""

    batch_id: str
    priority: BatchPriority
    due: date | None
    first: bool = True
    last: bool = True

    def late(self, today: date) -> bool:
        """Whether the day is over."""
        return self.due is not None and self.due < today


_RANK = case({BatchPriority.URGENT.value: 0, BatchPriority.LOW.value: 2}, value=queue.c.priority, else_=1)


class BatchQueue:
    """Repository of the queue. A batch that nobody placed is of normal priority, behind those that somebody moved, by
    the day when it is due."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def order(self, limit: int = 500) -> list[QueuePlace]:
        """The approved batches, the next one first."""
        with self._context.read() as conn:
            return _places(conn, cut(limit))

    def place(self, batch_id: str, *, priority: BatchPriority, due: date | None, by: str) -> QueuePlace:
        """Give a batch a priority and a day; None for the day of its unit's plan. It comes last among those of its new
        priority, and keeps its place in the same. Raises NotOnRecord, RegistryConflict for one that is not approved."""
        with self._context.write() as conn:
            before = self._approved(conn, batch_id)
            number = before.number if before is not None and before.priority == priority.value else None
            day = None if due is None else due.isoformat()
            _put(conn, batch_id, number=number, priority=priority.value, due=day)
            old = BatchPriority.NORMAL.value if before is None else before.priority
            subject = f"batch:{batch_id}"
            self._context.audit(conn, by, "batch.place", subject, old=old, new=priority.value, due=day)
            return next(one for one in _places(conn) if one.batch_id == batch_id)

    def move(self, batch_id: str, *, up: bool, by: str) -> QueuePlace:
        """Exchange a batch with the one before it, or after it, of the same priority.

        Raises NotOnRecord, RegistryConflict for one that is not approved, or is the first or last of its priority.
        """
        with self._context.write() as conn:
            allocate(conn, "batch/queue", 1)  # one move after the other
            self._approved(conn, batch_id)
            places = _places(conn)
            own = next(one for one in places if one.batch_id == batch_id)
            if own.first if up else own.last:
                sentence = f"batch {batch_id} is the {'first' if up else 'last'} of its priority; change that instead"
                raise RegistryConflict(sentence, reason="queue-first" if up else "queue-last", batch=batch_id)
            peers = [one.batch_id for one in places if one.priority is own.priority]
            at = peers.index(batch_id)
            other = at - 1 if up else at + 1
            peers[at], peers[other] = peers[other], peers[at]
            days = {row.batch_id: row.due for row in conn.execute(select(queue.c.batch_id, queue.c.due))}
            for number, peer in enumerate(peers, start=1):
                _put(conn, peer, number=number, priority=own.priority.value, due=days.get(peer))
            self._context.audit(conn, by, "batch.move", f"batch:{batch_id}", up=up)
            return next(one for one in _places(conn) if one.batch_id == batch_id)

    def _approved(self, conn: Connection, batch_id: str) -> Any:
        """The batch's row in the queue, None where it has none. Raises NotOnRecord, RegistryConflict."""
        stage = stage_for_update(conn, batch_id)
        if stage != "approved":
            sentence = f"batch {batch_id} is {stage}; only an approved batch has a place in the queue"
            raise RegistryConflict(sentence, reason="queue-not-approved", batch=batch_id)
        return conn.execute(select(queue).where(queue.c.batch_id == batch_id)).one_or_none()


def _put(conn: Connection, batch_id: str, *, number: int | None, priority: str, due: str | None) -> None:
    conn.execute(delete(queue).where(queue.c.batch_id == batch_id))
    conn.execute(insert(queue).values(batch_id=batch_id, number=number, priority=priority, due=due))


def _places(conn: Connection, limit: int | None = None) -> list[QueuePlace]:
    rows = conn.execute(_ordered().limit(limit)).all()
    ranks = [BatchPriority(row.priority or BatchPriority.NORMAL) for row in rows]
    return [
        QueuePlace(
            batch_id=row.id,
            priority=rank,
            due=None if row.due is None else date.fromisoformat(row.due),
            first=place == 0 or ranks[place - 1] is not rank,
            last=place == len(rows) - 1 or ranks[place + 1] is not rank,
        )
        for place, (row, rank) in enumerate(zip(rows, ranks, strict=True))
    ]


def _ordered() -> Select[Any]:
    due = func.coalesce(queue.c.due, plans.c.due)
    return (
        select(batches.c.id, queue.c.priority, due.label("due"))
        .join(queue, queue.c.batch_id == batches.c.id, isouter=True)
        .join(plans, plans.c.unit_id == batches.c.unit_id, isouter=True)
        .where(batches.c.stage == "approved")
        .order_by(_RANK, queue.c.number.nulls_last(), due.nulls_last(), batches.c.imported_at, batches.c.id)
    )
