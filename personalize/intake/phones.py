"""Mobile numbers of the mainland: eleven digits, 13x to 19x."""

from __future__ import annotations

import re
from typing import NamedTuple

from personalize.intake.codes import RowFault
from personalize.intake.text import Cell, is_blank, squeeze, text_of, tidy

_PLAIN = re.compile(r"1[3-9][0-9]{9}").fullmatch
_SEPARATORS = re.compile(r"[-‐‑‒–—―−﹣ー.·•()'\"]")
_PREFIXED = re.compile(r"(?:(?:\+|00)?86)?(1[3-9][0-9]{9})").fullmatch
# 1 (626) 123-4567 is a number of North America, written as there.
_ABROAD = re.compile(
    r"\(?1\)?[-. ]*\([2-9][0-9]{2}\)[-. ]*[2-9][0-9]{2}[-. ]?[0-9]{4}|1[-. ][2-9][0-9]{2}[-. ][0-9]{3}[-. ][0-9]{4}"
).fullmatch
_DIALLED = re.compile(r"\+?[0-9]*1[3-9][0-9]{9}").fullmatch
_FLOATED = re.compile(r"([0-9]{11})\.0+").fullmatch
_SCIENTIFIC = re.compile(r"([0-9])\.([0-9]{10})[eE]\+?10").fullmatch


class Phone(NamedTuple):
    """A cell as a mobile number; ``fault`` is None for a valid one."""

    number: str
    fault: RowFault | None
    normalized: bool

    def __repr__(self) -> str:
        return f"<Phone {self.fault or 'sound'}>"


def read_phone(cell: Cell) -> Phone:
    """Read a cell as a mobile number without prefix and separators. A numeric cell is valid: eleven digits fit."""
    typed = text_of(cell)
    if _PLAIN(typed):
        return Phone(typed, None, False)
    squeezed = squeeze(typed)
    if is_blank(squeezed):
        return Phone("", RowFault.PHONE_MISSING, False)
    if floated := _FLOATED(squeezed) or _SCIENTIFIC(squeezed):
        squeezed = "".join(floated.groups())
    dialled = _SEPARATORS.sub("", squeezed)
    if _ABROAD(tidy(typed)):
        return Phone("", RowFault.PHONE_FORMAT, False)
    if match := _PREFIXED(dialled):
        return Phone(match[1], None, True)
    if _DIALLED(dialled) and (number := _as_dialled(dialled)):
        return Phone(number, None, True)
    return Phone("", RowFault.PHONE_FORMAT, False)


def _as_dialled(digits: str) -> str:
    """A mobile number after a trunk or carrier prefix (0, +86 0, 17951), by the data of the numbering plan."""
    import phonenumbers  # slow to import, and few forms need it

    try:
        parsed = phonenumbers.parse(digits, "CN")
    except phonenumbers.NumberParseException:
        return ""
    national = str(parsed.national_number)
    mobile = phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE
    return national if parsed.country_code == 86 and mobile and _PLAIN(national) else ""
