"""Statistics: issued cards against plan, rejects, seconds per card, lanes and verdicts; and the plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.issuing.rosters import Annotated
from reader_service.services.statistics.figures import DayCount, Figures
from reader_service.services.statistics.plan_sheet import read_plans
from reader_service.services.uploads import Uploads
from registry.admin.plans import UnitPlan
from registry.admin.statistics import CardSeconds, HourCount, LaneCount, RejectCount, UnitProgress

MOST_PLANS: Final = 5000


class StatisticsService:
    """``since`` is included, ``until`` is not; None stands for the beginning and the end. Methods with a period raise
    Invalid where it is reversed."""

    def __init__(self, parts: ServiceParts, bus: EventBus, *, uploads: Uploads | None = None) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus
        self._uploads = uploads or Uploads()

    def progress(self, p: Principal) -> list[UnitProgress]:
        """All units that have a plan or members, by due day."""
        p.need(Permission.STATISTICS)
        with translate_registry_errors():
            return self._registry.statistics.units(self._parts.now().date())

    def cards_per_day(
        self, p: Principal, since: datetime | None = None, until: datetime | None = None
    ) -> list[DayCount]:
        """Cards verified and handed over; days of the service's time zone, those without either are left out."""
        _check_period(p, since, until)
        with translate_registry_errors():
            verified = self._days(self._registry.statistics.verified_per_hour(since, until))
            issued = self._days(self._registry.statistics.issued_per_hour(since, until))
        return [DayCount(day, verified[day], issued[day]) for day in sorted({*verified, *issued})]

    def _days(self, hours: Iterable[HourCount]) -> Counter[date]:
        days: Counter[date] = Counter()
        for hour in hours:
            days[hour.hour.astimezone(self._parts.zone).date()] += hour.count
        return days

    def rejects(
        self,
        p: Principal,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        batch_id: str | None = None,
    ) -> list[RejectCount]:
        """By step and reason, the most frequent first."""
        _check_period(p, since, until)
        with translate_registry_errors():
            return self._registry.statistics.rejects(since, until, batch_id=batch_id)

    def seconds_per_card(
        self, p: Principal, since: datetime | None = None, until: datetime | None = None
    ) -> CardSeconds:
        """Of proven cards, as lanes measured them."""
        _check_period(p, since, until)
        with translate_registry_errors():
            return self._registry.statistics.seconds_per_card(since, until)

    def lanes(self, p: Principal, since: datetime | None = None, until: datetime | None = None) -> list[LaneCount]:
        """By station and lane."""
        _check_period(p, since, until)
        with translate_registry_errors():
            return self._registry.statistics.lanes(since, until)

    def verdicts_per_hour(
        self,
        p: Principal,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        station: str | None = None,
    ) -> list[HourCount]:
        """By hour, then by verdict; hours without any are left out."""
        _check_period(p, since, until)
        with translate_registry_errors():
            return self._registry.statistics.verdicts_per_hour(since, until, station=station)

    def plans(self, p: Principal) -> list[UnitPlan]:
        """The schedule of issue (附件6), by due day."""
        p.need(Permission.STATISTICS)
        with translate_registry_errors():
            return self._registry.plans.all()

    def set_plans(self, p: Principal, plans: Sequence[UnitPlan]) -> list[UnitPlan]:
        """Store all of them or none; each replaces its unit's plan. Gives the whole schedule. Raises
        Invalid, Conflict."""
        p.need(Permission.PLANS_SET)
        if not 1 <= len(plans) <= MOST_PLANS:
            raise Invalid(f"1 to {MOST_PLANS} plans at a time", {"plans": f"1 to {MOST_PLANS}"})
        with translate_registry_errors():
            self._registry.plans.put(plans, by=p.name)
            return self._registry.plans.all()

    def import_plans(self, p: Principal, filename: str, stream: Iterable[bytes]) -> list[UnitPlan]:
        """From xlsx, xls or csv with the columns 单位, 组别, 计划数, 完成日期: all of it or nothing. Gives the whole
        schedule. Raises Invalid (one field for each row that is wrong), UnreadableForm, TooLarge."""
        p.need(Permission.PLANS_SET)
        with self._uploads.file(filename, stream) as path:
            plans = read_plans(path, self._uploads.limits)
        return self.set_plans(p, plans)

    def remove_plan(self, p: Principal, unit: str) -> None:
        """Raises NotFound where there is none."""
        p.need(Permission.PLANS_SET)
        with translate_registry_errors():
            self._registry.plans.remove(unit, by=p.name)

    def figures(self, p: Principal, since: datetime | None = None, until: datetime | None = None) -> Figures:
        """All statistics of a period."""
        return Figures(
            since=since,
            until=until,
            created_at=self._parts.now(),
            units=self.progress(p),
            days=self.cards_per_day(p, since, until),
            rejects=self.rejects(p, since, until),
            seconds=self.seconds_per_card(p, since, until),
            lanes=self.lanes(p, since, until),
            verdicts=self.verdicts_per_hour(p, since, until),
        )

    def export_xlsx(self, p: Principal, since: datetime | None = None, until: datetime | None = None) -> Annotated:
        """A workbook with a sheet per statistic; no text in it is a formula."""
        from reader_service.services.statistics.figures_sheet import workbook

        figures = self.figures(p, since, until)
        return Annotated(f"membercard-{figures.created_at:%Y%m%d-%H%M}.xlsx", workbook(figures, self._parts.zone))


def _check_period(p: Principal, since: datetime | None, until: datetime | None) -> None:
    p.need(Permission.STATISTICS)
    wrong = {
        name: "a time needs its time zone, such as Z"
        for name, at in (("since", since), ("until", until))
        if at is not None and at.tzinfo is None
    }
    if not wrong and since is not None and until is not None and since >= until:
        wrong["until"] = "later than since"
    if wrong:
        raise Invalid("these times make no period", wrong)
