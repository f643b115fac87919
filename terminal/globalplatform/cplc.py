"""Card production life cycle data: manufacturers and dates of a chip.

Visa GlobalPlatform 2.1.1 Card Implementation, 9F7F.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from terminal.errors import CardMalformed
from terminal.globalplatform.tolerant import Note, ignore, objects, says_something, values

LENGTH = 42
_FOUR_BYTES = ("ic_serial_number", "ic_pre_personalization_equipment", "ic_personalization_equipment")
"""Every other field has two."""
_TAG = b"\x9f\x7f"
_CARD_DATA = 0x66


@dataclass(frozen=True, slots=True)
class Cplc:
    """42 bytes in 18 fields, as raw bytes; dates are packed as YDDD (see ``as_date``)."""

    ic_fabricator: bytes
    ic_type: bytes
    operating_system: bytes
    operating_system_release_date: bytes
    operating_system_release_level: bytes
    ic_fabrication_date: bytes
    ic_serial_number: bytes
    ic_batch_identifier: bytes
    ic_module_fabricator: bytes
    ic_module_packaging_date: bytes
    icc_manufacturer: bytes
    ic_embedding_date: bytes
    ic_pre_personalizer: bytes
    ic_pre_personalization_date: bytes
    ic_pre_personalization_equipment: bytes
    ic_personalizer: bytes
    ic_personalization_date: bytes
    ic_personalization_equipment: bytes

    @classmethod
    def parse(cls, data: bytes, note: Note = ignore) -> Cplc:
        """From the value, or the whole data object 9F7F. Of another length than 42 bytes what is there is read: fields
        that are missing are empty or cut, and ``note`` is called. Raises CardMalformed for no data at all."""
        value = _without_header(data)
        if not value:
            raise CardMalformed(f"CPLC (9F7F): 0 bytes instead of {LENGTH}")
        if len(value) != LENGTH:
            note(f"CPLC (9F7F): {len(value)} bytes instead of {LENGTH}; its fields are read as far as they go")
        fields, at = {}, 0
        for name in cls.__slots__:
            size = 4 if name in _FOUR_BYTES else 2
            fields[name] = value[at : at + size]
            at += size
        return cls(**fields)

    @property
    def chip_serial(self) -> str:
        """Twenty hex digits that identify a chip: its fabrication date, serial number, batch and fabricator.

        Empty where they say nothing: a serial number that is missing, or of bytes 00 or FF only.
        """
        parts = (self.ic_fabrication_date, self.ic_serial_number, self.ic_batch_identifier, self.ic_fabricator)
        complete = len(b"".join(parts)) == 10
        return b"".join(parts).hex().upper() if complete and says_something(self.ic_serial_number) else ""


def _without_header(data: bytes) -> bytes:
    """The value without its tag and length, which cards write twice, behind padding, in a template, or with a length of
    more bytes than it needs. What the length says is not looked at: the value ends with the data."""
    templates = values(objects(data), _CARD_DATA)
    if templates and templates[0].startswith(_TAG):
        data = templates[0]
    while (tagged := data.lstrip(b"\x00\xff")).startswith(_TAG):
        rest = tagged[len(_TAG) :]
        if rest.startswith(_TAG):
            data = rest
        else:
            long_form = rest[:1] in (b"\x81", b"\x82") and len(rest) > LENGTH
            data = rest[1 + (rest[0] & 0x7F if long_form else 0) :]
    return data


def as_date(raw: bytes, today: date) -> date | None:
    """A CPLC date: last digit of the year, then the day of the year, as four packed digits.

    The decade is not recorded: it is the latest with a date not after ``today``. None for 0000 and for invalid dates.
    """
    digits = raw.hex()
    if len(digits) != 4 or not digits.isdigit() or digits == "0000":
        return None
    year, day = int(digits[0]), int(digits[1:])
    for decade in range(today.year // 10 * 10, today.year // 10 * 10 - 20, -10):
        candidate = date(decade + year, 1, 1) + timedelta(days=day - 1)
        if candidate.year == decade + year and candidate <= today:
            return candidate
    return None
