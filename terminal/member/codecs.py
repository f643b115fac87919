"""How values of data elements become bytes and back. EMV 4.4 Book 3, 4.3 (formats); Book 4, 6.7.3 (years).

An element class says its tag, name, format and VECTORS (pairs of encoded hex and value). ``decode`` and ``encode`` are
inverse to each other and raise CodecError for anything the element cannot hold; neither error nor repr shows a value.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from datetime import date
from enum import IntEnum
from typing import ClassVar, Generic, TypeVar

from terminal.errors import CodecError
from terminal.secret import Secret
from terminal.tlv import Dol, DolFormat, Tag

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)


class Element(ABC, Generic[T]):
    """One data element. Never instantiated: the class is the codec."""

    TAG: ClassVar[Tag]
    NAME: ClassVar[str]
    FORMAT: ClassVar[DolFormat] = DolFormat.B
    MIN: ClassVar[int] = 1
    MAX: ClassVar[int] = 1
    """Length of the encoded value in bytes, from MIN to MAX."""
    VECTORS: ClassVar[tuple[tuple[str, object], ...]]

    @classmethod
    @abstractmethod
    def read(cls, data: bytes) -> T:
        """The value of ``data``, whose length is right already."""

    @classmethod
    @abstractmethod
    def write(cls, value: T) -> bytes: ...

    @classmethod
    def decode(cls, data: bytes) -> T:
        """The value of an encoded element. Raises CodecError."""
        cls._sized(data)
        return cls.read(data)

    @classmethod
    def encode(cls, value: T) -> bytes:
        """The bytes of a value. Raises CodecError for a value that does not fit."""
        data = cls.write(value)
        cls._sized(data)
        return data

    @classmethod
    def fault(cls, says: str) -> CodecError:
        return CodecError(f"{cls.TAG} ({cls.NAME}): {says}")

    @classmethod
    def _sized(cls, data: bytes) -> None:
        if not cls.MIN <= len(data) <= cls.MAX:
            length = str(cls.MIN) if cls.MIN == cls.MAX else f"{cls.MIN} to {cls.MAX}"
            raise cls.fault(f"{len(data)} bytes; {length} are possible")


class Raw(Element[bytes]):
    """Bytes without further structure."""

    @classmethod
    def read(cls, data: bytes) -> bytes:
        return data

    @classmethod
    def write(cls, value: bytes) -> bytes:
        return value


class Digits(Element[str]):
    """Format n with a fixed number of digits: BCD, zeros on the left."""

    FORMAT = DolFormat.N
    DIGITS: ClassVar[int]

    @classmethod
    def read(cls, data: bytes) -> str:
        return _unpacked(cls, data, cls.DIGITS)

    @classmethod
    def write(cls, value: str) -> bytes:
        return _packed(cls, value, cls.DIGITS)


class Number(Element[int]):
    """A whole number: BCD in format n, else binary, big-endian."""

    @classmethod
    def read(cls, data: bytes) -> int:
        if cls.FORMAT is not DolFormat.N:
            return int.from_bytes(data, "big")
        if not data.hex().isdigit():
            raise cls.fault("not decimal digits")
        return int(data.hex())

    @classmethod
    def write(cls, value: int) -> bytes:
        limit = 100**cls.MIN if cls.FORMAT is DolFormat.N else 256**cls.MIN
        if not 0 <= value < limit:
            raise cls.fault("out of range")
        return (
            bytes.fromhex(str(value).zfill(2 * cls.MIN))
            if cls.FORMAT is DolFormat.N
            else value.to_bytes(cls.MIN, "big")
        )


class Day(Element[date]):
    """Format n 6, YYMMDD; years 50 to 99 are of the last century. EMV 4.4 Book 4, 6.7.3."""

    FORMAT = DolFormat.N
    MIN = MAX = 3

    @classmethod
    def read(cls, data: bytes) -> date:
        return day(cls, data)

    @classmethod
    def write(cls, value: date) -> bytes:
        return day_field(cls, value)


class Text(Element[str]):
    """GB 18030 text without control characters, one to 60 bytes: Chinese with its four-byte rare characters."""

    FORMAT = DolFormat.ANS
    MAX = 60

    @classmethod
    def read(cls, data: bytes) -> str:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise cls.fault(f"not GB 18030 at byte {error.start}") from None
        if text.encode("gb18030") != data:
            raise cls.fault("a character that is not in its own code")
        cls._checked(text)
        return text

    @classmethod
    def write(cls, value: str) -> bytes:
        cls._checked(value)
        try:
            return value.encode("gb18030")
        except UnicodeEncodeError as error:
            raise cls.fault(f"character {error.start + 1} is not in GB 18030") from None

    @classmethod
    def _checked(cls, text: str) -> None:
        if text != text.strip() or any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
            raise cls.fault("control characters, or blanks around it")


class Letters(Element[str]):
    """Format an: ASCII capital letters and digits."""

    FORMAT = DolFormat.AN

    @classmethod
    def read(cls, data: bytes) -> str:
        try:
            text = data.decode("ascii")
        except UnicodeDecodeError:
            raise cls.fault("characters other than A-Z and 0-9") from None
        return cls._checked(text)

    @classmethod
    def write(cls, value: str) -> bytes:
        return cls._checked(value).encode("ascii")

    @classmethod
    def _checked(cls, text: str) -> str:
        if not all("A" <= char <= "Z" or "0" <= char <= "9" for char in text):
            raise cls.fault("characters other than A-Z and 0-9")
        return text


class Code(Element[E]):
    """A byte that an enumeration names."""

    KIND: ClassVar[type[IntEnum]]

    @classmethod
    def read(cls, data: bytes) -> E:
        try:
            return cls.KIND(data[0])  # type: ignore[return-value]  # KIND is the class that E names
        except ValueError:
            raise cls.fault(f"{data[0]:02X} has no meaning") from None

    @classmethod
    def write(cls, value: E) -> bytes:
        return bytes((value,))


class Objects(Element[Dol]):
    """A data object list. EMV 4.4 Book 3, 5.4."""

    MAX = 252

    @classmethod
    def read(cls, data: bytes) -> Dol:
        return Dol.parse(data)

    @classmethod
    def write(cls, value: Dol) -> bytes:
        return value.encode()


class SecretLetters(Element[Secret]):
    """Personal ASCII text: a Secret that does not print."""

    FORMAT = DolFormat.AN

    @classmethod
    def read(cls, data: bytes) -> Secret:
        return cls._checked(Secret(data))

    @classmethod
    def write(cls, value: Secret) -> bytes:
        return cls._checked(value).reveal()

    @classmethod
    def _checked(cls, value: Secret) -> Secret:
        if not all(0x21 <= byte <= 0x7E for byte in value.reveal()):
            raise cls.fault("characters that are not printable ASCII")
        return value


class SecretDigits(Element[Secret]):
    """Personal digits in format n, as a Secret of ASCII digits."""

    FORMAT = DolFormat.N
    DIGITS: ClassVar[int]

    @classmethod
    def read(cls, data: bytes) -> Secret:
        return Secret(_unpacked(cls, data, cls.DIGITS).encode("ascii"))

    @classmethod
    def write(cls, value: Secret) -> bytes:
        return _packed(cls, value.reveal().decode("ascii", "replace"), cls.DIGITS)


def day(element: type[Element[T]], data: bytes) -> date:
    """A date from YYMMDD in BCD. Raises CodecError in the name of ``element``."""
    text = data.hex()
    if not text.isdigit():
        raise element.fault("not a date")
    year = int(text[:2]) + (2000 if int(text[:2]) < 50 else 1900)
    try:
        return date(year, int(text[2:4]), int(text[4:6]))
    except ValueError:
        raise element.fault("not a date") from None


def day_field(element: type[Element[T]], value: date) -> bytes:
    """YYMMDD in BCD, what ``day`` reads. Raises CodecError in the name of ``element``."""
    if not 1950 <= value.year <= 2049:
        raise element.fault("a year outside 1950 to 2049")
    return bytes.fromhex(f"{value:%y%m%d}")


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others. ISO/IEC 7812-1:2017, annex B."""
    doubled = (sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return _decimal(digits) and sum(doubled) % 10 == 0


def _unpacked(element: type[Element[T]], data: bytes, count: int) -> str:
    """``count`` digits out of BCD with zeros on the left; neither digits nor data are in the fault."""
    text = data.hex()
    if not text.isdigit() or text[:-count].strip("0"):
        raise element.fault(f"not {count} digits")
    return text[-count:]


def _packed(element: type[Element[T]], digits: str, count: int) -> bytes:
    if len(digits) != count or not _decimal(digits):
        raise element.fault(f"not {count} digits")
    return bytes.fromhex(digits.zfill(2 * element.MIN))


def _decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()
