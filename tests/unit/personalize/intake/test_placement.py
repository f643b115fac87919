"""People where no header reaches: none is left out in silence."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from personalize.errors import AmbiguousTable, HeaderNotFound
from personalize.intake import check
from personalize.intake.annotate import annotate
from tests.support import forms
from tests.support.forms import HEADER, TODAY, UNIT, id_number, person, verdicts


def book(path: Path, sheets: dict[str, Sequence[Sequence[Any]]], hidden: Sequence[str] = ()) -> Path:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        forms.fill(sheet, rows)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    workbook.save(path)
    return path


def test_a_further_sheet_without_a_header_goes_on_with_the_columns_of_the_sheet_before(tmp_path: Path) -> None:
    shifted = [(None, *row) for row in forms.form(person(1), person(2))]
    form = book(tmp_path / "f.xlsx", {"1": shifted, "2": [(None, *person(3)), (None, *person(4, phone=None))], "3": []})
    report = check(form, today=TODAY)
    assert [(row.sheet, row.sheet_row, "+".join(row.codes)) for row in report.rows] == [
        ("1", 4, ""),
        ("1", 5, ""),
        ("2", 1, ""),
        ("2", 2, "PHONE_MISSING"),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [("孙波磊", id_number(serial=3), "男", "18801434135")],
        [("姓名", "孙波磊"), ("性别", "男"), ("身份证号", id_number(serial=3))],
        [(None,) * 9 + (id_number(serial=3),)],
    ],
)
def test_a_sheet_with_people_elsewhere_and_no_header_is_named(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    form = book(tmp_path / "f.xlsx", {"名单": forms.form(person(1)), "补充": rows})
    with pytest.raises(HeaderNotFound, match="'补充', which has no header") as caught:
        check(form, today=TODAY)
    assert "“补充”" in caught.value.chinese
    assert id_number(serial=3) not in str(caught.value)


def test_a_narrower_sheet_has_the_columns_of_the_sheet_before_too(tmp_path: Path) -> None:
    without_unit = [(None, *row[1:5]) for row in (person(3), person(4))]
    form = book(tmp_path / "f.xlsx", {"1": forms.form(person(1)), "2": without_unit})
    report = check(form, today=TODAY)
    assert verdicts(report) == ["ok", "UNIT_MISSING", "UNIT_MISSING"]
    annotate(report, tmp_path / "copy.xlsx")
    assert verdicts(check(tmp_path / "copy.xlsx", today=TODAY)) == verdicts(report)


def test_a_form_of_one_person_beside_a_list_is_refused_as_that(tmp_path: Path) -> None:
    one = [("姓名", "孙波磊", "性别", "男"), ("身份证号", id_number(), "手机号码", "18801434135")]
    with pytest.raises(HeaderNotFound, match="'李四', which has no header row but the form of one person") as caught:
        check(book(tmp_path / "f.xlsx", {"名单": forms.form(person(1)), "李四": one}), today=TODAY)
    assert "一人一张" in caught.value.chinese


@pytest.mark.parametrize("gender", ["男性", "女士", "M"])
def test_people_with_damaged_numbers_are_people_too(tmp_path: Path, gender: str) -> None:
    row = ("孙波磊", gender, "1301021976", "+86 188-0143-4135")
    with pytest.raises(HeaderNotFound, match="'补充', which has no header"):
        check(book(tmp_path / "f.xlsx", {"补充": [row], "名单": forms.form(person(1))}), today=TODAY)


def test_a_sheet_of_names_and_telephones_gives_a_warning(tmp_path: Path) -> None:
    contacts = [("姓名", "电话"), ("孙波磊", "18801434135")]
    report = check(book(tmp_path / "f.xlsx", {"名单": forms.form(person(1)), "通讯录": contacts}), today=TODAY)
    assert verdicts(report) == ["ok"]
    assert report.warnings == (
        (
            "工作表“通讯录”没有表头和身份证号，没有读取；如有会员，请加上表头和身份证号",
            "sheet '通讯录' has neither a header row nor ID numbers and was not read: add them if members are on it",
        ),
    )


def test_a_form_of_one_person_is_refused_as_that(tmp_path: Path) -> None:
    one = [("姓名", "孙波磊", "身份证号", id_number()), ("性别", "男", "手机号码", "18801434135")]
    with pytest.raises(HeaderNotFound, match="a form of one person") as caught:
        check(book(tmp_path / "f.xlsx", {"张三": one, "李四": one}), today=TODAY)
    assert "一人一张" in caught.value.chinese


@pytest.mark.parametrize(
    "place",
    [
        lambda left, right: [[*HEADER, None, *HEADER], [*left, None, *right]],
        lambda left, right: [[*HEADER, *(f"{title}（续）" for title in HEADER)], [*left, *right]],
        lambda left, right: [HEADER, [*left, None, *right]],
        lambda left, right: [HEADER, left, [*person(5), None, *HEADER], [*person(6), None, *right]],
        lambda left, right: [[*HEADER, None, *HEADER], [*left, None, *right[:1], None, *right[2:]]],
    ],
)
def test_people_beside_the_table_are_refused(
    tmp_path: Path, place: Callable[[list[Any], list[Any]], list[list[Any]]]
) -> None:
    rows = place(person(1), person(2))
    for form in (forms.xlsx(tmp_path / "f.xlsx", rows), forms.text(tmp_path / "f.csv", rows)):
        with pytest.raises(AmbiguousTable) as caught:
            check(form, today=TODAY)
        assert "并排" in caught.value.chinese


def test_an_empty_second_table_and_the_same_number_twice_are_no_harm(tmp_path: Path) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", [[*HEADER, None, *HEADER], [*person(1), None, 1], [*person(2), None, 2]])
    assert verdicts(check(form, today=TODAY)) == ["ok", "ok"]
    twice = [[*HEADER, "证件号码", None], [*person(1), id_number(serial=1), id_number(serial=1)]]
    assert verdicts(check(forms.xlsx(tmp_path / "g.xlsx", twice), today=TODAY)) == ["ok"]


def test_people_above_the_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AmbiguousTable, match="above the header"):
        check(forms.xlsx(tmp_path / "f.xlsx", [person(1), HEADER, person(2)]), today=TODAY)
    sample = ["示例", *person(1)[1:]]
    assert verdicts(check(forms.xlsx(tmp_path / "g.xlsx", [sample, HEADER, person(2)]), today=TODAY)) == ["ok"]


@pytest.mark.parametrize(
    "row",
    [[None, None, *person(1)], person(1, id="13010219"), person(1, id=None), [*person(1)[2:], id_number(serial=9)]],
)
def test_people_above_the_header_are_refused_wherever_they_stand(tmp_path: Path, row: list[object]) -> None:
    with pytest.raises(AmbiguousTable, match="above the header"):
        check(forms.xlsx(tmp_path / "f.xlsx", [forms.TITLE, row, HEADER, person(2)]), today=TODAY)


@pytest.mark.parametrize(
    "row", [("经办人：孙波磊", "男", "18801434135"), ("填表人", "孙波磊", "身份证号", id_number(serial=9))]
)
def test_who_fills_in_a_form_may_stand_above_its_header(tmp_path: Path, row: tuple[object, ...]) -> None:
    rows = [forms.TITLE, row, forms.UNIT_LINE, HEADER, person(2)]
    assert verdicts(check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)) == ["ok"]


@pytest.mark.parametrize("name", ["样表", "附件4登记表样表", "填写示例", "范本"])
def test_a_filled_sample_sheet_counts_if_nobody_is_elsewhere(tmp_path: Path, name: str) -> None:
    form = book(tmp_path / "f.xlsx", {name: forms.form(person(1)), "Sheet2": forms.form()})
    report = check(form, today=TODAY)
    assert (verdicts(report), report.warnings) == (["ok"], ())
    assert "sheet" not in report.to_json()["rows"][0]
    both = book(tmp_path / "g.xlsx", {name: forms.form(person(1)), "Sheet2": forms.form(person(2))})
    report = check(both, today=TODAY)
    assert [row.sheet for row in report.rows] == ["Sheet2"]
    assert report.warnings == (
        (f"样表“{name}”上有人员信息，没有读取", f"people on the sample sheet '{name}' were not read"),
    )
    assert report.to_json()["warnings"][0]["zh"].startswith("样表")


def test_people_on_hidden_sheets_give_a_warning(tmp_path: Path) -> None:
    form = book(tmp_path / "f.xlsx", {"名单": forms.form(person(1)), "旧": forms.form(person(2))}, hidden=["旧"])
    assert [english for _, english in check(form, today=TODAY).warnings] == [
        "people on the hidden sheet '旧' were not read"
    ]


def test_only_what_merged_cells_show_counts(tmp_path: Path) -> None:
    rows = forms.form(person(1, unit="财务处"), person(2, unit="后勤处"), person(3))
    plain = forms.xlsx(tmp_path / "f.xlsx", rows)
    merged = '<mergeCells count="2"><mergeCell ref="F4:F5"/><mergeCell ref="B5:B6"/></mergeCells>'

    def with_merged(parts: dict[str, bytes]) -> None:
        name = "xl/worksheets/sheet1.xml"
        parts[name] = parts[name].replace(b"</sheetData>", b"</sheetData>" + merged.encode())

    report = check(forms.repacked(plain, tmp_path / "g.xlsx", with_merged), today=TODAY)
    assert verdicts(report) == ["ok", "ok", "ID_MISSING"]
    assert [row.unit for row in report.accepted] == ["财务处", "财务处"]
    assert "hidden under merged cells" in report.warnings[0][1]


@pytest.mark.parametrize(
    "mark",
    [
        "例",
        "示例",
        "示例1",
        "（例）",
        "样例：",
        "例如",
        "Example",
        "e.g.",
        "模板",
        "格式示例",
        "如：",
        "此行为示例",
        "（示例，请删除）",
        "示例(请勿修改)",
    ],
)
def test_a_sample_row_is_never_accepted(tmp_path: Path, mark: str) -> None:
    sample = [mark, *person(9)[1:]]
    report = check(forms.xlsx(tmp_path / "f.xlsx", forms.form(sample, person(1))), today=TODAY)
    assert [row.seq for row in report.accepted] == [1]
    assert ("Sheet", 4) in report.skipped


@pytest.mark.parametrize("cells", [{"name": "张三（示例）"}, {"unit": "某某学院【样例】"}])
def test_a_name_or_unit_may_say_that_the_row_is_the_sample(tmp_path: Path, cells: dict[str, str]) -> None:
    report = forms.checked(tmp_path, person(9, **cells), person(1))
    assert ([row.seq for row in report.accepted], report.rejected) == ([1], [])


@pytest.mark.parametrize(
    "row",
    [
        (None, None, "孙波磊", None, None, UNIT, "备注：后补"),
        (4, None, "会计", None, None, UNIT, None),
        (4, None, "主席", None, None, None, None),
    ],
)
def test_who_has_a_number_or_a_name_is_judged_whatever_is_beside_it(tmp_path: Path, row: tuple[object, ...]) -> None:
    rows = [[*HEADER, "备注"], [*person(1), None], row]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert len(report.accepted) == len(report.rejected) == 1


@pytest.mark.parametrize("row", [("会员总数", 3, "男", 2, "女", 1), ("男会员", None, 2), ("职工人数：", 3)])
def test_figures_below_the_table_are_nobody(tmp_path: Path, row: tuple[object, ...]) -> None:
    assert verdicts(forms.checked(tmp_path, person(1), row)) == ["ok"]


def test_a_remark_marks_a_sample_row_too(tmp_path: Path) -> None:
    rows = [[*HEADER, "备注"], [*person(1), "示例"], [*person(2), "例会主持人"]]
    assert [row.seq for row in check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY).accepted] == [2]


@pytest.mark.parametrize(
    "row",
    [
        (None, None, None, None, f"{UNIT}委员会", None),
        (None, None, None, None, "2026-11-30", None),
        (None, None, None, None, "2026年11月30日", None),
        (None, None, None, None, "二〇二六年十一月三十日", None),
        (None, None, None, None, "年  月  日", None),
        (None, None, "单位（盖章）", None, None, None),
        (None, None, None, None, "（公章）", None),
        (None, None, "工会主席（签字）：", None, None, None),
        (None, None, UNIT, None, None, None),
        (None, UNIT, None, None, "2026.11.30", None),
        (None, None, f"{UNIT}（章）", None, None, None),
        (None, None, "以上情况属实", None, None, None),
        (None, None, "审核人：", "张三", None, None),
        (None, None, None, "经办人：李四", "电话：0311-67569280", None),
    ],
)
def test_stamps_dates_and_signatures_below_the_table_are_nobody(tmp_path: Path, row: tuple[object, ...]) -> None:
    report = forms.checked(tmp_path, person(1), [None] * 6, row)
    assert verdicts(report) == ["ok"]


def test_seq_never_holds_a_persons_number(tmp_path: Path) -> None:
    rows = forms.form([id_number(serial=1), None, "孙波磊", "男", None, UNIT], [1.30102197605154e17, *person(2)[1:]])
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert [row.seq for row in report.rows] == [None, None]
