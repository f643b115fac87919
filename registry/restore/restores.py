"""A restored registry: work stops until somebody compared it with what was seen since the backup.

A backup does not know what happened after it: the card numbers, member numbers and sequences given out since would be
given out again, cards reported lost since would be good again, revoked tokens would work again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, text, update

from registry.db.context import RegistryContext
from registry.db.counters import CHECKED, PENDING, last_number, raise_counter, restored, set_mark
from registry.db.marks import Marks, hash_of, marks, newest_claim
from registry.db.tables import chips, claims, dossiers, sessions, tokens
from registry.db.witness import read_sightings
from registry.errors import RegistryUnfit
from registry.line.outcome import MISSING, ChipFault
from registry.members.hotlist import hotlist_add, hotlist_entries
from registry.restore.evidence import REJECTED
from registry.values import Coded, HotlistEntry

LANE: Final = "restore check"
"""The lane in claims that a check makes."""
NOT_AT_HAND: Final = "not at hand after a restore"


@dataclass(frozen=True, slots=True)
class SeenChip:
    """A chip that holds a member card, as it was read."""

    card_number: str
    sequence: int
    chip_serial: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the time since the backup, from outside the database.

    ``counters`` are the highest numbers given out, by counter; ``claim`` the newest claim; ``hotlist`` the entries of
    signed lists and the numbers of cards that are not on record; ``chips`` the cards at hand. ``lines_ran``: whether
    dossiers that wait in the backup may be on chips.
    """

    counters: Mapping[str, int] = field(default_factory=dict)
    claim: int = 0
    hotlist: Sequence[HotlistEntry] = ()
    chips: Sequence[SeenChip] = ()
    lines_ran: bool = True


@dataclass(frozen=True, slots=True)
class MovedCounter:
    """A counter that was moved past the numbers that may have been used."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DossierPlace:
    """A dossier: batch, card number and sequence."""

    batch: str
    card_number: str
    sequence: int


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a check changed. ``bound``: dossiers whose chip was at hand: feed it to a lane. ``set_aside``: dossiers that
    may be on chips elsewhere; they are refused everywhere and made again with the next sequence. ``unknown``: cards at
    hand that are not on record."""

    moved: tuple[MovedCounter, ...]
    hotlisted: int
    bound: tuple[DossierPlace, ...]
    set_aside: tuple[DossierPlace, ...]
    unknown: tuple[SeenChip, ...]
    sessions: int
    tokens: int


