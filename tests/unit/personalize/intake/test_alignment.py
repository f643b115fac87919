"""Rows whose cells are not under their columns: nobody is left out, and no value comes from another column."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from personalize.errors import AmbiguousTable
from personalize.intake import Rejected, RosterReport, check
from personalize.intake.annotate import annotate
from tests.support import forms
from tests.support.forms import HEADER, TODAY, UNIT, id_number, person, verdicts

REMARK = (*HEADER, "备注")
SEPARATORS = pytest.mark.parametrize("separator", [",", ";", "|", "\t", "，", "；"])


def text(path: Path, *rows: Sequence[object], separator: str = ",", encoding: str = "utf-8") -> RosterReport:
    """A text without any quotation marks, as people type it."""
    lines = [separator.join("" if cell is None else str(cell) for cell in row) for row in rows]
    (path / "f.csv").write_text("\n".join([*lines, ""]), encoding=encoding)
    return check(path / "f.csv", today=TODAY)


def outcomes(report: RosterReport) -> list[tuple[int, str]]:
    return list(zip([row.sheet_row for row in report.rows], verdicts(report), strict=True))


@SEPARATORS
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_separator_in_the_unit_takes_nothing_from_it(tmp_path: Path, separator: str, encoding: str) -> None:
    divided = person(2, unit=f"{UNIT}{separator}后勤处")
    report = text(tmp_path, HEADER, person(1), divided, person(3), separator=separator, encoding=encoding)
    assert outcomes(report) == [(2, "ok"), (3, "ROW_SHIFTED"), (4, "ok")]
    assert [row.unit for row in report.accepted] == [UNIT, UNIT]
    (rejected,) = report.rejected
    assert (rejected.seq, rejected.name) == (None, "")
    assert "未加引号的分隔符" in rejected.sentence("zh")
    assert "without quotation marks" in rejected.sentence("en")


@SEPARATORS
def test_a_separator_in_a_quoted_field_is_none(tmp_path: Path, separator: str) -> None:
    named = f"河北{separator}石家庄工会"
    report = text(tmp_path, HEADER, person(1, unit=f'"{named}"'), person(2), separator=separator)
    assert verdicts(report) == ["ok", "ok"]
    assert report.accepted[0].unit == named.replace("\t", " ")


@pytest.mark.parametrize("column", range(6))
@SEPARATORS
def test_a_separator_too_many_in_any_field_gives_no_wrong_value(tmp_path: Path, column: int, separator: str) -> None:
    row = [*person(2), "党员"]
    row[column] = f"{str(row[column])[:1]}{separator}{str(row[column])[1:]}"
    report = text(tmp_path, REMARK, [*person(1), ""], row, [*person(3), "党员"], separator=separator)
    assert outcomes(report) == [(2, "ok"), (3, "ROW_SHIFTED"), (4, "ok")]


def test_a_row_that_begins_with_a_separator_stands_further_right(tmp_path: Path) -> None:
    report = text(tmp_path, HEADER, person(1), ["", *person(2)])
    assert outcomes(report) == [(2, "ok"), (3, "ROW_SHIFTED")]


def test_a_separator_in_a_remark_behind_the_columns_in_use_is_named_and_does_no_harm(tmp_path: Path) -> None:
    header = ("序号", "所属单位", "身份证号", "姓名", "性别", "手机号码", "家庭地址")
    rows = [[row[0], row[5], *row[1:5]] for row in map(person, range(1, 15))]
    addresses = ["石家庄市,长安区,中山路1号"] * 13 + ["正定县"]
    report = text(tmp_path, header, *[[*row, address] for row, address in zip(rows, addresses, strict=True)])
    assert verdicts(report) == ["ok"] * 14
    assert {row.unit for row in report.accepted} == {UNIT}
    numbers = "2、3、4、5、6、7、8、9、10、11"
    assert report.warnings == (
        (
            f"第{numbers}行等13行的格数与表头不同（可能有未加引号的分隔符），请核对各列",
            f"rows {numbers.replace('、', ', ')} and 3 more: more or fewer fields than the header (perhaps a separator "
            "without quotation marks): check the columns",
        ),
    )


def test_a_second_mobile_number_in_the_row_proves_nothing(tmp_path: Path) -> None:
    header = ("所属单位", "身份证号", "姓名", "性别", "备注", "手机号码", "地址")
    row = [UNIT, id_number(serial=1), "孙波磊", "男", "妻子,13811112222", "18801434135", "正定县"]
    assert outcomes(text(tmp_path, header, row)) == [(2, "ROW_SHIFTED")]


def test_separators_at_the_end_of_rows_are_no_fields(tmp_path: Path) -> None:
    for ends in (["", ""], [""]):
        assert text(tmp_path, HEADER, *[[*person(number), *ends] for number in (1, 2, 3)]).warnings == ()
        assert text(tmp_path, [*HEADER, *ends], *map(person, (1, 2, 3))).warnings == ()
    trimmed = text(tmp_path, REMARK, *map(person, range(1, 5)), [*person(5), "党员"])
    assert (verdicts(trimmed), trimmed.warnings) == (["ok"] * 5, ())


def test_a_separator_too_many_that_leaves_the_last_column_empty_is_one_too(tmp_path: Path) -> None:
    divided = [*person(2, unit="甲,工会"), ""]
    assert outcomes(text(tmp_path, REMARK, [*person(1), ""], divided)) == [(2, "ok"), (3, "ROW_SHIFTED")]


def test_a_row_with_fewer_fields_than_the_others_is_named(tmp_path: Path) -> None:
    header = ("身份证号", "姓名", "性别", "手机号码", "学历", "所属单位", "职务")
    rows = [[*person(number)[1:5], "本科", UNIT, "科员"] for number in (1, 2, 3)]
    del rows[1][4]
    report = text(tmp_path, header, *rows)
    assert [english[:6] for _, english in report.warnings] == ["row 3:"]
    assert report.warnings[0][0].startswith("第3行的格数与表头不同")


def test_a_title_that_its_own_separator_divides_gives_no_wrong_value(tmp_path: Path) -> None:
    header = [*HEADER[:4], "手机号码（必填,11位）", "所属单位", "备注"]
    assert outcomes(text(tmp_path, header, [*person(1), "党员"])) == [(2, "ROW_SHIFTED")]


@pytest.mark.parametrize("other", ["，", ";", "\t", "  ", "、", "|"])
def test_a_line_with_another_separator_is_not_left_out(tmp_path: Path, other: str) -> None:
    line = other.join(map(str, person(2)))
    report = text(tmp_path, HEADER, person(1), [line], person(3), ["经办人：张三，身份证号：" + id_number(serial=9)])
    assert outcomes(report) == [(2, "ok"), (3, "ROW_SHIFTED"), (4, "ok")]
    book = check(forms.xlsx(tmp_path / "f.xlsx", [HEADER, person(1), [line], person(3)]), today=TODAY)
    assert outcomes(book) == [(2, "ok"), (3, "ROW_SHIFTED"), (4, "ok")]


@pytest.mark.parametrize("shift", [1, 2])
def test_a_second_table_with_its_own_header_has_its_own_columns(tmp_path: Path, shift: int) -> None:
    before = [None] * shift
    rows = [
        HEADER,
        person(1),
        [],
        ["基层工会名称：乙工会"],
        [*before, *HEADER],
        [*before, *person(2)],
        [*before, *person(3)],
    ]
    for form in (forms.xlsx(tmp_path / "f.xlsx", rows), forms.text(tmp_path / "f.csv", rows)):
        report = check(form, today=TODAY)
        assert verdicts(report) == ["ok"] * 3
        assert [row.seq for row in report.accepted] == [1, 2, 3]
        annotate(report, tmp_path / "copy.xlsx")
        assert verdicts(check(tmp_path / "copy.xlsx", today=TODAY)) == ["ok"] * 3


def test_a_second_table_may_stand_right_of_the_columns_of_the_first(tmp_path: Path) -> None:
    far = [None] * 7
    rows = [HEADER, person(1), [*far, *HEADER], [*far, *person(2)]]
    assert verdicts(check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)) == ["ok", "ok"]
    beside = [HEADER, person(1), [*far, *HEADER], [*person(3), None, *person(2)]]
    with pytest.raises(AmbiguousTable, match="side by side"):
        check(forms.xlsx(tmp_path / "g.xlsx", beside), today=TODAY)


def test_a_second_table_with_fewer_columns_is_named(tmp_path: Path) -> None:
    short = [row[1:4] for row in (HEADER, person(2))]
    report = check(forms.xlsx(tmp_path / "f.xlsx", [forms.UNIT_LINE, HEADER, person(1), *short]), today=TODAY)
    assert verdicts(report) == ["ok", "PHONE_MISSING"]
    assert report.warnings == (("表中没有“手机号码”列", "the table has no column 手机号码"),)


@pytest.mark.parametrize("shift", [-1, 1, 2])
def test_people_further_left_or_right_are_rejected_as_that(tmp_path: Path, shift: int) -> None:
    def moved(row: Sequence[object]) -> list[object]:
        return [None] * (1 + shift) + list(row)

    rows = [
        [None, *HEADER, "备注", "地址"],
        [None, *person(1)],
        [],
        moved(person(2)),
        moved(person(3, id=id_number()[:-1] + "X")),
    ]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert outcomes(report) == [(2, "ok"), (4, "ROW_SHIFTED"), (5, "ROW_SHIFTED")]
    assert all(isinstance(row, Rejected) and row.name_masked == "" for row in report.rows[1:])


def test_people_under_titles_of_no_use_are_not_left_out(tmp_path: Path) -> None:
    header = [*HEADER, "职务", "学历", "籍贯", "备注", "民族", "特长"]
    rows = [header, person(1), [None] * 6 + person(2), [None] * 9 + [id_number(serial=3), "孙波磊"]]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert [(row.sheet_row, bool(row.codes)) for row in report.rows] == [(2, False), (3, True), (4, True)]


def test_a_shifted_row_gives_no_unit_to_a_ditto_below(tmp_path: Path) -> None:
    divided = person(2, unit=f"{UNIT},后勤处")
    assert verdicts(text(tmp_path, HEADER, person(1), divided, person(3, unit="同上"))) == [
        "ok",
        "ROW_SHIFTED",
        "UNIT_MISSING",
    ]


def test_a_member_with_a_passport_beside_a_spouse_stands_in_place(tmp_path: Path) -> None:
    header = [
        "身份证号",
        "姓名",
        "性别",
        "手机号码",
        "所属单位",
        "配偶身份证号",
        "配偶姓名",
        "配偶性别",
        "配偶手机号码",
    ]
    row = ["E12345678", "孙波磊", "男", "18801434135", UNIT, id_number(), "李丽", "女", "18801434136"]
    assert verdicts(check(forms.xlsx(tmp_path / "f.xlsx", [header, row]), today=TODAY)) == ["ok"]
