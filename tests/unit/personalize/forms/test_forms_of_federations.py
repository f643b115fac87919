"""Registration forms of other federations, declared in YAML."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from membercard.commands.intake.roster import app
from personalize.errors import HeaderNotFound, ProfileError
from personalize.forms.declaration import SHIPPED, load_form
from personalize.forms.translate import translate
from personalize.intake import RosterReport, check
from personalize.intake.identity import check_character
from tests.support import forms
from tests.support.forms import TODAY, id_number, verdicts

BEIJING = ("序号", "姓名", "性别", "证件号码", "证件有效期", "手机号码", "工作单位", "学历", "就业状况")
PERMANENT = "91115619800101001"  # 11 Beijing, 156 of the nationality, born 1980-01-01
PERMANENT += check_character(PERMANENT)
TIANJIN = ("序号", "姓名", "身份证号", "手机号", "区局工会", "基层工会")


def checked(path: Path, form: str) -> RosterReport:
    declared = load_form(form)
    return check(path, today=TODAY, translate=lambda sheet, today: translate(sheet, declared, today))


def test_beijing_writes_codes_and_the_validity_of_the_id_card(tmp_path: Path) -> None:
    rows = [
        (1, "孙波磊", 1, id_number(serial=1), "长期", "18801434135", "东城区工会", 20, 1),
        (2, "孙磊", "2", id_number(serial=2), "2030-01-31", "18801434136", "东城区工会", "20-大学本科", "1"),
        (3, "李波", "1", id_number(serial=3), "2020.01.31", "18801434137", "东城区工会", "20", "1"),
        (4, "李磊", "2", id_number(serial=4), "20100131-20300131", "18801434138", "东城区工会", "99", "1"),
        (5, "王磊", "1", id_number(serial=5), "", "18801434139", "东城区工会", "20", "1"),
        (6, "王波", "3", id_number(serial=6), "长期", "18801434140", "东城区工会", "大学本科", ""),
    ]
    report = checked(forms.xlsx(tmp_path / "f.xlsx", [("北京市总工会会员信息登记表",), BEIJING, *rows]), "beijing")
    assert verdicts(report) == ["ok", "ok", "ID_EXPIRED", "FORM_VALUE", "FORM_VALUE", "GENDER_MISSING"]
    assert [row.person.gender for row in report.accepted] == ["男", "女"]


def test_beijing_names_employment_skill_and_dwelling_as_its_notices_do(tmp_path: Path) -> None:
    titles = (*BEIJING[:-1], "就业状态", "技能等级", "现居住地", "是否外地来京务工")
    row = (1, "孙波磊", 1, id_number(serial=1), "长期", "18801434135", "东城区工会", 20)
    rows = [(*row, 1, 5, 3, 1), (*row[:2], 2, id_number(serial=2), *row[4:], 1, 7, 3, 1)]
    report = checked(forms.xlsx(tmp_path / "f.xlsx", [titles, *rows]), "beijing")
    assert verdicts(report) == ["ok", "FORM_VALUE"]


def test_a_further_sheet_without_titles_is_refused_as_its_checks_would_be_left_out(tmp_path: Path) -> None:
    row = (1, "孙波磊", 1, id_number(serial=1), "长期", "18801434135", "东城区工会", 20, 1)
    more = (2, "孙磊", 2, id_number(serial=2), "2020.01.31", "18801434136", "东城区工会", 20, 1)
    book = Workbook()
    forms.fill(book.active, [BEIJING, row])
    forms.fill(book.create_sheet("二"), [more])
    book.save(tmp_path / "f.xlsx")
    with pytest.raises(HeaderNotFound, match="二"):
        checked(tmp_path / "f.xlsx", "beijing")


@pytest.mark.parametrize(
    ("validity", "verdict"),
    [
        ("2010.01.31-2030.01.31", "ok"),
        ("2010.01.31-长期", "ok"),
        ("2010-01-31至2030-01-31", "ok"),
        ("2010年1月31日—2030年1月31日", "ok"),
        ("20100131-长期", "ok"),
        (datetime.date(2030, 1, 31), "ok"),
        ("2026/11/22", "ok"),
        ("2026.11.21", "ID_EXPIRED"),
        ("2006.11.21-2026.11.21", "ID_EXPIRED"),
        ("2030.02.30", "FORM_VALUE"),
        ("2010.01.31-", "FORM_VALUE"),
        ("2030131", "FORM_VALUE"),
        (47514, "ok"),
        ("46347.0", "ID_EXPIRED"),
        ("永久", "ok"),
    ],
)
def test_a_validity_is_read_as_id_cards_have_it(tmp_path: Path, validity: object, verdict: str) -> None:
    row = (1, "孙波磊", "1", id_number(serial=1), validity, "18801434135", "东城区工会", "20", "1")
    assert verdicts(checked(forms.xlsx(tmp_path / "f.xlsx", [BEIJING, row]), "beijing")) == [verdict]


@pytest.mark.parametrize(
    ("gender", "education", "verdict"),
    [
        (1, "20 大学本科", "ok"),
        ("01-男", "20、本科", "ok"),
        ("1-女", "20", "GENDER_MISSING"),
        ("1", "20-研究生", "FORM_VALUE"),
        ("1", "20研究生班", "FORM_VALUE"),
    ],
)
def test_a_code_may_have_its_own_meaning_beside_it(
    tmp_path: Path, gender: object, education: str, verdict: str
) -> None:
    row = (1, "孙波磊", gender, id_number(serial=1), "长期", "18801434135", "东城区工会", education, "1")
    assert verdicts(checked(forms.xlsx(tmp_path / "f.xlsx", [BEIJING, row]), "beijing")) == [verdict]


def test_a_required_column_that_the_table_lacks_rejects_its_rows(tmp_path: Path) -> None:
    report = checked(forms.xlsx(tmp_path / "f.xlsx", forms.form(forms.person(1))), "beijing")
    assert verdicts(report) == ["FORM_VALUE"]


def test_titles_that_only_the_intake_knows_are_no_way_around_a_form(tmp_path: Path) -> None:
    titles = ("序号", "会员姓名", "性别", "身份证件号码", "证件有效期", "联系手机", "单位全称", "学历", "就业状况")
    row = (1, "孙波磊", "1-男", id_number(serial=1), "2020-01-01", "18801434135", "东城区工会", "99", "1")
    assert verdicts(checked(forms.xlsx(tmp_path / "f.xlsx", [titles, row]), "beijing")) == ["ID_EXPIRED+FORM_VALUE"]


@pytest.mark.parametrize(
    ("number", "verdict", "gender"),
    [
        ("'" + id_number(serial=1), "ID_NORMALIZED", "男"),
        (id_number(serial=2)[:17] + "x", "ID_CHECKSUM", ""),
        (id_number("810000", serial=2), "ok", "女"),
        (PERMANENT, "GENDER_MISSING", ""),
        ("E12345678", "GENDER_MISSING", ""),
    ],
)
def test_the_sex_is_taken_from_numbers_that_show_it(tmp_path: Path, number: str, verdict: str, gender: str) -> None:
    row = (1, "孙波磊", number, "18801434135", "和平区总工会", "第一中学工会")
    report = checked(forms.xlsx(tmp_path / "f.xlsx", [TIANJIN, row]), "tianjin")
    assert (verdicts(report), [row.person.gender for row in report.accepted]) == ([verdict], [gender] if gender else [])


def test_tianjin_names_the_unit_by_levels_and_no_sex(tmp_path: Path) -> None:
    rows = [
        (1, "孙波磊", id_number(serial=1), "18801434135", "和平区总工会", "第一中学工会"),
        (2, "孙磊", id_number(serial=2), "18801434136", "和平区总工会", ""),
        (3, "李波", id_number(serial=3), "", "和平区总工会", "第一中学工会"),
    ]
    report = checked(forms.xlsx(tmp_path / "f.xlsx", [TIANJIN, *rows]), "tianjin")
    assert verdicts(report) == ["ok", "ok", "PHONE_MISSING"]
    people = [(row.person.gender, row.unit) for row in report.accepted]
    assert people == [("男", "和平区总工会 / 第一中学工会"), ("女", "和平区总工会")]


def test_levels_repeat_as_units_do(tmp_path: Path) -> None:
    rows = [
        TIANJIN,
        (1, "孙波磊", id_number(serial=1), "18801434135", "和平区总工会", "第一中学工会"),
        (2, "孙磊", id_number(serial=2), "18801434136", None, "第二中学工会"),
        (3, "李波", id_number(serial=3), "18801434137", "同上", "〃"),
        (4, "李磊", id_number(serial=4), "18801434138", "河西区总工会", 0),
        (5, "王波", id_number(serial=5), "18801434139", "#N/A", "无"),
    ]
    report = checked(forms.xlsx(tmp_path / "f.xlsx", rows, merge=["E2:E3"]), "tianjin")
    assert [row.unit for row in report.accepted] == [
        "和平区总工会 / 第一中学工会",
        "和平区总工会 / 第二中学工会",
        "和平区总工会 / 第二中学工会",
        "河西区总工会",
    ]
    assert verdicts(report)[4] == "UNIT_MISSING"


def test_a_form_without_levels_takes_the_unit_of_its_title(tmp_path: Path) -> None:
    row = (1, "孙波磊", id_number(serial=1), "18801434135")
    path = forms.xlsx(tmp_path / "f.xlsx", [("基层工会：第一中学工会",), TIANJIN[:4], row])
    assert [row.unit for row in checked(path, "tianjin").accepted] == ["第一中学工会"]


def test_a_header_on_each_page_is_translated_too(tmp_path: Path) -> None:
    first, second = (
        (number, "孙波磊", id_number(serial=number), "18801434135", "和平区总工会", "第一中学工会") for number in (1, 2)
    )
    report = checked(forms.xlsx(tmp_path / "f.xlsx", [TIANJIN, first, TIANJIN, second]), "tianjin")
    assert [(row.sheet_row, row.person.gender, row.unit) for row in report.accepted] == [
        (2, "男", "和平区总工会 / 第一中学工会"),
        (4, "女", "和平区总工会 / 第一中学工会"),
    ]
    assert report.rejected == []


def test_hebei_is_the_form_that_needs_no_declaration(tmp_path: Path) -> None:
    path = forms.xlsx(tmp_path / "f.xlsx", forms.form(forms.person(1), forms.person(2, phone="1")))
    assert checked(path, "hebei").rows == check(path, today=TODAY).rows


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_forms_are_sound(name: str) -> None:
    result = CliRunner().invoke(app, ["form", "check", name])
    assert result.exit_code == 0, result.output
    assert f"{name}: the form is sound" in result.stdout


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ("{name: {titles: [姓名]}}", "columns lack id_number"),
        ("{name: {titles: [姓名]}, id_number: {titles: [证号]}}", "columns lack gender"),
        ("{name: {titles: [姓名]}, id_number: {titles: [姓名]}, gender: {titles: [性别]}}", "the title 姓名"),
        ("{name: {titles: [姓名]}, id_number: {titles: ['姓 名*']}, gender: {titles: [性别]}}", "the title 姓名"),
        ("{name: {titles: [姓名]}, id_number: {titles: ['（18位）']}, gender: {titles: [性别]}}", "nothing beside"),
        ("{name: {titles: 姓名}, id_number: {titles: [证号]}, gender: {titles: [性别]}}", "write a list, such as"),
        (
            "{name: {titles: [姓名]}, id_number: {titles: [证号]}, gender: {titles: [性别], codes: {'2': 公}}}",
            "gender: the codes must have 男 and 女",
        ),
        (
            "{name: {titles: [姓名]}, id_number: {titles: [证号]}, gender: {titles: [性别]}, "
            "document: {titles: [类型], codes: {'1': 驾照}}}",
            "驾照 is no identity document",
        ),
        ("{name: {titles: []}, id_number: {titles: [证号]}, gender: {titles: [性别]}}", "titles"),
    ],
)
def test_a_faulty_declaration_is_refused(tmp_path: Path, columns: str, fault: str) -> None:
    path = tmp_path / "form.yaml"
    path.write_text(f'name: x\nfederation: "110000"\ncolumns: {columns}\n', encoding="utf-8")
    with pytest.raises(ProfileError, match=fault):
        load_form(str(path))
