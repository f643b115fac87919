"""Statistics of issuing and of counters, counted by the database."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, case, cast, extract, func, not_, or_, select

from registry.batches.units import belonging
from registry.db.context import RegistryContext
from registry.db.tables import card_events, cards, chips, claims, dossiers, members, plans, units, verdicts
from registry.members.verdicts import HOUR
from registry.unit_names import names_above
from registry.values import CardState

# Every card that reaches its member passes this state once; those that ended before were never handed over.
_HANDED_OVER: Final = and_(card_events.c.event == CardState.DELIVERED.value, not_(card_events.c.undone))


@dataclass(frozen=True, slots=True)
class UnitProgress:
    """A unit against its plan, counted in members, those of its departments too.

    ``registered``: approved; ``verified``: a card was made; ``issued``: a card was handed over, whatever became of it.
    ``planned`` and ``due`` are null without a plan. ``late``: past the due day with fewer cards issued than planned.
    ``within``: the nearest unit above that has a plan, and counts these members too.
    """

    unit: str
    group: str
    planned: int | None
    due: date | None
    registered: int
    issued: int
    late: bool
    within: str = ""
    verified: int = 0


@dataclass(frozen=True, slots=True)
class RejectCount:
    """Rejects of one step and reason. ``reason`` is an example sentence, ``code`` the reason that they share; it is
    empty for old records."""

    step: str
    reason: str
    count: int
    code: str = ""


@dataclass(frozen=True, slots=True)
class CardSeconds:
    """Seconds per verified card; percentiles by nearest rank. All are null where there are no cards."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class LaneCount:
    """Cards and rejects of one lane. ``station`` is empty for chips that were rejected before they were bound to a
    dossier."""

    station: str
    lane: str
    verified: int
    rejected: int
    mean_seconds: float | None
    last_at: datetime


@dataclass(frozen=True, slots=True)
class HourCount:
    """A count of one hour, which starts at ``hour`` (UTC). ``code`` is the verdict; empty where cards are counted."""

    hour: datetime
    code: str
    count: int


