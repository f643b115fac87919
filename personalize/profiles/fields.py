"""Types of profile fields that several sections share, and card number ranges with a check digit."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from personalize.errors import ProfileError
from terminal.tlv import Dol


class Section(BaseModel):
    """A section of the card profile: no unknown fields, frozen, values not repeated in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _hex(text: str) -> str:
    try:
        return bytes.fromhex(text).hex().upper()
    except ValueError:
        raise ValueError("not an even number of hexadecimal digits") from None


def _dol(text: str) -> str:
    Dol.parse(bytes.fromhex(_hex(text)))
    return _hex(text)


def _aid(text: str) -> str:
    aid = bytes.fromhex(_hex(text))
    if not 5 <= len(aid) <= 16:
        raise ValueError(f"an AID has 5 to 16 bytes, this one has {len(aid)}")
    return _hex(text)


Hex = Annotated[str, AfterValidator(_hex)]
DolHex = Annotated[str, AfterValidator(_dol)]
AidHex = Annotated[str, AfterValidator(_aid)]
Digits = Annotated[str, Field(pattern=r"^[0-9]+$")]


class NumberRange(Section):
    """A range of card numbers: prefix, serial number, Luhn digit."""

    prefix: Digits = Field(min_length=6, max_length=12)
    length: int = Field(19, ge=16, le=19)

    @property
    def serial_digits(self) -> int:
        return self.length - len(self.prefix) - 1

    @property
    def capacity(self) -> int:
        """How many numbers there are; serials begin at 1."""
        return int(10**self.serial_digits) - 1

    def number(self, serial: int) -> str:
        """The card number of a serial. ISO/IEC 7812-1:2017, annex B. Raises ProfileError when the range is used up."""
        if not 0 <= serial < 10**self.serial_digits:
            raise ProfileError(f"card numbers with prefix {self.prefix} are used up: serial {serial}")
        body = f"{self.prefix}{serial:0{self.serial_digits}d}"
        return body + luhn_digit(body)


class PinRule(Section):
    """The first PIN: random digits, not taken from ID number or phone, which a counter shows."""

    digits: int = Field(6, ge=4, le=12)
    tries: int = Field(3, ge=1, le=15)


def left_out(value: object) -> bool:
    """Whether an optional section is absent from a profile's values, so that older profiles keep their digest."""
    return value is None


def luhn_digit(body: str) -> str:
    """The check digit that makes ``body`` a number of ISO/IEC 7812-1:2017, annex B."""
    doubled = (int(c) * 2 if i % 2 == 0 else int(c) for i, c in enumerate(reversed(body)))
    return str(-sum(d // 10 + d % 10 for d in doubled) % 10)
