"""Batches on their way from draft to closed: listed, approved or discarded, counted, and signed by two people."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, or_

from registry.batches import accounts, approval, confirmations, numbers, originals, reviews, row_reviews
from registry.batches.editing import undos
from registry.batches.lookup import batch_of, batch_on_record, selected_batches, stage_for_update
from registry.batches.states import counts, state_of
from registry.batches.units import within
from registry.db.actors import same_person
from registry.db.context import UNNAMED_ACTOR, RegistryContext
from registry.db.paging import Page, cut, page_of, read_cursor, read_time
from registry.db.tables import batches
from registry.ranges import RangeUse, SerialRange
from registry.values import Batch, BatchAccounts, BatchState


class Batches:
    """Repository of batches."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def batch(self, batch_id: str) -> Batch:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return batch_on_record(conn, batch_id)

    def all(self) -> list[Batch]:
        """All batches, oldest first."""
        chosen = selected_batches().order_by(batches.c.imported_at, batches.c.id)
        with self._context.read() as conn:
            return [batch_of(row) for row in conn.execute(chosen)]

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        stage: str | None = None,
        state: str | None = None,
    ) -> Page[Batch]:
        """Newest first. ``stage`` is draft, approved, closed or discarded; ``state`` one of ``states.STATES``. Raises
        BadCursor."""
        order = (batches.c.imported_at.desc(), batches.c.id.desc())
        chosen = selected_batches().order_by(*order).limit(cut(limit) + 1)
        if unit is not None:
            chosen = chosen.where(within(batches.c.unit_id, unit))
        if stage is not None:
            chosen = chosen.where(batches.c.stage == stage)
        if state is not None:
            chosen = chosen.where(state_of() == state)
        if cursor is not None:
            time, batch_id = read_cursor(cursor, str, str)
            at = read_time(time)
            same_time = and_(batches.c.imported_at == at, batches.c.id < batch_id)
            chosen = chosen.where(or_(batches.c.imported_at < at, same_time))
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
        return page_of(rows, limit, batch_of, lambda row: [row.imported_at.isoformat(), row.id])

    def state_counts(self) -> dict[str, int]:
        """The number of batches by state (``states.STATES``); states without batches are left out."""
        with self._context.read() as conn:
            return counts(conn)

    def range_use(self, batch_id: str, ranges: Sequence[SerialRange], *, scheme: str) -> list[RangeUse]:
        """How full these ranges of numbers are, and what a draft needs of them. Raises NotOnRecord."""
        with self._context.read() as conn:
            return numbers.range_use(conn, self._context.personal, batch_id, ranges, scheme)

    def approve(
        self,
        batch_id: str,
        by: str,
        *,
        scheme: str = "130000",
        member_prefix: str = "",
        sent: bool = False,
        ranges: Sequence[SerialRange] = (),
    ) -> Batch:
        """A second person approves a draft; units get their code, members their number and their changed data.

        ``scheme``: administrative division of the issuing federation, six digits; ``member_prefix``: that of member
        numbers, empty for the default of the scheme; ``ranges``: those of its numbers, which must have enough left.
        Raises RegistryConflict for a person who imported or edited it, a batch that is no draft or needs more numbers
        than are left, has a row in doubt or lacks the unit's confirmation, or with ``sent`` one that is not submitted.
        """
        with self._context.write() as conn:
            stage_for_update(conn, batch_id)  # what is checked below does not change until the end
            row_reviews.refuse_doubted(conn, batch_id)
            confirmations.refuse_unconfirmed(conn, batch_id)
            numbers.refuse_full(conn, self._context.personal, batch_id, ranges, scheme)
            row_reviews.refuse_editor(conn, batch_id, by)
            approval.approve(conn, self._context.personal, batch_id, by, scheme, member_prefix, self._context.clock())
            if sent:
                reviews.refuse_unsent(conn, batch_id)
            forgotten = undos.forget_undos(conn, batch_id)
            self._context.audit(conn, by, "batch.approve", f"batch:{batch_id}")
            approved = batch_on_record(conn, batch_id)
            if approved.state is BatchState.CLOSED:
                originals.forget(conn, batch_id)
        if forgotten:
            self._context.database.forget_deleted()
        return approved

    def imported_by_person(self, batch_id: str, actor: str) -> bool:
        """Whether this actor's person imported or edited the batch, who may not approve it. Raises NotOnRecord."""
        with self._context.read() as conn:
            importer = batch_on_record(conn, batch_id).imported_by
            return any(same_person(conn, one, actor) for one in (importer, *row_reviews.editors(conn, batch_id)))

    def discard(self, batch_id: str, by: str = UNNAMED_ACTOR, *, reason: str = "") -> Batch:
        """Give up a draft, or an approved batch without cards: its rows, its unused dossiers, and members who are on
        record by it alone are deleted; its file may be imported again.

        Raises NotOnRecord, RegistryConflict for a batch that is over, has cards, or has chips that are not settled.
        """
        with self._context.write() as conn:
            approval.discard(conn, batch_id, by, self._context.clock())
            originals.forget(conn, batch_id)
            confirmations.forget(conn, batch_id)
            undos.forget_undos(conn, batch_id)
            self._context.audit(conn, by, "batch.discard", f"batch:{batch_id}", reason)
            discarded = batch_on_record(conn, batch_id)
        self._context.database.forget_deleted()
        return discarded

    def accounts(self, batch_id: str) -> BatchAccounts:
        """Dossiers, chips and cards of a batch, counted in one view of the database."""
        with self._context.read() as conn:
            return accounts.accounts(conn, batch_id, self._context.clock())

    def close(self, batch_id: str, by: str, second: str) -> Batch:
        """Sign a finished, balanced batch by two people and destroy its dossier secrets.

        Raises RegistryConflict for one person, or a batch that is not finished or does not balance.
        """
        with self._context.write() as conn:
            accounts.close_batch(conn, batch_id, by, second, self._context.clock())
            originals.forget(conn, batch_id)
            self._context.audit(conn, by, "batch.close", f"batch:{batch_id}", second=second)
            closed = batch_on_record(conn, batch_id)
        self._context.database.forget_deleted()
        return closed
