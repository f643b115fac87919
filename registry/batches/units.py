"""Units on record: found or recorded by their whole name, with the units above them, and the members below them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import CTE, ColumnElement, Connection, exists, select, text

from registry.db.tables import plans, units
from registry.unit_names import BETWEEN, levels, whole_name

_NEW_UNIT = text(
    "INSERT INTO units (name, own_name, parent_id) VALUES (:name, :own_name, :parent) ON CONFLICT (name) DO NOTHING"
)


def unit_of_row(conn: Connection, name: str, above: str) -> str:
    """The whole name of a row's unit: a department of ``above``, unless a unit of that name has a plan or departments
    of its own, so that no department is meant."""
    whole = whole_name(name, above)
    if name and whole not in (name, above) and is_independent(conn, name) and _id_of(conn, whole) is None:
        return name
    return whole


def is_independent(conn: Connection, name: str) -> bool:
    """Whether a unit at the highest level has a plan, or units below it."""
    below = units.alias()
    own = exists().where(plans.c.unit_id == units.c.id) | exists().where(below.c.parent_id == units.c.id)
    chosen = select(units.c.id).where(units.c.name == name, units.c.parent_id.is_(None), own)
    return conn.execute(chosen).scalar() is not None


def unit_ids_of(conn: Connection, names: Collection[str]) -> dict[str, int]:
    """Ids of units by whole name; units that are new are recorded, with those above them."""
    wanted = {levels(name)[:depth] for name in names for depth in range(1, len(levels(name)) + 1)}
    ids: dict[tuple[str, ...], int] = {(): 0}
    for parts in sorted(wanted):  # in one order, so that two imports do not wait for each other in a ring
        ids[parts] = _recorded(conn, parts, ids[parts[:-1]] or None)
    return {name: ids[levels(name)] for name in names}


def _recorded(conn: Connection, parts: tuple[str, ...], parent: int | None) -> int:
    name = BETWEEN.join(parts)
    unit_id = _id_of(conn, name)
    if unit_id is None:
        # Two imports that name a new unit at once: the second waits for the first and reads its row.
        own_name = parts[-1] if len(parts) > 1 else None
        conn.execute(_NEW_UNIT, {"name": name, "own_name": own_name, "parent": parent})
        unit_id = conn.execute(select(units.c.id).where(units.c.name == name)).scalar_one()
    return unit_id


def _id_of(conn: Connection, name: str) -> int | None:
    return conn.execute(select(units.c.id).where(units.c.name == name)).scalar()


def belonging() -> CTE:
    """Pairs (``unit_id``, ``above``) of each unit with itself and with every unit above it."""
    pairs = select(units.c.id.label("unit_id"), units.c.id.label("above")).cte("belonging", recursive=True)
    over = units.alias()
    return pairs.union_all(
        select(pairs.c.unit_id, over.c.parent_id)
        .join(over, over.c.id == pairs.c.above)
        .where(over.c.parent_id.is_not(None))
    )


def within(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """That a column's unit is the unit of this whole name or one below it."""
    pairs = belonging()
    named = units.alias()
    chosen = select(pairs.c.unit_id).join(named, named.c.id == pairs.c.above).where(named.c.name == name)
    return column.in_(chosen)


def part_of_unit(column: ColumnElement[int], part: str) -> ColumnElement[bool]:
    """That the whole name of a column's unit, which begins with the units above it, has this part."""
    return column.in_(select(units.c.id).where(units.c.name.icontains(part, autoescape=True)))
