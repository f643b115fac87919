"""The audit chain: each row's hash covers the row and the previous hash; a MAC under a key in custody covers that hash.
Write access to the database alone suffices neither to change a row nor to forge the chain.

A transaction appends last, after it has taken all its other locks: appending waits for other appenders.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, true, update
from sqlalchemy.exc import DBAPIError

from registry.db.privacy import PersonalData, scrub
from registry.db.tables import audit, audit_head
from registry.errors import RegistryUnfit

_CHUNK: Final = 2000
_NEAR: Final = 3
_FEW: Final = 64
_MOST_REPORTED: Final = 1000
_LONGEST: Final = 2000
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_HEAD = select(audit_head.c.number, audit_head.c.hash).where(audit_head.c.id == 1)
_INSERT = insert(audit)
_TEXTS: Final = ("actor", "action", "subject", "reason", "origin", "facts", "previous", "hash", "mac")

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An action or an attempt at one. ``action`` is dotted (``batch.approve``), ``subject`` names its object
    (``batch:B20261122-001``, ``card:NUMBER``, ``member:17``, ``user:NAME``), ``origin`` where it came from. It holds
    no personal data; ID and phone numbers in it are masked all the same."""

    actor: str
    action: str
    subject: str = ""
    reason: str = ""
    origin: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry in the chain. ``hash`` is SHA-256, 64 hex digits."""

    number: int
    at: datetime
    entry: AuditEntry
    hash: str


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """A fault of the audit chain. ``kind``: changed, moved, forged, missing, unlinked, cut or other."""

    number: int
    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """The result of verifying the whole chain. ``last_number`` and ``last_hash`` may be noted outside the database:
    given to a later verification they show whether rows at the end were cut off, which nothing inside it can."""

    rows: int
    last_number: int
    last_hash: str
    breaks: tuple[ChainBreak, ...]
    further: int = 0
    """Number of broken rows beyond the first thousand, which ``breaks`` lists."""

    @property
    def whole(self) -> bool:
        return not self.breaks


def append(conn: Connection, personal: PersonalData, entry: AuditEntry, now: datetime) -> AuditRow:
    """Append the next row. The same transaction may take no other lock afterwards."""
    head = conn.execute(_HEAD.with_for_update()).one_or_none()
    if head is None:
        raise RegistryUnfit("the record of where the audit ends was removed; restore the registry from a backup")
    number = head.number + 1
    clean = AuditEntry(
        actor=_clean(entry.actor),
        action=_clean(entry.action),
        subject=_clean(entry.subject),
        reason=scrub(_clean(entry.reason)),
        origin=_clean(entry.origin),
        facts={name: scrub(_clean(fact)) if isinstance(fact, str) else fact for name, fact in entry.facts.items()},
    )
    values = {
        "number": number,
        "at": now,
        "actor": clean.actor,
        "action": clean.action,
        "subject": clean.subject,
        "reason": clean.reason,
        "origin": clean.origin,
        "facts": json.dumps(dict(clean.facts), ensure_ascii=False, sort_keys=True),
        "previous": head.hash,
    }
    digest = _digest(values, number)
    conn.execute(_INSERT, {**values, "hash": digest, "mac": personal.proof(digest)})
    conn.execute(update(audit_head).where(audit_head.c.id == 1).values(number=number, hash=digest))
    return AuditRow(number, now, clean, digest)


def audit_row(row: Row[*tuple[Any, ...]]) -> AuditRow:
    try:
        facts: dict[str, Fact] = dict(json.loads(row.facts))
    except (ValueError, TypeError):
        facts = {}  # a damaged row, which ``verify`` names
    entry = AuditEntry(row.actor, row.action, row.subject, row.reason, row.origin, facts)
    return AuditRow(row.number, row.at, entry, row.hash)


def verify(conn: Connection, personal: PersonalData, noted: tuple[int, str] | None = None) -> ChainReport:
    """Verify the whole chain. ``noted``: number and hash of the last row of an earlier report."""
    last_number, count = 0, 0
    last_hash: str | None = ""
    faults = _ChainFaults()
    sound = True  # the previous row was: the row after a broken one is not reported as well
    for row in _rows(conn):
        count += 1
        if row.number != last_number + 1:
            faults.add(_missing(last_number + 1, row.number - 1))
            sound = False
        if isinstance(row, _Unreadable):
            faults.add(ChainBreak(row.number, "changed", f"row {row.number} cannot be read: it was damaged or changed"))
            last_number, last_hash, sound = row.number, None, False
            continue
        genuine = hmac.compare_digest(row.mac.encode(), personal.proof(row.hash).encode())
        as_written = genuine and _digest(row._asdict(), row.number) == row.hash
        if not genuine:
            sentence = f"row {row.number} was not written by this registry: it was inserted or rewritten"
            faults.add(ChainBreak(row.number, "forged", sentence))
        elif not as_written:
            faults.add_wrong(row)
        elif sound and row.previous != last_hash:
            sentence = f"row {row.number} does not follow row {last_number}: it belongs to another course of things"
            faults.add(ChainBreak(row.number, "unlinked", sentence))
        sound = as_written
        last_number, last_hash = row.number, row.hash
    breaks = [*faults.breaks, *_classified(faults.wrong), *_unnumbered(conn), *_at_end(conn, last_number, last_hash)]
    if noted is not None and _hash_of(conn, noted[0]) != noted[1].lower():
        sentence = f"row {noted[0]} is not the one whose hash was noted: rows were cut off and written again"
        breaks.append(ChainBreak(noted[0], "other", sentence))
    in_order = tuple(sorted(breaks, key=lambda fault: fault.number))
    return ChainReport(count, last_number, last_hash or "", in_order, faults.further)


class _ChainFaults:
    """Broken rows. Beyond ``_MOST_REPORTED`` they are only counted, so that any chain fits in memory."""

    def __init__(self) -> None:
        self.breaks: list[ChainBreak] = []
        self.wrong: list[Row[*tuple[Any, ...]]] = []
        self.further = 0

    def add(self, one: ChainBreak) -> None:
        if self._room():
            self.breaks.append(one)

    def add_wrong(self, row: Row[*tuple[Any, ...]]) -> None:
        if self._room():
            self.wrong.append(row)

    def _room(self) -> bool:
        room = len(self.breaks) + len(self.wrong) < _MOST_REPORTED
        self.further += not room
        return room


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A row with a number whose content is nothing that this program could have written."""

    number: int


