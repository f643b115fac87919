"""Codecs of plain values: numbers, digits, text, dates, codes. EMV 4.4 Book 3, 4.3; Book 4, 6.7.3 (years)."""

from __future__ import annotations

import unicodedata
from datetime import date, time
from typing import Any, ClassVar

from terminal.apdu.describe import describe
from terminal.emv.data.elements.codes import amount_text, application_text, country_text, currency_text
from terminal.emv.data.elements.element import Codec, Context, ElementPart, Vectors
from terminal.errors import CodecError
from terminal.tlv import Tlvs, decode, tlv


class Raw(Codec[bytes]):
    """Bytes without a published structure."""

    VECTORS: ClassVar[Vectors] = (("", b""), ("00FF", b"\x00\xff"))

    @classmethod
    def read(cls, data: bytes) -> bytes:
        return data

    @classmethod
    def write(cls, value: bytes, length: int) -> bytes:
        return value

    @classmethod
    def text(cls, value: bytes, context: Context) -> str:
        return value.hex().upper()


class ScriptCommandCodec(Raw):
    """A command APDU that an issuer sends to its card. EMV 4.4 Book 3, 10.10."""

    VECTORS: ClassVar[Vectors] = (("84240000081122334455667788", bytes.fromhex("84240000081122334455667788")),)

    @classmethod
    def text(cls, value: bytes, context: Context) -> str:
        if len(value) < 4:
            return f"{value.hex().upper()}, which is no command"
        return f"{describe(*value[:4])}: {value.hex().upper()}"


class Template(Codec[Tlvs]):
    """Data objects, one after another."""

    VECTORS: ClassVar[Vectors] = (("", Tlvs()), ("500141", Tlvs((tlv(0x50, b"A"),))))

    @classmethod
    def read(cls, data: bytes) -> Tlvs:
        return decode(data)

    @classmethod
    def write(cls, value: Tlvs, length: int) -> bytes:
        return value.encode()

    @classmethod
    def text(cls, value: Tlvs, context: Context) -> str:
        return counted(len(value), "object")


class Count(Codec[int]):
    """A binary number, big-endian."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("0102", 258), ("FFFFFFFF", 0xFFFFFFFF))

    @classmethod
    def read(cls, data: bytes) -> int:
        return int.from_bytes(data, "big")

    @classmethod
    def write(cls, value: int, length: int) -> bytes:
        if value < 0:
            raise CodecError("a number below zero")
        return value.to_bytes(max(length, (value.bit_length() + 7) // 8), "big")


class BinaryAmount(Count):
    """An amount in the smallest unit, format b."""

    VECTORS: ClassVar[Vectors] = (("000004D2", 1234),)

    @classmethod
    def text(cls, value: int, context: Context) -> str:
        return amount_text(value, context.currency)


class Digits(Codec[str]):
    """Format n: two digits a byte, leading zeros and all."""

    VECTORS: ClassVar[Vectors] = (("00", "00"), ("0156", "0156"), ("5999", "5999"))

    @classmethod
    def read(cls, data: bytes) -> str:
        return decimal(data)

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        if not (value.isascii() and value.isdigit()):
            raise CodecError("not decimal digits")
        if len(value) % 2 or len(value) < 2 * length:
            raise CodecError(f"{len(value)} digits; two for each byte are needed")
        return bytes.fromhex(value)


class Number(Codec[int]):
    """Format n as a number."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("99", 99), ("000123", 123))

    @classmethod
    def read(cls, data: bytes) -> int:
        return int(decimal(data) or "0")

    @classmethod
    def write(cls, value: int, length: int) -> bytes:
        if value < 0:
            raise CodecError("a number below zero")
        digits = str(value)
        return bytes.fromhex(digits.zfill(max(2 * length, len(digits) + len(digits) % 2)))


class ReferenceAmount(Count):
    """An amount in the reference currency, which 9F3C names, not the transaction currency."""

    VECTORS: ClassVar[Vectors] = (("000004D2", 1234),)

    @classmethod
    def text(cls, value: int, context: Context) -> str:
        return amount_text(value, None)


