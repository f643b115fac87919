"""Copies of a workbook with other rows: the cells of a sheet are edited as they stand in its XML, row by row.

openpyxl reads and writes the workbook without its rows: parts, styles, widths, print settings. The rows, which may be
tens of thousands, with hundreds of thousands of empty cells, pass through as text, so that a copy takes about as
long as reading the form, and little memory. ECMA-376 part 1, 18.3.1.
"""

from __future__ import annotations

import functools
import io
import posixpath
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from openpyxl import load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.cell_range import CellRange

from personalize.intake.files.parts import WORKBOOK

_RELATIONSHIPS: Final = "xl/_rels/workbook.xml.rels"
_STRINGS: Final = "xl/sharedStrings.xml"
# openpyxl writes texts into their cells; the texts of the rows that it does not hold need the part named.
_ADDED: Final = {
    "[Content_Types].xml": (
        b"</Types>",
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/'
        b'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>',
    ),
    _RELATIONSHIPS: (
        b"</Relationships>",
        b'<Relationship Id="rIdStrings" Target="sharedStrings.xml" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/>',
    ),
}
_MOST_MERGED: Final = 100_000
_LEVEL: Final = 1  # of compression: the rows are most of the time

_SHEET_DATA: Final = re.compile(rb"<sheetData\b[^>]*?(?:/>|>.*?</sheetData\s*>)", re.DOTALL)
_MERGES: Final = re.compile(rb"<mergeCells\b[^>]*?(?:/>|>.*?</mergeCells\s*>)", re.DOTALL)
_MERGED: Final = re.compile(rb"<mergeCell\b[^>]*?\bref=[\"']([A-Z0-9:]+)[\"']")
_DIMENSION: Final = re.compile(rb"<dimension\b[^>]*/>")
_SHARED: Final = re.compile(rb"(<sst\b[^>]*?)(?:/>|>.*</sst\s*>)", re.DOTALL)
_FOREIGN: Final = re.compile(rb"<!--|<!\[CDATA\[|<\w+:(?:row|c|v|is|sheetData)\b")
_ROW: Final = re.compile(rb"<row\b([^>]*?)(?:/>|>(.*?)</row\s*>)", re.DOTALL)
_ROW_NUMBER: Final = re.compile(rb"\sr=[\"']([0-9]+)[\"']")
_DROPPED: Final = re.compile(rb"\s(?:\w+:\w+|spans)=(?:\"[^\"]*\"|'[^']*')")
_CELL: Final = re.compile(rb"<c\b([^>]*?)(?:/>|>(.*?)</c\s*>)", re.DOTALL)
_CELL_PLACE: Final = re.compile(rb"\sr=[\"']([A-Z]{1,3})[0-9]+[\"']")
_CELL_STYLE: Final = re.compile(rb"\ss=[\"']([0-9]+)[\"']")
_FORMULA: Final = re.compile(rb"<f(?:\s[^>]*?)?(?:/>|>.*?</f\s*>)", re.DOTALL)
_METADATA: Final = re.compile(rb"(<c\b[^>]*?)\s[cv]m=(?:\"[^\"]*\"|'[^']*')")
_TEXT_RESULT: Final = re.compile(rb"(<c\b[^>]*\bt=[\"']str[\"'][^>]*>)(\s*<v[^>]*>[=+@\t\r-])")
_ESCAPE_LIKE: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

# What openpyxl raises for workbooks of other programs that calamine reads; it has no exception of its own.
UNREADABLE: Final = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    SyntaxError,  # XML ParseError is one
    InvalidFileException,
    zipfile.BadZipFile,
)

Edit = Callable[[int, bytes], bytes]
"""Changes the cells of a row: its number and the XML of its cells, to the XML of the new ones."""


