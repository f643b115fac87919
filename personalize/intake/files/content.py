"""Checks of a file before it is parsed: kind by content, size, and whether it can be opened.

A workbook is a zip archive, so its unpacked size is checked first: by its directory, then by unpacking the XML parts
one by one, since a directory can be false. A sheet with filled cells too far apart is refused too, because a reader
lays it out as one rectangle.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from personalize.errors import (
    DamagedFile,
    EncryptedWorkbook,
    FileUnreadable,
    IntakeError,
    TooLarge,
    WrongFileType,
)
from personalize.intake.files.delimited import DELIMITERS
from personalize.intake.files.markup import markup_in
from personalize.intake.files.parts import WORKBOOK, renamed, usual_names

MIB = 1 << 20

Kind = Literal["xlsx", "xls", "text"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a form: bytes of the file, bytes unpacked, rows, and cells of the rectangle of a sheet.

    ``macros``: whether a workbook may have macros. They are never run, and annotated copies have none.
    """

    file_bytes: int = 32 * MIB
    unpacked_bytes: int = 64 * MIB
    rows: int = 100_000
    cells: int = 8_000_000
    macros: bool = True


@dataclass(frozen=True, slots=True)
class Content:
    """A checked file: its kind, its bytes as they are parsed, and the digest of the file; for text files also the
    decoded text."""

    kind: Kind
    data: bytes
    digest: str
    text: str = ""


_SPREADSHEETS = {".xlsx", ".xlsm", ".xls"}
_TEXTS = {".csv", ".txt", ".tsv"}
_OTHERS = {
    ".et": ("WPS 表格", "a WPS sheet"),
    ".ett": ("WPS 表格模板", "a WPS template"),
    ".wps": ("WPS 文字文档", "a WPS document"),
    ".numbers": ("Numbers 表格", "an Apple Numbers sheet"),
    ".ods": ("OpenDocument 表格", "an OpenDocument sheet"),
    ".xlsb": ("Excel 二进制工作簿", "a binary Excel workbook"),
    ".doc": ("Word 文档", "a Word document"),
    ".docx": ("Word 文档", "a Word document"),
    ".pdf": ("PDF 文件", "a PDF file"),
}
# BOF records of BIFF2 to BIFF5 outside a compound file. [MS-XLS] 2.4.21 and its forerunners.
_OLD_EXCEL = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08\x08\x00")
_MAGICS: tuple[tuple[bytes, tuple[str, str]], ...] = (
    (b"%PDF", _OTHERS[".pdf"]),
    (b"\x89PNG", ("图片", "a picture")),
    (b"\xff\xd8\xff", ("图片", "a picture")),
    (b"GIF8", ("图片", "a picture")),
    (b"Rar!", ("压缩包", "an archive")),
    (b"7z\xbc\xaf", ("压缩包", "an archive")),
    (b"\x1f\x8b", ("压缩包", "an archive")),
    (b"{\\rtf", ("RTF 文档", "an RTF document")),
    (b"ID;P", ("SYLK 表格", "a SYLK sheet")),
    *((start, ("很旧的 Excel 文件", "a workbook of a very old Excel")) for start in _OLD_EXCEL),
)
_ZIP_PARTS: tuple[tuple[str, tuple[str, str]], ...] = (
    ("xl/workbook.bin", _OTHERS[".xlsb"]),
    ("word/document.xml", _OTHERS[".docx"]),
    ("ppt/presentation.xml", ("演示文稿", "a presentation")),
    ("content.xml", _OTHERS[".ods"]),
    ("Index/Document.iwa", _OTHERS[".numbers"]),
)
_COLUMNS = 2  # delimiters in a line of a table
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MACRO_PARTS = ("xl/vbaProject.bin", "xl/macrosheets/")
_UTF_16 = ("utf-16-le", "utf-16-be")
_MACRO_STREAM = "_VBA_PROJECT".encode("utf-16-le")
_BIFF8_GLOBALS = struct.pack("<HHHH", 0x0809, 16, 0x0600, 0x0005)
_FILEPASS = 0x002F
# ECMA-376 part 2, 6.2.5 forbids it; it allows attacks by entities that unpack to gigabytes or read other files.
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)

# What zipfile raises over a damaged archive, beside its own exception.
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, LookupError, RuntimeError)

# A reference beyond column Z or row 99,999 needs a closer look, however it is quoted.
_FAR = re.compile(rb"r=[\"'](?:[A-Za-z]{2,}[0-9]|[A-Za-z]?[0-9]{6})")
_FILLED = re.compile(rb"<(?:\w+:)?c [^>]*?\br=[\"']([A-Z]{1,3})([0-9]{1,7})[\"'][^>]*?(?<!/)>")