class KeyIndex(Count):
    """The index of a certification authority's key, one byte, shown in hex as key lists do."""

    VECTORS: ClassVar[Vectors] = (("92", 0x92),)

    @classmethod
    def text(cls, value: int, context: Context) -> str:
        return f"{value:02X}"


class Amount(Number):
    """An amount in the smallest unit, format n 12."""

    VECTORS: ClassVar[Vectors] = (("000000001234", 1234), ("000000000000", 0))

    @classmethod
    def text(cls, value: int, context: Context) -> str:
        return amount_text(value, context.currency)


class SecondAmount(Amount):
    """An amount in a card's second currency, which DF71 names, not the currency of the data around it."""

    VECTORS: ClassVar[Vectors] = (("000000001234", 1234),)

    @classmethod
    def text(cls, value: int, context: Context) -> str:
        return amount_text(value, None)


class CompressedDigits(Codec[str]):
    """Format cn: digits from the left, F on the right."""

    VECTORS: ClassVar[Vectors] = (("4761739001010119", "4761739001010119"), ("123F", "123"))

    @classmethod
    def read(cls, data: bytes) -> str:
        text = data.hex().upper()
        digits = text.rstrip("F")
        if not digits.isdigit():
            raise CodecError("not decimal digits padded with F")
        return digits

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        if not (value.isascii() and value.isdigit()):
            raise CodecError("not decimal digits")
        return bytes.fromhex(value.ljust(max(2 * length, len(value) + len(value) % 2), "F"))


class Day(Codec[date]):
    """Format n 6, YYMMDD; years 50 to 99 are of the last century. EMV 4.4 Book 4, 6.7.3."""

    VECTORS: ClassVar[Vectors] = (
        ("261122", date(2026, 11, 22)),
        ("500101", date(1950, 1, 1)),
        ("491231", date(2049, 12, 31)),
    )

    @classmethod
    def read(cls, data: bytes) -> date:
        digits = decimal(data)
        try:
            year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
            return date(year + (1900 if year >= 50 else 2000), month, day)
        except ValueError:
            raise CodecError("no day of the calendar") from None

    @classmethod
    def write(cls, value: date, length: int) -> bytes:
        if not 1950 <= value.year <= 2049:
            raise CodecError("a year outside 1950 to 2049")
        return bytes.fromhex(value.strftime("%y%m%d"))


class Clock(Codec[time]):
    """Format n 6, HHMMSS."""

    VECTORS: ClassVar[Vectors] = (("235959", time(23, 59, 59)), ("000000", time(0, 0, 0)))

    @classmethod
    def read(cls, data: bytes) -> time:
        digits = decimal(data)
        try:
            return time(int(digits[:2]), int(digits[2:4]), int(digits[4:]))
        except ValueError:
            raise CodecError("no time of day") from None

    @classmethod
    def write(cls, value: time, length: int) -> bytes:
        return bytes.fromhex(value.strftime("%H%M%S"))


class Text(Codec[str]):
    """Formats a, an and ans; Chinese in GB 18030, which has ASCII inside. Control characters are refused."""

    VERBATIM: ClassVar[bool] = True
    FORBIDDEN: ClassVar = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
    """Unicode categories of characters that a text must not have."""
    VECTORS: ClassVar[Vectors] = (
        ("554E494F4E504159", "UNIONPAY"),
        ("D5C5CEB0", "张伟"),
        ("9532823941", "𠀃A"),
        ("", ""),
    )

    @classmethod
    def read(cls, data: bytes) -> str:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise CodecError("no GB 18030 text") from None
        if text.encode("gb18030") != data:
            raise CodecError("a character in a form that GB 18030 does not write")
        return cls._checked(text)

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        try:
            return cls._checked(value).encode("gb18030")
        except UnicodeEncodeError:
            raise CodecError("a character that GB 18030 does not have") from None

    @classmethod
    def _checked(cls, text: str) -> str:
        if any(unicodedata.category(character) in cls.FORBIDDEN for character in text):
            raise CodecError("control characters in a text")
        return text