class Statistics:
    """Repository of statistics. ``since`` is inclusive, ``until`` exclusive; None means no limit."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def units(self, today: date) -> list[UnitProgress]:
        """Progress of the units that have a plan, by due day, then by name; and of those at the highest level that have
        members or cards."""
        with self._context.read() as conn:
            rows = conn.execute(_units()).all()
        progress = []
        planned = {row.name for row in rows if row.planned is not None}
        for row in rows:
            over = (name for name in names_above(row.name) if name in planned)
            due = None if row.due is None else date.fromisoformat(row.due)
            late = due is not None and today > due and row.issued < row.planned
            progress.append(
                UnitProgress(
                    unit=row.name,
                    group=row.group or "",
                    planned=row.planned,
                    due=due,
                    registered=row.registered,
                    issued=row.issued,
                    late=late,
                    within=next(over, ""),
                    verified=row.verified,
                )
            )
        return sorted(progress, key=lambda unit: (unit.due or date.max, unit.unit))

    def rejects(
        self, since: datetime | None = None, until: datetime | None = None, *, batch_id: str | None = None
    ) -> list[RejectCount]:
        """Rejects by step and code, or by sentence where there is no code; the most frequent first."""
        count = func.count().label("times")
        reason = (chips.c.step, chips.c.code, chips.c.reason)
        chosen = (
            select(*reason, count)
            .where(chips.c.state == "rejected", *_within(chips.c.ended_at, since, until))
            .group_by(*reason)
            .order_by(*reason)
        )
        if batch_id is not None:
            chosen = chosen.where(chips.c.batch_id == batch_id)
        counts: dict[tuple[str, str, str], RejectCount] = {}
        with self._context.read() as conn:
            for row in conn.execute(chosen):
                key = (row.step or "", row.code, "" if row.code else row.reason)
                before = counts.get(key, RejectCount(key[0], row.reason, 0, row.code))
                counts[key] = replace(before, count=before.count + row.times)
        return sorted(counts.values(), key=lambda reject: -reject.count)

    def seconds_per_card(self, since: datetime | None = None, until: datetime | None = None) -> CardSeconds:
        """Seconds per verified card, as the lanes measured them."""
        conditions = _within(cards.c.verified_at, since, until)
        totals = select(func.count(), func.avg(cards.c.seconds), func.max(cards.c.seconds)).where(*conditions)
        with self._context.read() as conn:
            count, mean, most = conn.execute(totals).one()
            if not count:
                return CardSeconds(0, None, None, None, None, None, None)
            ranks = [-(-count * percent // 100) for percent in (50, 90, 95, 99)]
            place = func.row_number().over(order_by=cards.c.seconds).label("place")
            ordered = select(cards.c.seconds, place).where(*conditions).subquery()
            chosen = select(ordered.c.place, ordered.c.seconds).where(ordered.c.place.in_(ranks))
            seconds = {row.place: row.seconds for row in conn.execute(chosen)}
        p50, p90, p95, p99 = (seconds[rank] for rank in ranks)
        return CardSeconds(count, float(mean), p50, p90, p95, p99, most)

    def lanes(self, since: datetime | None = None, until: datetime | None = None) -> list[LaneCount]:
        """Verified cards and rejects by station and lane."""
        verified = (
            select(claims.c.station, claims.c.lane, func.count().label("times"))
            .add_columns(func.avg(cards.c.seconds).label("mean"), func.max(cards.c.verified_at).label("last"))
            .join_from(cards, dossiers, dossiers.c.id == cards.c.dossier_id)
            .join(claims, claims.c.token == dossiers.c.token)
            .where(*_within(cards.c.verified_at, since, until))
            .group_by(claims.c.station, claims.c.lane)
        )
        station = func.coalesce(claims.c.station, "").label("station")
        rejected = (
            select(station, chips.c.lane, func.count().label("times"), func.max(chips.c.ended_at).label("last"))
            .join_from(chips, dossiers, dossiers.c.id == chips.c.dossier_id, isouter=True)
            .join(claims, claims.c.token == dossiers.c.token, isouter=True)
            .where(chips.c.state == "rejected", *_within(chips.c.ended_at, since, until))
            .group_by(station, chips.c.lane)
        )
        lanes: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: {"verified": 0, "rejected": 0, "last": []})
        with self._context.read() as conn:
            for row in conn.execute(verified):
                lane = lanes[row.station, row.lane]
                lane.update(verified=row.times, mean=float(row.mean))
                lane["last"].append(row.last)
            for row in conn.execute(rejected):
                lanes[row.station, row.lane]["rejected"] = row.times
                lanes[row.station, row.lane]["last"].append(row.last)
        return [
            LaneCount(*key, lane["verified"], lane["rejected"], lane.get("mean"), max(lane["last"]))
            for key, lane in sorted(lanes.items())
        ]

    def verdicts_per_hour(
        self, since: datetime | None = None, until: datetime | None = None, *, station: str | None = None
    ) -> list[HourCount]:
        """Verdicts by hour, then by verdict; hours without verdicts are left out. The hours of ``since`` and ``until``
        count as a whole."""
        chosen = (
            select(verdicts.c.hour, verdicts.c.code, func.count().label("times"))
            .group_by(verdicts.c.hour, verdicts.c.code)
            .order_by(verdicts.c.hour, verdicts.c.code)
        )
        if since is not None:
            chosen = chosen.where(verdicts.c.hour >= int(since.timestamp()) // HOUR)
        if until is not None:
            chosen = chosen.where(verdicts.c.hour < -(-int(until.timestamp()) // HOUR))
        if station is not None:
            chosen = chosen.where(verdicts.c.station == station)
        with self._context.read() as conn:
            return [HourCount(_start_of(row.hour), row.code, row.times) for row in conn.execute(chosen)]

    def verified_per_hour(self, since: datetime | None = None, until: datetime | None = None) -> list[HourCount]:
        """Verified cards by hour, so that a caller can sum up the days of its own time zone."""
        return self._per_hour(cards.c.verified_at, since, until)

    def issued_per_hour(self, since: datetime | None = None, until: datetime | None = None) -> list[HourCount]:
        """Cards handed over by hour."""
        return self._per_hour(card_events.c.at, since, until, _HANDED_OVER)

    def _per_hour(
        self, column: Any, since: datetime | None, until: datetime | None, *conditions: ColumnElement[bool]
    ) -> list[HourCount]:
        with self._context.read() as conn:
            hour = _hour_of(conn, column).label("hour")
            counted = select(hour, func.count().label("times")).where(*_within(column, since, until), *conditions)
            return [
                HourCount(_start_of(row.hour), "", row.times)
                for row in conn.execute(counted.group_by(hour).order_by(hour))
            ]


def _units() -> Select[Any]:
    pairs = belonging()
    registered = (
        select(pairs.c.above.label("unit_id"), func.count().label("registered"))
        .join_from(members, pairs, pairs.c.unit_id == members.c.unit_id)
        .where(members.c.member_number.is_not(None), members.c.withdrawn_at.is_(None))
        .group_by(pairs.c.above)
        .subquery()
    )
    handed_over = and_(
        card_events.c.card_number == cards.c.card_number, card_events.c.sequence == cards.c.sequence, _HANDED_OVER
    )
    handed_over_to = case((card_events.c.id.is_not(None), cards.c.member_id))
    made = (
        select(pairs.c.above.label("unit_id"), func.count(cards.c.member_id.distinct()).label("verified"))
        .add_columns(func.count(handed_over_to.distinct()).label("issued"))
        .join_from(cards, members, members.c.id == cards.c.member_id)
        .join(pairs, pairs.c.unit_id == members.c.unit_id)
        .join(card_events, handed_over, isouter=True)
        .group_by(pairs.c.above)
        .subquery()
    )
    counted = or_(registered.c.registered > 0, made.c.verified > 0)
    return (
        select(units.c.name, plans.c.group, plans.c.planned, plans.c.due)
        .add_columns(func.coalesce(registered.c.registered, 0).label("registered"))
        .add_columns(func.coalesce(made.c.verified, 0).label("verified"))
        .add_columns(func.coalesce(made.c.issued, 0).label("issued"))
        .join(plans, plans.c.unit_id == units.c.id, isouter=True)
        .join(registered, registered.c.unit_id == units.c.id, isouter=True)
        .join(made, made.c.unit_id == units.c.id, isouter=True)
        .where(or_(plans.c.unit_id.is_not(None), and_(units.c.parent_id.is_(None), counted)))
    )


def _within(column: Any, since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(column >= since)
    if until is not None:
        conditions.append(column < until)
    return conditions


def _hour_of(conn: Connection, column: Any) -> ColumnElement[int]:
    """Hours since 1970-01-01 UTC."""
    if conn.dialect.name == "sqlite":
        return cast(func.strftime("%s", column), Integer).op("/", return_type=Integer())(HOUR)
    return cast(func.floor(extract("epoch", column) / HOUR), Integer)


def _start_of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR, UTC)
