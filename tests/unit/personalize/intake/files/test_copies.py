"""Copies of workbooks as Excel writes them: shared strings, foreign attributes, formulas, merged and bordered cells."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.worksheet.datavalidation import DataValidation

from personalize.intake import check
from personalize.intake.annotate import annotate
from tests.support import forms
from tests.support.forms import HEADER, TODAY, UNIT, id_number, person

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
EXCEL = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def as_excel(parts: dict[str, bytes]) -> None:
    """Shared strings, and the attributes that Excel adds to rows, in place of openpyxl's inline ones."""
    texts: list[str] = []

    def shared(cell: re.Match[str]) -> str:
        texts.append(cell[2])
        return f'<c{cell[1]} t="s"><v>{len(texts) - 1}</v></c>'

    xml = parts[SHEET].decode()
    xml = re.sub(r'<c([^>]*) t="inlineStr"><is><t[^>]*>(.*?)</t></is></c>', shared, xml)
    xml = xml.replace("<worksheet ", f'<worksheet xmlns:x14ac="{EXCEL}" ')
    parts[SHEET] = re.sub(r"<row ", '<row spans="1:6" x14ac:dyDescent="0.25" ', xml).encode()
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    parts[STRINGS] = f'<sst xmlns="{MAIN}" count="{len(texts)}" uniqueCount="{len(texts)}">{items}</sst>'.encode()
    kind = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPE}"/>'.encode()
    if b"/xl/sharedStrings.xml" not in parts["[Content_Types].xml"]:
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", kind + b"</Types>")
    relations = "xl/_rels/workbook.xml.rels"
    if b"sharedStrings" not in parts[relations]:
        link = f'<Relationship Id="rId99" Target="sharedStrings.xml" Type="{LINK}"/>'.encode()
        parts[relations] = parts[relations].replace(b"</Relationships>", link + b"</Relationships>")


def same_again(form: Path, out: Path) -> list[tuple[int, tuple[str, ...]]]:
    """The verdicts of the form, which its copy repeats."""
    report = check(form, today=TODAY)
    annotate(report, out)
    copied = check(out, today=TODAY)
    verdicts = [(row.sheet_row, tuple(map(str, row.codes))) for row in report.rows]
    assert [(row.sheet_row, tuple(map(str, row.codes))) for row in copied.rows] == verdicts
    assert [row.person for row in copied.accepted] == [row.person for row in report.accepted]
    assert [row.unit for row in copied.accepted] == [row.unit for row in report.accepted]
    return verdicts


def test_a_workbook_with_shared_strings_as_excel_writes_it(tmp_path: Path) -> None:
    plain = forms.xlsx(tmp_path / "p.xlsx", forms.form(person(1), person(2, phone="12345"), person(3, name="王&<伟")))
    form = forms.repacked(plain, tmp_path / "f.xlsx", as_excel)
    assert same_again(form, tmp_path / "out.xlsx") == [(4, ()), (5, ("PHONE_FORMAT",)), (6, ("NAME_CHARS",))]
    sheet = load_workbook(tmp_path / "out.xlsx")["Sheet"]
    assert [sheet.cell(5, column).value for column in (2, 3, 5, 7)] == [id_number(serial=2), "孙波磊", "12345", "退回"]


def test_formulas_become_the_values_that_were_checked(tmp_path: Path) -> None:
    def with_formulas(parts: dict[str, bytes]) -> None:
        number = id_number(serial=1)
        xml = parts[SHEET].decode()
        xml = re.sub(r'<c r="B4".*?</c>', f'<c r="B4" t="str"><f>"{number}"</f><v>{number}</v></c>', xml)
        xml = re.sub(r'<c r="A4".*?</c>', '<c r="A4" cm="1"><f t="array" ref="A4">ROW()-3</f><v>1</v></c>', xml)
        xml = re.sub(r'<c r="D5".*?</c>', '<c r="D5" t="str"><f>HYPERLINK("http://x")</f><v>=cmd|1</v></c>', xml)
        parts[SHEET] = xml.encode()

    plain = forms.xlsx(tmp_path / "p.xlsx", forms.form(person(1), person(2)))
    form = forms.repacked(plain, tmp_path / "f.xlsx", with_formulas)
    assert same_again(form, tmp_path / "out.xlsx") == [(4, ()), (5, ("GENDER_MISSING",))]
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        assert b"<f" not in archive.read(SHEET)
    sheet = load_workbook(tmp_path / "out.xlsx")["Sheet"]
    assert (sheet["B4"].value, sheet["D5"].value, sheet["D5"].data_type) == (id_number(serial=1), "=cmd|1", "s")
    assert sheet["D5"].quotePrefix


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_units_in_merged_cells_keep_their_rows(tmp_path: Path, kind: str) -> None:
    rows = forms.form(person(1, unit="财务处"), person(2, unit=None), person(3, unit=None), person(4, unit=None))
    form = tmp_path / f"f.{kind}"
    if kind == "xlsx":
        forms.xlsx(form, rows, merge=["A1:F1", "F4:F6"])
    else:
        unit = rows[3].pop()
        forms.xls(form, rows, merge=[(3, 5, 5, 5, unit)])
    assert same_again(form, tmp_path / "out.xlsx")[3] == (7, ("UNIT_MISSING",))


