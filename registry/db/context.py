"""What every repository of the registry works with: transactions, personal data, the clock, and the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from sqlalchemy import Connection

from registry.db import audit_chain
from registry.db.audit_chain import AuditEntry, Fact
from registry.db.counters import GIVEN_OUT, PENDING, last_number
from registry.db.database import Database
from registry.db.marks import Marks, marks
from registry.db.privacy import PersonalData, scrub
from registry.db.witness import Witness
from registry.errors import RegistryConflict

UNNAMED_ACTOR: Final = "not stated"
"""The actor in the audit where a caller names none."""


@dataclass(frozen=True, slots=True)
class RegistryContext:
    """Database, sealed personal data, clock and time zone of one open registry, shared by its repositories."""

    database: Database
    personal: PersonalData
    clock: Callable[[], datetime]
    zone: tzinfo = UTC
    witness: Witness | None = None
    """The record beside the database of how far it has come; None where none is kept."""

    def day(self, at: datetime) -> date:
        """The calendar day of an instant in the zone of the registry's users."""
        return at.astimezone(self.zone).date()

    def read(self) -> AbstractContextManager[Connection]:
        """A read-only transaction: one consistent view."""
        return self.database.read()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: all or nothing."""
        come_to: Marks | None = None
        with self.database.write() as conn:
            conn.info.pop(GIVEN_OUT, None)  # of a transaction that was rolled back
            yield conn
            given_out = conn.info.pop(GIVEN_OUT, False)
            if self.witness is not None and self.witness.due(given_out) and not last_number(conn, PENDING):
                come_to = marks(conn)
        if come_to is not None and self.witness is not None:
            self.witness.note(come_to, self.clock())

    def audit(
        self, conn: Connection, by: str, action: str, subject: str = "", reason: str = "", **facts: Fact
    ) -> audit_chain.AuditRow:
        """Append to the audit what this transaction did. It must be the transaction's last statement that changes
        anything (``audit_chain.append``)."""
        return audit_chain.append(conn, self.personal, AuditEntry(by, action, subject, reason, "", facts), self.clock())


def reason_given(reason: str) -> str:
    """A reason as it may be stored: not empty, and without ID or phone numbers. Raises RegistryConflict."""
    if not reason.strip():
        raise RegistryConflict("this needs a reason: say why in a few words", reason="reason-missing")
    return scrub(reason.strip())