class Copy:
    """A workbook whose rows are written at the end.

    ``workbook`` is openpyxl's, without rows. ``rows`` maps the name of a sheet to its rows as XML.
    """

    def __init__(self, workbook: Any, rows: dict[str, Callable[[Edit], Iterable[bytes]]], strings: bytes = b"") -> None:
        self.workbook = workbook
        self.rows = rows
        self._strings = strings

    def style(
        self,
        base: int = 0,
        *,
        fill: PatternFill | None = None,
        font: Font | None = None,
        wrap: bool = False,
        text: bool = False,
        quoted: bool = False,
    ) -> int:
        """The index of a style: that of the index ``base`` with these changes. ``text`` is the number format for text,
        ``quoted`` keeps a text that begins as a formula from becoming one when it is edited."""
        book = self.workbook
        changed = copy(book._cell_styles[base])  # openpyxl has no public way to style cells that it does not hold
        if fill is not None:
            changed.fillId = book._fills.add(fill)
        if font is not None:
            changed.fontId = book._fonts.add(font)
        if wrap:
            changed.alignmentId = book._alignments.add(Alignment(wrap_text=True, vertical="top"))
        if text:
            changed.numFmtId = 49  # @, 18.8.30
        if quoted:
            changed.quotePrefix = 1
        index: int = book._cell_styles.add(changed)
        return index

    def bytes(self, edits: dict[str, Edit]) -> bytes:
        """The whole workbook, the rows of each sheet changed by its edit."""
        quoted = self.style(quoted=True)

        def plain(number: int, cells: bytes) -> bytes:
            return _without_formulas(cells, quoted)

        names = [sheet.title for sheet in self.workbook.worksheets]
        contents = {
            name: b"".join(rows(_after(plain, edits.get(name)))) if name in edits else b"".join(rows(plain))
            for name, rows in self.rows.items()
        }
        frame, out = io.BytesIO(), io.BytesIO()
        self.workbook.save(frame)
        with (
            zipfile.ZipFile(frame) as old,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as new,
        ):
            for part in old.namelist():
                if part == _STRINGS and self._strings:
                    continue
                data = old.read(part)
                if self._strings and part in _ADDED and _STRINGS not in old.namelist():
                    end, addition = _ADDED[part]
                    data = data.replace(end, addition + end)
                sheet = re.fullmatch(r"xl/worksheets/sheet([0-9]+)\.xml", part)
                name = names[int(sheet[1]) - 1] if sheet else ""
                if name in contents:
                    place = _SHEET_DATA.search(data)
                    if place is None:
                        raise ValueError("a sheet without rows")
                    with new.open(part, "w") as file:
                        file.write(data[: place.start()] + b"<sheetData>")
                        file.write(contents.pop(name))
                        file.write(b"</sheetData>" + data[place.end() :])
                else:
                    new.writestr(part, data)
            if self._strings:
                new.writestr(_STRINGS, self._strings)
        return out.getvalue()


def _after(first: Edit, second: Edit | None) -> Edit:
    return first if second is None else lambda number, cells: second(number, first(number, cells))


