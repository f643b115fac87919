"""The hotlist: cards that no counter may accept, its signed editions, and the difference between two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import edition_changes, editions, hotlist
from registry.errors import NotOnRecord
from registry.values import HotlistEntry

Sign = Callable[[int, datetime, Sequence[HotlistEntry]], bytes]
"""Signs an edition: version, time of issue and entries to the signed file."""
_COUNTER: Final = "editions"
_BRIEF = (editions.c.version, editions.c.at, editions.c.by, editions.c.entries)


@dataclass(frozen=True, slots=True)
class EditionLine:
    """An edition of the hotlist, without its file."""

    version: int
    at: datetime
    by: str
    entries: int


@dataclass(frozen=True, slots=True)
class Edition(EditionLine):
    """An edition of the hotlist with its file. ``signed`` is the file as counters read it."""

    signed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """The difference between editions ``since`` and ``version``: delete ``removed``, then add ``added``. A card whose
    reason changed is in ``added`` only."""

    since: int
    version: int
    added: tuple[HotlistEntry, ...]
    removed: tuple[tuple[str, int], ...]


class HotlistEditions:
    """Repository of the hotlist and of its signed editions."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def entries(self) -> list[HotlistEntry]:
        """Every card number and sequence that no counter may accept, by number."""
        with self._context.read() as conn:
            return hotlist_entries(conn)

    def publish(self, sign: Sign, *, by: str) -> Edition:
        """Sign the current hotlist. Versions grow; a version is the Unix time of signing, where that is free.

        ``sign`` is called inside the transaction: what it raises leaves everything as it was.
        """
        now = self._context.clock()
        with self._context.write() as conn:
            allocate(conn, _COUNTER, 1)  # one edition after the other
            last = conn.execute(select(func.max(editions.c.version))).scalar_one() or 0
            version = max(int(now.timestamp()), last + 1)
            entries = hotlist_entries(conn)
            signed = sign(version, now, entries)
            edition = Edition(version, now, by, len(entries), signed)
            conn.execute(insert(editions).values(version=version, at=now, by=by, entries=len(entries), signed=signed))
            changes = _changes(_state(conn), entries)
            if changes:
                conn.execute(insert(edition_changes), [{"version": version, **change} for change in changes])
            self._context.audit(conn, by, "list.publish", f"hotlist:{version}", entries=len(entries))
            return edition

    def newest(self) -> Edition | None:
        """The newest edition; None before the first one."""
        with self._context.read() as conn:
            row = conn.execute(select(editions).order_by(editions.c.version.desc()).limit(1)).one_or_none()
        return None if row is None else _edition(row)

    def edition(self, version: int) -> Edition:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            row = conn.execute(select(editions).where(editions.c.version == version)).one_or_none()
        if row is None:
            raise NotOnRecord(f"there is no edition {version} of the hotlist", reason="edition", version=version)
        return _edition(row)

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[EditionLine]:
        """All editions, newest first, without the files. Raises BadCursor."""
        chosen = select(*_BRIEF).order_by(editions.c.version.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(editions.c.version < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
        return page_of(rows, limit, lambda row: EditionLine(*row), lambda row: [row.version])

    def delta(self, since: int) -> Delta:
        """The difference from edition ``since`` to the newest. Raises NotOnRecord."""
        with self._context.read() as conn:
            versions = select(func.max(editions.c.version)).where(editions.c.version >= since)
            if conn.execute(select(editions.c.version).where(editions.c.version == since)).scalar() is None:
                sentence = f"there is no edition {since} of the hotlist; fetch the whole list"
                raise NotOnRecord(sentence, reason="edition", version=since)
            newest: int = conn.execute(versions).scalar_one()
            rows = conn.execute(_last_changes().where(edition_changes.c.version > since)).all()
            lifted = [(row.card_number, row.sequence) for row in rows if not row.reason]
            before = _state(conn, since) if lifted else {}
        added = tuple(HotlistEntry(row.card_number, row.sequence, row.reason, row.at) for row in rows if row.reason)
        removed = tuple(card for card in lifted if card in before)  # not cards that were listed and lifted in between
        return Delta(since, newest, added, removed)


def hotlist_add(conn: Connection, card_number: str, sequence: int, reason: str, at: datetime) -> None:
    """List a card; a newer reason replaces an older one."""
    hotlist_lift(conn, card_number, sequence, at)
    conn.execute(insert(hotlist).values(card_number=card_number, sequence=sequence, reason=reason, at=at))


def hotlist_entries(conn: Connection) -> list[HotlistEntry]:
    chosen = (
        select(hotlist.c.card_number, hotlist.c.sequence, hotlist.c.reason, hotlist.c.at)
        .where(hotlist.c.lifted_at.is_(None))
        .order_by(hotlist.c.card_number, hotlist.c.sequence)
    )
    return [HotlistEntry(*row) for row in conn.execute(chosen)]


def hotlist_lift(conn: Connection, card_number: str, sequence: int, at: datetime) -> None:
    """Take a card off the list, where it is listed."""
    listed = (
        hotlist.c.card_number == card_number,
        hotlist.c.sequence == sequence,
        hotlist.c.lifted_at.is_(None),
    )
    conn.execute(update(hotlist).where(*listed).values(lifted_at=at))


def _last_changes(until: int | None = None) -> Select[Any]:
    """The newest change of each card, up to an edition where one is given."""
    later = edition_changes.alias()
    newest = (
        select(func.max(later.c.version))
        .where(later.c.card_number == edition_changes.c.card_number, later.c.sequence == edition_changes.c.sequence)
        .where(*([] if until is None else [later.c.version <= until]))
        .scalar_subquery()
    )
    order = (edition_changes.c.card_number, edition_changes.c.sequence)
    return select(edition_changes).where(edition_changes.c.version == newest).order_by(*order)


def _state(conn: Connection, version: int | None = None) -> dict[tuple[str, int], HotlistEntry]:
    """The entries of an edition; of the newest where no version is given."""
    rows = conn.execute(_last_changes(version).where(edition_changes.c.reason.is_not(None)))
    return {
        (row.card_number, row.sequence): HotlistEntry(row.card_number, row.sequence, row.reason, row.at) for row in rows
    }


def _changes(before: dict[tuple[str, int], HotlistEntry], entries: Sequence[HotlistEntry]) -> list[dict[str, object]]:
    now = {(entry.card_number, entry.sequence): entry for entry in entries}
    added = [entry._asdict() for key, entry in now.items() if before.get(key) != entry]
    removed = [key for key in before if key not in now]
    return added + [{"card_number": card, "sequence": number, "reason": None, "at": None} for card, number in removed]


def _edition(row: Row[*tuple[Any, ...]]) -> Edition:
    return Edition(row.version, row.at, row.by, row.entries, row.signed)
