"""What every facade of the registry stands on: transactions, personal data, the clock, and the audit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from registry.db import audit_chain
from registry.db.audit_chain import AuditEntry, Fact
from registry.db.database import Database
from registry.db.privacy import PersonalData, scrub
from registry.errors import RegistryConflict


@dataclass(frozen=True, slots=True)
class RegistryContext:
    db: Database
    personal: PersonalData
    clock: Callable[[], datetime]

    def read(self) -> AbstractContextManager[Connection]:
        return self.db.read()

    def write(self) -> AbstractContextManager[Connection]:
        return self.db.write()

    def tell(
        self, conn: Connection, by: str, action: str, subject: str = "", reason: str = "", **facts: Fact
    ) -> audit_chain.AuditRow:
        """Append to the audit what this transaction did: the last statement of it that changes anything."""
        return audit_chain.append(conn, self.personal, AuditEntry(by, action, subject, reason, "", facts), self.clock())


def reason_given(reason: str) -> str:
    """A reason as it may be stored: not empty, and without ID or phone numbers. Raises RegistryConflict."""
    if not reason.strip():
        raise RegistryConflict("this needs a reason: say why in a few words", reason="reason-missing")
    return scrub(reason.strip())
