"""Cards that leave the machines of a line: what moves where is on record before it moves, so that the bins can be
counted against the record.

A machine holds one card at a time. A card whose move was recorded and did not end is inside still, or left by the move.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, select, update

from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.tables import claims, dossiers, journal, machine_cards
from registry.line.claims import LanePlace

STRIPE: Final = "stripe"
"""Step of the journal; its end names the machine, in JSON."""
PRINT: Final = "print"
"""Step of the journal; its intent names machine, ribbon and sides, in JSON."""
UNPRINTED: Final = "nothing was printed"
"""Detail of a print that ended before the face was touched."""
HAND: Final = "hand"
"""A card that a person took out of the machine instead."""
_UNREAD: Final = "UNREAD-"
_OPEN = select(machine_cards).where(
    machine_cards.c.station == bindparam("station_"),
    machine_cards.c.machine == bindparam("machine_"),
    machine_cards.c.left_at.is_(None),
)


class LeavingCard(NamedTuple):
    """A card that is about to leave a machine: chip serial, what became of it, and the bin (``output``, ``reject``)."""

    chip_serial: str
    outcome: str
    bin: str


@dataclass(frozen=True, slots=True)
class MachineAccount:
    """What one machine did for a batch. ``taken_out`` cards left it by a person's hand; ``ribbon`` counts printed sides
    by the kind of ribbon, ``prints`` the cards; both hold prints that were not completed too."""

    station: str
    machine: str
    output: int = 0
    reject: int = 0
    taken_out: int = 0
    inside: int = 0
    stripes: int = 0
    prints: int = 0
    ribbon: Mapping[str, int] = field(default_factory=dict)


class MachineCards:
    """Repository of the cards that leave machines. A machine is named within its station."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def leaving(
        self, batch_id: str, place: LanePlace, machine: str, card: LeavingCard, *, by_hand: bool = False
    ) -> str:
        """The card in the machine is about to leave it; returns its serial, a new one for a chip without.

        Repeated for the same card it changes nothing but the outcome. A chip without a serial is the one that was about
        to leave before, if that had none either. A card that is on record as leaving, and is not this one, is in its
        bin: its move was executed, though nobody was there to record it. ``by_hand``: its move failed, and a person
        took it out.
        """
        with self._context.write() as conn:
            now = self._context.clock()
            before = _open(conn, place.station, machine)
            serial = card.chip_serial
            if not serial and before is not None and before.chip_serial.startswith(_UNREAD):
                serial = before.chip_serial
            serial = serial or f"{_UNREAD}{allocate(conn, 'unread', 1)[0]:06d}"
            values = {"outcome": card.outcome, "bin": card.bin, "batch_id": batch_id, "lane": place.lane}
            if before is not None and before.chip_serial == serial:
                conn.execute(update(machine_cards).where(machine_cards.c.id == before.id).values(values))
                return serial
            if before is not None:
                _close(conn, before, now, HAND if by_hand else before.bin)
            row = {"station": place.station, "machine": machine, "chip_serial": serial, "at": now, **values}
            conn.execute(insert(machine_cards).values(row))
            return serial

    def left(self, station: str, machine: str, *, by_hand: bool = False) -> None:
        """The card that was about to leave this machine is in its bin, or was taken out by a person. Without effect
        where none was."""
        with self._context.write() as conn:
            before = _open(conn, station, machine)
            if before is not None:
                _close(conn, before, self._context.clock(), HAND if by_hand else before.bin)

    def accounts(self, batch_id: str) -> list[MachineAccount]:
        """What each machine did for a batch, in the order of stations and machines."""
        with self._context.read() as conn:
            bins = _bins(conn, batch_id)
            stripes = _stripes(conn, batch_id)
            prints, ribbon = _prints(conn, batch_id)
        machines = sorted({*stripes, *prints, *((station, machine) for station, machine, _ in bins)})
        return [
            MachineAccount(
                *one,
                bins[*one, "output"],
                bins[*one, "reject"],
                bins[*one, HAND],
                bins[*one, ""],
                stripes[one],
                prints[one],
                dict(sorted((kind, sides) for (*other, kind), sides in ribbon.items() if tuple(other) == one)),
            )
            for one in machines
        ]


def _open(conn: Connection, station: str, machine: str) -> Row[*tuple[Any, ...]] | None:
    return conn.execute(_OPEN, {"station_": station, "machine_": machine}).one_or_none()


def _close(conn: Connection, row: Row[*tuple[Any, ...]], now: datetime, bin: str) -> None:
    conn.execute(update(machine_cards).where(machine_cards.c.id == row.id).values(left_at=now, bin=bin))


def _bins(conn: Connection, batch_id: str) -> Counter[tuple[str, str, str]]:
    """Cards by station, machine and bin; an empty bin for those that did not leave yet."""
    t = machine_cards.c
    inside = t.left_at.is_(None)
    counted = select(t.station, t.machine, t.bin, inside, func.count()).where(t.batch_id == batch_id)
    bins: Counter[tuple[str, str, str]] = Counter()
    for station, machine, bin, still, count in conn.execute(counted.group_by(t.station, t.machine, t.bin, inside)):
        bins[station, machine, "" if still else bin] += count
    return bins


def _entries(conn: Connection, batch_id: str, *which: ColumnElement[bool]) -> list[Row[*tuple[Any, ...]]]:
    chosen = (
        select(journal.c.dossier_id, journal.c.event, journal.c.detail, claims.c.station)
        .join(dossiers, dossiers.c.id == journal.c.dossier_id)
        .join(claims, claims.c.token == journal.c.token)
        .where(dossiers.c.batch_id == batch_id, *which)
        .order_by(journal.c.id)
    )
    return list(conn.execute(chosen))


def _stripes(conn: Connection, batch_id: str) -> Counter[tuple[str, str]]:
    rows = _entries(conn, batch_id, journal.c.step == STRIPE, journal.c.event == "done", journal.c.detail != "")
    return Counter((row.station, str(json.loads(row.detail)["machine"])) for row in rows)


def _prints(conn: Connection, batch_id: str) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str, str]]]:
    """Printed cards by station and machine, and printed sides by station, machine and ribbon."""
    begun: list[tuple[str, dict[str, Any]]] = []
    last: dict[int, int] = {}
    unprinted: set[int] = set()
    for row in _entries(conn, batch_id, journal.c.step == PRINT, journal.c.event.in_(("intent", "done"))):
        if row.event == "intent":
            last[row.dossier_id] = len(begun)
            begun.append((row.station, json.loads(row.detail)))
        elif row.detail == UNPRINTED:
            unprinted.add(last[row.dossier_id])
    prints: Counter[tuple[str, str]] = Counter()
    ribbon: Counter[tuple[str, str, str]] = Counter()
    for number, (station, use) in enumerate(begun):
        if number not in unprinted:
            prints[station, use["machine"]] += 1
            ribbon[station, use["machine"], use["ribbon"]] += use["sides"]
    return prints, ribbon