def test_merged_cells_beside_the_table_are_no_harm(tmp_path: Path) -> None:
    merge = ["F3:H3", *(f"F{row}:H{row}" for row in range(4, 7)), "A7:J8"]
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1), person(2), person(3, phone="1")), merge=merge)
    same_again(form, tmp_path / "out.xlsx")
    sheet = load_workbook(tmp_path / "out.xlsx")["Sheet"]
    assert [sheet["K3"].value, sheet["K4"].value, sheet["K6"].value] == ["审核结果", "通过", "退回"]


def test_a_sheet_that_goes_on_without_a_header_has_its_results_too(tmp_path: Path) -> None:
    book = Workbook()
    forms.fill(book.active, forms.form(person(1)))
    forms.fill(book.create_sheet("2"), [person(2), person(3, phone=None)])
    book.save(tmp_path / "f.xlsx")
    same_again(tmp_path / "f.xlsx", tmp_path / "1.xlsx")
    same_again(tmp_path / "1.xlsx", tmp_path / "2.xlsx")
    sheet = load_workbook(tmp_path / "2.xlsx")["2"]
    assert [sheet["G1"].value, sheet["G2"].value, sheet.max_column] == ["通过", "退回", 8]


def test_the_reasons_of_a_copy_are_nobodys_data(tmp_path: Path) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", [HEADER, person(1), [None, None, "孙波磊", None, None, None]])
    first = same_again(form, tmp_path / "1.xlsx")
    assert [row for row, codes in first if not codes] == [2]
    assert same_again(tmp_path / "1.xlsx", tmp_path / "2.xlsx") == first


def test_comments_and_lists_of_a_form_stay(tmp_path: Path) -> None:
    book = Workbook()
    forms.fill(book.active, forms.form(person(1)))
    book.active["B3"].comment = Comment("18位", "工会")
    choice = DataValidation(type="list", formula1='"男,女"')
    choice.add("D4:D9")
    book.active.add_data_validation(choice)
    book.active["C4"].hyperlink = "http://example.org/"
    book.active.freeze_panes = "A4"
    book.save(tmp_path / "f.xlsx")
    same_again(tmp_path / "f.xlsx", tmp_path / "out.xlsx")
    sheet = load_workbook(tmp_path / "out.xlsx")["Sheet"]
    assert (sheet["B3"].comment.text, sheet.freeze_panes) == ("18位", "A4")
    assert len(sheet.data_validations.dataValidation) == 1


def prefixed(xml: str) -> str:
    return re.sub(r"<(/?)row\b", r"<\1x:row", xml).replace("<worksheet ", f'<worksheet xmlns:x="{MAIN}" ')


@pytest.mark.parametrize(
    "change",
    [
        prefixed,
        lambda xml: xml.replace("<sheetData>", "<sheetData><!-- rows -->"),
        lambda xml: re.sub(r' r="[A-Z]+[0-9]+"', "", xml),
        lambda xml: xml.replace('"', "'"),
    ],
)
def test_other_forms_of_xml(tmp_path: Path, change: Callable[[str], str]) -> None:
    def changed(parts: dict[str, bytes]) -> None:
        parts[SHEET] = change(parts[SHEET].decode()).encode()

    plain = forms.xlsx(tmp_path / "p.xlsx", forms.form(person(1), person(2, phone="12345")))
    form = forms.repacked(plain, tmp_path / "f.xlsx", changed)
    assert same_again(form, tmp_path / "out.xlsx") == [(4, ()), (5, ("PHONE_FORMAT",))]


MEASURED = """
import re, sys
from pathlib import Path
from datetime import date
from personalize.intake import check
from personalize.intake.annotate import annotate
annotate(check(Path(sys.argv[1]), today=date(2026, 11, 22)), Path(sys.argv[2]))
# Not ru_maxrss, which a process inherits from the one that started it.
print(re.search("VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_bordered_emptiness_does_not_take_the_memory(tmp_path: Path) -> None:
    columns = [chr(ord("A") + index) for index in range(26)]

    def bordered(parts: dict[str, bytes]) -> None:
        empty = "".join(
            f'<row r="{row}">' + "".join(f'<c r="{column}{row}" s="0"/>' for column in columns) + "</row>"
            for row in range(10, 60_000)
        )
        parts[SHEET] = parts[SHEET].replace(b"</sheetData>", empty.encode() + b"</sheetData>")

    plain = forms.xlsx(tmp_path / "p.xlsx", [("", UNIT), HEADER, person(1), person(2, phone="1")])
    form = forms.repacked(plain, tmp_path / "f.xlsx", bordered)
    command = [sys.executable, "-c", MEASURED, str(form), str(tmp_path / "out.xlsx")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert peak < 300 * 1024
    assert check(tmp_path / "out.xlsx", today=TODAY).rejected[0].sheet_row == 4
