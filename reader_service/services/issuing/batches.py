"""Batches: their state, preparation, accounts and closing."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from personalize.line import report as reporting
from personalize.line.report import BatchReport
from reader_service.errors import Conflict, Forbidden
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.issuing.preparations import Preparation, Preparations
from registry.admin.audit import AuditFilter
from registry.batches.queue import QueuePlace
from registry.batches.reviews import ReviewEvent
from registry.db.audit_chain import AuditEntry
from registry.db.paging import Page
from registry.line.doubled import DoubledChip
from registry.values import Batch, BatchAccounts, BatchState, BoundChip, Reject, StockAccounts

SIGNATURE_LASTS: Final = timedelta(hours=24)
"""How long the first person's signature under a batch waits for the second's."""
SIGNED: Final = "batch.sign"


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch with its accounts. ``signed_by`` signed its closing first and waits for a second person. ``review`` is
    the last review step. ``place`` is its place in the queue, where that was looked up; ``late``: its day is over."""

    batch: Batch
    accounts: BatchAccounts
    preparation: Preparation | None
    signed_by: str | None
    review: ReviewEvent | None
    place: QueuePlace | None = None
    late: bool = False


class BatchService:
    """Events: batch.changed (topic: batch id; data: {"state"} or {"preparation": Preparation.to_json()})."""

    def __init__(self, parts: ServiceParts, bus: EventBus) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus
        self._preparations = Preparations(parts.line, bus, parts.clock)
        self._closing = threading.Lock()

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        stage: str | None = None,
        state: str | None = None,
    ) -> Page[Batch]:
        """Newest first. ``stage``: draft, approved, closed, discarded; ``state``: one of ``STATES``."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.batches.page(cursor, limit, unit=unit, stage=stage, state=state)

    def queue(self, p: Principal, limit: int) -> list[BatchView]:
        """Approved batches with their places, the next one first."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            places = self._registry.queue.order(limit)
        today = self._parts.now().date()
        views = ((place, self._view(place.batch_id)) for place in places)
        return [
            replace(view, place=place, late=place.late(today) and view.batch.state is not BatchState.DONE)
            for place, view in views
        ]

    def state_counts(self, p: Principal) -> dict[str, int]:
        """The number of batches by state; states without batches are left out."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.batches.state_counts()

    def standing(self, p: Principal, batch_ids: Collection[str]) -> dict[str, ReviewEvent]:
        """The last review step of each of up to 500 batches; batches never submitted are left out."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.reviews.standing(batch_ids)

    def show(self, p: Principal, batch_id: str) -> BatchView:
        """Raises NotFound."""
        p.need(Permission.BATCHES_VIEW)
        return self._view(batch_id)

    def prepare(self, p: Principal, batch_id: str) -> Preparation:
        """Start preparing the missing dossiers in the background.

        Raises Conflict for a draft, a finished batch, and while this one is being prepared; NotFound.
        """
        p.need(Permission.BATCHES_PREPARE)
        with translate_registry_errors():
            batch = self._registry.batches.batch(batch_id)
            if batch.state in (BatchState.DRAFT, BatchState.CLOSED, BatchState.DISCARDED):
                draft = batch.state is BatchState.DRAFT
                sentence = f"batch {batch_id} is {batch.state}; no dossiers are made of it"
                raise Conflict(sentence, reason="batch-draft" if draft else "batch-over", batch=batch_id)
            self._preparations.refuse_second(batch_id)
            entry = AuditEntry(p.name, "batch.prepare", f"batch:{batch_id}", facts={"missing": batch.to_prepare})
            self._registry.audit.note(entry)
        return self._preparations.begin(batch_id, batch.to_prepare, p.name)

    def preparation(self, p: Principal, batch_id: str) -> Preparation | None:
        """The last preparation of this batch in this service; None where there was none."""
        p.need(Permission.BATCHES_VIEW)
        return self._preparations.of(batch_id)

    def report(self, p: Principal, batch_id: str) -> BatchReport:
        """The report's values, masked. Raises NotFound."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return reporting.collect(self._registry, batch_id)

    def report_html(self, p: Principal, batch_id: str) -> str:
        """The report as one self-contained page. Raises NotFound."""
        return reporting.render([self.report(p, batch_id)], created_at=self._parts.now())

    def rejects(self, p: Principal, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[Reject]:
        """Rejected chips, oldest first."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.line.rejects_page(batch_id, cursor, limit)

    def bound(self, p: Principal, batch_id: str) -> list[BoundChip]:
        """Bound chips without a result."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            self._registry.batches.batch(batch_id)
            return self._registry.line.bound_chips(batch_id)

    def doubled(self, p: Principal, batch_id: str) -> list[DoubledChip]:
        """Serials that two chips have."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.line.doubled_chips(batch_id)

    def release_missing(self, p: Principal, batch_id: str, chip_serial: str, reason: str) -> Batch:
        """Give up a bound chip: its card goes on the hotlist, its dossier is prepared again. Raises Conflict while a
        lane may still have it, Invalid without a reason."""
        p.need(Permission.LANES_RUN)
        why = needs_reason(reason)
        with translate_registry_errors():
            self._registry.line.release_missing(batch_id, chip_serial, p.name, reason=why)
            return self._changed(self._registry.batches.batch(batch_id))

    def stock(self, p: Principal) -> StockAccounts:
        """The accounts of all blank chips."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            return self._registry.stock.accounts()

    def close_batch(self, p: Principal, batch_id: str) -> BatchView:
        """Sign a finished, balanced batch. The first signature is valid for a day; the second person's closes the
        batch.

        The first signature is an audit entry, so that any service on this database finds it. Raises OwnWork for the
        same person twice, Forbidden for a token, Conflict for a batch that is not done or does not balance.
        """
        p.need(Permission.BATCHES_CLOSE)
        if p.token:
            raise Forbidden("two people sign a batch; a token is none", permission=str(Permission.BATCHES_CLOSE))
        with self._closing, translate_registry_errors():
            batch, accounts = self._registry.batches.batch(batch_id), self._registry.batches.accounts(batch_id)
            if batch.state is not BatchState.DONE or not accounts.balanced:
                done = batch.state is BatchState.DONE
                how = "does not balance" if done else f"is {batch.state}"
                sentence = f"batch {batch_id} {how}; only one that is done and balances is closed"
                raise Conflict(sentence, reason="batch-unbalanced" if done else "batch-not-finished", batch=batch_id)
            first = self._signed_by(batch_id)
            if first is None:
                self._registry.audit.note(AuditEntry(p.name, SIGNED, f"batch:{batch_id}"))
            else:
                self._registry.batches.close(batch_id, first, p.name)
        view = self._view(batch_id)
        self._changed(view.batch)
        return view

    def close(self) -> None:
        """End running preparations when the service closes; not a use-case."""
        self._preparations.close()

    def _view(self, batch_id: str) -> BatchView:
        with translate_registry_errors():
            batch = self._registry.batches.batch(batch_id)
            return BatchView(
                batch=batch,
                accounts=self._registry.batches.accounts(batch_id),
                preparation=self._preparations.of(batch_id),
                signed_by=self._signed_by(batch_id) if batch.state is BatchState.DONE else None,
                review=self._registry.reviews.standing([batch_id]).get(batch_id),
            )

    def _signed_by(self, batch_id: str) -> str | None:
        since = self._parts.clock() - SIGNATURE_LASTS
        where = AuditFilter(action=SIGNED, subject=f"batch:{batch_id}", since=since)
        signed = self._registry.audit.page(None, 1, where=where).items
        return signed[0].entry.actor if signed else None

    def _changed(self, batch: Batch) -> Batch:
        self._bus.publish("batch.changed", batch.id, {"state": batch.state.value})
        return batch
