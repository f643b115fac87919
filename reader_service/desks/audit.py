"""The audit, looked through."""

from __future__ import annotations

from typing import Protocol

from reader_service.principal import Principal
from registry.audit import AuditFilter
from registry.audit_chain import AuditRow, ChainReport
from registry.paging import Page


class AuditDesk(Protocol):
    """Made as ``AuditDesk(parts, bus)``."""

    def page(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, where: AuditFilter | None = None
    ) -> Page[AuditRow]:
        """Newest first."""
        ...

    def verify(self, p: Principal, noted: tuple[int, str] | None = None) -> ChainReport: ...
