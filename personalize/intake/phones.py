"""Mobile numbers of the mainland: eleven digits, 13x to 19x."""

from __future__ import annotations

import re
from typing import NamedTuple

from personalize.intake.codes import RowFault
from personalize.intake.text import Cell, means_nothing, squeeze, text_of

_PLAIN = re.compile(r"1[3-9][0-9]{9}").fullmatch
_SEPARATORS = re.compile(r"[-‐‑‒–—―−﹣ー.·•()'\"]")
_PREFIXED = re.compile(r"(?:\+|00)?(?:86)?(1[3-9][0-9]{9})").fullmatch
_DIALLED = re.compile(r"\+?[0-9]*1[3-9][0-9]{9}").fullmatch
_FLOATED = re.compile(r"([0-9]{11})\.0+").fullmatch
_SCIENTIFIC = re.compile(r"([0-9])\.([0-9]{10})[eE]\+?10").fullmatch


class Phone(NamedTuple):
    """One cell read; ``fault`` is None for a mobile number."""

    number: str
    fault: RowFault | None
    mended: bool

    def __repr__(self) -> str:
        return f"<Phone {self.fault or 'sound'}>"


def read_phone(cell: Cell) -> Phone:
    """The cell as a mobile number without prefix and separators. A numeric cell is no fault: eleven digits fit."""
    typed = text_of(cell)
    if _PLAIN(typed):
        return Phone(typed, None, False)
    squeezed = squeeze(typed)
    if means_nothing(squeezed):
        return Phone("", RowFault.PHONE_MISSING, False)
    if floated := _FLOATED(squeezed) or _SCIENTIFIC(squeezed):
        squeezed = "".join(floated.groups())
    dialled = _SEPARATORS.sub("", squeezed)
    if found := _PREFIXED(dialled):
        return Phone(found[1], None, True)
    if _DIALLED(dialled) and (number := _as_dialled(dialled)):
        return Phone(number, None, True)
    return Phone("", RowFault.PHONE_FORMAT, False)


def _as_dialled(digits: str) -> str:
    """A mobile number behind a trunk or carrier prefix (0, +86 0, 17951), settled by the numbering plan's data."""
    import phonenumbers  # takes longer to load than most forms to check, and few forms need it

    try:
        parsed = phonenumbers.parse(digits, "CN")
    except phonenumbers.NumberParseException:
        return ""
    national = str(parsed.national_number)
    mobile = phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE
    return national if parsed.country_code == 86 and mobile and _PLAIN(national) else ""
