"""The statistics as a workbook. Text from outside (units, reasons, lanes) is written as text, whatever its first
character."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from functools import partial
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from personalize.cells import write_cell
from reader_service.services.statistics.figures import Figures
from terminal.localtime import zone_label
from terminal.member.presentation import presentation


def workbook(figures: Figures, zone: tzinfo) -> bytes:
    """One sheet per statistic with headings in Chinese and English; times are in ``zone``, which the last sheet
    names."""

    local = partial(_local, zone)
    book = Workbook(write_only=True)
    _progress(book, figures)
    _sheet(
        book,
        "退卡 rejects",
        ("步骤 step", "代码 code", "原因 reason", "卡 chips"),
        ((r.step, r.code, r.reason, r.count) for r in figures.rejects),
    )
    seconds = figures.seconds
    _sheet(
        book,
        "用时 seconds",
        ("卡 cards", "平均 mean", "p50", "p90", "p95", "p99", "最长 most"),
        [(seconds.count, seconds.mean, seconds.p50, seconds.p90, seconds.p95, seconds.p99, seconds.most)],
    )
    _sheet(
        book,
        "通道 lanes",
        ("站点 station", "通道 lane", "合格 verified", "退卡 rejected", "平均秒 mean s", "最后 last"),
        (
            (lane.station, lane.lane, lane.verified, lane.rejected, lane.mean_seconds, local(lane.last_at))
            for lane in figures.lanes
        ),
    )
    _sheet(
        book,
        "核验 verdicts",
        ("小时 hour", "结论 verdict", "次数 count", "说明 in words", "计入 counted as"),
        ((local(v.hour), v.code, v.count, *_verdict_words(v.code)) for v in figures.verdicts),
    )
    _sheet(
        book,
        "说明 about",
        ("项 item", "值 value"),
        [
            ("时区 time zone", zone_label(zone, figures.created_at)),
            ("制表 made", local(figures.created_at)),
            ("自 since", local(figures.since)),
            ("至 until (excluded)", local(figures.until)),
        ],
    )
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


def _progress(book: Any, figures: Figures) -> None:
    """Cards by unit and by day."""
    _sheet(
        book,
        "进度 progress",
        (
            *("单位 unit", "组别 group", "计划 planned", "完成日期 due", "会员 members"),
            *("已制成 made", "已发到会员 handed over", "逾期 late"),
        ),
        (
            (u.unit, u.group, u.planned, u.due, u.registered, u.verified, u.issued, "是 yes" if u.late else "")
            for u in figures.units
        ),
    )
    _sheet(
        book,
        "每日发卡 per day",
        ("日期 day", "制成 made", "发到会员 handed over"),
        ((d.day, d.count, d.issued) for d in figures.days),
    )


def _verdict_words(code: str) -> tuple[str, str]:
    """What a verdict says, in both languages, and what it counts as; nothing for a code of another version."""
    row = presentation(code)
    return (f"{row.word.zh} {row.word.en}", row.counted.value) if row else ("", "")


def _local(zone: tzinfo, at: datetime | None) -> datetime | None:
    """A workbook's times have no zone."""
    return None if at is None else at.astimezone(zone).replace(tzinfo=None, microsecond=0)


def _sheet(book: Any, title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for column, heading in enumerate(headings, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = max(14, len(heading.encode("gb18030")) + 2)
    bold = []
    for heading in headings:
        cell = _cell(sheet, heading)
        cell.font = Font(bold=True)
        bold.append(cell)
    sheet.append(bold)
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet: Any, value: object) -> Any:
    cell = WriteOnlyCell(sheet)
    write_cell(cell, value)
    return cell
