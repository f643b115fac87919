"""Progress: how far the work is and how well it goes, as plots with a table under each, and as a workbook."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, UploadFile
from starlette.responses import JSONResponse, Response

from reader_service.desks.statistics import Figures
from reader_service.pages.intake import as_download, pieces
from reader_service.pages.shell import Shell, principal_of
from reader_service.pages.words import Words
from registry.statistics import HourCount, Seconds

PERIODS: Final = (1, 7, 30, 90, 365, 0)
"""Days back from now; 0 is from the beginning."""
_USUAL: Final = 30
_LABEL: Final = 34
"""Characters of a reason beside its bar; the table has it whole."""

Days = Annotated[int, Query()]


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

    @pages.post("/progress/plans")
    def plans(request: Request, form: UploadFile) -> Response:
        """A schedule of issue (附件6) from a sheet. Raises what the desk refuses."""
        schedule = service.statistics.import_plans(principal_of(request), form.filename or "", pieces(form))
        return shell.go(request, "/progress", "progress.said-plans", n=len(schedule))

    return pages


def _plots(found: Figures, t: Words) -> dict[str, Any]:
    hours, codes = _by_hour(found.verdicts), _codes(found.verdicts, t)
    marks = _percentiles(found.seconds)
    return {
        "units": _plot(
            [unit.unit for unit in found.units],
            (t("progress.planned"), "idle", [unit.planned or 0 for unit in found.units]),
            (t("progress.issued"), "accent", [unit.issued for unit in found.units]),
        ),
        "days": _plot(
            [day.day.isoformat() for day in found.days],
            (t("progress.issued"), "accent", [day.count for day in found.days]),
        ),
        "rejects": _plot(
            [_short(f"{_step(reject.step, t)}: {reject.reason}") for reject in found.rejects],
            (t("progress.rejected"), "bad", [reject.count for reject in found.rejects]),
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


def _plot(labels: Sequence[str], *series: tuple[str, str, Sequence[float]]) -> dict[str, Any]:
    told = [{"label": label, "colour": colour, "values": values} for label, colour, values in series]
    return {"labels": labels, "series": told}


def _percentiles(seconds: Seconds) -> list[tuple[str, float]]:
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
    return [(code, t.either(f"progress.verdict-{code}", code)) for code, _ in totals.most_common()]


def _colour(code: str) -> str:
    if code == "ACTIVE":
        return "ok"
    return "warn" if code in ("EXPIRED", "NOT_YET_VALID", "SUSPENDED") else "bad"


def _step(step: str, t: Words) -> str:
    return t.either(f"station.step.{step.replace(' ', '-')}", step)


def _short(reason: str) -> str:
    return reason if len(reason) <= _LABEL else f"{reason[: _LABEL - 1]}…"
