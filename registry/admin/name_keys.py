"""The comparable forms of users' names, computed anew where the method or its table of characters has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

from sqlalchemy import Connection, Row, delete, select, update

from registry.admin.users import ADMINISTRATOR
from registry.db.context import RegistryContext
from registry.db.counters import FOLDED, set_mark
from registry.db.tables import counters, sessions, users
from terminal.names import fold, method, same_name

_ACTOR: Final = "registry"


def refold_names(context: RegistryContext) -> None:
    """One query where nothing has changed. Of users whose names cannot be told apart any more, the first enabled
    administrator or else the oldest keeps the name; the others are disabled, which the audit says."""
    mark = select(counters.c.value).where(counters.c.name == FOLDED).scalar_subquery()
    with context.read() as conn:
        somebody = conn.execute(select(users.c.id, mark).limit(1)).one_or_none()
    if somebody is None or somebody[1] == (present := crc32(method().encode())):
        return
    with context.write() as conn:
        set_mark(conn, FOLDED, present)  # first: a second program waits here
        people = conn.execute(select(users).order_by(users.c.id)).all()
        disabled = _refold(conn, sorted(people, key=_rank))
        for person, other in disabled:
            reason = f"the name cannot be told from that of {other.name}"
            context.audit(conn, _ACTOR, "user.disable", f"user:{person.name}", reason)


def _refold(
    conn: Connection, people: Sequence[Row[*tuple[Any, ...]]]
) -> list[tuple[Row[*tuple[Any, ...]], Row[*tuple[Any, ...]]]]:
    """Store the new forms; gives the users who were disabled, with the users who keep their names."""
    for person in people:  # so that no new form meets an old one
        conn.execute(update(users).where(users.c.id == person.id).values(folded=f"#{person.id}"))
    earlier: list[Row[*tuple[Any, ...]]] = []
    disabled = []
    for person in people:
        other = next((one for one in earlier if same_name(one.name, person.name)), None)
        values: dict[str, Any] = {"folded": fold(person.name) or f"#{person.id}"}
        if other is None:
            earlier.append(person)
        else:
            values = {"folded": f"{values['folded']}#{person.id}", "disabled": True}
            conn.execute(delete(sessions).where(sessions.c.user_id == person.id))
            if not person.disabled:
                disabled.append((person, other))
        conn.execute(update(users).where(users.c.id == person.id).values(values))
    return disabled


def _rank(person: Row[*tuple[Any, ...]]) -> tuple[bool, int]:
    return person.disabled or ADMINISTRATOR not in person.roles.split(), person.id
