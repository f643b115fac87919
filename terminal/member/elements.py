"""The data elements of the member application, each with its tag, format, codec and test vectors.

Elements that mean the same as in EMV have EMV's tags (EMV 4.4 Book 3, annex A); DF2x and DF3x are the application's own
(docs/card-layout.md); 9F61 and 9F62 are those of PBOC (JR/T 0025.5).
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Any, Final

from terminal.member.codecs import (
    Code,
    Day,
    Digits,
    Element,
    Letters,
    Number,
    Objects,
    Raw,
    SecretDigits,
    SecretLetters,
    Text,
    day,
    day_field,
    luhn_valid,
)
from terminal.member.values import Category, Entitlement, IdType, MaskedIdentity, Period, Sex
from terminal.secret import Secret
from terminal.tlv import Dol, DolFormat, Tag


class CardNumber(Element[str]):
    """Up to 19 digits, cn: padded with F on the right; the last digit is Luhn's. ISO/IEC 7812-1."""

    TAG, NAME, FORMAT, MIN, MAX = Tag(0x5A), "member card number", DolFormat.CN, 6, 10
    VECTORS = (("9156130000000001234F", "9156130000000001234"), ("4761739001010119", "4761739001010119"))

    @classmethod
    def read(cls, data: bytes) -> str:
        text = data.hex().upper()
        digits = text.rstrip("F")
        if len(text) - len(digits) > 1:
            raise cls.fault("more padding than one digit")
        return cls._checked(digits)

    @classmethod
    def write(cls, value: str) -> bytes:
        return bytes.fromhex(cls._checked(value) + "F" * (len(value) % 2))

    @classmethod
    def _checked(cls, digits: str) -> str:
        if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
            raise cls.fault("not 12 to 19 digits")
        if not luhn_valid(digits):
            raise cls.fault("the check digit is wrong")
        return digits


class Sequence(Number):
    TAG, NAME, FORMAT = Tag(0x5F34), "card sequence number", DolFormat.N
    VECTORS = (("00", 0), ("01", 1), ("99", 99))


class ExpiryDate(Day):
    TAG, NAME = Tag(0x5F24), "card expiry date"
    VECTORS = (("361231", date(2036, 12, 31)), ("491231", date(2049, 12, 31)))


class EffectiveDate(Day):
    TAG, NAME = Tag(0x5F25), "card effective date"
    VECTORS = (("261122", date(2026, 11, 22)), ("500101", date(1950, 1, 1)))


class CardholderName(Raw):
    TAG, NAME, FORMAT, MIN, MAX = Tag(0x5F20), "cardholder name", DolFormat.ANS, 2, 26
    VECTORS = (("5A48414E472F57454920", b"ZHANG/WEI "),)


class Cdol1(Objects):
    TAG, NAME = Tag(0x8C), "card risk management data object list 1"
    VECTORS = (("9F0206DF3102", Dol.of((0x9F02, 6), (0xDF31, 2))),)


class Cdol2(Objects):
    TAG, NAME = Tag(0x8D), "card risk management data object list 2"
    VECTORS = (("8A02", Dol.of((0x8A, 2))),)


class Ddol(Objects):
    TAG, NAME = Tag(0x9F49), "dynamic data object list"
    VECTORS = (("9F3704", Dol.of((0x9F37, 4))),)


class Pdol(Objects):
    TAG, NAME = Tag(0x9F38), "processing options data object list"
    VECTORS = (("9F1A029F3704", Dol.of((0x9F1A, 2), (0x9F37, 4))),)


class CvmList(Raw):
    TAG, NAME, MIN, MAX = Tag(0x8E), "cardholder verification method list", 8, 252
    VECTORS = (("00000000000000001F03", bytes.fromhex("00000000000000001F03")),)


class CaKeyIndex(Number):
    TAG, NAME = Tag(0x8F), "scheme CA public key index"
    VECTORS = (("01", 1), ("FE", 0xFE))


class IssuerCertificate(Raw):
    TAG, NAME, MIN, MAX = Tag(0x90), "issuer public key certificate", 64, 248
    VECTORS = (("AA" * 248, b"\xaa" * 248),)


class IssuerRemainder(Raw):
    TAG, NAME, MAX = Tag(0x92), "issuer public key remainder", 248
    VECTORS = (("0102", b"\x01\x02"),)


class StaticSignature(Raw):
    TAG, NAME, MIN, MAX = Tag(0x93), "signed static application data", 64, 248
    VECTORS = (("BB" * 176, b"\xbb" * 176),)


