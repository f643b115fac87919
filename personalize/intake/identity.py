"""Identity numbers: normalization and checks of resident identity numbers (GB 11643-1999), and of other documents.

Independent faults are all reported: check character (ISO 7064 MOD 11-2), province, birth date. The sex digit counts
only with a correct check character, since otherwise any digit may be wrong.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from importlib import resources
from typing import NamedTuple

from personalize.intake.codes import RowFault, in_order
from personalize.intake.documents import (
    Document,
    document_number,
    is_residence_permit,
    named_document,
    recognized_document,
)
from personalize.intake.text import Cell, is_blank, squeeze, text_of

YOUNGEST, OLDEST = 16, 100

# Apostrophes that make Excel keep text, and letters that look like X.
_ODD = str.maketrans(
    {
        **dict.fromkeys("'`´‘’‛′＇ʹʼ\"“”„"),
        **dict.fromkeys("xХхΧχ×✕ⅹⅩ╳", "X"),
    }
)
_PLAIN = re.compile(r"[0-9]{17}[0-9X]").fullmatch
# 1.3E+17 in a csv, or a long number from a spreadsheet: its last digits are lost.
_FLOATED = re.compile(
    r"[0-9]+([.,][0-9]+)?[eE]\+?0*(1[5-9]|2[0-9])|[0-9]{16,}[.,]0*|[0-9]{1,3}([,'][0-9]{3}){5,}([.,]0+)?"
).fullmatch
_EXACT_LIMIT = 1e15  # Excel keeps 15 significant digits.

# Residents of Taiwan in the mainland have numbers under 830000 (GA/T 2018, residence permits); the table lacks it.
_TAIWAN_RESIDENTS = "83"

_DAYS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
_MONTH_DAYS = frozenset(f"{month:02}{day:02}" for month, days in _DAYS.items() for day in range(1, days + 1))

_MISSING = (RowFault.ID_MISSING,)
_FORMAT = (RowFault.ID_FORMAT,)
_LOST = (RowFault.ID_PRECISION_LOST,)
_DOCUMENT = (RowFault.DOCUMENT_TYPE,)
_CAPITALS = re.compile(r"[\s'`´‘’·.\-_/]")


class ReadIdentity(NamedTuple):
    """A cell as an identity number. ``number`` is the normalized number if its form is right, with faults or not;
    ``gender`` is 男 or 女 if the check character is correct, else empty."""

    number: str
    faults: tuple[RowFault, ...]
    normalized: bool
    gender: str
    region_unknown: bool
    document: Document = Document.RESIDENT_ID

    def __repr__(self) -> str:
        return f"<Identity {'-'.join(self.faults) or 'sound'}>"


def check_character(digits: str) -> str:
    """The 18th character for 17 digits. ISO/IEC 7064, MOD 11-2: Horner's rule with 2, which modulo 11 is base 13."""
    return "10X98765432"[2 * int(digits, 13) % 11]


def gender_shown(number: str) -> str:
    """男 or 女, by the 17th digit of a number of GB 11643."""
    return "男" if number[16] in "13579" else "女"


