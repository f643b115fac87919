"""Findings as rows of their table: stored once, recognized again, and closed where they have resolved themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from registry.db.tables import findings

RESOLVED: Final = "resolved"
"""The decision of what has resolved itself."""
REGISTRY: Final = "registry"
"""Who closes it."""


def finding_digest(*parts: str | int | None) -> str:
    """The key by which the same finding is recognized again."""
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def add_findings(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Store findings but those that are on record, and give the number of new ones. The caller holds what makes them
    unique: the journal or the card."""
    if not rows:
        return 0
    wanted = {str(row["digest"]): row for row in rows}
    known = set(conn.execute(select(findings.c.digest).where(findings.c.digest.in_(list(wanted)))).scalars())
    new = [row for digest, row in wanted.items() if digest not in known]
    if new:
        conn.execute(insert(findings), new)
    return len(new)


def resolve(conn: Connection, numbers: Sequence[int], at: datetime, reason: str, *, by: str = REGISTRY) -> int:
    """Close findings that have resolved themselves; the number of those that were open."""
    if not numbers:
        return 0
    values = {"closed_at": at, "closed_by": by, "decision": RESOLVED, "reason": reason}
    open_ones = (findings.c.id.in_(numbers), findings.c.closed_at.is_(None))
    return conn.execute(update(findings).where(*open_ones).values(values)).rowcount


def resolve_digests(conn: Connection, digests: Collection[str], at: datetime, reason: str, *, by: str) -> None:
    """The same by their digests."""
    if digests:
        named = (findings.c.digest.in_(list(digests)), findings.c.closed_at.is_(None))
        resolve(conn, list(conn.execute(select(findings.c.id).where(*named)).scalars()), at, reason, by=by)