class IssuerExponent(Raw):
    TAG, NAME, MAX = Tag(0x9F32), "issuer public key exponent", 3
    VECTORS = (("03", b"\x03"), ("010001", b"\x01\x00\x01"))


class IccCertificate(Raw):
    TAG, NAME, MIN, MAX = Tag(0x9F46), "card public key certificate", 64, 248
    VECTORS = (("CC" * 176, b"\xcc" * 176),)


class IccExponent(Raw):
    TAG, NAME, MAX = Tag(0x9F47), "card public key exponent", 3
    VECTORS = (("03", b"\x03"),)


class IccRemainder(Raw):
    TAG, NAME, MAX = Tag(0x9F48), "card public key remainder", 248
    VECTORS = (("0102", b"\x01\x02"),)


class StaticTagList(Raw):
    TAG, NAME, MIN, MAX = Tag(0x9F4A), "static data authentication tag list", 0, 252
    VECTORS = (("82", b"\x82"), ("", b""))


class DynamicSignature(Raw):
    TAG, NAME, MIN, MAX = Tag(0x9F4B), "signed dynamic application data", 64, 248
    VECTORS = (("DD" * 144, b"\xdd" * 144),)


class UsageControl(Raw):
    TAG, NAME, MIN, MAX = Tag(0x9F07), "application usage control", 2, 2
    VECTORS = (("FFC0", b"\xff\xc0"),)


class Version(Raw):
    TAG, NAME, MIN, MAX = Tag(0x9F08), "application version number", 2, 2
    VECTORS = (("0101", b"\x01\x01"),)


class TransactionCounter(Number):
    TAG, NAME, MIN, MAX = Tag(0x9F36), "application transaction counter", 2, 2
    VECTORS = (("0000", 0), ("00FF", 255))


class PinTries(Number):
    TAG, NAME = Tag(0x9F17), "PIN tries left"
    VECTORS = (("03", 3),)


class MemberNumber(Digits):
    TAG, NAME, DIGITS, MIN, MAX = Tag(0xDF21), "member number", 12, 6, 6
    VECTORS = (("130000000042", "130000000042"),)


class UnitCode(Letters):
    TAG, NAME, MAX = Tag(0xDF22), "unit code", 18
    VECTORS = (("393131333030303030303030303030303158", "91130000000000001X"), ("48423031", "HB01"))


class UnitName(Text):
    TAG, NAME = Tag(0xDF23), "unit name"
    VECTORS = (("B9A4BBE1", "工会"), ("9532823941", "𠀃A"))


class MemberName(Text):
    """At most 20 characters."""

    TAG, NAME = Tag(0xDF24), "member name"
    VECTORS = (("D5C5CEB0", "张伟"), ("CDF59532A632", "王𠅤"), ("B0A2A1A4B2BB", "阿·不"))

    @classmethod
    def _checked(cls, text: str) -> None:
        super()._checked(text)
        if len(text) > 20:
            raise cls.fault(f"{len(text)} characters; 20 fit")


class MemberSex(Code[Sex]):
    TAG, NAME, FORMAT, KIND = Tag(0xDF25), "sex", DolFormat.N, Sex
    VECTORS = (("01", Sex.MALE), ("02", Sex.FEMALE))


class MemberCategory(Code[Category]):
    TAG, NAME, KIND = Tag(0xDF26), "member category", Category
    VECTORS = (("00", Category.IN_POST), ("04", Category.IN_HARDSHIP))


class ValidThrough(Day):
    TAG, NAME = Tag(0xDF27), "membership valid through"
    VECTORS = (("311231", date(2031, 12, 31)),)


class Entitlements(Element[tuple[Entitlement, ...]]):
    """Eight bytes each: benefit class n 4, limit b 1, used b 1, period b 1, period start n 6; at most 30."""

    TAG, NAME, MIN, MAX = Tag(0xDF28), "entitlements", 0, 240
    VECTORS = (
        ("", ()),
        ("01010C0304260101", (Entitlement("0101", 12, 3, Period.YEAR, date(2026, 1, 1)),)),
    )

    @classmethod
    def read(cls, data: bytes) -> tuple[Entitlement, ...]:
        if len(data) % 8:
            raise cls.fault(f"{len(data)} bytes; each entitlement has 8")
        return tuple(cls._entry(data[at : at + 8]) for at in range(0, len(data), 8))

    @classmethod
    def write(cls, value: tuple[Entitlement, ...]) -> bytes:
        return b"".join(
            BenefitClass.encode(e.benefit_class)
            + b"".join(Quantity.encode(n) for n in (e.limit, e.used))
            + bytes((e.period,))
            + day_field(cls, e.start)
            for e in value
        )

    @classmethod
    def _entry(cls, data: bytes) -> Entitlement:
        try:
            period = Period(data[4])
        except ValueError:
            raise cls.fault(f"period {data[4]:02X} has no meaning") from None
        return Entitlement(BenefitClass.decode(data[:2]), data[2], data[3], period, day(cls, data[5:]))


