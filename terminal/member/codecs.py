"""Codecs of the values that only the member application has; the others are ``terminal.emv.data.elements.codecs``."""

from __future__ import annotations

from datetime import date
from enum import IntEnum
from typing import ClassVar, TypeVar

from terminal.emv.data.elements.codecs import CompressedDigits, Day, Digits, Text
from terminal.emv.data.elements.element import Codec, Context, Vectors
from terminal.errors import CodecError
from terminal.member.values import Category, Entitlement, IdType, MaskedIdentity, Period, Sex, value_text
from terminal.secret import Secret

E = TypeVar("E", bound=IntEnum)


class MemberCardNumber(CompressedDigits):
    """12 to 19 digits, cn: padded with F on the right; the last digit is Luhn's. ISO/IEC 7812-1."""

    VECTORS: ClassVar[Vectors] = (
        ("9156130000000001234F", "9156130000000001234"),
        ("4761739001010119", "4761739001010119"),
    )

    @classmethod
    def read(cls, data: bytes) -> str:
        digits = super().read(data)
        if 2 * len(data) - len(digits) > 1:
            raise CodecError("more padding than one digit")
        return cls._checked(digits)

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        return super().write(cls._checked(value), length)

    @classmethod
    def _checked(cls, digits: str) -> str:
        if not 12 <= len(digits) <= 19:
            raise CodecError("not 12 to 19 digits")
        if not luhn_valid(digits):
            raise CodecError("the check digit is wrong")
        return digits


class UnitCodeCodec(Codec[str]):
    """Format an: ASCII capital letters and digits."""

    VECTORS: ClassVar[Vectors] = (
        ("393131333030303030303030303030303158", "91130000000000001X"),
        ("48423031", "HB01"),
    )

    @classmethod
    def read(cls, data: bytes) -> str:
        return cls._checked(data.decode("ascii", "replace"))

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        return cls._checked(value).encode("ascii")

    @classmethod
    def _checked(cls, text: str) -> str:
        if not all("A" <= char <= "Z" or "0" <= char <= "9" for char in text):
            raise CodecError("characters other than A-Z and 0-9")
        return text


class UnitNameText(Text):
    """GB 18030 text without blanks around it. Format characters (Unicode category Cf) are allowed."""

    FORBIDDEN: ClassVar = Text.FORBIDDEN - {"Cf"}
    VECTORS: ClassVar[Vectors] = (("B9A4BBE1", "工会"), ("9532823941", "𠀃A"))

    @classmethod
    def _checked(cls, text: str) -> str:
        if text != text.strip():
            raise CodecError("blanks around the text")
        return super()._checked(text)


class MemberNameText(UnitNameText):
    """The same, at most 20 characters."""

    VECTORS: ClassVar[Vectors] = (("D5C5CEB0", "张伟"), ("CDF59532A632", "王𠅤"), ("B0A2A1A4B2BB", "阿·不"))

    @classmethod
    def _checked(cls, text: str) -> str:
        if len(text) > 20:
            raise CodecError(f"{len(text)} characters; 20 characters in 60 bytes fit")
        return super()._checked(text)


class EnumByte(Codec[E]):
    """One byte whose values an enumeration names; a subclass gives the enumeration."""

    KIND: ClassVar[type[IntEnum]]

    @classmethod
    def read(cls, data: bytes) -> E:
        try:
            return cls.KIND(data[0])  # type: ignore[return-value]  # KIND is the class that E names
        except ValueError:
            raise CodecError(f"{data[0]:02X} has no meaning") from None

    @classmethod
    def write(cls, value: E, length: int) -> bytes:
        return bytes((value,))

    @classmethod
    def text(cls, value: E, context: Context) -> str:
        return value_text(value)


class SexCode(EnumByte[Sex]):
    KIND = Sex
    VECTORS: ClassVar[Vectors] = (("01", Sex.MALE), ("02", Sex.FEMALE))


class CategoryCode(EnumByte[Category]):
    KIND = Category
    VECTORS: ClassVar[Vectors] = (("00", Category.IN_POST), ("04", Category.IN_HARDSHIP))


class IdTypeCode(EnumByte[IdType]):
    """Tag 9F62. JR/T 0025.5."""

    KIND = IdType
    VECTORS: ClassVar[Vectors] = (("00", IdType.RESIDENT_ID), ("05", IdType.OTHER))


