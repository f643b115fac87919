"""A gender that is ticked in a column 男 or a column 女."""

from __future__ import annotations

from pathlib import Path

import pytest

from personalize.intake import check
from tests.support import forms
from tests.support.forms import TODAY, id_number, verdicts

BEFORE, AFTER = ("序号", "姓名"), ("身份证号码", "手机号码", "工会名称")
ONE_ROW = [(*BEFORE, "男", "女", *AFTER)]
NAMED = [(*BEFORE, "性别（男）", "性别（女）", *AFTER)]
TWO_ROWS = [(*BEFORE, "性别", "", *AFTER), ("", "", "男", "女", "", "", "")]
MERGED = [(*BEFORE, "性别", "性别", *AFTER), (*BEFORE, "男", "女", *AFTER)]


def person(number: int, male: object, female: object) -> tuple[object, ...]:
    return (number, "孙波磊", male, female, id_number(serial=number), f"1880143413{number}", "甲工会")


@pytest.mark.parametrize("header", [ONE_ROW, NAMED, TWO_ROWS, MERGED], ids=["one", "named", "two rows", "merged"])
def test_ticked_columns_are_the_gender(tmp_path: Path, header: list[tuple[str, ...]]) -> None:
    people = [person(1, "√", ""), person(2, "", "✔"), person(3, "", ""), person(4, "√", "√"), person(5, "√", "×")]
    report = check(forms.xlsx(tmp_path / "f.xlsx", [("会员登记表",), *header, *people]), today=TODAY)
    assert verdicts(report) == ["ok", "ok", "GENDER_MISSING", "GENDER_MISSING", "ok"]
    assert [row.person.gender for row in report.accepted] == ["男", "女", "男"]
    assert report.warnings == ()


def test_a_pair_beside_a_column_of_the_sex_is_of_somebody_else(tmp_path: Path) -> None:
    above = ("序号", "姓名", "子女情况", "", "性别", "身份证号码", "手机号码", "工会名称")
    below = ("", "", "男", "女", "", "", "", "")
    people = [(1, "孙波磊", 0, 1, "男", id_number(serial=1), "18801434131", "甲工会")]
    report = check(forms.xlsx(tmp_path / "f.xlsx", [above, below, *people]), today=TODAY)
    assert [row.person.gender for row in report.accepted] == ["男"]


def test_a_column_of_genders_beside_another_is_no_tick(tmp_path: Path) -> None:
    header = (*BEFORE, "性别", "配偶性别", *AFTER)
    report = check(forms.xlsx(tmp_path / "f.xlsx", [header, person(1, "男", "女"), person(2, "女", "")]), today=TODAY)
    assert verdicts(report) == ["ok", "ok"]
