"""The audit: its entries, and the check of their chain."""

from __future__ import annotations

from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import translate_registry_errors
from registry.admin.audit import AuditFilter
from registry.db.audit_chain import AuditRow, ChainReport
from registry.db.paging import Page


class AuditService:
    def __init__(self, parts: ServiceParts, bus: EventBus) -> None:
        self._registry = parts.registry
        self._bus = bus

    def page(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, where: AuditFilter | None = None
    ) -> Page[AuditRow]:
        """Entries, newest first."""
        p.need(Permission.AUDIT)
        with translate_registry_errors():
            return self._registry.audit.page(cursor, limit, where=where)

    def verify(self, p: Principal, noted: tuple[int, str] | None = None) -> ChainReport:
        """Check the whole chain. ``noted``: number and hash at which an earlier check ended, which shows whether
        entries were removed from the end. A faulty chain is published as an event (service.fault)."""
        p.need(Permission.AUDIT)
        if noted is not None and (len(noted[1]) != 64 or not set(noted[1].lower()) <= set("0123456789abcdef")):
            raise Invalid("a row's hash is 64 hex digits", {"hash": "64 hex digits"})
        with translate_registry_errors():
            report = self._registry.audit.verify(noted)
        if not report.whole:
            self._bus.publish("service.fault", "audit", {"code": "audit-chain-broken", "breaks": len(report.breaks)})
        return report