class EntitlementList(Codec[tuple[Entitlement, ...]]):
    """Eight bytes each: benefit class n 4, limit b 1, used b 1, period b 1, period start n 6; at most 30.

    The period is in bits 4 to 1 of its byte; bit 8 demands the PIN.
    """

    VECTORS: ClassVar[Vectors] = (
        ("", ()),
        ("01010C0304260101", (Entitlement("0101", 12, 3, Period.YEAR, Day.read(b"\x26\x01\x01")),)),
        ("0401010085261215", (Entitlement("0401", 1, 0, Period.ONCE, Day.read(b"\x26\x12\x15"), True),)),
    )
    _PIN: ClassVar = 0x80

    @classmethod
    def read(cls, data: bytes) -> tuple[Entitlement, ...]:
        if len(data) % 8:
            raise CodecError(f"{len(data)} bytes; each entitlement has 8")
        return tuple(cls._entry(data[at : at + 8]) for at in range(0, len(data), 8))

    @classmethod
    def write(cls, value: tuple[Entitlement, ...], length: int) -> bytes:
        return b"".join([cls._bytes(entitlement) for entitlement in value])

    @classmethod
    def text(cls, value: tuple[Entitlement, ...], context: Context) -> str:
        return value_text(value).replace("\n", "; ")

    @classmethod
    def _entry(cls, data: bytes) -> Entitlement:
        try:
            period = Period(data[4] & ~cls._PIN)
        except ValueError:
            raise CodecError(f"period {data[4]:02X} has no meaning") from None
        pin = bool(data[4] & cls._PIN)
        return Entitlement(Digits.read(data[:2]), data[2], data[3], period, Day.read(data[5:]), pin)

    @classmethod
    def _bytes(cls, value: Entitlement) -> bytes:
        if len(value.benefit_class) != 4:
            raise CodecError("a benefit class has four digits")
        if not (0 <= value.limit <= 0xFF and 0 <= value.used <= 0xFF):
            raise CodecError("a number of uses outside 0 to 255")
        counts = bytes((value.limit, value.used, value.period | (cls._PIN if value.pin else 0)))
        return Digits.write(value.benefit_class, 2) + counts + Day.write(value.start, 3)


class DayOrNone(Codec[date | None]):
    """Format n 6, YYMMDD; 000000 while what it dates has not happened."""

    VECTORS: ClassVar[Vectors] = (("000000", None), ("261122", date(2026, 11, 22)))

    @classmethod
    def read(cls, data: bytes) -> date | None:
        return Day.read(data) if any(data) else None

    @classmethod
    def write(cls, value: date | None, length: int) -> bytes:
        return bytes(length) if value is None else Day.write(value, length)

    @classmethod
    def text(cls, value: date | None, context: Context) -> str:
        return value_text(value)


class MaskedIdentityText(Codec[MaskedIdentity]):
    """The last four characters of the ID number and of the phone number, format an."""

    VECTORS: ClassVar[Vectors] = (("3132335835363738", MaskedIdentity("123X", "5678")),)

    @classmethod
    def read(cls, data: bytes) -> MaskedIdentity:
        text = data.decode("ascii", "replace")
        return cls._checked(MaskedIdentity(text[:4], text[4:]))

    @classmethod
    def write(cls, value: MaskedIdentity, length: int) -> bytes:
        checked = cls._checked(value)
        return (checked.id_number + checked.mobile).encode("ascii")

    @classmethod
    def _checked(cls, value: MaskedIdentity) -> MaskedIdentity:
        parts = (value.id_number, value.mobile)
        if any(len(part) != 4 or not (part.isascii() and part.isalnum()) for part in parts):
            raise CodecError("not twice four letters or digits")
        return value


class SecretText(Codec[Secret]):
    """Personal text of printable ASCII, as a Secret, which does not print; an explanation shows its bytes only when
    asked to reveal them."""

    VECTORS: ClassVar[Vectors] = (("313330313032313939303031303131323358", Secret(b"13010219900101123X")),)

    @classmethod
    def read(cls, data: bytes) -> Secret:
        return cls._checked(Secret(data))

    @classmethod
    def write(cls, value: Secret, length: int) -> bytes:
        return cls._checked(value).reveal()

    @classmethod
    def text(cls, value: Secret, context: Context) -> str:
        return ""

    @classmethod
    def _checked(cls, value: Secret) -> Secret:
        if not all(0x21 <= byte <= 0x7E for byte in value.reveal()):
            raise CodecError("characters that are not printable ASCII")
        return value


class MobileNumber(Codec[Secret]):
    """Eleven digits in six bytes, format n, as a Secret of ASCII digits."""

    VECTORS: ClassVar[Vectors] = (("013800138000", Secret(b"13800138000")),)

    @classmethod
    def read(cls, data: bytes) -> Secret:
        digits = data.hex()
        if not digits.isdigit() or digits[0] != "0":
            raise CodecError("not 11 digits")
        return Secret(digits[1:].encode("ascii"))

    @classmethod
    def write(cls, value: Secret, length: int) -> bytes:
        digits = value.reveal()
        if len(digits) != 11 or not digits.isdigit():
            raise CodecError("not 11 digits")
        return bytes.fromhex("0" + digits.decode("ascii"))

    @classmethod
    def text(cls, value: Secret, context: Context) -> str:
        return ""


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others. ISO/IEC 7812-1:2017, annex B."""
    doubled = (sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits.isascii() and digits.isdigit() and sum(doubled) % 10 == 0
