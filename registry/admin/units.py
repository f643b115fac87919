"""Units on record, listed, and placed below other units, so that the plan of a unit counts those below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, or_, select, update

from registry.batches.units import belonging, unit_id_of, unit_ids_of
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import members, plans, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.unit_names import BETWEEN, levels, own_name
from terminal.names import all_visible

MOST_LEVELS: Final = 8


@dataclass(frozen=True, slots=True)
class UnitView:
    """A unit by its whole name. ``above`` is the whole name of the unit above it, empty at the highest level.
    ``known_as`` is its name before it was placed there, by which forms may name it. ``registered`` counts the members
    of the unit and of those below it; ``planned`` is null without a plan."""

    unit: str
    above: str
    known_as: str
    code: str
    registered: int
    planned: int | None


@dataclass(frozen=True, slots=True)
class PlacedUnit:
    """A unit that was placed: its whole name and the unit above it, now and before."""

    unit: str
    above: str
    unit_before: str
    above_before: str


class Units:
    """Repository of units. A unit is named by its whole name, or by the one that it had before it was placed."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def page(self, cursor: str | None = None, limit: int = 50, *, text: str = "") -> Page[UnitView]:
        """All units, or those with this text in their name, by whole name. Raises BadCursor."""
        over, pairs = units.alias(), belonging()
        registered = (
            select(pairs.c.above.label("unit_id"), func.count().label("registered"))
            .join_from(members, pairs, pairs.c.unit_id == members.c.unit_id)
            .where(members.c.member_number.is_not(None), members.c.withdrawn_at.is_(None))
            .group_by(pairs.c.above)
            .subquery()
        )
        chosen = (
            select(units.c.name, units.c.known_as, units.c.code, plans.c.planned)
            .add_columns(over.c.name.label("above"), func.coalesce(registered.c.registered, 0).label("registered"))
            .join(over, over.c.id == units.c.parent_id, isouter=True)
            .join(plans, plans.c.unit_id == units.c.id, isouter=True)
            .join(registered, registered.c.unit_id == units.c.id, isouter=True)
            .order_by(units.c.name)
            .limit(cut(limit) + 1)
        )
        if text.strip():
            within = or_(units.c.name.contains(text.strip(), autoescape=True), units.c.known_as == text.strip())
            chosen = chosen.where(within)
        if cursor is not None:
            chosen = chosen.where(units.c.name > read_cursor(cursor, str)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
        return page_of(
            rows,
            limit,
            lambda row: UnitView(
                row.name, row.above or "", row.known_as or "", row.code or "", row.registered, row.planned
            ),
            lambda row: [row.name],
        )

    def place(self, unit: str, above: str, *, by: str, reason: str, new: bool = False) -> PlacedUnit:
        """Put a unit, with all units below it, below the unit ``above``; at the highest level where that is empty.
        ``new`` records a unit ``above`` that is not on record. Code, members, plan and cards stay as they are. Forms
        may go on to name a unit of the highest level as before; a department has to be named in its new place. Placing
        it below ``above_before`` again undoes this.

        Raises NotOnRecord, and RegistryConflict for a unit below itself, one that is there already, more than
        MOST_LEVELS levels, or where a unit of that whole name is on record.
        """
        why = reason_given(reason)
        with self._context.write() as conn:
            _hold(conn)
            unit_id = _on_record(conn, unit)
            above_id = _above(conn, above, new)
            row = conn.execute(select(units).where(units.c.id == unit_id)).one()
            if unit_id in _ids_above(conn, above_id):
                sentence = f"{row.name} cannot be below itself, and {_name_of(conn, above_id)} is a unit of it"
                raise RegistryConflict(sentence, reason="unit-below-itself", unit=row.name)
            before, over = _name_of(conn, row.parent_id), _name_of(conn, above_id)
            if row.parent_id == above_id:
                raise RegistryConflict(f"{row.name} is there already", reason="unit-there", unit=row.name)
            name = BETWEEN.join(filter(None, (over, own_name(row.name))))
            _rename(conn, unit_id, row.name, name)
            known_as = None if above_id is None else row.name if row.parent_id is None else row.known_as
            values = {"parent_id": above_id, "own_name": own_name(name) if above_id else None, "known_as": known_as}
            conn.execute(update(units).where(units.c.id == unit_id).values(values))
            self._context.audit(conn, by, "unit.place", f"unit:{row.name}", why, old=before, new=over)
        return PlacedUnit(name, over, row.name, before)


def _on_record(conn: Connection, name: str) -> int:
    whole = BETWEEN.join(levels(name))
    unit_id = unit_id_of(conn, whole)
    if unit_id is None:
        raise NotOnRecord(f"there is no unit {whole} on record", reason="unit", unit=whole)
    return unit_id


def _above(conn: Connection, name: str, new: bool) -> int | None:
    whole = BETWEEN.join(levels(name))
    if not whole:
        return None
    if new and all_visible(whole):
        return unit_ids_of(conn, {whole})[whole]
    return _on_record(conn, whole)


def _ids_above(conn: Connection, unit_id: int | None) -> set[int]:
    """The unit and all above it."""
    pairs = belonging()
    return set(conn.execute(select(pairs.c.above).where(pairs.c.unit_id == unit_id)).scalars())


def _hold(conn: Connection) -> None:
    """One placement at a time, and no unit is recorded meanwhile: names and places would contradict each other. SQLite
    has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("LOCK TABLE units IN EXCLUSIVE MODE")


def _name_of(conn: Connection, unit_id: int | None) -> str:
    return conn.execute(select(units.c.name).where(units.c.id == unit_id)).scalar() or ""


def _rename(conn: Connection, unit_id: int, before: str, name: str) -> None:
    """Give the unit and all below it the whole names of their new place."""
    pairs = belonging()
    below = select(units.c.id, units.c.name).join(pairs, pairs.c.unit_id == units.c.id)
    rows = conn.execute(below.where(pairs.c.above == unit_id).order_by(func.length(units.c.name))).all()
    names = {row.id: name + row.name.removeprefix(before) for row in rows}
    if any(len(levels(one)) > MOST_LEVELS for one in names.values()):
        raise RegistryConflict(f"units have {MOST_LEVELS} levels at most", reason="unit-levels", most=MOST_LEVELS)
    if unit_id_of(conn, name) not in (None, unit_id):
        sentence = f"{name} is on record too; transfer its members, or those of {before}, first"
        raise RegistryConflict(sentence, reason="unit-exists", unit=name)
    for row in rows:
        conn.execute(update(units).where(units.c.id == row.id).values(name=names[row.id]))
