"""Files that are no form: one sentence each, and never an exception of a library."""

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlwt

from personalize import errors
from personalize.intake import Limits, check
from tests.support import forms
from tests.support.forms import TODAY, person

XLSX = "form.xlsx"


def refused(path: Path, kind: type[errors.IntakeError], pattern: str, **options: Limits) -> None:
    with pytest.raises(kind, match=pattern) as caught:
        check(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert caught.value.chinese


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zipped(path: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def rezipped(source: Path, change: dict[str, bytes]) -> bytes:
    return forms.repacked(source, source.with_name("changed.xlsx"), lambda parts: parts.update(change)).read_bytes()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return forms.xlsx(tmp_path / "sound.xlsx", forms.form(person(1)))


def test_missing_directory_and_unreadable(tmp_path: Path) -> None:
    refused(tmp_path / "none.xlsx", errors.FileUnreadable, "does not exist")
    (tmp_path / "dir.xlsx").mkdir()
    refused(tmp_path / "dir.xlsx", errors.FileUnreadable, "is a directory")
    os.mkfifo(tmp_path / "pipe.csv")
    refused(tmp_path / "pipe.csv", errors.FileUnreadable, "no regular file")
    (tmp_path / "loop.xlsx").symlink_to("loop.xlsx")
    refused(tmp_path / "loop.xlsx", errors.FileUnreadable, r"cannot read|does not exist")
    refused(tmp_path / "none.xlsx" / "below.xlsx", errors.FileUnreadable, r"cannot read|does not exist")


@pytest.mark.parametrize("name", ["a.et", "a.wps", "a.numbers", "a.ods", "a.xlsb", "a.doc", "a.docx", "a.pdf"])
def test_other_programs_files_are_named(tmp_path: Path, name: str) -> None:
    refused(write(tmp_path / name, b"anything"), errors.WrongFileType, r"save it as \.xlsx")


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n..", b"\xff\xd8\xff\xe0..", b"Rar!\x1a\x07", b"<html><table>",
     b"<?xml version='1.0'?><a/>", b"\xef\xbb\xbf<table>"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv"])
def test_other_content_under_a_right_name(tmp_path: Path, data: bytes, suffix: str) -> None:
    refused(write(tmp_path / f"a{suffix}", data), errors.WrongFileType, "save it as")


@pytest.mark.parametrize(
    ("part", "pattern"),
    [
        ("word/document.xml", "Word"),
        ("content.xml", "OpenDocument"),
        ("xl/workbook.bin", "binary Excel"),
        ("a.txt", "an archive"),
    ],
)
def test_other_archives(tmp_path: Path, part: str, pattern: str) -> None:
    refused(zipped(tmp_path / XLSX, **{part: b"<a/>"}), errors.WrongFileType, pattern)


TABLE = "<table><tr><td>身份证号</td><td>姓名</td></tr></table>"


@pytest.mark.parametrize(
    "page",
    [f"<div>{TABLE}", f"\n\t  <center>{TABLE}", f"<!-- saved from url -->\n{TABLE}",
     f"<!--[if gte mso 9]><xml/><![endif]-->{TABLE}",
     f"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0'><html>{TABLE}",
     f"<HTML xmlns:x='urn:x'>{TABLE}",
     f"<script>var a=1</script>{TABLE}", f"<tr><td>{TABLE}", f"<font size=2>{TABLE}", f"<o:p></o:p>{TABLE}",
     f"<style>td{{}}</style>{TABLE}",
     f"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\n{TABLE}",
     f"From: <Saved by Blink>\r\nSnapshot-Content-Location: http://x\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
     f"Content-Type: multipart/related;\r\n\r\n{TABLE}", f"<title>x</title>{TABLE}", f"<%@ page %>{TABLE}"],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be"])
def test_web_pages_under_another_name(tmp_path: Path, page: str, encoding: str) -> None:
    with pytest.raises(errors.WrongFileType) as caught:
        check(write(tmp_path / "a.xls", page.encode(encoding)))
    assert "网页" in caught.value.chinese


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_named_as_a_workbook_is_named_as_that(tmp_path: Path, encoding: str) -> None:
    form = forms.text(tmp_path / XLSX, forms.form(person(1)), encoding=encoding)
    with pytest.raises(errors.WrongFileType, match=r"a csv text under the name \.xlsx: name it \.csv") as caught:
        check(form)
    assert "csv" in caught.value.chinese


@pytest.mark.parametrize("start", [b"\x09\x04\x06\x00", b"{\\rtf1", b"ID;PWXL;N"])
def test_other_old_files_are_named(tmp_path: Path, start: bytes) -> None:
    refused(write(tmp_path / "a.xls", start + b"x" * 40), errors.WrongFileType, r"save it as \.xlsx")


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.replace("/", "\\"),
        lambda name: "/" + name,
        lambda name: name.replace("xl/workbook.xml", "xl/workbook2.xml"),
        lambda name: name.replace("workbook.xml", "workbook22.xml"),
        lambda name: name.replace("xl/workbook", "xl/Workbook"),
        lambda name: name.replace("xl/", "XL/"),
        lambda name: name.replace("xl/worksheets/sheet1", "xl/worksheets/Sheet1"),
    ],
)
@pytest.mark.parametrize("backslashed_targets", [False, True])
def test_part_names_of_other_programs(
    tmp_path: Path, sound: Path, rename: Callable[[str], str], backslashed_targets: bool
) -> None:
    def renamed(parts: dict[str, bytes]) -> None:
        for name in list(parts):
            data = parts.pop(name)
            if name == "_rels/.rels":
                data = data.replace(b"xl/workbook.xml", rename("xl/workbook.xml").replace("\\", "/").encode())
            if backslashed_targets and name.endswith(".rels"):
                data = data.replace(b"worksheets/sheet1", b"worksheets\\sheet1").replace(b"/xl/", b"\\xl\\")
            parts[rename(name)] = data

    assert forms.verdicts(check(forms.repacked(sound, tmp_path / XLSX, renamed), today=TODAY)) == ["ok"]


def test_two_parts_of_one_name_are_refused(tmp_path: Path, sound: Path) -> None:
    data = sound.read_bytes()
    write(tmp_path / XLSX, data)
    with zipfile.ZipFile(tmp_path / XLSX, "a") as archive:
        archive.writestr("xl\\worksheets\\sheet1.xml", b"<worksheet/>")
    refused(tmp_path / XLSX, errors.DamagedFile, "damaged")


def test_unknown_suffix_text_as_workbook_and_empty(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.json", b"{}"), errors.WrongFileType, r"a \.json file")
    refused(write(tmp_path / "noext", b"{}"), errors.WrongFileType, "without extension")
    refused(write(tmp_path / XLSX, b"just words"), errors.DamagedFile, "no Excel workbook")
    for name, data in (
        ("a.csv", b""),
        ("b.csv", b"\xef\xbb\xbf"),
        ("c.xlsx", b""),
        ("d.csv", b"\n \r\n"),
        ("e.xls", b"\0" * 99),
    ):
        refused(write(tmp_path / name, data), errors.DamagedFile, "is empty")


def test_encrypted_workbooks(tmp_path: Path, sound: Path) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    refused(write(tmp_path / XLSX, ole + "EncryptedPackage".encode("utf-16-le")), errors.EncryptedWorkbook, "password")
    data = bytearray(sound.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1  # general purpose flag of the first entry: encrypted
    refused(write(tmp_path / XLSX, bytes(data)), errors.EncryptedWorkbook, "password")


def test_xls_with_a_password(tmp_path: Path) -> None:
    """A FILEPASS record (002F) where the first BOF is followed by another record. MS-XLS 2.4.117."""
    file = forms.xls(tmp_path / "a.xls", forms.form(person(1)))
    data = bytearray(file.read_bytes())
    bof = data.index(struct.pack("<HHH", 0x0809, 16, 0x0600))
    following = bof + 4 + 16
    data[following : following + 2] = struct.pack("<H", 0x002F)
    refused(write(file, bytes(data)), errors.EncryptedWorkbook, "password")


def test_damaged_workbooks(tmp_path: Path, sound: Path) -> None:
    data = sound.read_bytes()
    refused(write(tmp_path / XLSX, data[: len(data) // 2]), errors.DamagedFile, "damaged")
    refused(write(tmp_path / XLSX, b"PK\x03\x04" + bytes(40)), errors.DamagedFile, "damaged")
    broken = rezipped(sound, {"xl/worksheets/sheet1.xml": b"<worksheet><sheetData><row r='1'><c"})
    refused(write(tmp_path / XLSX, broken), errors.DamagedFile, "damaged")
    refused(write(tmp_path / "a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)), errors.DamagedFile, "damaged")
    old = forms.xls(tmp_path / "b.xls", forms.form(person(1))).read_bytes()
    refused(write(tmp_path / "b.xls", old[:1500]), errors.DamagedFile, "damaged")
    flipped = bytearray(data)
    flipped[data.index(b"xl/worksheets/sheet1.xml") + 60] ^= 0xFF
    refused(write(tmp_path / XLSX, bytes(flipped)), errors.DamagedFile, "damaged")


def test_text_that_is_none(tmp_path: Path) -> None:
    head = "序号,身份证号,姓名\n".encode()
    refused(write(tmp_path / "a.csv", head + b"1,\0,x\n"), errors.DamagedFile, "NUL bytes")
    refused(write(tmp_path / "b.csv", b"\x81\x20\xff\xff" * 9), errors.DamagedFile, "no text in UTF-8 or GB 18030")
    refused(write(tmp_path / "c.csv", b"\xff\xfe\x00"), errors.DamagedFile, "no text")
    refused(write(tmp_path / "d.csv", head + b'"' + b"x" * 200_000), errors.DamagedFile, "no proper csv")


def test_large_files_are_refused_before_they_are_read(tmp_path: Path, sound: Path) -> None:
    refused(sound, errors.TooLarge, "more than the 0 MB", limits=Limits(file_bytes=1000))
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(100_000_000)
    refused(tmp_path / "big.csv", errors.TooLarge, "has 95 MB")
    bomb = rezipped(sound, {"xl/worksheets/sheet1.xml": b" " * 100_000_000})
    assert len(bomb) < 1_000_000
    refused(write(tmp_path / XLSX, bomb), errors.TooLarge, "unpacks to more than the 64 MB")


def test_a_directory_that_lies_about_sizes(tmp_path: Path, sound: Path) -> None:
    bomb = bytearray(rezipped(sound, {"xl/worksheets/sheet1.xml": b" " * 100_000_000}))
    entry = bomb.rindex(b"xl/worksheets/sheet1.xml") - 46
    assert bomb[entry : entry + 4] == b"PK\x01\x02"
    bomb[entry + 24 : entry + 28] = struct.pack("<I", 5000)
    refused(write(tmp_path / XLSX, bytes(bomb)), errors.DamagedFile, "damaged")


@pytest.mark.parametrize("cell", ["XFD1048576", "ZZ20000", "XFD600"])
def test_a_cell_far_away_does_not_take_the_memory(tmp_path: Path, cell: str) -> None:
    book = forms.Workbook()
    forms.fill(book.active, forms.form(person(1)))
    book.active[cell] = "x"
    book.save(tmp_path / XLSX)
    refused(tmp_path / XLSX, errors.TooLarge, "far outside the table")


def test_a_cell_far_down_is_no_harm(tmp_path: Path) -> None:
    book = forms.Workbook()
    forms.fill(book.active, forms.form(person(1)))
    book.active["F150000"] = "x"
    book.save(tmp_path / XLSX)
    assert forms.verdicts(check(tmp_path / XLSX, today=TODAY)) == ["ok"]


def test_a_wide_xls(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("s")
    sheet.write(0, 0, "x")
    sheet.write(2000, 200, "x")
    book.save(str(tmp_path / "a.xls"))
    refused(tmp_path / "a.xls", errors.TooLarge, "rows", limits=Limits(cells=100_000))


def test_too_many_rows(tmp_path: Path) -> None:
    people = [person(number) for number in range(1, 60)]
    for file in (forms.xlsx(tmp_path / XLSX, forms.form(*people)), forms.text(tmp_path / "a.csv", forms.form(*people))):
        refused(file, errors.TooLarge, "divide it", limits=Limits(rows=50))
        assert len(check(file, today=TODAY, limits=Limits(rows=62)).accepted) == 59


def test_names_do_not_decide_what_a_file_is(tmp_path: Path, sound: Path) -> None:
    rows = forms.form(person(1))
    workbook_as_xls = write(tmp_path / "a.xls", sound.read_bytes())
    text_as_xls = forms.text(tmp_path / "b.xls", rows, encoding="gb18030", delimiter="\t")
    xls_as_xlsx = write(tmp_path / "c.xlsx", forms.xls(tmp_path / "d.xls", rows).read_bytes())
    for file in (workbook_as_xls, text_as_xls, xls_as_xlsx):
        assert forms.verdicts(check(file, today=TODAY)) == ["ok"]


@pytest.mark.parametrize("part", ["xl/vbaProject.bin", "xl/macrosheets/sheet1.xml"])
def test_macros_are_refused_where_the_caller_says_so(part: str, sound: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(sound, "a") as archive:
        archive.writestr(part, b"<macro/>")
    for name in ("form.xlsm", XLSX):
        path = write(tmp_path / name, sound.read_bytes())
        refused(path, errors.WrongFileType, "has macros", limits=Limits(macros=False))
        assert [row.codes for row in check(path, today=TODAY).rows] == [()]


def test_macros_of_an_old_workbook_are_refused_too(tmp_path: Path) -> None:
    plain = forms.xls(tmp_path / "form.xls", forms.form(person(1)))
    assert check(plain, today=TODAY, limits=Limits(macros=False)).accepted
    write(plain, plain.read_bytes() + "_VBA_PROJECT_CUR".encode("utf-16-le"))
    refused(plain, errors.WrongFileType, "has macros", limits=Limits(macros=False))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/_rels/workbook.xml.rels"])
def test_xml_with_a_document_type_is_refused(encoding: str, name: str, sound: Path, tmp_path: Path) -> None:
    laughs = '<?xml version="1.0"?><!doctype w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><w>&b;</w>'
    refused(write(tmp_path / XLSX, rezipped(sound, {name: laughs.encode(encoding)})), errors.DamagedFile, "damaged")