class Languages(Codec[tuple[str, ...]]):
    """One to four languages of ISO 639, two letters each, the preferred one first."""

    VECTORS: ClassVar[Vectors] = (("7A68", ("zh",)), ("7A68656E", ("zh", "en")))

    @classmethod
    def read(cls, data: bytes) -> tuple[str, ...]:
        text = Text.read(data)
        return cls._checked(tuple(text[at : at + 2] for at in range(0, len(text), 2)))

    @classmethod
    def write(cls, value: tuple[str, ...], length: int) -> bytes:
        return "".join(cls._checked(value)).encode("ascii")

    @classmethod
    def text(cls, value: tuple[str, ...], context: Context) -> str:
        return ", ".join(value)

    @staticmethod
    def _checked(value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(len(language) == 2 and language.isascii() and language.isalpha() for language in value):
            raise CodecError("languages are two letters each")
        return value


class CountryCode(Codec[str]):
    """Format n 3 in two bytes, ISO 3166: ``156`` is China."""

    VECTORS: ClassVar[Vectors] = (("0156", "156"), ("0840", "840"))

    @classmethod
    def read(cls, data: bytes) -> str:
        digits = decimal(data)
        if not digits.startswith("0"):
            raise CodecError("a code of more than three digits")
        return digits[1:]

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        if len(value) != 3:
            raise CodecError("a code has three digits")
        return Digits.write(f"0{value}", 2)

    @classmethod
    def text(cls, value: str, context: Context) -> str:
        return country_text(value)


class CurrencyCode(CountryCode):
    """Format n 3 in two bytes, ISO 4217: ``156`` is CNY."""

    VECTORS: ClassVar[Vectors] = (("0156", "156"), ("0978", "978"))

    @classmethod
    def text(cls, value: str, context: Context) -> str:
        return currency_text(value)


class CurrencyCodes(Codec[tuple[str, ...]]):
    """One to four currencies."""

    VECTORS: ClassVar[Vectors] = (("01560840", ("156", "840")),)

    @classmethod
    def read(cls, data: bytes) -> tuple[str, ...]:
        if len(data) % 2:
            raise CodecError("two bytes a currency are needed")
        return tuple(CurrencyCode.read(data[at : at + 2]) for at in range(0, len(data), 2))

    @classmethod
    def write(cls, value: tuple[str, ...], length: int) -> bytes:
        return b"".join([CurrencyCode.write(code, 2) for code in value])

    @classmethod
    def text(cls, value: tuple[str, ...], context: Context) -> str:
        return ", ".join(currency_text(code) for code in value)


class CountryLetters(Text):
    """A country by its letters, ISO 3166."""

    VERBATIM: ClassVar[bool] = False
    VECTORS: ClassVar[Vectors] = (("434E", "CN"), ("43484E", "CHN"))

    @classmethod
    def text(cls, value: str, context: Context) -> str:
        return country_text(value)


class AidCodec(Raw):
    """An application identifier, or the name of a DF."""

    VECTORS: ClassVar[Vectors] = (("A000000333010101", bytes.fromhex("A000000333010101")),)

    @classmethod
    def text(cls, value: bytes, context: Context) -> str:
        name = application_text(value)
        return f"{value.hex().upper()}{f' ({name})' if name else ''}"


class Flagged(Codec[Any]):
    """Named bits; subclasses say which field."""

    @classmethod
    def text(cls, value: Any, context: Context) -> str:
        return f"{counted(int(value).bit_count(), 'bit')} set"

    @classmethod
    def parts(cls, value: Any, context: Context) -> tuple[ElementPart, ...]:
        return tuple(ElementPart(f"byte {byte} bit {bit}", text or "RFU") for byte, bit, text in value.places())


def counted(count: int, what: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{count} {what}{'s' * (count != 1)}"


def decimal(data: bytes) -> str:
    """The digits of format n. Raises CodecError."""
    text = data.hex()
    if text and not text.isdigit():
        raise CodecError("not decimal digits")
    return text
