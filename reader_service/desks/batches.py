"""Batches: where each stands, its dossiers, its accounts, its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from personalize.report import BatchReport
from reader_service.principal import Principal
from registry.paging import Page
from registry.values import Accounts, Batch, BoundChip, Reject, StockAccounts


@dataclass(frozen=True, slots=True)
class Preparation:
    """Dossiers in the making: a background job of this service, one at a time a batch."""

    batch_id: str
    state: Literal["running", "done", "failed"]
    made: int
    total: int
    by: str
    begun_at: datetime
    ended_at: datetime | None = None
    fault: str = ""
    """A sentence, where it failed."""


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch with its accounts. ``signed_by``: who signed its closing first, and waits for a second person."""

    batch: Batch
    accounts: Accounts
    preparation: Preparation | None
    signed_by: str | None


class BatchDesk(Protocol):
    """Made as ``BatchDesk(parts, bus)``. Publishes ``batch.changed`` with topic = batch id."""

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        stage: str | None = None,
    ) -> Page[Batch]:
        """Newest first."""
        ...

    def show(self, p: Principal, batch_id: str) -> BatchView: ...

    def prepare(self, p: Principal, batch_id: str) -> Preparation:
        """Begin to make the dossiers that are missing. Raises Conflict while this batch is being prepared."""
        ...

    def preparation(self, p: Principal, batch_id: str) -> Preparation | None: ...

    def report(self, p: Principal, batch_id: str) -> BatchReport: ...

    def report_html(self, p: Principal, batch_id: str) -> str: ...

    def rejects(self, p: Principal, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[Reject]: ...

    def bound(self, p: Principal, batch_id: str) -> list[BoundChip]: ...

    def release_missing(self, p: Principal, batch_id: str, chip_serial: str, reason: str) -> Batch: ...

    def stock(self, p: Principal) -> StockAccounts: ...

    def close_batch(self, p: Principal, batch_id: str) -> BatchView:
        """The first person signs, the second closes."""
        ...

    def close(self) -> None:
        """Wait for the preparations in hand; the service's, not a use-case."""
        ...
