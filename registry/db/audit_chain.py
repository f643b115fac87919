"""The chain of the audit: each row's hash covers the row and the hash before it; a MAC under a key in custody covers
that hash. Who can write the database alone can neither change a row nor make the chain anew.

To append is the last thing that a transaction does: it waits for whoever is appending, and so every transaction takes
that lock after all others.
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

from sqlalchemy import Connection, Row, insert, select, update

from registry.db.privacy import PersonalData, scrub
from registry.db.tables import audit, audit_head
from registry.errors import RegistryUnfit

_CHUNK: Final = 2000
_NEAR: Final = 3
_FEW: Final = 64
_MOST_TOLD: Final = 1000
_LONGEST: Final = 2000
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_HEAD = select(audit_head.c.number, audit_head.c.hash).where(audit_head.c.id == 1)
_INSERT = insert(audit)

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What somebody did, or tried to. ``action`` is dotted (``batch.approve``), ``subject`` is what it was done to
    (``batch:B20261122-001``, ``card:NUMBER``, ``member:17``, ``user:NAME``), ``origin`` is where from. Nothing in it is
    personal; what looks like an ID or phone number all the same is masked."""

    actor: str
    action: str
    subject: str = ""
    reason: str = ""
    origin: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A deed as it stands in the chain. ``hash`` is SHA-256, 64 hex digits."""

    number: int
    at: datetime
    deed: AuditEntry
    hash: str


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """A fault of the audit chain. ``kind``: changed, moved, forged, missing, unlinked, cut or other."""

    number: int
    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """The whole chain, looked through. ``last_number`` and ``last_hash`` may be noted elsewhere: given again later,
    they show whether rows were cut off at the end, which nothing inside a database can."""

    rows: int
    last_number: int
    last_hash: str
    breaks: tuple[ChainBreak, ...]
    further: int = 0
    """Rows that do not hold beside those named: the first thousand are told one by one."""

    @property
    def whole(self) -> bool:
        return not self.breaks


def append(conn: Connection, personal: PersonalData, deed: AuditEntry, now: datetime) -> AuditRow:
    """The next row. Nothing else may be locked after it in the same transaction."""
    head = conn.execute(_HEAD.with_for_update()).one_or_none()
    if head is None:
        raise RegistryUnfit("the record of where the audit ends was removed; restore the registry from a backup")
    number = head.number + 1
    clean = AuditEntry(
        actor=_clean(deed.actor),
        action=_clean(deed.action),
        subject=_clean(deed.subject),
        reason=scrub(_clean(deed.reason)),
        origin=_clean(deed.origin),
        facts={name: scrub(_clean(fact)) if isinstance(fact, str) else fact for name, fact in deed.facts.items()},
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
    facts: dict[str, Fact] = json.loads(row.facts)
    deed = AuditEntry(row.actor, row.action, row.subject, row.reason, row.origin, facts)
    return AuditRow(row.number, row.at, deed, row.hash)


def verify(conn: Connection, personal: PersonalData, noted: tuple[int, str] | None = None) -> ChainReport:
    """Look through the whole chain. ``noted``: number and hash of a row that somebody wrote down earlier."""
    last_number, last_hash, count = 0, "", 0
    found = _ChainFault()
    sound = True  # the row before was: what follows a broken row is not told twice
    for row in _rows(conn):
        count += 1
        if row.number != last_number + 1:
            found.add(_missing(last_number + 1, row.number - 1))
            sound = False
        genuine = hmac.compare_digest(row.mac, personal.proof(row.hash))
        as_written = genuine and _digest(row._asdict(), row.number) == row.hash
        if not genuine:
            sentence = f"row {row.number} was not written by this registry: it was put in or written anew"
            found.add(ChainBreak(row.number, "forged", sentence))
        elif not as_written:
            found.add_wrong(row)
        elif sound and row.previous != last_hash:
            sentence = f"row {row.number} does not follow row {last_number}: it belongs to another course of things"
            found.add(ChainBreak(row.number, "unlinked", sentence))
        sound = as_written
        last_number, last_hash = row.number, row.hash
    breaks = [*found.breaks, *_told(found.wrong), *_at_end(conn, last_number, last_hash)]
    if noted is not None and _hash_of(conn, noted[0]) != noted[1].lower():
        sentence = f"row {noted[0]} is not the one whose hash was noted: rows were cut off and written again"
        breaks.append(ChainBreak(noted[0], "other", sentence))
    told = tuple(sorted(breaks, key=lambda one: one.number))
    return ChainReport(count, last_number, last_hash, told, found.further)


class _ChainFault:
    """What does not hold. A chain that is broken throughout is not held in memory: beyond some it is only counted."""

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
        room = len(self.breaks) + len(self.wrong) < _MOST_TOLD
        self.further += not room
        return room


def _rows(conn: Connection) -> Iterator[Row[*tuple[Any, ...]]]:
    after = -(2**62)
    while rows := conn.execute(
        select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(_CHUNK)
    ).all():
        yield from rows
        after = rows[-1].number


def _digest(values: Mapping[str, Any], number: int) -> str:
    told = [number, values["at"].astimezone(UTC).isoformat(timespec="microseconds")]
    told += [values[name] for name in ("actor", "action", "subject", "reason", "origin", "facts", "previous")]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _missing(first: int, last: int) -> ChainBreak:
    which = f"row {first} is" if first >= last else f"rows {first} to {last} are"
    return ChainBreak(first, "missing", f"{which} missing")


def _told(wrong: Sequence[Row[*tuple[Any, ...]]]) -> Iterator[ChainBreak]:
    """Rows of this registry's that say something else than they did: changed, or moved to another place."""
    places = [row.number for row in wrong] if len(wrong) <= _FEW else []
    for row in wrong:
        near = range(row.number - _NEAR, row.number + _NEAR + 1)
        was = next((place for place in (*near, *places) if _digest(row._asdict(), place) == row.hash), None)
        if was is None:
            yield ChainBreak(row.number, "changed", f"row {row.number} was changed after it was written")
        else:
            yield ChainBreak(row.number, "moved", f"row {row.number} was row {was} when it was written")


def _at_end(conn: Connection, last_number: int, last_hash: str) -> Iterator[ChainBreak]:
    head = conn.execute(_HEAD).one_or_none()
    if head is None:
        yield ChainBreak(last_number, "cut", "the record of where the chain ends is missing")
    elif head.number > last_number:
        yield _missing(last_number + 1, head.number)
    elif head.number < last_number:
        sentence = f"rows {head.number + 1} to {last_number} stand behind the end of the chain: they were put in"
        yield ChainBreak(head.number + 1, "forged", sentence)
    elif head.hash != last_hash:
        yield ChainBreak(last_number, "cut", f"row {last_number} is not the one that the chain ended with")


def _hash_of(conn: Connection, number: int) -> str | None:
    return conn.execute(select(audit.c.hash).where(audit.c.number == number)).scalar_one_or_none()


def _clean(text: str) -> str:
    """What every database can store, of a length that cannot fill one."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:_LONGEST]