class Restores:
    """Repository of what is to be done after a restore."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def look(self) -> bool:
        """Compare the database with the record beside it; returns whether it counts as restored, from now on for every
        station. Otherwise the record is written anew."""
        witness = self._context.witness
        with self._context.read() as conn:
            present, pending = marks(conn), last_number(conn, PENDING) > 0
            if witness is None or pending:
                return pending
            try:
                seen = witness.of(present.origin)
            except RegistryUnfit:
                behind = True
            else:
                behind = (
                    seen is not None
                    and not _follows(conn, seen.marks)
                    and not _covered(conn, present, seen.marks, seen.at)
                )
        if behind:
            self._mark()
        elif present.origin:
            witness.note(present, self._context.clock())
        return behind

    def note(self) -> None:
        """Write the record beside the database, where one is kept and the registry does not count as restored."""
        witness = self._context.witness
        if witness is None:
            return
        with self._context.read() as conn:
            present, pending = marks(conn), last_number(conn, PENDING) > 0
        if present.origin and not pending:
            witness.note(present, self._context.clock())

    def pending(self) -> bool:
        """Whether the registry was restored and nobody has checked it yet."""
        with self._context.read() as conn:
            return last_number(conn, PENDING) > 0

    def refuse_pending(self) -> None:
        """Raises RegistryConflict while the registry was restored and nobody has checked it."""
        if self.pending():
            raise restored()

    def marks(self) -> Marks:
        """How far this database has come."""
        with self._context.read() as conn:
            return marks(conn)

    def seen_here(self) -> Marks | None:
        """What the record beside the database says; None without one. Raises RegistryUnfit for a changed record."""
        witness = self._context.witness
        if witness is None:
            return None
        with self._context.read() as conn:
            seen = witness.of(marks(conn).origin)
        return None if seen is None else seen.marks

    def seen_in(self, path: Path) -> list[Marks]:
        """What another station's record says of this registry. Raises RegistryUnfit for a changed record."""
        with self._context.read() as conn:
            origin = marks(conn).origin
        return [one.marks for one in read_sightings(path, self._context.personal) if one.marks.origin == origin]

    def follows(self, number: int, digest: str) -> bool:
        """Whether that row of the audit, noted elsewhere, is in this database."""
        with self._context.read() as conn:
            return hash_of(conn, number) == digest.lower()

    def resolve(self, evidence: Evidence, *, by: str) -> RestoreReport:
        """Move counters past what may have been used, refuse what may be in anybody's hands, end sessions and tokens,
        and let the lanes start: all of it, or nothing."""
        now = self._context.clock()
        with self._context.write() as conn:
            moved = _move_counters(conn, evidence.counters)
            _move_claims(conn, max(evidence.claim, newest_claim(conn)))
            hotlisted = _merge_hotlist(conn, evidence.hotlist)
            bound, set_aside, unknown = _dossiers(conn, evidence, now, by)
            ended = conn.execute(delete(sessions)).rowcount
            revoked = conn.execute(update(tokens).where(tokens.c.revoked_at.is_(None)).values(revoked_at=now)).rowcount
            set_mark(conn, PENDING, 0)
            set_mark(conn, CHECKED, int(now.timestamp()))
            report = RestoreReport(moved, hotlisted, bound, set_aside, unknown, ended, revoked)
            self._context.audit(
                conn,
                by,
                "restore.check",
                counters=len(moved),
                hotlisted=hotlisted,
                bound=len(bound),
                set_aside=len(set_aside),
                unknown=len(unknown),
                sessions=ended,
                tokens=revoked,
            )
        if self._context.witness is not None:
            self._context.witness.note(self.marks(), now)
        return report

    def _mark(self) -> None:
        with self._context.write() as conn:
            set_mark(conn, PENDING, 1)
            self._context.audit(conn, "registry", "restore.notice")


def _follows(conn: Connection, seen: Marks) -> bool:
    return seen.number == 0 or hash_of(conn, seen.number) == seen.hash


def _covered(conn: Connection, present: Marks, seen: Marks, at: datetime) -> bool:
    """Whether a check since then, at another station, moved everything past what this record knows."""
    later = last_number(conn, CHECKED) > at.timestamp()
    beyond = all(present.counters.get(name, 0) >= value for name, value in seen.counters.items())
    return later and beyond and seen.origin == present.origin


def _move_counters(conn: Connection, highest: Mapping[str, int]) -> tuple[MovedCounter, ...]:
    moved = []
    for name, value in sorted(highest.items()):
        before = last_number(conn, name)
        if value > before:
            raise_counter(conn, name, value)
            moved.append(MovedCounter(name, before, value))
    return tuple(moved)


