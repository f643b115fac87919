"""Progress page: figures as plots, tables and a workbook, and the schedule of issue (附件6) behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Query, Request, UploadFile
from starlette.responses import JSONResponse, Response

from reader_service.http.resource import Svc
from reader_service.http.schemas import XLSX, download
from reader_service.pages.shell import PageShell, Text, page_router, principal_of
from reader_service.pages.words import Words
from reader_service.principal import Permission
from reader_service.services.statistics.figures import Figures, plan_total
from reader_service.services.uploads import pieces
from registry.admin.plans import UnitPlan
from registry.admin.statistics import CardSeconds, HourCount, UnitProgress
from terminal.member.presentation import presentation

if TYPE_CHECKING:
    from reader_service.service import ReaderService

PERIODS: Final = (1, 7, 30, 90, 365, 0)
"""Days back from now; 0 is from the beginning."""
_DEFAULT_DAYS: Final = 30
_LABEL: Final = 34
_UNIT_LABEL: Final = 16
"""Characters of a reason, and of a unit, beside its bar; the table has all of them."""

_MAX_PLANNED: Final = 10_000_000

Days = Annotated[int, Query()]


router = page_router()


@router.get("/progress")
def progress(request: Request, shell: PageShell, service: Svc, days: Days = _DEFAULT_DAYS, units: str = "") -> Response:
    """``units`` is "late" for a table of those alone."""
    shown, t = _figures(request, service, days), shell.words(request)
    return shell.page(
        request,
        "issuing/progress.html",
        figures=shown,
        total=plan_total(shown.units),
        late_only=units == "late",
        days=days if days in PERIODS else 0,
        periods=PERIODS,
        percentiles=_percentiles(shown.seconds),
        hours=_by_hour(shown.verdicts),
        codes=_codes(shown.verdicts, t),
    )


@router.get("/progress/data")
def data(request: Request, shell: PageShell, service: Svc, days: Days = _DEFAULT_DAYS) -> Response:
    """Labels and series of the plots, in the viewer's language."""
    return JSONResponse(
        _plots(_figures(request, service, days), shell.words(request)), headers={"Cache-Control": "no-store"}
    )


@router.get("/progress/export")
def export(request: Request, service: Svc, days: Days = _DEFAULT_DAYS) -> Response:
    since = _figures(request, service, days).since
    workbook = service.statistics.export_xlsx(principal_of(request), since)
    return download(workbook.content, workbook.filename, XLSX)


@router.post("/progress/plans")
def plans(request: Request, shell: PageShell, service: Svc, form: UploadFile) -> Response:
    """Import a schedule of issue (附件6). Raises what the statistics service refuses."""
    schedule = service.statistics.import_plans(principal_of(request), form.filename or "", pieces(form.file.read))
    return shell.go(request, "/progress", "progress.done-plans", n=len(schedule))


@router.get("/progress/plan")
def plan(request: Request, shell: PageShell, service: Svc, unit: str = "") -> Response:
    """The form of one unit's plan, for the dialog; empty for a unit without a plan."""
    who = principal_of(request)
    who.need(Permission.PLANS_SET)
    known = next((one for one in service.statistics.plans(who) if one.unit == unit), None)
    fields = {"unit": unit}
    if known is not None:
        fields |= {"group": known.group, "planned": str(known.planned), "due": known.due.isoformat()}
    return shell.part(request, "issuing/progress_plan.html", fields=fields, known=known is not None, errors={})


@router.post("/progress/plan")
def put(
    request: Request,
    shell: PageShell,
    service: Svc,
    unit: Text = "",
    group: Text = "",
    planned: Text = "",
    due: Text = "",
) -> Response:
    """Set one unit's plan, replacing an earlier one."""
    who, t = principal_of(request), shell.words(request)
    fields = {"unit": unit.strip(), "group": group.strip(), "planned": planned.strip(), "due": due.strip()}
    new_plan, errors = read_plan(fields, t)
    if new_plan is None:
        known = any(one.unit == fields["unit"] for one in service.statistics.plans(who))
        return shell.part(request, "issuing/progress_plan.html", status=422, fields=fields, known=known, errors=errors)
    service.statistics.set_plans(who, [new_plan])
    return shell.go(request, "/progress", "progress.done-plan", unit=new_plan.unit, planned=t.number(new_plan.planned))


@router.post("/progress/plan/remove")
def remove(request: Request, shell: PageShell, service: Svc, unit: Text = "") -> Response:
    who = principal_of(request)
    removed = next((one for one in service.statistics.plans(who) if one.unit == unit.strip()), None)
    service.statistics.remove_plan(who, unit)
    planned = shell.words(request).number(removed.planned if removed else 0)
    return shell.go(request, "/progress", "progress.done-plan-removed", unit=unit.strip(), planned=planned)