class CoverEnds(Day):
    TAG, NAME = Tag(0xDF29), "protection cover ends"
    VECTORS = (("271122", date(2027, 11, 22)),)


class Scheme(Digits):
    TAG, NAME, DIGITS, MIN, MAX = Tag(0xDF2A), "scheme", 6, 3, 3
    VECTORS = (("130000", "130000"),)


class Identity(Element[MaskedIdentity]):
    TAG, NAME, FORMAT, MIN, MAX = Tag(0xDF2B), "masked identity", DolFormat.AN, 8, 8
    VECTORS = (("3132335835363738", MaskedIdentity("123X", "5678")),)

    @classmethod
    def read(cls, data: bytes) -> MaskedIdentity:
        text = data.decode("ascii", "replace")
        return cls._checked(MaskedIdentity(text[:4], text[4:]))

    @classmethod
    def write(cls, value: MaskedIdentity) -> bytes:
        checked = cls._checked(value)
        return (checked.id_number + checked.mobile).encode("ascii")

    @classmethod
    def _checked(cls, value: MaskedIdentity) -> MaskedIdentity:
        parts = (value.id_number, value.mobile)
        if any(len(part) != 4 or not (part.isascii() and part.isalnum()) for part in parts):
            raise cls.fault("not twice four letters or digits")
        return value


class IdNumber(SecretLetters):
    """Readable only inside the secure channel of the read key set."""

    TAG, NAME, MAX = Tag(0x9F61), "ID number", 40
    VECTORS = (("313330313032313939303031303131323358", Secret(b"13010219900101123X")),)


class IdDocument(Code[IdType]):
    TAG, NAME, FORMAT, KIND = Tag(0x9F62), "ID type", DolFormat.CN, IdType
    VECTORS = (("00", IdType.RESIDENT_ID), ("05", IdType.OTHER))


class Mobile(SecretDigits):
    """Readable only inside the secure channel of the read key set."""

    TAG, NAME, DIGITS, MIN, MAX = Tag(0xDF2C), "mobile number", 11, 6, 6
    VECTORS = (("013800138000", Secret(b"13800138000")),)


class BenefitClass(Digits):
    TAG, NAME, DIGITS, MIN, MAX = Tag(0xDF31), "benefit class", 4, 2, 2
    VECTORS = (("0101", "0101"),)


class Quantity(Number):
    TAG, NAME = Tag(0xDF32), "quantity"
    VECTORS = (("01", 1), ("FF", 255))


ELEMENTS: Final[tuple[type[Element[Any]], ...]] = (
    *(CardNumber, Sequence, ExpiryDate, EffectiveDate, CardholderName, Cdol1, Cdol2, Ddol, Pdol, CvmList),
    *(CaKeyIndex, IssuerCertificate, IssuerRemainder, StaticSignature, IssuerExponent, IccCertificate, IccExponent),
    *(IccRemainder, StaticTagList, DynamicSignature, UsageControl, Version, TransactionCounter, PinTries),
    *(MemberNumber, UnitCode, UnitName, MemberName, MemberSex, MemberCategory, ValidThrough, Entitlements, CoverEnds),
    *(Scheme, Identity, IdNumber, IdDocument, Mobile, BenefitClass, Quantity),
)
"""Every data element of the application."""

FORMATS: Final = MappingProxyType(
    {int(element.TAG): element.FORMAT for element in ELEMENTS}
    | dict.fromkeys((0x9F02, 0x9F1A, 0x5F2A, 0x9A, 0x9F21, 0x9C), DolFormat.N)
    | dict.fromkeys((0x9F37, 0x95), DolFormat.B)
    | {0x9F1C: DolFormat.AN, 0x9F16: DolFormat.ANS}
)
"""Formats by tag, for filling data object lists: the card's elements and the terminal's. EMV 4.4 Book 3, A1."""