def _move_claims(conn: Connection, token: int) -> None:
    """The next fencing token is above ``token``: a lane that outlived the restore holds an older one."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT setval(pg_get_serial_sequence('claims', 'token'), :token)"), {"token": max(token, 1)})
        return
    moved = conn.execute(
        text("UPDATE sqlite_sequence SET seq = max(seq, :token) WHERE name = 'claims'"), {"token": token}
    )
    if moved.rowcount == 0:
        conn.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES ('claims', :token)"), {"token": token})


def _merge_hotlist(conn: Connection, entries: Sequence[HotlistEntry]) -> int:
    """Add what the registry does not list. A card that was lifted since stays listed: that is the safer side."""
    listed = {(entry.card_number, entry.sequence) for entry in hotlist_entries(conn)}
    fresh = {(entry.card_number, entry.sequence): entry for entry in entries}
    added = [entry for key, entry in fresh.items() if key not in listed]
    for entry in added:
        hotlist_add(conn, entry.card_number, entry.sequence, entry.reason, entry.at)
    return len(added)


_WAITING: Final = (
    select(dossiers.c.id, dossiers.c.batch_id, dossiers.c.card_number, dossiers.c.sequence)
    .where(dossiers.c.state == "waiting")
    .order_by(dossiers.c.id)
)
_ON_RECORD: Final = select(func.count()).where(
    dossiers.c.card_number == bindparam("number"), dossiers.c.sequence == bindparam("sequence")
)


def _dossiers(
    conn: Connection, evidence: Evidence, now: datetime, by: str
) -> tuple[tuple[DossierPlace, ...], tuple[DossierPlace, ...], tuple[SeenChip, ...]]:
    """Bind waiting dossiers to the chips at hand that hold them, and set the others aside where lines ran."""
    at_hand = {(chip.card_number, chip.sequence): chip for chip in evidence.chips}
    bound, set_aside, unknown = [], [], []
    for chip in at_hand.values():
        if not conn.execute(_ON_RECORD, {"number": chip.card_number, "sequence": chip.sequence}).scalar_one():
            unknown.append(chip)
            hotlist_add(conn, chip.card_number, chip.sequence, REJECTED, now)
    for row in conn.execute(_WAITING).all():
        place = DossierPlace(row.batch_id, row.card_number, row.sequence)
        chip_at_hand = at_hand.get((row.card_number, row.sequence))
        if chip_at_hand is not None and chip_at_hand.chip_serial and not _known_chip(conn, chip_at_hand.chip_serial):
            _bind(conn, row, chip_at_hand.chip_serial, now)
            bound.append(place)
        elif chip_at_hand is not None or evidence.lines_ran:
            _set_aside(conn, row, now, by)
            set_aside.append(place)
    return tuple(bound), tuple(set_aside), tuple(unknown)


def _known_chip(conn: Connection, serial: str) -> bool:
    return conn.execute(select(chips.c.serial).where(chips.c.serial == serial)).one_or_none() is not None


def _claim(conn: Connection, dossier_id: int, now: datetime) -> int:
    values = {"dossier_id": dossier_id, "lane": LANE, "station": "", "claimed_at": now, "lease_until": now}
    token: int = conn.execute(insert(claims).values(values).returning(claims.c.token)).scalar_one()
    return token


def _bind(conn: Connection, row: Row[*tuple[Any, ...]], serial: str, now: datetime) -> None:
    """As a lane that died with this chip leaves it: fed again, the chip is finished and proven."""
    token = _claim(conn, row.id, now)
    conn.execute(
        insert(chips).values(
            serial=serial,
            batch_id=row.batch_id,
            dossier_id=row.id,
            state="bound",
            from_stock=True,
            fed_at=now,
            lane=LANE,
        )
    )
    conn.execute(update(dossiers).where(dossiers.c.id == row.id).values(state="claimed", token=token))


def _set_aside(conn: Connection, row: Row[*tuple[Any, ...]], now: datetime, by: str) -> None:
    """As a chip that was reported as lost. Whether there is one at all, nobody knows, so it is none of the stock's."""
    token = _claim(conn, row.id, now)
    coded = Coded(MISSING, {"said": NOT_AT_HAND, "by": by})
    fault = ChipFault(f"{NOT_AT_HAND} (reported by {by})", MISSING, MISSING, LANE, coded)
    conn.execute(
        insert(chips).values(
            serial=f"NOT-SEEN-{row.id:06d}",
            batch_id=row.batch_id,
            dossier_id=row.id,
            state="rejected",
            from_stock=False,
            fed_at=now,
            ended_at=now,
            **fault.values(),
        )
    )
    conn.execute(update(dossiers).where(dossiers.c.id == row.id).values(state="remade", token=token))
    hotlist_add(conn, row.card_number, row.sequence, REJECTED, now)
