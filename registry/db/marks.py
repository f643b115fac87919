"""How far a registry has come: the end of its audit, its counters, its newest claim. Read from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Connection, func, select

from registry.db.counters import MARKS
from registry.db.tables import audit, audit_head, claims, counters


@dataclass(frozen=True, slots=True)
class Marks:
    """``origin`` is the hash of the first audit row, which no other registry has; empty before that row."""

    origin: str = ""
    number: int = 0
    hash: str = ""
    claim: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "number": self.number,
            "hash": self.hash,
            "claim": self.claim,
            "counters": dict(self.counters),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError, AttributeError for other values."""
        numbers = {str(name): int(number) for name, number in value["counters"].items()}
        return cls(str(value["origin"]), int(value["number"]), str(value["hash"]), int(value["claim"]), numbers)


def marks(conn: Connection) -> Marks:
    """The marks of this view of the database."""
    head = conn.execute(select(audit_head.c.number, audit_head.c.hash).where(audit_head.c.id == 1)).one_or_none()
    values = conn.execute(select(counters.c.name, counters.c.value)).all()
    return Marks(
        origin=hash_of(conn, 1) or "",
        number=head.number if head else 0,
        hash=head.hash if head else "",
        claim=newest_claim(conn),
        counters={row.name: row.value for row in values if row.name not in MARKS},
    )


def hash_of(conn: Connection, number: int) -> str | None:
    """The hash of an audit row; None where there is no such row."""
    return conn.execute(select(audit.c.hash).where(audit.c.number == number)).scalar_one_or_none()


def newest_claim(conn: Connection) -> int:
    return conn.execute(select(func.max(claims.c.token))).scalar_one() or 0
