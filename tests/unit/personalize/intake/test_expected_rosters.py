"""The forms that came with the requirements: every field of every row."""

import json
from pathlib import Path
from typing import Any

import pytest

from personalize.errors import IntakeError
from personalize.intake import check
from personalize.intake.annotate import annotate
from tests.support import forms
from tests.support.paths import ROOT

ROSTERS = ROOT / "tests" / "data" / "rosters"
TRAPS = ROOT / "tests" / "data" / "rosters-2"
FORMS = (".xlsx", ".xls", ".csv")


def trapped(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in FORMS)


def expected_of(form: Path) -> Any:
    return json.loads(form.with_suffix(".expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", trapped(TRAPS), ids=lambda form: form.name)
def test_a_form_with_a_trap_is_judged_as_expected(form: Path) -> None:
    expected, report = expected_of(form), check(form, today=forms.TODAY).to_json()
    assert [report[key] for key in ("unit", "accepted", "rejected")] == [
        expected[key] for key in ("unit", "accepted", "rejected")
    ]
    rows = json.loads(json.dumps(report["rows"]))
    assert [{key: row[key] for key in right} for row, right in zip(rows, expected["rows"], strict=True)] == (
        expected["rows"]
    )


@pytest.mark.parametrize("form", trapped(TRAPS), ids=lambda form: form.name)
def test_the_annotated_copy_of_a_form_with_a_trap_has_the_same_verdicts(form: Path, tmp_path: Path) -> None:
    report = check(form, today=forms.TODAY)
    for number in range(2):  # the copy of a copy too
        annotate(report, tmp_path / f"{number}.xlsx")
        again = check(tmp_path / f"{number}.xlsx", today=forms.TODAY)
        assert [(row.sheet_row, row.seq, _outcome(row.codes)) for row in again.rows] == [
            (row.sheet_row, row.seq, _outcome(row.codes)) for row in report.rows
        ]
        assert [row.person for row in again.accepted] == [row.person for row in report.accepted]
        assert (again.unit, [row.unit for row in again.accepted]) == (
            report.unit,
            [row.unit for row in report.accepted],
        )
        report = again


def _outcome(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str, codes))


@pytest.mark.parametrize("form", trapped(TRAPS / "refuse"), ids=lambda form: form.name)
def test_a_form_that_would_lose_people_is_refused_in_words(form: Path) -> None:
    with pytest.raises(IntakeError) as caught:
        check(form, today=forms.TODAY)
    assert expected_of(form)["refused"] in caught.value.chinese


@pytest.mark.parametrize("name", ["roster-clean-50.xlsx", "roster-clean-60-utf8.csv", "roster-messy-300.xlsx"])
def test_agrees_exactly(name: str) -> None:
    file = ROSTERS / name
    expected = json.loads(file.with_suffix(".expected.json").read_text(encoding="utf-8"))
    report = json.loads(json.dumps(check(file, today=forms.TODAY).to_json(), ensure_ascii=False))
    assert report.pop("file") == str(file)
    assert report == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_messy_form_says_the_same_as_text(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = _cells(ROSTERS / "roster-messy-300.xlsx")
    # What Excel writes into a csv for a number of eighteen digits.
    rows = [[f"{cell:.5E}" if isinstance(cell, float) and cell > 1e15 else cell for cell in row] for row in rows]
    file = forms.text(tmp_path / "form.csv", rows, encoding=encoding, delimiter=delimiter)
    _same_as_expected(file)


def test_the_messy_form_says_the_same_as_xls(tmp_path: Path) -> None:
    _same_as_expected(forms.xls(tmp_path / "form.xls", _cells(ROSTERS / "roster-messy-300.xlsx")))


def test_columns_in_another_order_with_others_between(tmp_path: Path) -> None:
    rows = _cells(ROSTERS / "roster-messy-300.xlsx")
    moved = [[row[5], None, row[2], row[4], "备注", row[1], row[3], row[0]] for row in rows[3:-1]]
    moved[0][4] = "备注"
    file = forms.xlsx(tmp_path / "form.xlsx", [*([[cell] for cell in (rows[0][0], None, rows[2][0])]), *moved])
    _same_as_expected(file)


def _cells(file: Path) -> list[list[object]]:
    from python_calamine import CalamineWorkbook

    rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()
    plain = [[int(cell) if isinstance(cell, float) and cell < 1e15 else cell for cell in row] for row in rows]
    return [[None if cell == "" else cell for cell in row] for row in plain]


def _same_as_expected(file: Path) -> None:
    expected = json.loads((ROSTERS / "roster-messy-300.expected.json").read_text(encoding="utf-8"))
    report = json.loads(json.dumps(check(file, today=forms.TODAY).to_json()))
    assert report["rows"] == expected["rows"]
    assert (report["unit"], report["accepted"], report["rejected"]) == (expected["unit"], 238, 62)
