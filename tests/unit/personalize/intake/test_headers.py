"""Titles of columns: what brackets say, headers of several rows, title lines."""

from pathlib import Path

import pytest

from personalize.intake import check
from personalize.intake.header import field_of, find_header
from personalize.intake.title_lines import unit_in
from tests.support import forms
from tests.support.forms import TODAY, UNIT, id_number, person, verdicts

OTHERS = [
    "姓名（配偶）", "姓名(爱人)", "姓名【紧急联系人】", "（配偶）姓名", "姓名（拼音）", "姓名\n(汉语拼音)",
    "姓名（Pinyin）", "姓名（英文）",
    "姓名（曾用名）", "姓名（监护人）", "姓名（会员配偶）", "姓名（经办人）", "姓名（拼音", "身份证号（配偶）",
    "身份证号码（法人）", "身份证号（子女）",
    "身份证号[父亲]", "手机号码（紧急联系人）", "手机号码（紧急联系人手机）", "手机号码（家属）", "联系电话（办公）",
    "联系电话（办公，必填）", "联系电话（座机）",
    "联系电话（单位）", "联系电话(宅电)", "电话（家庭）", "联系方式（微信）", "联系方式（固话）", "联系电话《传真》",
    "Mobile (emergency contact)",
    "Phone (office)", "所属单位（代码）", "工作单位（配偶）", "单位（地址）", "性别（配偶）",
]  # fmt: skip
OWN = [
    ("姓名（必填）", "name"), ("姓名（与身份证一致）", "name"), ("姓名（本人）", "name"), ("姓名（会员）", "name"),
    ("姓名（某种说明）", "name"),
    ("身份证号（18位，文本格式）", "id_number"), ("身份证号（如有X请大写）", "id_number"),
    ("身份证号（请勿填写配偶的号码）", "id_number"),
    ("联系电话（手机）", "mobile"), ("联系电话（手机/座机）", "mobile"), ("手机号码（不能填家属的）", "mobile"),
    ("手机号码[11位]", "mobile"),
    ("性别（男/女）", "gender"), ("所属单位（部门）", "unit"), ("所属单位（全称）", "unit"), ("（姓名）", "name"),
    ("证件号码（身份证）", "id_number"),
]  # fmt: skip


@pytest.mark.parametrize("title", OTHERS)
def test_a_remark_in_brackets_says_whose_a_column_is(title: str) -> None:
    assert field_of(title) is None


@pytest.mark.parametrize(("title", "field"), OWN)
def test_other_remarks_in_brackets_leave_the_column_to_the_member(title: str, field: str) -> None:
    known = field_of(title)
    assert known is not None
    assert known[0] == field


def test_the_title_without_a_remark_wins_whatever_the_remark_says() -> None:
    header = find_header([["姓名（某某）", "姓名", "身份证号（某某）", "身份证号", ""]])
    assert header is not None
    assert header.columns[1:3] == (3, 1)