def digest(data: bytes) -> str:
    """The identity of a form, so that it is not imported twice: SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def load(path: Path, limits: Limits) -> Content:
    """Read and check a file. Raises the leaves of IntakeError."""
    suffix = path.suffix.lower()
    if suffix in _OTHERS:
        raise _wrong(path, _OTHERS[suffix])
    data = _bytes(path, limits)
    if suffix not in _SPREADSHEETS | _TEXTS:
        kind = f"“{suffix}”文件" if suffix else "没有扩展名的文件"
        raise _wrong(path, (kind, f"a {suffix} file" if suffix else "a file without extension"))
    for magic, what in _MAGICS:
        if data.startswith(magic):
            raise _wrong(path, what)
    if data.startswith(b"PK"):
        return Content("xlsx", _checked_zip(path, data, limits), digest(data))
    if data.startswith(_OLE):
        _check_ole(path, data, limits)
        return Content("xls", data, digest(data))
    if markup := markup_in(data):
        raise _wrong(path, markup)
    if suffix in (".xlsx", ".xlsm"):
        raise _no_workbook(path, data)
    return Content("text", data, digest(data), _decode(path, data))


def _no_workbook(path: Path, data: bytes) -> IntakeError:
    """The fault of a file named as a workbook whose content is none."""
    try:
        lines = _decode(path, data).splitlines()
    except DamagedFile:
        lines = []
    if any(line.count(delimiter) >= _COLUMNS for line in lines[:20] for delimiter in DELIMITERS):
        suffix = path.suffix
        return WrongFileType(
            f"{path.name} is a csv text under the name {suffix}: name it .csv, or open it and save it as {suffix}",
            f"这是 csv 文本，只是命名为 {suffix}：请改名为 .csv，或打开后另存为 {suffix}",
        )
    return DamagedFile(
        f"{path.name} is no Excel workbook inside: open it and save it again as .xlsx",
        "文件内容不是 Excel 工作簿，请重新打开并另存为 .xlsx",
    )


def _wrong(path: Path, what: tuple[str, str]) -> WrongFileType:
    return WrongFileType(
        f"{path.name} is {what[1]}: open it and save it as .xlsx, .xls or .csv",
        f"这是{what[0]}，请打开后另存为 .xlsx、.xls 或 .csv",
    )


def _bytes(path: Path, limits: Limits) -> bytes:
    try:
        if path.is_dir():
            raise FileUnreadable(f"{path} is a directory: name a file", "这是文件夹，请指定一个文件")
        if path.exists() and not path.is_file():
            raise FileUnreadable(f"{path} is no regular file", "这不是普通文件")
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise TooLarge(
                f"{path.name} has {size / MIB:.0f} MB, more than the {limits.file_bytes // MIB} MB a form may have: "
                "remove pictures, or divide it",
                f"文件有 {size / MIB:.0f} MB，超过 {limits.file_bytes // MIB} MB：请删去图片或分成几份",
            )
        data = path.read_bytes()
    except FileNotFoundError as e:
        raise FileUnreadable(f"{path} does not exist", "文件不存在") from e
    except OSError as e:
        raise FileUnreadable(f"cannot read {path}: {e.strerror}", "文件无法读取，请检查权限") from e
    if not data.strip(b"\0\r\n\t ") or data in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise DamagedFile(f"{path.name} is empty", "文件是空的")
    return data


def _checked_zip(path: Path, data: bytes, limits: Limits) -> bytes:
    """The workbook, its parts renamed where a program names them otherwise than Excel. Raises leaves of IntakeError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if any(part.flag_bits & 1 for part in parts):
                raise encrypted(path)
            if sum(part.file_size for part in parts) > limits.unpacked_bytes:
                raise _bomb(path, limits)
            names = usual_names(archive)
            if WORKBOOK not in names.values():
                known = {name.lower() for name in names.values()}
                what = next((what for name, what in _ZIP_PARTS if name.lower() in known), ("压缩包", "an archive"))
                raise _wrong(path, what)
            if len(set(names.values())) < len(parts):
                raise damaged(path)  # two parts of one name: which of them counts is up to the reader
            if not limits.macros and any(name.startswith(_MACRO_PARTS) for name in names.values()):
                raise _has_macros(path)
            usual = all(name == usual for name, usual in names.items())
            for part in parts:
                if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise damaged(path)
                if names[part.filename].lower().endswith((".xml", ".rels", ".vml")):
                    xml = archive.read(part)
                    _check_part(path, names[part.filename], xml, limits)
                    usual = usual and not (part.filename.endswith(".rels") and b"\\" in xml)
            return data if usual else renamed(archive, names)
    except _ZIP_FAULTS as e:
        raise damaged(path) from e


