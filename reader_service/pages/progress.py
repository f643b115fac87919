"""Progress: how far the work is and how well it goes, as plots with a table under each, and as a workbook; and the
schedule it is measured by, imported or mended unit by unit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, UploadFile
from starlette.responses import JSONResponse, Response

from reader_service.pages.intake import as_download, pieces
from reader_service.pages.shell import Shell, principal_of
from reader_service.pages.words import Words
from reader_service.principal import Permission
from reader_service.services.figures import Figures
from registry.admin.plans import UnitPlan
from registry.admin.statistics import CardSeconds, HourCount, UnitProgress
from terminal.member.presentation import presentation

PERIODS: Final = (1, 7, 30, 90, 365, 0)
"""Days back from now; 0 is from the beginning."""
_USUAL: Final = 30
_LABEL: Final = 34
_UNIT: Final = 16
"""Characters of a reason, and of a unit, beside its bar; the table has it whole."""

_MOST_CARDS: Final = 10_000_000

Days = Annotated[int, Query()]
Text = Annotated[str, Form()]


def router(shell: Shell) -> APIRouter:
    pages = shell.router()
    service = shell.service

    def figures(request: Request, days: int) -> Figures:
        now = datetime.now(UTC)
        since = now - timedelta(days=days) if days in PERIODS and days else None
        return service.statistics.figures(principal_of(request), since)

    @pages.get("/progress")
    def progress(request: Request, days: Days = _USUAL) -> Response:
        found, t = figures(request, days), shell.words(request)
        return shell.page(
            request,
            "progress.html",
            figures=found,
            days=days if days in PERIODS else 0,
            periods=PERIODS,
            percentiles=_percentiles(found.seconds),
            hours=_by_hour(found.verdicts),
            codes=_codes(found.verdicts, t),
        )

    @pages.get("/progress/data")
    def data(request: Request, days: Days = _USUAL) -> Response:
        """What the plots show: labels and series, in the reader's language."""
        return JSONResponse(_plots(figures(request, days), shell.words(request)), headers={"Cache-Control": "no-store"})

    @pages.get("/progress/export")
    def export(request: Request, days: Days = _USUAL) -> Response:
        found = figures(request, days)
        made = service.statistics.export_xlsx(principal_of(request), found.since)
        return as_download(made.filename, made.content)

    _plans(pages, shell)
    return pages