class Identities:
    """Reads the identity cells of one form on one day. Caches region codes, of which a form has few.

    ``today`` sets the ages: 16 is reached on the 16th birthday, 100 is left on the 101st.
    """

    def __init__(self, today: date) -> None:
        self._latest = f"{today.year - YOUNGEST:04}{today.month:02}{today.day:02}"
        self._earliest = f"{today.year - OLDEST - 1:04}{today.month:02}{today.day:02}"
        self._regions: dict[str, tuple[bool, bool]] = {}
        self._table: frozenset[str] = frozenset()

    def read(self, cell: Cell, document_cell: Cell = "") -> ReadIdentity:
        """Read a cell as an identity number with all its faults. ``document_cell`` names the document; where it is
        empty, the form of the number shows which it is."""
        if document_cell == "" and isinstance(cell, str) and _PLAIN(cell) and cell[0] not in "89":
            return self._check(cell, False)
        try:
            named = named_document(document_cell) if document_cell != "" else None
        except ValueError:
            read = self._read(cell)
            return read._replace(faults=tuple(fault for fault in read.faults if fault is not _FORMAT[0]) + _DOCUMENT)
        if named is Document.RESIDENT_ID:
            return self._read(cell)
        typed = text_of(cell)
        number = squeeze(typed).translate(_ODD)
        if not _PLAIN(number):
            number = _CAPITALS.sub("", unicodedata.normalize("NFKC", squeeze(typed)).upper())
        document = named or (
            Document.PERMANENT_RESIDENCE if self._is_permanent_residence(number) else recognized_document(number)
        )
        if document is Document.RESIDENT_ID or is_blank(number):
            return self._read(cell)
        if _PLAIN(number):
            return self._check_permit(document, number, number != typed)
        short = document_number(document, number)
        return ReadIdentity(short, () if short else _FORMAT, bool(short) and short != typed, "", False, document)

    def _is_permanent_residence(self, number: str) -> bool:
        """Whether a number has the form of a permanent residence card (2023): 9, a province, a nationality, and the
        birth date and check character of GB 11643."""
        fits = _PLAIN(number) and number[0] == "9" and number[17] == check_character(number[:17])
        return bool(fits) and self._region(number[1:3] + "0000")[0]

    def _check_permit(self, document: Document, number: str, normalized: bool) -> ReadIdentity:
        """A number in the form of GB 11643 of another document: that of a permanent residence card (2023) has the
        province in its second and third digits, then the nationality, and does not show the sex."""
        if document is Document.PERMANENT_RESIDENCE:
            faults = set(self._check(number, normalized).faults) - {RowFault.ID_REGION}
            if number[0] != "9" or not self._region(number[1:3] + "0000")[0]:
                faults.add(RowFault.ID_REGION)
            return ReadIdentity(number, in_order(faults), normalized, "", False, document)
        read = self._check(number, normalized)._replace(document=document)
        fits = document in (Document.RESIDENCE_PERMIT, Document.TEMPORARY_ID)
        if not fits or (document is Document.RESIDENCE_PERMIT) != is_residence_permit(number):
            return read._replace(faults=_FORMAT)
        return read

    def _read(self, cell: Cell) -> ReadIdentity:
        if isinstance(cell, str) and _PLAIN(cell):
            return self._check(cell, False)
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            return ReadIdentity("", _LOST if abs(cell) >= _EXACT_LIMIT else _FORMAT, False, "", False)
        typed = text_of(cell)
        squeezed = squeeze(typed)
        number = squeezed.translate(_ODD)
        if _PLAIN(number):
            return self._check(number, number != typed)
        if is_blank(number):
            return ReadIdentity("", _MISSING, False, "", False)
        return ReadIdentity("", _LOST if _FLOATED(number) or _FLOATED(squeezed) else _FORMAT, False, "", False)

    def _check(self, number: str, normalized: bool) -> ReadIdentity:
        region = self._regions.get(number[:6]) or self._region(number[:6])
        checks = number[17] == "10X98765432"[2 * int(number[:17], 13) % 11]
        born = self._born(number)
        gender = gender_shown(number) if checks else ""
        if checks and born and region[0]:
            return ReadIdentity(number, (), normalized, gender, not region[1])
        faults = [] if checks else [RowFault.ID_CHECKSUM]
        if not region[0]:
            faults.append(RowFault.ID_REGION)
        if not born:
            faults.append(RowFault.ID_BIRTHDATE)
        return ReadIdentity(number, tuple(faults), normalized, gender, not region[1])

    def _born(self, number: str) -> bool:
        """The date exists and the age is between 16 and 100 years."""
        day = number[6:14]
        if not self._earliest < day <= self._latest or day[4:] not in _MONTH_DAYS:
            return False
        if day[4:] != "0229":
            return True
        year = int(day[:4])
        return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

    def _region(self, code: str) -> tuple[bool, bool]:
        """Whether the province and the county of a six-digit code exist."""
        if not self._table:
            self._table = region_codes()
        known = (code[:2] in self._table, code in self._table)
        self._regions[code] = known
        return known


def region_codes() -> frozenset[str]:
    """All province codes (two digits) and county codes (six) of python-stdnum's table, of all years: codes were
    assigned from 1984 on, to people born long before.

    The table is read directly, since the library's own reader takes longer than a form of ten thousand rows.
    """
    codes = {_TAIWAN_RESIDENTS, _TAIWAN_RESIDENTS + "0000"}
    province = ""
    for line in resources.files("stdnum.cn").joinpath("loc.dat").read_text(encoding="utf-8").splitlines():
        if line[:2].isdigit():
            province = line[:2]
            codes.add(province)
        elif line.startswith(" "):
            codes.add(province + line.lstrip()[:4])
    return frozenset(codes)
