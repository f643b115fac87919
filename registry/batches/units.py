"""Units on record: found or recorded by their whole name, with the units above them, and the members below them.

A unit that was placed below another is also found by the name that it had before, as its forms still name it so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from sqlalchemy import CTE, ColumnElement, Connection, and_, exists, func, or_, select, text

from registry.db.tables import plans, units
from registry.unit_names import BETWEEN, levels, names_above, spelling, whole_name

_NEW_UNIT = text(
    "INSERT INTO units (name, own_name, parent_id) VALUES (:name, :own_name, :parent) ON CONFLICT (name) DO NOTHING"
)

_MARK: Final = "\x1f"

_PLACED = select(units.c.name, units.c.known_as).where(units.c.known_as.is_not(None))


def unit_of_row(conn: Connection, name: str, above: str) -> str:
    """The whole name of a row's unit: a department of ``above``, unless a unit of that name has a plan or departments
    of its own, so that no department is meant."""
    whole = whole_name(name, above)
    if name and whole not in (name, above) and is_independent(conn, name) and unit_id_of(conn, whole) is None:
        return name
    return whole


def is_independent(conn: Connection, name: str) -> bool:
    """Whether a unit that is or was at the highest level has a plan, or units below it."""
    below = units.alias()
    own = exists().where(plans.c.unit_id == units.c.id) | exists().where(below.c.parent_id == units.c.id)
    spelt = spelling(name)
    named = or_(
        and_(_spelling(units.c.name) == spelt, units.c.parent_id.is_(None)), _spelling(units.c.known_as) == spelt
    )
    chosen = select(units.c.id).where(named, own)
    return conn.execute(chosen).scalar() is not None


def unit_ids_of(conn: Connection, names: Collection[str]) -> dict[str, int]:
    """Ids of units by whole name; units that are new are recorded, with those above them."""
    wanted = {levels(name)[:depth] for name in names for depth in range(1, len(levels(name)) + 1)}
    ids: dict[tuple[str, ...], int] = {(): 0}
    # In one order, so that two imports do not wait for each other in a ring; the spelling without blanks first.
    for parts in sorted(wanted, key=lambda parts: ([*map(spelling, parts)], [*map(len, parts)], parts)):
        ids[parts] = _recorded(conn, parts, ids[parts[:-1]] or None)
    return {name: ids[levels(name)] for name in names}


def _recorded(conn: Connection, parts: tuple[str, ...], parent: int | None) -> int:
    unit_id = unit_id_of(conn, BETWEEN.join(parts))
    if unit_id is None:
        name = parts[-1]
        if parent is not None:
            # The row is held: its unit could be placed elsewhere meanwhile, under another name.
            above = select(units.c.name).where(units.c.id == parent).with_for_update(read=True)
            name = f"{conn.execute(above).scalar_one()}{BETWEEN}{name}"
        # Two imports that name a new unit at once: the second waits for the first and reads its row.
        own_name = parts[-1] if parent is not None else None
        conn.execute(_NEW_UNIT, {"name": name, "own_name": own_name, "parent": parent})
        unit_id = conn.execute(select(units.c.id).where(units.c.name == name)).scalar_one()
    return unit_id


def unit_id_of(conn: Connection, name: str) -> int | None:
    """The id of a unit by its whole name, in this spelling or another (``unit_names.spelling``). The first level may be
    the name that a unit had before."""
    unit_id = _id_in_a_spelling(conn, name)
    first, *below = levels(name) or ("",)
    if unit_id is None and first:
        placed = conn.execute(select(units.c.name).where(_spelling(units.c.known_as) == spelling(first))).scalar()
        if placed is not None:
            unit_id = _id_in_a_spelling(conn, BETWEEN.join((placed, *below)))
    return unit_id


def _id_in_a_spelling(conn: Connection, name: str) -> int | None:
    chosen = select(units.c.id)
    exact = conn.execute(chosen.where(units.c.name == name)).scalar()
    other = chosen.where(_spelling(units.c.name) == spelling(name)).order_by(units.c.id).limit(1)
    return exact if exact is not None else conn.execute(other).scalar()


def _spelling(column: ColumnElement[str | None]) -> ColumnElement[str]:
    """``unit_names.spelling`` of a column."""
    marked = func.replace(column, BETWEEN, _MARK)
    for typed, compared in ((" ", ""), ("\u3000", ""), ("（", "("), ("）", ")"), (_MARK, BETWEEN)):
        marked = func.replace(marked, typed, compared)
    return marked


def names_by_unit(conn: Connection) -> Callable[[str], frozenset[str]]:
    """All whole names by which forms may name a unit, by its present whole name."""
    known_as = {name: before for name, before in conn.execute(_PLACED)}

    def names(name: str) -> frozenset[str]:
        above = [one for one in (name, *names_above(name)) if one in known_as]
        return frozenset((name, *(known_as[one] + name.removeprefix(one) for one in above)))

    return names


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
    """That a column's unit is the unit of this name, or one below it."""
    pairs = belonging()
    named = units.alias()
    chosen = (
        select(pairs.c.unit_id)
        .join(named, named.c.id == pairs.c.above)
        .where(or_(named.c.name == name, named.c.known_as == name))
    )
    return column.in_(chosen)


def part_of_unit(column: ColumnElement[int], part: str) -> ColumnElement[bool]:
    """That the whole name of a column's unit, which begins with the units above it, has this part."""
    return column.in_(select(units.c.id).where(units.c.name.icontains(part, autoescape=True)))