def _plans(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.post("/progress/plans")
    def plans(request: Request, form: UploadFile) -> Response:
        """A schedule of issue (附件6) from a sheet. Raises what the desk refuses."""
        schedule = service.statistics.import_plans(principal_of(request), form.filename or "", pieces(form))
        return shell.go(request, "/progress", "progress.said-plans", n=len(schedule))

    @pages.get("/progress/plan")
    def plan(request: Request, unit: str = "") -> Response:
        """The form of one unit's plan, for the dialog; empty for a unit that has none."""
        who = principal_of(request)
        who.need(Permission.PLANS_SET)
        found = next((one for one in service.statistics.plans(who) if one.unit == unit), None)
        told = {"unit": unit}
        if found is not None:
            told |= {"group": found.group, "planned": str(found.planned), "due": found.due.isoformat()}
        return shell.part(request, "progress_plan.html", told=told, known=found is not None, errors={})

    @pages.post("/progress/plan")
    def put(request: Request, unit: Text = "", group: Text = "", planned: Text = "", due: Text = "") -> Response:
        """One unit's plan in the place of its earlier one."""
        who, t = principal_of(request), shell.words(request)
        told = {"unit": unit.strip(), "group": group.strip(), "planned": planned.strip(), "due": due.strip()}
        found, errors = read_plan(told, t)
        if found is None:
            known = any(one.unit == told["unit"] for one in service.statistics.plans(who))
            return shell.part(request, "progress_plan.html", status=422, told=told, known=known, errors=errors)
        service.statistics.set_plans(who, [found])
        return shell.go(request, "/progress", "progress.said-plan", unit=found.unit, planned=t.number(found.planned))

    @pages.post("/progress/plan/remove")
    def remove(request: Request, unit: Text = "") -> Response:
        who = principal_of(request)
        gone = next((one for one in service.statistics.plans(who) if one.unit == unit.strip()), None)
        service.statistics.remove_plan(who, unit)
        planned = shell.words(request).number(gone.planned if gone else 0)
        return shell.go(request, "/progress", "progress.said-plan-removed", unit=unit.strip(), planned=planned)


def read_plan(told: Mapping[str, str], t: Words) -> tuple[UnitPlan | None, dict[str, str]]:
    """A plan as somebody typed it, or what is wrong with which field."""
    wrong: dict[str, str] = {}
    planned, due = 0, date.min
    if not told["unit"] or not told["unit"].isprintable():
        wrong["unit"] = t("progress.wrong-unit")
    if told["planned"].isdecimal() and len(told["planned"]) <= len(str(_MOST_CARDS)):
        planned = int(told["planned"])
    if not 1 <= planned <= _MOST_CARDS:
        wrong["planned"] = t("progress.wrong-planned")
    try:
        due = date.fromisoformat(told["due"])
    except ValueError:
        wrong["due"] = t("progress.wrong-due")
    return (None if wrong else UnitPlan(told["unit"], told["group"], planned, due)), wrong


def _plots(found: Figures, t: Words) -> dict[str, Any]:
    hours, codes = _by_hour(found.verdicts), _codes(found.verdicts, t)
    marks = _percentiles(found.seconds)
    return {
        "units": _plot(
            [_with_due(unit, t) for unit in found.units],
            (t("progress.planned"), "idle", [unit.planned or 0 for unit in found.units]),
            (t("progress.issued"), "accent", [unit.issued for unit in found.units]),
        ),
        "days": _plot(
            [day.day.isoformat() for day in found.days],
            (t("progress.issued"), "accent", [day.count for day in found.days]),
        ),
        "rejects": _plot(
            [_short(f"{_step(one.step, t)}: {t.reason(one.code, {}, one.reason)}") for one in found.rejects],
            (t("progress.rejected"), "bad", [one.count for one in found.rejects]),
        ),
        "seconds": _plot(
            [t(f"progress.{name}") for name, _ in marks],
            (t("progress.seconds"), "accent", [round(value, 3) for _, value in marks]),
        ),
        "lanes": _plot(
            [f"{lane.station} {lane.lane}".strip() for lane in found.lanes],
            (t("progress.verified"), "ok", [lane.verified for lane in found.lanes]),
            (t("progress.rejected"), "bad", [lane.rejected for lane in found.lanes]),
        ),
        "verdicts": _plot(
            [f"{hour.astimezone():%m-%d %H:00}" for hour, _ in hours],
            *((word, _colour(code), [counts[code] for _, counts in hours]) for code, word in codes),
        ),
    }


def _with_due(unit: UnitProgress, t: Words) -> list[str]:
    """A unit and its deadline beneath, as lines of one label."""
    return [_short(unit.unit, _UNIT), *([t("progress.due-by", day=t.day(unit.due))] if unit.due else [])]


def _plot(labels: Sequence[str | list[str]], *series: tuple[str, str, Sequence[float]]) -> dict[str, Any]:
    told = [{"label": label, "colour": colour, "values": values} for label, colour, values in series]
    return {"labels": labels, "series": told}


def _percentiles(seconds: CardSeconds) -> list[tuple[str, float]]:
    marks = (("p50", seconds.p50), ("p90", seconds.p90), ("p95", seconds.p95), ("p99", seconds.p99))
    return [(name, value) for name, value in (*marks, ("most", seconds.most)) if value is not None]


def _by_hour(counts: Sequence[HourCount]) -> list[tuple[datetime, Counter[str]]]:
    found: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    for count in counts:
        found[count.hour][count.code] += count.count
    return sorted(found.items())


def _codes(counts: Sequence[HourCount], t: Words) -> list[tuple[str, str]]:
    """The verdicts there were, the most frequent first, with their words."""
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
