"""Card production life cycle data: manufacturers and dates of a chip.

Visa GlobalPlatform 2.1.1 Card Implementation, 9F7F.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from construct import Bytes, ConstructError, Struct, Terminated

from terminal.errors import CardMalformed

_LAYOUT = Struct(
    "ic_fabricator" / Bytes(2),
    "ic_type" / Bytes(2),
    "operating_system" / Bytes(2),
    "operating_system_release_date" / Bytes(2),
    "operating_system_release_level" / Bytes(2),
    "ic_fabrication_date" / Bytes(2),
    "ic_serial_number" / Bytes(4),
    "ic_batch_identifier" / Bytes(2),
    "ic_module_fabricator" / Bytes(2),
    "ic_module_packaging_date" / Bytes(2),
    "icc_manufacturer" / Bytes(2),
    "ic_embedding_date" / Bytes(2),
    "ic_pre_personalizer" / Bytes(2),
    "ic_pre_personalization_date" / Bytes(2),
    "ic_pre_personalization_equipment" / Bytes(4),
    "ic_personalizer" / Bytes(2),
    "ic_personalization_date" / Bytes(2),
    "ic_personalization_equipment" / Bytes(4),
    Terminated,
)
LENGTH = 42
_HEADER = bytes.fromhex("9F7F2A")


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
    def parse(cls, data: bytes) -> Cplc:
        """From the value, or the whole data object 9F7F. Raises CardMalformed."""
        value = data[3:] if len(data) == LENGTH + 3 and data.startswith(_HEADER) else data
        try:
            fields = _LAYOUT.parse(value)
        except ConstructError as error:
            raise CardMalformed(f"CPLC (9F7F): {len(value)} bytes instead of {LENGTH}") from error
        return cls(**{name: fields[name] for name in cls.__slots__})

    @property
    def chip_serial(self) -> str:
        """Twenty hex digits that identify a chip: its fabrication date, serial number, batch and fabricator."""
        parts = (self.ic_fabrication_date, self.ic_serial_number, self.ic_batch_identifier, self.ic_fabricator)
        return b"".join(parts).hex().upper()


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