def _rows(conn: Connection) -> Iterator[Row[*tuple[Any, ...]] | _Unreadable]:
    """All rows by number. What is in a damaged one may be anything, so that a chunk with one is read row by row."""
    after = -(2**63)
    numbered = _numbered(conn)
    while True:
        place = (audit.c.number >= after) if after == -(2**63) else (audit.c.number > after)
        chosen = select(audit).where(numbered, place).order_by(audit.c.number).limit(_CHUNK)
        try:
            rows: Sequence[Row[*tuple[Any, ...]] | _Unreadable] = conn.execute(chosen).all()
        except _damage(conn):
            numbers = chosen.with_only_columns(audit.c.number)
            rows = [row for number in conn.execute(numbers).scalars().all() for row in _row(conn, number)]
        if not rows:
            return
        yield from (row if isinstance(row, _Unreadable) or _sound(row) else _Unreadable(row.number) for row in rows)
        after = rows[-1].number


def _row(conn: Connection, number: int) -> Sequence[Row[*tuple[Any, ...]] | _Unreadable]:
    try:
        return conn.execute(select(audit).where(audit.c.number == number)).all()
    except _damage(conn):
        conn.execute(select(1))  # a database that is away raises here
        return [_Unreadable(number)]


def _damage(conn: Connection) -> tuple[type[Exception], ...]:
    """What a driver or a column type raises for a value that it cannot read."""
    return DBAPIError, conn.dialect.loaded_dbapi.Error, ValueError, TypeError, ArithmeticError


def _sound(row: Row[*tuple[Any, ...]]) -> bool:
    """Whether the values have the types that were written."""
    texts = all(isinstance(row._mapping[name], str) for name in _TEXTS)
    return texts and isinstance(row.at, datetime)


def _numbered(conn: Connection) -> ColumnElement[bool]:
    """Rows whose number is a number: SQLite stores anything in that column."""
    return func.typeof(audit.c.number) == "integer" if conn.dialect.name == "sqlite" else true()


def _unnumbered(conn: Connection) -> Iterator[ChainBreak]:
    count = conn.execute(select(func.count()).select_from(audit).where(~_numbered(conn))).scalar_one()
    if count:
        yield ChainBreak(0, "forged", f"{count} rows have no number: they were inserted, or their number was changed")


def _digest(values: Mapping[str, Any], number: int) -> str:
    hashed = [number, values["at"].astimezone(UTC).isoformat(timespec="microseconds")]
    hashed += [values[name] for name in ("actor", "action", "subject", "reason", "origin", "facts", "previous")]
    return hashlib.sha256(json.dumps(hashed, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _missing(first: int, last: int) -> ChainBreak:
    which = f"row {first} is" if first >= last else f"rows {first} to {last} are"
    return ChainBreak(first, "missing", f"{which} missing")


def _classified(wrong: Sequence[Row[*tuple[Any, ...]]]) -> Iterator[ChainBreak]:
    """Rows with a genuine MAC whose content does not match it: moved to another number, or changed."""
    places = [row.number for row in wrong] if len(wrong) <= _FEW else []
    for row in wrong:
        near = range(row.number - _NEAR, row.number + _NEAR + 1)
        was = next((place for place in (*near, *places) if _digest(row._asdict(), place) == row.hash), None)
        if was is None:
            yield ChainBreak(row.number, "changed", f"row {row.number} was changed after it was written")
        else:
            yield ChainBreak(row.number, "moved", f"row {row.number} was row {was} when it was written")


def _at_end(conn: Connection, last_number: int, last_hash: str | None) -> Iterator[ChainBreak]:
    try:
        head = conn.execute(_HEAD).one_or_none()
    except _damage(conn):
        conn.execute(select(1))
        head = None
    if head is not None and not (isinstance(head.number, int) and isinstance(head.hash, str)):
        head = None
    if head is None:
        yield ChainBreak(last_number, "cut", "the record of where the chain ends is missing or damaged")
    elif head.number > last_number:
        yield _missing(last_number + 1, head.number)
    elif head.number < last_number:
        sentence = f"rows {head.number + 1} to {last_number} stand behind the end of the chain: they were inserted"
        yield ChainBreak(head.number + 1, "forged", sentence)
    elif last_hash is not None and head.hash != last_hash:
        yield ChainBreak(last_number, "cut", f"row {last_number} is not the one that the chain ended with")


def _hash_of(conn: Connection, number: int) -> str | None:
    return next((row.hash for row in _row(conn, number) if not isinstance(row, _Unreadable)), None)


def _clean(text: str) -> str:
    """A text of limited length that every database can store."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:_LONGEST]
