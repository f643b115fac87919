"""Rows whose cells are not under their columns: records of a text with more or fewer fields than their header, lines
with another separator, and rows further left or right than the table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from personalize.intake.files.sheets import Sheet
from personalize.intake.genders import read_gender
from personalize.intake.header import FIELDS, HeaderRow
from personalize.intake.phones import read_phone
from personalize.intake.placement import has_labels
from personalize.intake.text import Cell, looks_like_id, squeeze, text_of

_ID, _GENDER, _MOBILE = (FIELDS.index(name) for name in ("id_number", "gender", "mobile"))
_SEPARATORS: Final = re.compile(r"[,\t;，；|、\s]+")
_FIELDS_OF_A_PERSON: Final = 3
_ROWS_OF_USUAL_SIZE: Final = 200
_MOST: Final = 0.8
_MOST_NAMED: Final = 10
"""Row numbers in one warning."""


class Alignment(Enum):
    """How the cells of a row stand to its columns. DOUBTFUL: those of the columns in use may stand elsewhere, or are
    in their places and a field beside them is not. SHIFTED: some cannot be in their places."""

    SOUND = auto()
    DOUBTFUL = auto()
    SHIFTED = auto()


class Columns:
    """The columns of one header, to compare the rows below it with."""

    def __init__(self, sheet: Sheet, header: HeaderRow) -> None:
        self._sheet, self._columns = sheet, header.columns
        self._usual = self._expected = self._titled = 0
        self._torn = False
        if sheet.fields and header.last >= 0:
            titles = sheet.fields[header.row : header.last + 1]
            self._expected, self._titled = (max(sizes) for sizes in zip(*titles, strict=True))
            self._torn = any(map(_is_torn, sheet.rows[header.last]))
            self._usual = self._usual_size(range(header.last + 1, len(sheet.rows))[:_ROWS_OF_USUAL_SIZE])
        # A declared form may add a column that the text does not have.
        self._used = [column for column in header.columns if 0 <= column < (self._expected or len(sheet.rows[0]))]

    def _usual_size(self, below: Sequence[int]) -> int:
        """The size of rows as the program that wrote them makes it: with separators at the end of each, or with none
        for empty cells at the end of most; else that of the header."""
        number = self._columns[_ID]
        counts = [self._sheet.fields[index][0] for index in below if _is_id(self._sheet.rows[index][number])]
        usual, rows = Counter(counts).most_common(1)[0] if counts else (self._expected, 0)
        return (
            usual if rows == len(counts) or (usual < self._expected and rows >= _MOST * len(counts)) else self._expected
        )

    def judge(self, index: int) -> Alignment:
        """The alignment of a row with a person."""
        row = self._sheet.rows[index]
        if not _is_id(row[self._columns[_ID]]) and (self._stands_elsewhere(row) or self._is_in_one_cell(row)):
            return Alignment.SHIFTED
        return self._judge_fields(self._sheet.fields[index], row) if self._expected else Alignment.SOUND

    def holds_person(self, index: int) -> bool:
        """Whether a row whose columns name nobody holds a person elsewhere: an ID number, or a line in one cell."""
        row = self._sheet.rows[index]
        return (any(map(_is_id, row)) or self._is_in_one_cell(row)) and not has_labels(row)

    def _is_in_one_cell(self, row: Sequence[Cell]) -> bool:
        """Whether a cell holds a whole line, as one with another separator than the header's."""
        return sum(row[column] != "" for column in self._used) <= 1 and any(map(_is_line_of_person, row))

    def _judge_fields(self, size: tuple[int, int], row: Sequence[Cell]) -> Alignment:
        count, filled = size
        if count == self._expected and filled <= self._titled:
            return Alignment.SOUND
        if not _is_id(row[self._columns[_ID]]) and any(_is_id(cell) or _is_line_of_person(cell) for cell in row):
            return Alignment.SHIFTED
        in_place, regular = self._are_in_place(row), count == self._usual and filled <= self._titled
        if (
            self._torn
            or (count > self._expected and not regular)
            or (count != self._expected and filled > self._titled)
        ):
            return Alignment.DOUBTFUL if in_place else Alignment.SHIFTED
        return Alignment.SOUND if in_place or regular else Alignment.DOUBTFUL

    def _are_in_place(self, row: Sequence[Cell]) -> bool:
        """Whether all columns in use are known to hold their own fields: none of them stands right of the last one
        whose cell is the only one of its kind in the row."""
        known = [
            self._columns[field]
            for field, is_one in ((_ID, _is_id), *_OTHERS)
            if self._columns[field] in self._used
            and [column for column, cell in enumerate(row) if is_one(cell)] == [self._columns[field]]
        ]
        return self._columns[_ID] in known and max(self._used) <= max(known)

    def _stands_elsewhere(self, row: Sequence[Cell]) -> bool:
        """Whether ID number and gender, or ID number and mobile number, stand in one distance from their columns, and
        neither of the two in its own."""
        others = [(self._columns[field], is_one) for field, is_one in _OTHERS if self._columns[field] >= 0]
        if any(is_one(row[column]) for column, is_one in others):
            return False
        distances = [place - self._columns[_ID] for place, cell in enumerate(row) if _is_id(cell)]
        return any(
            0 <= column + distance < len(row) and is_one(row[column + distance])
            for column, is_one in others
            for distance in distances
        )


def about_fields(numbers: Sequence[int]) -> list[tuple[str, str]]:
    """A warning about accepted rows with more or fewer fields than their header, by their numbers."""
    if not numbers:
        return []
    named = numbers[:_MOST_NAMED]
    more = len(numbers) - len(named)
    rows_zh = f"第{'、'.join(map(str, named))}行" + (f"等{len(numbers)}行" if more else "")
    rows_en = "rows " if len(numbers) > 1 else "row "
    rows_en += ", ".join(map(str, named)) + (f" and {more} more" if more else "")
    return [
        (
            f"{rows_zh}的格数与表头不同（可能有未加引号的分隔符），请核对各列",
            f"{rows_en}: more or fewer fields than the header (perhaps a separator without quotation marks): check the "
            "columns",
        )
    ]


def _is_torn(title: Cell) -> bool:
    """Whether a title ends within brackets: a separator in its remark has divided it."""
    return isinstance(title, str) and sum(map(title.count, "(（")) > sum(map(title.count, ")）"))


def _is_line_of_person(cell: Cell) -> bool:
    pieces = _SEPARATORS.split(cell.strip()) if isinstance(cell, str) else []
    return len(pieces) >= _FIELDS_OF_A_PERSON and any(map(looks_like_id, pieces))


def _is_id(cell: Cell) -> bool:
    return cell != "" and looks_like_id(text_of(cell))


def _is_mobile(cell: Cell) -> bool:
    return cell != "" and read_phone(cell).fault is None


def _is_gender(cell: Cell) -> bool:
    return isinstance(cell, str) and cell != "" and not squeeze(cell).isdigit() and read_gender(cell).fault is None


_OTHERS: Final = ((_GENDER, _is_gender), (_MOBILE, _is_mobile))
"""What a cell shows to be beside an ID number."""
