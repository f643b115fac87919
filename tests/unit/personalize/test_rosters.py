"""A stored roster goes back on its form as it was judged, whoever is on record since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from personalize.intake import Rejected, RosterReport, RowFault, RowNote, RowOnRecord, RowState, check
from personalize.rosters import as_imported, to_import
from registry.values import RosterLine
from tests.support import forms
from tests.support.forms import TODAY, UNIT, person


def line(sheet_row: int, *codes: str) -> RosterLine:
    return RosterLine(sheet_row, None, not codes, codes, "", "", "", "")


def test_rows_are_judged_as_they_were_when_they_were_imported(tmp_path: Path) -> None:
    people = [person(1), person(2), person(2), person(4, phone="")]
    report = check(forms.xlsx(tmp_path / "form.xlsx", forms.form(*people)), today=TODAY)
    assert forms.verdicts(report) == ["ok", "ok", "DUPLICATE_IN_FILE", "PHONE_MISSING"]
    stored = [line(4), line(5, "ALREADY_HAS_CARD"), line(6, "ALREADY_HAS_CARD"), line(7, "PHONE_MISSING")]
    again = as_imported(report, stored)
    assert forms.verdicts(again) == ["ok", "ALREADY_HAS_CARD", "ALREADY_HAS_CARD", "PHONE_MISSING"]
    assert again.rows[1] == Rejected(5, 2, (RowFault.ALREADY_HAS_CARD,), "孙波磊", "", report.rows[1].sheet)
    assert [row.sheet_row for row in to_import(again)[0]] == [4]


def test_whether_there_are_several_sheets_is_counted_once_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted for each row, a large form would take minutes."""
    counted: list[int] = []
    several = RosterReport.several_sheets.fget
    monkeypatch.setattr(RosterReport, "several_sheets", property(lambda report: counted.append(1) or several(report)))
    rows = tuple(Rejected(row, row, (RowFault.PHONE_MISSING,), sheet=f"{row % 2}") for row in range(9))
    report = RosterReport(Path("form.xlsx"), UNIT, rows, "")
    assert [row["sheet"] for row in report.to_json()["rows"]] == [f"{row % 2}" for row in range(9)]
    assert to_import(report)[1][1].message.startswith("工作表“1”第1行：")
    assert len(counted) == 2


def test_a_row_on_record_keeps_its_batch(tmp_path: Path) -> None:
    report = check(forms.xlsx(tmp_path / "form.xlsx", forms.form(person(1), person(2))), today=TODAY)
    first, second = report.accepted
    on_record = RowOnRecord(4, 1, first.person, UNIT, (RowState.UNCHANGED,), first.sheet, UNIT, "B20261101-001")
    stored = [RosterLine(4, 1, False, ("PHONE_CHANGED", "NAME_NORMALIZED"), "", "", "", "", "change")]
    again = as_imported(replace(report, rows=(on_record, second)), stored)
    assert again.rows == (replace(on_record, codes=(RowState.PHONE_CHANGED, RowNote.NAME_NORMALIZED)), second)
