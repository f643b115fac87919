"""Whole forms: where the table starts, what belongs to it, whose rows are whose."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from openpyxl import Workbook

from personalize.errors import AmbiguousTable, HeaderNotFound
from personalize.intake import Rejected, check
from registry.person import Person
from tests.support import forms
from tests.support.forms import HEADER, TITLE, TODAY, UNIT, UNIT_LINE, checked, id_number, person, verdicts


@pytest.mark.parametrize(
    "header",
    [
        ("序 号", "身份证号码", "姓 名", "性 别", "手机号", "所属单位（部门）"),
        ("编号", "身份证", "姓\u3000名", "性别", "手机", "单位"),
        ("序号", "*证件号码", "*姓名", "*性别", "*联系电话", "*部门"),
        ("序号", "公民身份号码", "会员姓名", "性别（男/女）", "移动电话", "工作单位"),
        ("序号", "身份证\n号码", "姓名", "性别\n", "手机\n号码", "所属\n单位"),
        ("序号：", "身份证号（18位，文本格式）", "姓名(必填)", "性别【必填】", "手机号码[11位]", "单位/部门"),
        ("No.", "居民身份证号码", "Name 姓名", "Sex/性别", "Mobile 手机号码", "单位名称 Unit"),
        ("ＮＯ", "身份证号★", "★姓名", "性别 ", " 电话", "所在单位"),
    ],
)
def test_header_spellings(tmp_path: Path, header: tuple[str, ...]) -> None:
    report = check(forms.xlsx(tmp_path / "f.xlsx", [TITLE, UNIT_LINE, header, person()]), today=TODAY)
    assert verdicts(report) == ["ok"]
    assert report.to_json()["rows"][0]["record"]["unit"] == UNIT


def test_table_anywhere_with_other_columns(tmp_path: Path) -> None:
    header = (
        None,
        None,
        "配偶姓名",
        "所属单位",
        "紧急联系人电话",
        "手机号码",
        "性别",
        "姓名",
        "民族",
        "身份证号",
        "身份证有效期",
    )
    row = (None, None, "李某", UNIT, "13900000000", "18801434135", "男", "孙波磊", "汉", id_number(), "2030-01-01")
    blank: list[tuple[None, ...]] = [(None,)] * 6
    report = check(forms.xlsx(tmp_path / "f.xlsx", [*blank, header, row]), today=TODAY)
    accepted = report.accepted[0]
    assert (accepted.sheet_row, accepted.seq) == (8, None)
    assert (accepted.person.name, accepted.person.mobile, accepted.unit) == ("孙波磊", "18801434135", UNIT)


def test_the_better_of_two_columns_wins(tmp_path: Path) -> None:
    header = ("序号", "部门", "身份证号", "姓名", "性别", "联系电话", "手机号码", "所属单位")
    row = (1, "财务处", id_number(), "孙波磊", "男", "0311-87654321", "18801434135", UNIT)
    report = check(forms.xlsx(tmp_path / "f.xlsx", [header, row]), today=TODAY)
    assert (report.accepted[0].person.mobile, report.accepted[0].unit) == ("18801434135", UNIT)


def test_header_of_two_rows(tmp_path: Path) -> None:
    rows = [
        TITLE,
        ("序号", "会员基本信息", None, None, "联系方式", None, "所属单位"),
        (None, "身份证号", "姓名", "性别", "手机号码", "邮箱", None),
        (1, id_number(), "孙波磊", "男", "18801434135", "a@b.cn", UNIT),
    ]
    file = forms.xlsx(tmp_path / "f.xlsx", rows, merge=["A2:A3", "B2:D2", "E2:F2", "G2:G3"])
    row = check(file, today=TODAY).accepted[0]
    assert (row.seq, row.unit, row.sheet_row) == (1, UNIT, 4)


def test_header_whose_second_row_divides_a_group(tmp_path: Path) -> None:
    rows = [
        ("序号", "身份证号", "姓名", "性别", "联络", None, "所属单位"),
        (None, None, None, None, "手机号码", "办公电话", None),
        [*person()[:5], "0311-87654321", UNIT],
    ]
    file = forms.xlsx(tmp_path / "f.xlsx", rows, merge=["A1:A2", "B1:B2", "C1:C2", "D1:D2", "E1:F1", "G1:G2"])
    assert verdicts(check(file, today=TODAY)) == ["ok"]


def test_what_is_no_row_is_skipped(tmp_path: Path) -> None:
    rows = [
        *forms.form(person(1), (None,), person(2)),
        (3, None, None, None, None, None),
        (4, None, None, None, None, UNIT),
        ("小计", "2人"),
        TITLE,
        UNIT_LINE,
        HEADER,
        person(5),
        (None, "合计", "3人"),
        ("以上信息已经本人核对，真实有效。",),
        ("说明：1.身份证号须为文本格式；2.手机号码必填",),
        ("填表人：", "张三", "联系电话：", "0311-00000000"),
        ("填表人", "张三", "联系电话", "13900000000"),
        (None, None, None, "（盖章）"),
        ("2026年11月22日",),
    ]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert [row.seq for row in report.accepted] == [1, 2, 5]
    assert not [row for row in report.rejected if row.sheet_row not in (20,)]
    assert {row for _, row in report.skipped} >= {7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 20}


def test_a_row_with_anything_of_a_person_is_judged(tmp_path: Path) -> None:
    report = checked(
        tmp_path,
        [1, None, "孙波磊", None, None, None],
        [2, None, None, "男", None, UNIT],
        [None, None, None, None, "18801434135", None],
        [3, id_number(serial=3), None, None, None, None],
        ["合计", id_number(serial=5), "孙波磊", "男", "18801434135", UNIT],
    )
    assert verdicts(report) == [
        "ID_MISSING+GENDER_MISSING+PHONE_MISSING+UNIT_MISSING",
        "ID_MISSING+NAME_MISSING+PHONE_MISSING",
        "ID_MISSING+GENDER_MISSING+NAME_MISSING+UNIT_MISSING",
        "GENDER_MISSING+NAME_MISSING+PHONE_MISSING+UNIT_MISSING",
        "ok",
    ]


def test_whoever_has_a_gender_is_somebody(tmp_path: Path) -> None:
    header = ("所属单位", "姓名", "身份证", "性别", "手机")
    rows = [
        ("单位：甲", "李四", None, "男", "18801434135"),
        ("说明", "合计", None, "女", None),
        ("说明", "王五", None, "2", "9"),
    ]
    report = check(forms.xlsx(tmp_path / "f.xlsx", [header, *rows]), today=TODAY)
    assert verdicts(report) == ["ID_MISSING", "ID_MISSING+PHONE_MISSING"]
    assert report.skipped == (("Sheet", 4),)


def test_csv_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    head = '标题\r\n\r\n"基层工会名称：甲,乙工会"\r\n序号,"身份证\n号码",姓名,性别,"手机\n号码",所属单位\r\n\r\n'
    quoted = (
        f'1,="{id_number(serial=1)}",孙波磊,男,18801434135,甲\r\n\r\n2,{id_number(serial=2)},孙波磊,女,18801434135,甲'
    )
    for name, ending in (("crlf", "\r\n"), ("lf", "\n"), ("cr", "\r")):
        (tmp_path / f"{name}.csv").write_bytes((head + quoted).replace("\r\n", ending).encode("gb18030"))
        report = check(tmp_path / f"{name}.csv", today=TODAY)
        assert [(row.sheet_row, row.codes) for row in report.rows] == [(6, ()), (8, ())]
        assert report.unit == "甲,乙工会"


def test_two_tables_side_by_side_are_refused(tmp_path: Path) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", [[*HEADER, *HEADER], [*person(1), *person(2)]])
    with pytest.raises(AmbiguousTable, match="two tables stand side by side") as caught:
        check(form, today=TODAY)
    assert "并排" in caught.value.chinese


def test_all_faults_in_the_order_of_the_codes(tmp_path: Path) -> None:
    report = checked(
        tmp_path,
        person(1, id=id_number(region="990101", born="19891332"), gender="女", name="王伟1", phone="12345", unit=None),
        person(1, id=id_number()[:17] + "0", gender="女"),
    )
    assert verdicts(report) == [
        "ID_REGION+ID_BIRTHDATE+GENDER_MISMATCH+NAME_CHARS+PHONE_FORMAT+UNIT_MISSING",
        "ID_CHECKSUM",
    ]


def test_all_notes_of_an_accepted_row_and_none_of_a_rejected_one(tmp_path: Path) -> None:
    normalized = {"name": "孙 波磊", "gender": "M", "phone": "+86 18801434135"}
    report = checked(
        tmp_path,
        person(1, id=" " + id_number(region="139999", serial=1), **normalized),
        person(3, id=" " + id_number(serial=3)[:17] + "?", **normalized),
    )
    assert verdicts(report) == [
        "ID_NORMALIZED+NAME_NORMALIZED+PHONE_NORMALIZED+GENDER_NORMALIZED+REGION_UNKNOWN",
        "ID_FORMAT",
    ]


def test_duplicates_follow_an_accepted_row_only(tmp_path: Path) -> None:
    report = checked(
        tmp_path,
        person(1, phone="12345"),
        person(1),
        person(1),
        person(1, name="李四"),
        person(1, id="'" + id_number(serial=1), phone="1"),
        person(3),
    )
    assert verdicts(report) == [
        "PHONE_FORMAT",
        "ok",
        "DUPLICATE_IN_FILE",
        "DUPLICATE_IN_FILE",
        "PHONE_FORMAT+DUPLICATE_IN_FILE",
        "ok",
    ]
    assert [row.duplicate_of for row in report.rejected] == ["", "5", "5", "5"]
    assert report.rejected[1].sentence() == "与本表前面已通过的一行身份证号重复（第5行）。"
    assert report.rejected[1].sentence("en") == "the ID number repeats that of an accepted row above (row 5)."


@dataclass(frozen=True)
class OnRecord:
    unit_name: str
    living_card: bool
    person: Person | None = None
    batch: str = ""

    def may_register(self, unit: str, above: str) -> bool:
        return self.unit_name == unit


def test_the_registry_is_queried_once_with_valid_numbers(tmp_path: Path) -> None:
    calls: list[list[str]] = []
    record = {
        id_number(serial=1): OnRecord(UNIT, True),
        id_number(serial=2): OnRecord(UNIT, False),
        id_number(serial=3): OnRecord("别的工会", False),
        id_number(serial=4): OnRecord("别的工会", True),
    }

    def known(numbers: list[str]) -> dict[str, OnRecord]:
        calls.append(numbers)
        return {number: record[number] for number in numbers if number in record}

    broken = person(7, id=id_number(serial=7)[:17] + "?")
    rows = [person(1), person(2), person(3), person(4), person(4), person(5), person(6, id=None), broken]
    report = checked(tmp_path, *rows, known=known)
    assert verdicts(report) == [
        "UNCHANGED",
        "ok",
        "OTHER_UNIT",
        "ALREADY_HAS_CARD+OTHER_UNIT",
        "ALREADY_HAS_CARD+OTHER_UNIT",
        "ok",
        "ID_MISSING",
        "ID_FORMAT",
    ]
    assert calls == [[id_number(serial=serial) for serial in (1, 2, 3, 4, 5)]]


def test_a_unit_merged_down_the_page_counts_for_every_row(tmp_path: Path) -> None:
    rows = forms.form(person(1, unit="财务处"), person(2, unit=None), person(3, unit=None), person(4, unit=None))
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows, merge=["F4:F6"]), today=TODAY)
    assert [row.unit for row in report.accepted] == ["财务处"] * 3
    assert verdicts(report)[3] == "UNIT_MISSING"


def test_ditto_means_the_unit_above(tmp_path: Path) -> None:
    report = checked(tmp_path, person(1, unit="财务处"), person(2, unit="同上"), person(3, unit="〃"))
    assert [row.unit for row in report.accepted] == ["财务处"] * 3


def test_a_unit_with_somebodys_number_is_refused_and_not_passed_on(tmp_path: Path) -> None:
    report = forms.checked(tmp_path, person(1, unit=f"甲工会 {id_number(serial=5)}"))
    assert verdicts(report) == ["UNIT_CHARS"]
    assert id_number(serial=5) not in str(report.to_json())


def test_without_a_unit_column_the_title_counts(tmp_path: Path) -> None:
    rows = [row[:5] for row in forms.form(person(1))] + [("基层工会名称：第二工会",), person(2)[:5]]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert [row.unit for row in report.accepted] == [UNIT, "第二工会"]
    untitled = check(forms.xlsx(tmp_path / "g.xlsx", rows[2:4]), today=TODAY)
    assert (verdicts(untitled), untitled.unit) == (["UNIT_MISSING"], None)
    given_unit = check(forms.xlsx(tmp_path / "h.xlsx", rows[2:4]), today=TODAY, unit="第三工会")
    assert (given_unit.unit, given_unit.accepted[0].unit) == ("第三工会", "第三工会")


@pytest.mark.parametrize(
    "title",
    [
        [f"基层工会名称：{UNIT}"],
        ["基层工会名称：", None, UNIT],
        ["基层工会名称", UNIT],
        [f"基层工会名称（盖章）: __{UNIT}__      填表日期：2026年11月22日"],
        [f"河北省省直工会会员卡信息登记表  基层工会名称：{UNIT}"],
        [f"（基层工会名称：{UNIT}）"],
        [f"填报单位：{UNIT}（公章）", None, "联系人：张三"],
    ],
)
def test_the_unit_of_the_form_comes_from_its_title(tmp_path: Path, title: list[str | None]) -> None:
    rows = [TITLE, title, HEADER, person(1, unit="财务处")]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert (report.unit, report.accepted[0].unit) == (UNIT, "财务处")


def test_else_the_unit_of_most_rows(tmp_path: Path) -> None:
    rows = [HEADER, person(1, unit="甲"), person(2, unit="乙"), person(3, unit="乙")]
    assert check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY).unit == "乙"


@pytest.mark.parametrize(
    ("typed", "seq"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        ("007", 7),
        ("7.", 7),
        ("７", 7),
        ("7、", 7),
        ("A-7", "A-7"),
        (None, None),
        (1.5, "1.5"),
    ],
)
def test_row_numbers(tmp_path: Path, typed: object, seq: object) -> None:
    row = [typed, *person(1)[1:]]
    assert checked(tmp_path, row).rows[0].seq == seq


def test_several_sheets(tmp_path: Path) -> None:
    book = Workbook()
    forms.fill(book.active, [("填写说明",), ("身份证号须为文本",)])
    for title, people in (("一部", [person(1), person(2)]), ("二部", [person(2), person(3)]), ("样表", [person(9)])):
        forms.fill(book.create_sheet(title), forms.form(*people))
    hidden = book.create_sheet("旧名单")
    forms.fill(hidden, forms.form(person(8)))
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "f.xlsx")
    report = check(tmp_path / "f.xlsx", today=TODAY)
    verdicts = [(row["sheet"], row["sheet_row"], row["verdict"]) for row in report.to_json()["rows"]]
    assert verdicts == [("一部", 4, "accept"), ("一部", 5, "accept"), ("二部", 4, "reject"), ("二部", 5, "accept")]
    assert report.rejected[0].duplicate_of == "一部 5"
    assert report.rejected[0].sentence() == "与本表前面已通过的一行身份证号重复（一部 第5行）。"
    assert report.rejected[0].sentence("en") == "the ID number repeats that of an accepted row above (一部, row 5)."


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = [("序号", "身份证号", "姓名", "所属单位"), (1, id_number(serial=1), "孙波磊", UNIT)]
    report = check(forms.xlsx(tmp_path / "f.xlsx", rows), today=TODAY)
    assert verdicts(report) == ["GENDER_MISSING+PHONE_MISSING"]
    assert report.warnings == (("表中没有“性别、手机号码”列", "the table has no column 性别、手机号码"),)


def test_a_form_without_people_and_a_unit_too_long_for_the_card(tmp_path: Path) -> None:
    assert checked(tmp_path).warnings[0][1] == "there is nobody under the header"
    report = checked(tmp_path, person(1, unit="工" * 31))
    assert "does not fit on a card" in report.warnings[0][1]


@pytest.mark.parametrize(
    ("rows", "pattern"),
    [
        (
            [("序号", "姓名", "性别"), (1, "孙波磊", "男")],
            "row 1 of sheet 'Sheet' comes nearest, with 序号、姓名、性别",
        ),
        ([("甲", "乙"), ("丙", "丁")], "it must name at least 身份证号 and 姓名"),
        ([], "empty workbook"),
    ],
)
def test_no_header_says_what_came_nearest(tmp_path: Path, rows: list[tuple[object, ...]], pattern: str) -> None:
    with pytest.raises(HeaderNotFound, match=pattern) as caught:
        check(forms.xlsx(tmp_path / "f.xlsx", rows))
    assert "孙波磊" not in str(caught.value)


def test_a_header_on_a_hidden_sheet_only(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("名单").append(list(HEADER))
    book["名单"].sheet_state = "hidden"
    book.save(tmp_path / "f.xlsx")
    with pytest.raises(HeaderNotFound, match="unhide"):
        check(tmp_path / "f.xlsx")


def test_reports_do_not_print_people(tmp_path: Path) -> None:
    report = checked(tmp_path, person(1), person(2, phone="12345"))
    shown = repr(report) + repr(report.rows) + "".join(row.sentence() for row in report.rows)
    assert not any(
        secret in shown for secret in (id_number(serial=1), id_number(serial=2), "孙波磊", "18801434135", "12345")
    )
    assert report.rejected[0].name_masked == "孙**"
    assert [Rejected(1, 1, (), name).name_masked for name in ("", "王", "名" * 99)] == ["", "王*", "名********"]


def cut(*people: list[object]) -> list[list[object]]:
    return [[row[0], f"{row[1]}"[:15] + "000", *row[2:]] for row in people]


def test_numbers_cut_to_000_are_lost_even_with_a_right_check_character(tmp_path: Path) -> None:
    people = [person(number, id=id_number(serial=number)) for number in range(1, 10)]
    genuine = person(
        0, id=next(n for day in range(10, 28) if (n := id_number(born=f"199001{day}", serial=0))[-1] == "0")
    )
    assert verdicts(checked(tmp_path, genuine, *people)) == ["ok"] * 10
    assert verdicts(checked(tmp_path, genuine, *cut(*people))) == ["ID_PRECISION_LOST"] * 10
    mixed = checked(tmp_path, person(11), *cut(person(12, phone="1"), person(13, gender="女")), person(14))
    assert verdicts(mixed) == ["ok", "ID_PRECISION_LOST+PHONE_FORMAT", "ID_PRECISION_LOST", "ok"]
    assert not any(row.codes for row in checked(tmp_path, genuine).rows)


def test_numbers_rounded_to_doubles_are_lost(tmp_path: Path) -> None:
    people = [person(number) for number in range(1, 8)]
    rounded = [[row[0], str(int(float(row[1]))) if row[1].isdecimal() else row[1], *row[2:]] for row in people]
    report = checked(tmp_path, *rounded)
    lost = ["ID_PRECISION_LOST" if row[1].isdecimal() else "ok" for row in people]
    assert verdicts(report) == lost
    assert verdicts(checked(tmp_path, *people)) == ["ok"] * 7