def _check_part(path: Path, name: str, xml: bytes, limits: Limits) -> None:
    """Refuse XML with a document type, and a sheet whose filled cells span too large a rectangle."""
    if (b"<!" in xml or b"<\0!" in xml) and _DTD.search(xml.replace(b"\0", b"")):  # in UTF-16 as well
        raise damaged(path)
    if not name.startswith("xl/worksheets/") or not _FAR.search(xml):
        return
    rows = columns = 0
    for cell in _FILLED.finditer(xml):
        rows, columns = max(rows, int(cell[2])), max(columns, _column(cell[1]))
    if rows * columns > limits.cells:
        raise TooLarge(
            f"{path.name} has a sheet of {rows} rows by {columns} columns: delete what stands far outside the table",
            f"有一张工作表多达 {rows} 行、{columns} 列：请删除名单以外的多余内容",
        )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _check_ole(path: Path, data: bytes, limits: Limits) -> None:
    """Check an xls by the UTF-16 stream names in the compound file's directory. MS-CFB 2.6; MS-OFFCRYPTO 2.3.4.4."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise encrypted(path)
    if any(name.encode("utf-16-le") in data for name in ("Workbook", "Book")):
        if _has_filepass(data):
            raise encrypted(path)
        if not limits.macros and _MACRO_STREAM in data:
            raise _has_macros(path)
        return
    if "WordDocument".encode("utf-16-le") in data:
        raise _wrong(path, _OTHERS[".doc"])
    raise damaged(path)


def _has_filepass(data: bytes) -> bool:
    """Whether the workbook stream's first records hold a FILEPASS, which only BOF and WRITEPROTECT may precede.
    MS-XLS 2.1.7.20.3. They lie in the stream's first sector, so there is no chain to follow."""
    at = data.find(_BIFF8_GLOBALS)
    if at < 0:
        return False
    for _ in range(4):
        record, length = struct.unpack_from("<HH", data.ljust(at + 4, b"\0"), at)
        if record == _FILEPASS:
            return True
        at += 4 + length
    return False


def encrypted(path: Path) -> EncryptedWorkbook:
    """The fault for a workbook that needs a password."""
    return EncryptedWorkbook(
        f"{path.name} is protected by a password: open it, remove the password and save it again",
        "工作簿设有打开密码，请打开后取消密码再保存",
    )


def _has_macros(path: Path) -> WrongFileType:
    return WrongFileType(
        f"{path.name} has macros: open it and save it as .xlsx, without macros",
        "工作簿含有宏，请打开后另存为不带宏的 .xlsx",
    )


def _bomb(path: Path, limits: Limits) -> TooLarge:
    most = limits.unpacked_bytes // MIB
    return TooLarge(
        f"{path.name} unpacks to more than the {most} MB a form may have: remove what is no roster, or divide it",
        f"解压后超过 {most} MB：请删去名单以外的内容或分成几份",
    )


def damaged(path: Path) -> DamagedFile:
    """The fault for a workbook that cannot be read completely."""
    return DamagedFile(
        f"{path.name} is damaged or incomplete: open it in Excel, save it again, and check the copy",
        "文件已损坏或不完整，请用 Excel 打开后重新保存",
    )


def _utf_16(data: bytes) -> str | None:
    """The byte order of UTF-16 without a mark, by its line ends and separators; None for any other text: no NUL byte
    stands in UTF-8 or GB 18030."""
    if len(data) % 2 or b"\0" not in data:
        return None
    pairs = {data[at : at + 2] for at in range(0, len(data), 2)}
    little, big = ([sign for sign in "\n\r,\t;" if sign.encode(order) in pairs] for order in _UTF_16)
    return None if bool(little) == bool(big) else _UTF_16[0] if little else _UTF_16[1]


def _decode(path: Path, data: bytes) -> str:
    """Decode text by its byte order mark, else as UTF-16 by the NUL bytes of its line ends and commas, else as UTF-8 if
    valid, else as GB 18030."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif data.startswith(codecs.BOM_UTF8):
        encodings = ["utf-8-sig"]
    elif (unmarked := _utf_16(data)) is not None:
        encodings = [unmarked]
    else:
        encodings = ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise DamagedFile(
        f"{path.name} is no text in UTF-8 or GB 18030 (or has NUL bytes): save it again as CSV UTF-8 or as .xlsx",
        "文件不是 UTF-8 或 GB 18030 文本（或含有空字节），请另存为“CSV UTF-8”或 .xlsx",
    )