@pytest.mark.parametrize(
    ("upper", "lower", "columns"),
    [
        (("序号", "身份证号", "姓名", "性别", "联系方式", None, "单位"),
         (None, None, None, None, "办公电话", "手机号码", None), (0, 1, 2, 3, 5, 6)),
        (("序号", "身份证号", "姓名", "性别", "联系电话", None, None, "单位"),
         (None, None, None, None, "住宅", "办公", "手机", None), (0, 1, 2, 3, 6, 7)),
        (("序号", "身份证号", "姓名", "性别", "联系方式", "联系方式", "单位"),
         ("序号", "身份证号", "姓名", "性别", "办公电话", "手机号码", "单位"), (0, 1, 2, 3, 5, 6)),
        (("序号", "姓名", None, "身份证", None, "性别", "手机", "单位"),
         (None, "拼音", "汉字", "有效期", "号码", None, None, None), (0, 4, 2, 5, 6, 7)),
        (("序号", "姓名", "证件", None, "性别", "手机", "单位", None),
         (None, None, "类型", "号码", None, None, "名称", "代码"), (0, 3, 1, 4, 5, 6)),
        (("序号", "配偶", None, None, "会员", None, None, "性别", "单位"),
         (None, "姓名", "身份证号", "手机", "姓名", "身份证号", "手机", None, None), (0, 5, 4, 7, 6, 8)),
        (("序号", "身份证号", "姓名", "性别", "联系方式", None, None, "单位"),
         (None, None, None, None, "本人", None, "配偶", None), (0, 1, 2, 3, 4, 7)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_a_title_may_be_divided_in_the_row_below(
    tmp_path: Path, upper: tuple[str, ...], lower: tuple[str, ...], columns: tuple[int, ...], kind: str
) -> None:
    first, second = (person(number) for number in (1, 2))

    def row(cells: list[object]) -> list[object]:
        placed: list[object] = ["0311-67569280"] * len(upper)
        for column, cell in zip(columns, cells, strict=True):
            placed[column] = cell
        return placed

    rows = [forms.TITLE, forms.UNIT_LINE, upper, lower, row(first), row(second)]
    write = forms.xlsx if kind == "xlsx" else forms.text
    report = check(write(tmp_path / f"f.{kind}", rows), today=TODAY)
    assert verdicts(report) == ["ok", "ok"]
    assert [row.sheet_row for row in report.rows] == [5, 6]
    assert report.accepted[0].person.mobile == "18801434135"


def test_a_header_of_three_rows(tmp_path: Path) -> None:
    rows = [
        ("序号", "会员信息", None, None, "联系方式", None, "单位"),
        (None, "姓名", "身份证号", "性别", "电话", None, None),
        (None, None, None, None, "办公", "手机", None),
        (1, "孙波磊", id_number(), "男", "0311-67569280", "18801434135", UNIT),
    ]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert (verdicts(report), report.rows[0].sheet_row) == (["ok"], 4)


def test_a_heading_above_the_titles_says_whose_they_are(tmp_path: Path) -> None:
    rows = [
        (None, "配偶信息", None, None, "职工本人信息", None, None, None, None),
        ("序号", "姓名", "身份证号", "手机号码", "姓名", "身份证号", "性别", "手机号码", "所属单位"),
        (1, "李某某", id_number(serial=8), "13900000000", "孙波磊", id_number(serial=1), "男", "18801434135", UNIT),
    ]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert [(row.person.name, row.person.mobile) for row in report.accepted] == [("孙波磊", "18801434135")]


@pytest.mark.parametrize("first", [(1, None, "孙波磊", None, None), (None, "无", "王单位", "男", None)])
def test_a_person_below_the_header_is_no_second_row_of_it(tmp_path: Path, first: tuple[object, ...]) -> None:
    wide = [[row[0], row[1], None, row[2], None, *row[3:]] for row in (first, person(2))]
    rows = [("序号", "身份证号", None, "姓名", None, "性别", "手机", "单位"), *wide]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert [row.sheet_row for row in report.rows] == [2, 3]


@pytest.mark.parametrize(
    "line",
    [
        f"基层工会名称：{UNIT}      会员人数：6人",
        f"基层工会名称：{UNIT} 会员总数: 6",
        f"基层工会名称：{UNIT}（盖章）填表人：张三",
        f"基层工会名称：{UNIT}，联系人：张三",
        f"基层工会名称：{UNIT}；联系电话：0311-67569280",
        f"基层工会名称：{UNIT}\t\t\t2026年11月",
        f"基层工会名称：{UNIT}  2026-11-30",
        f"基层工会名称：{UNIT}   第1页 共2页",
        f"基层工会名称：{UNIT} 组织机构：略",
        f"基层工会名称：{UNIT} /2026.11",
        f"基层工会名称：{UNIT}　　　　第一季度",
        f"工会组织名称：{UNIT} 人数 6",
        f"建会单位：{UNIT}",
        f"基层工会（公章）：{UNIT}",
    ],
)
def test_the_unit_ends_where_the_next_label_begins(line: str) -> None:
    assert unit_in([line, "", ""]) == UNIT
