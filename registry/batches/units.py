"""Units on record: found or recorded by their whole name, with the units above them, and the members below them.

A unit that was placed below another is also found by the name that it had before, as its forms still name it so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Connection, or_, select, text

from registry.db.tables import plans, units
from registry.unit_names import BETWEEN, levels, names_above, spelling, whole_name

_NEW_UNIT = text(
    "INSERT INTO units (name, own_name, parent_id) VALUES (:name, :own_name, :parent) ON CONFLICT (name) DO NOTHING"
)

_ALL = select(units.c.id, units.c.name, units.c.parent_id, units.c.known_as).order_by(units.c.id)

_CHUNK: Final = 2000  # parameters in one IN list; SQLite takes 32,766, PostgreSQL 65,535

_PLACED = select(units.c.name, units.c.known_as).where(units.c.known_as.is_not(None))


class UnitsOnRecord:
    """All units as they are on record now, found by any spelling of their names (``unit_names.spelling``). They are
    read at once, so that a form of thousands of units costs no query for each."""

    def __init__(self, conn: Connection) -> None:
        self._ids: dict[str, int] = {}
        self._spelt: dict[str, int] = {}
        self._placed: dict[str, str] = {}
        self._at_top: dict[str, set[int]] = defaultdict(set)
        self._with_units_or_plan: set[int | None] = set(conn.execute(select(plans.c.unit_id)).scalars())
        for unit_id, name, parent_id, known_as in conn.execute(_ALL):
            self._ids[name] = unit_id
            self._spelt.setdefault(spelling(name), unit_id)
            self._with_units_or_plan.add(parent_id)
            if parent_id is None:
                self._at_top[spelling(name)].add(unit_id)
            if known_as is not None:
                self._placed[spelling(known_as)] = name
                self._at_top[spelling(known_as)].add(unit_id)

    def id_of(self, name: str) -> int | None:
        """The id of a unit by its whole name. The first level may be the name that a unit had before it was placed."""
        unit_id = self._in_a_spelling(name)
        first, *below = levels(name) or ("",)
        placed = self._placed.get(spelling(first)) if unit_id is None else None
        return unit_id if placed is None else self._in_a_spelling(BETWEEN.join((placed, *below)))

    def _in_a_spelling(self, name: str) -> int | None:
        return self._ids.get(name, self._spelt.get(spelling(name)))

    def is_independent(self, name: str) -> bool:
        """Whether a unit that is or was at the highest level has a plan, or units below it."""
        return not self._with_units_or_plan.isdisjoint(self._at_top.get(spelling(name), ()))

    def of_row(self, name: str, above: str) -> str:
        """The whole name of a row's unit: a department of ``above``, unless a unit of that name has a plan or
        departments of its own, so that no department is meant."""
        whole = whole_name(name, above)
        if name and whole not in (name, above) and self.is_independent(name) and self.id_of(whole) is None:
            return name
        return whole


def unit_id_of(conn: Connection, name: str) -> int | None:
    """The id of a unit by its whole name, as ``UnitsOnRecord`` finds it."""
    return UnitsOnRecord(conn).id_of(name)


def unit_ids_of(conn: Connection, names: Collection[str], known: UnitsOnRecord | None = None) -> dict[str, int]:
    """Ids of units by whole name; units that are new are recorded, with those above them, level by level."""
    known = known or UnitsOnRecord(conn)
    wanted = {levels(name)[:depth] for name in names for depth in range(1, len(levels(name)) + 1)}
    ids: dict[tuple[str, ...], int] = {}
    for depth in range(1, max(map(len, wanted), default=0) + 1):
        # In one order, so that two imports do not wait for each other in a ring; the spelling without blanks first.
        level = sorted(
            (parts for parts in wanted if len(parts) == depth),
            key=lambda parts: ([*map(spelling, parts)], [*map(len, parts)], parts),
        )
        ids |= _ids_of_level(conn, known, level, ids)
    return {name: ids[levels(name)] for name in names}


def _ids_of_level(
    conn: Connection, known: UnitsOnRecord, level: Sequence[tuple[str, ...]], ids: Mapping[tuple[str, ...], int]
) -> dict[tuple[str, ...], int]:
    """Ids of units of one level, below units of ``ids``; new ones are recorded."""
    on_record = {parts: unit_id for parts in level if (unit_id := known.id_of(BETWEEN.join(parts))) is not None}
    new = [parts for parts in level if parts not in on_record]
    if not new:
        return on_record
    above = _held(conn, {ids[parts[:-1]] for parts in new if len(parts) > 1})
    names: dict[tuple[int | None, str], str] = {}
    rows: list[dict[str, object]] = []
    for parts in new:
        parent = ids.get(parts[:-1])
        key = (parent, spelling(parts[-1]))
        if key not in names:
            own_name = None if parent is None else parts[-1]
            names[key] = parts[-1] if parent is None else f"{above[parent]}{BETWEEN}{parts[-1]}"
            rows.append({"name": names[key], "own_name": own_name, "parent": parent})
    # Two imports that name a new unit at once: the second waits for the first and reads its row.
    conn.execute(_NEW_UNIT, rows)
    recorded = {name: unit_id for unit_id, name in _chosen(conn, units.c.name, sorted(names.values()))}
    return on_record | {parts: recorded[names[ids.get(parts[:-1]), spelling(parts[-1])]] for parts in new}


def _held(conn: Connection, unit_ids: Collection[int]) -> dict[int, str]:
    """Names of units whose rows are held: they could be placed elsewhere meanwhile, under other names."""
    return dict(_chosen(conn, units.c.id, sorted(unit_ids), hold=True))


def _chosen(
    conn: Connection, column: ColumnElement[Any], values: Sequence[object], *, hold: bool = False
) -> Iterator[tuple[int, str]]:
    """Ids and names of the units that have one of these values in a column."""
    for start in range(0, len(values), _CHUNK):
        rows = select(units.c.id, units.c.name).where(column.in_(values[start : start + _CHUNK])).order_by(units.c.id)
        chosen = conn.execute(rows.with_for_update(read=True) if hold else rows)
        yield from ((unit_id, name) for unit_id, name in chosen)


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
