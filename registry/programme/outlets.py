"""Outlets of a merchant and their terminals, written in the caller's transaction.

A closed outlet opens again only as a change that a second person approves (``registry.programme.changes``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, insert, select, update

from registry.db.tables import outlets, terminals
from registry.errors import RegistryConflict

ReopeningFacts = dict[str, str | int]
"""Facts of the change by which a closed outlet opens again: outlet, name, terminals (with blanks between them)."""
_T: Final = terminals.c


def put_outlet(
    conn: Connection, merchant: int, name: str, address: str, listed: Collection[str]
) -> ReopeningFacts | None:
    """Record an outlet or change it, and add terminals to those on record. A closed one only takes the address, and the
    facts of its reopening are returned. Raises RegistryConflict for a terminal of another outlet."""
    mine = (outlets.c.merchant_id == merchant, outlets.c.name == name)
    if not conn.execute(update(outlets).where(*mine).values(address=address)).rowcount:
        conn.execute(insert(outlets).values(merchant_id=merchant, name=name, address=address))
    row = conn.execute(select(outlets.c.id, outlets.c.closed_at).where(*mine)).one()
    if row.closed_at is None:
        put_terminals(conn, row.id, listed)
        return None
    _refuse_taken(conn, row.id, listed)
    return {"outlet": row.id, "name": name, "terminals": " ".join(sorted(listed))}


def reopen_outlet(conn: Connection, facts: ReopeningFacts) -> None:
    """Open a closed outlet with the terminals of its change. Raises RegistryConflict as ``put_outlet`` does."""
    outlet = int(facts["outlet"])
    conn.execute(update(outlets).where(outlets.c.id == outlet).values(closed_at=None))
    put_terminals(conn, outlet, str(facts["terminals"]).split())


def put_terminals(conn: Connection, outlet: int, listed: Collection[str]) -> None:
    """Record terminals of an open outlet; retired ones are in use again. Raises RegistryConflict for one of another
    outlet."""
    known = _refuse_taken(conn, outlet, listed)
    new = [{"terminal": one, "outlet_id": outlet} for one in listed if one not in known]
    if new:
        conn.execute(insert(terminals), new)
    conn.execute(update(terminals).where(_T.terminal.in_(known), _T.retired_at.is_not(None)).values(retired_at=None))


def _refuse_taken(conn: Connection, outlet: int, listed: Collection[str]) -> set[str]:
    """Those of these terminals that the outlet has, or had."""
    known = conn.execute(select(_T.terminal, _T.outlet_id).where(_T.terminal.in_(list(listed)))).all()
    for row in known:
        if row.outlet_id != outlet:
            sentence = f"terminal {row.terminal} belongs to another outlet; one that moves gets a new identification"
            raise RegistryConflict(sentence, reason="terminal-taken", terminal=row.terminal)
    return {row.terminal for row in known}
