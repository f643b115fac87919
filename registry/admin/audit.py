"""The audit: read, verified, and appended to by actions that change no other record (sign-ins, refusals)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from registry.db import audit_chain
from registry.db.audit_chain import AuditEntry, AuditRow, ChainReport
from registry.db.context import RegistryContext
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import audit


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Conditions on audit rows. ``action`` is a whole action, or a prefix that ends with a dot; ``since`` is inclusive,
    ``until`` exclusive."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.actor is not None:
            conditions.append(audit.c.actor == self.actor)
        if self.action is not None and self.action.endswith("."):
            conditions.append(audit.c.action.startswith(self.action, autoescape=True))
        elif self.action is not None:
            conditions.append(audit.c.action == self.action)
        if self.subject is not None:
            conditions.append(audit.c.subject == self.subject)
        if self.since is not None:
            conditions.append(audit.c.at >= self.since)
        if self.until is not None:
            conditions.append(audit.c.at < self.until)
        return conditions


class Audit:
    """Repository of the audit."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def note(self, entry: AuditEntry) -> AuditRow:
        """Append an entry in a transaction of its own. Methods that change a record append theirs themselves."""
        with self._context.write() as conn:
            return audit_chain.append(conn, self._context.personal, entry, self._context.clock())

    def page(self, cursor: str | None = None, limit: int = 50, *, where: AuditFilter | None = None) -> Page[AuditRow]:
        """Newest first. Raises BadCursor."""
        conditions: list[Any] = (where or AuditFilter()).conditions()
        if cursor is not None:
            conditions.append(audit.c.number < read_cursor(cursor, int)[0])
        chosen = select(audit).where(*conditions).order_by(audit.c.number.desc()).limit(cut(limit) + 1)
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, audit_chain.audit_row, lambda row: [row.number])

    def verify(self, noted: tuple[int, str] | None = None) -> ChainReport:
        """Verify the whole chain and report rows that were changed, removed, inserted or moved.

        ``noted``: number and hash of the last row of an earlier report; shows whether rows were cut off since.
        """
        with self._context.read() as conn:
            return audit_chain.verify(conn, self._context.personal, noted)
