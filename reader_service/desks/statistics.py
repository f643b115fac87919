"""Figures: issued against plan and due date, rejects, seconds per card, lanes, verdicts; and the plans themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from reader_service.desks.rosters import Annotated
from reader_service.principal import Principal


@dataclass(frozen=True, slots=True)
class UnitProgress:
    """One unit against its plan. ``group`` is that of the schedule (附件6); ``planned`` 0 and ``due`` None: no plan."""

    unit: str
    group: str
    planned: int
    due: date | None
    members: int
    issued: int
    state: str
    """"done", "on time", "late" or "no plan"."""


class StatisticsDesk(Protocol):
    """Made as ``StatisticsDesk(parts, bus)``. ``Any`` are the values of registry.statistics and registry.plans.
    ``since`` is within, ``until`` is not; both in UTC."""

    def progress(self, p: Principal) -> list[UnitProgress]:
        """All units, by due date."""
        ...

    def issued_per_day(self, p: Principal, since: datetime, until: datetime) -> list[Any]: ...

    def rejects(self, p: Principal, since: datetime, until: datetime) -> list[Any]: ...

    def seconds_per_card(self, p: Principal, since: datetime, until: datetime) -> list[Any]: ...

    def lanes(self, p: Principal, since: datetime, until: datetime) -> list[Any]: ...

    def verdicts_per_hour(self, p: Principal, since: datetime, until: datetime) -> list[Any]: ...

    def plans(self, p: Principal) -> list[Any]: ...

    def set_plans(self, p: Principal, plans: Sequence[Any]) -> list[Any]: ...

    def import_plans(self, p: Principal, filename: str, stream: Iterable[bytes]) -> list[Any]:
        """From xlsx, xls or csv with the columns 单位, 组别, 计划数, 完成日期. All of them or none. Raises Invalid."""
        ...

    def remove_plan(self, p: Principal, unit: str) -> None: ...

    def export_xlsx(self, p: Principal, since: datetime, until: datetime) -> Annotated: ...