def copy_of(data: bytes) -> Copy:
    """The copy of an xlsx. Raises one of UNREADABLE where it has to be written anew."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        places = _sheet_parts(archive)
        frame, rows, merged = io.BytesIO(), {}, {}
        with zipfile.ZipFile(frame, "w", zipfile.ZIP_STORED) as new:
            names = {part: name for name, part in places.items()}
            for part in archive.namelist():
                content = archive.read(part)
                if part in names:
                    rows[names[part]], merged[names[part]], content = _divided(content)
                elif part == _STRINGS:
                    content = _SHARED.sub(rb"\1/>", content)
                new.writestr(part, content)
        strings = archive.read(_STRINGS) if _STRINGS in archive.namelist() else b""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # openpyxl warns about extensions that it drops
        workbook = load_workbook(frame, keep_links=False)
    if len(workbook.worksheets) != len(places):
        raise ValueError("openpyxl reads other sheets")
    for sheet in workbook.worksheets:
        for reference in merged[sheet.title]:
            sheet.merged_cells.add(CellRange(reference))
    return Copy(workbook, {name: _reader(xml) for name, xml in rows.items()}, strings)


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part of each sheet, by the sheet's name."""
    relationships = ElementTree.fromstring(archive.read(_RELATIONSHIPS))  # noqa: S314 - content.py refuses a DTD
    targets = {element.get("Id"): element.get("Target", "") for element in relationships}
    parts = {}
    for element in ElementTree.fromstring(archive.read(WORKBOOK)).iter():  # noqa: S314 - the same
        if element.tag.endswith("}sheet"):
            key = next(value for name, value in element.items() if name.endswith("}id"))
            target = targets[key]
            parts[element.get("name", "")] = (
                target.removeprefix("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
            )
    if any(part not in archive.namelist() for part in parts.values()):
        raise KeyError("a sheet without its part")
    return parts


def _divided(xml: bytes) -> tuple[bytes, list[str], bytes]:
    """The rows of a sheet, its merged ranges, and the sheet without both. Raises ValueError for XML in a form that is
    not edited as text."""
    rows = _SHEET_DATA.search(xml)
    if rows is None or _FOREIGN.search(xml) or b"\0" in xml[:200]:
        raise ValueError("a sheet in another form of XML")
    merged = [reference.decode() for reference in _MERGED.findall(xml, rows.end())]
    if len(merged) > _MOST_MERGED:
        raise ValueError("too many merged cells")
    frame = xml[: rows.start()] + b"<sheetData/>" + _MERGES.sub(b"", xml[rows.end() :], count=1)
    return rows[0], merged, _DIMENSION.sub(b"", frame, count=1)


def _reader(xml: bytes) -> Callable[[Edit], Iterator[bytes]]:
    def rows(edit: Edit) -> Iterator[bytes]:
        number = 0
        for row in _ROW.finditer(xml):
            named = _ROW_NUMBER.search(row[1])
            number = int(named[1]) if named else number + 1
            cells = edit(number, row[2] or b"")
            attributes = _DROPPED.sub(b"", row[1])
            yield b"<row%s>%s</row>" % (attributes, cells) if cells else b"<row%s/>" % attributes

    return rows


def _without_formulas(cells: bytes, quoted: int) -> bytes:
    """Formulas replaced by their values, and a text among them that begins as a formula marked as text."""
    if b"<f" not in cells:
        return cells
    cells = _METADATA.sub(rb"\1", _FORMULA.sub(b"", cells))
    return _TEXT_RESULT.sub(lambda cell: _CELL_STYLE.sub(b"", cell[1])[:-1] + b' s="%d">' % quoted + cell[2], cells)


def placed(cells: bytes, row: int, new: dict[int, bytes], restyle: Callable[[int, int], int | None]) -> bytes:
    """The cells of a row with others in some columns, in order. ``restyle`` gives the style of a cell by its column and
    the index of its style, None to leave it."""
    result: dict[int, bytes] = {}
    column = 0
    for cell in _CELL.finditer(cells):
        attributes, text = cell[1], cell[0]
        letters = _CELL_PLACE.search(attributes)
        column = _number(letters[1]) if letters else column + 1
        if column in new:
            continue
        styled = _CELL_STYLE.search(attributes)
        style = restyle(column, int(styled[1]) if styled else 0)
        if style is not None:
            others = _CELL_STYLE.sub(b"", attributes) if styled else attributes
            text = b'<c%s s="%d"%s' % (others, style, text[2 + len(attributes) :])
        if letters is None:
            text = b'<c r="%s"%s' % (address(row, column), text[2:])
        result[column] = text
    result |= new
    return b"".join(result[column] for column in sorted(result))


def with_empty(cells: bytes, row: int, columns: Iterable[int], style: int) -> bytes:
    """The cells of a row, which are all placed, with empty ones of a style in those of the columns that have none."""
    present = {_number(letters): cell[0] for cell in _CELL.finditer(cells) if (letters := _letters(cell[1]))}
    missing = [column for column in columns if column not in present]
    if not missing:
        return cells
    present |= {column: empty_cell(row, column, style) for column in missing}
    return b"".join(present[column] for column in sorted(present))


def _letters(attributes: bytes) -> bytes:
    letters = _CELL_PLACE.search(attributes)
    return letters[1] if letters else b""


@functools.lru_cache(maxsize=1024)
def _number(letters: bytes) -> int:
    number: int = column_index_from_string(letters.decode())
    return number


def address(row: int, column: int) -> bytes:
    return b"%s%d" % (_column_letters(column), row)


@functools.lru_cache(maxsize=1024)
def _column_letters(column: int) -> bytes:
    letters: str = get_column_letter(column)
    return letters.encode()


def text_cell(row: int, column: int, text: str, style: int) -> bytes:
    """A cell with text that is never a formula."""
    return b'<c r="%s" s="%d" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>' % (
        address(row, column),
        style,
        _escaped(text),
    )


@functools.lru_cache(maxsize=4096)
def _escaped(text: str) -> bytes:
    clean = escape(_ESCAPE_LIKE.sub("_x005F_", ILLEGAL_CHARACTERS_RE.sub("", text)))
    return clean.encode("utf-8", "replace")


def empty_cell(row: int, column: int, style: int) -> bytes:
    return b'<c r="%s" s="%d"/>' % (address(row, column), style)