def _figures(request: Request, service: ReaderService, days: int) -> Figures:
    now = service.parts.clock()
    since = now - timedelta(days=days) if days in PERIODS and days else None
    return service.statistics.figures(principal_of(request), since)


def read_plan(fields: Mapping[str, str], t: Words) -> tuple[UnitPlan | None, dict[str, str]]:
    """A plan from the fields of a form, or an error for each wrong field."""
    errors: dict[str, str] = {}
    planned, due = 0, date.min
    if not fields["unit"] or not fields["unit"].isprintable():
        errors["unit"] = t("progress.wrong-unit")
    if fields["planned"].isdecimal() and len(fields["planned"]) <= len(str(_MAX_PLANNED)):
        planned = int(fields["planned"])
    if not 1 <= planned <= _MAX_PLANNED:
        errors["planned"] = t("progress.wrong-planned")
    try:
        due = date.fromisoformat(fields["due"])
    except ValueError:
        errors["due"] = t("progress.wrong-due")
    return (None if errors else UnitPlan(fields["unit"], fields["group"], planned, due)), errors


def _plots(shown: Figures, t: Words) -> dict[str, Any]:
    hours, codes = _by_hour(shown.verdicts), _codes(shown.verdicts, t)
    marks = _percentiles(shown.seconds)
    return {
        "units": _plot(
            [_with_due(unit, t) for unit in shown.units],
            (t("progress.planned"), "idle", [unit.planned or 0 for unit in shown.units]),
            (t("progress.verified"), "ok", [unit.verified for unit in shown.units]),
            (t("progress.issued"), "accent", [unit.issued for unit in shown.units]),
        ),
        "days": _plot(
            [day.day.isoformat() for day in shown.days],
            (t("progress.verified"), "ok", [day.count for day in shown.days]),
            (t("progress.issued"), "accent", [day.issued for day in shown.days]),
        ),
        "rejects": _plot(
            [_short(f"{_step(one.step, t)}: {t.reason(one.code, {}, one.reason)}") for one in shown.rejects],
            (t("progress.rejected"), "bad", [one.count for one in shown.rejects]),
        ),
        "seconds": _plot(
            [t(f"progress.{name}") for name, _ in marks],
            (t("progress.seconds"), "accent", [round(value, 3) for _, value in marks]),
        ),
        "lanes": _plot(
            [f"{lane.station} {t.actor(lane.lane)}".strip() for lane in shown.lanes],
            (t("progress.verified"), "ok", [lane.verified for lane in shown.lanes]),
            (t("progress.rejected"), "bad", [lane.rejected for lane in shown.lanes]),
        ),
        "verdicts": _plot(
            [t.hour(hour) for hour, _ in hours],
            *((word, _colour(code), [counts[code] for _, counts in hours]) for code, word in codes),
        ),
    }


def _with_due(unit: UnitProgress, t: Words) -> list[str]:
    """A unit and its deadline, as the lines of a label."""
    return [_short(unit.unit, _UNIT_LABEL), *([t("progress.due-by", day=t.day(unit.due))] if unit.due else [])]


def _plot(labels: Sequence[str | list[str]], *series: tuple[str, str, Sequence[float]]) -> dict[str, Any]:
    rows = [{"label": label, "colour": colour, "values": values} for label, colour, values in series]
    return {"labels": labels, "series": rows}


def _percentiles(seconds: CardSeconds) -> list[tuple[str, float]]:
    marks = (("p50", seconds.p50), ("p90", seconds.p90), ("p95", seconds.p95), ("p99", seconds.p99))
    return [(name, value) for name, value in (*marks, ("most", seconds.most)) if value is not None]


def _by_hour(counts: Sequence[HourCount]) -> list[tuple[datetime, Counter[str]]]:
    by_hour: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    for count in counts:
        by_hour[count.hour][count.code] += count.count
    return sorted(by_hour.items())


def _codes(counts: Sequence[HourCount], t: Words) -> list[tuple[str, str]]:
    """The verdicts that occurred, the most frequent first, with their words."""
    totals: Counter[str] = Counter()
    for count in counts:
        totals[count.code] += count.count
    return [(code, t.either(f"counter.word.{code.lower()}", code)) for code, _ in totals.most_common()]


def _colour(code: str) -> str:
    row = presentation(code)
    return row.plot if row else "muted"


def _step(step: str, t: Words) -> str:
    return t.either(f"station.step.{step.replace(' ', '-')}", step)


def _short(text: str, most: int = _LABEL) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
