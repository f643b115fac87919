"""Issuer application data, tag 9F10, of the known payment systems: key index, CVN, card verification results.

Common Core Definitions: EMV 4.4 Book 3, Annex C7. PBOC: JR/T 0025.5 (probable in part, see docs/emv-elements.md). Visa:
VIS 1.6, appendix on issuer application data. Mastercard: M/Chip 4, issuer application data.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from terminal.emv.data.elements.element import Codec, Context, ElementPart, Vectors
from terminal.errors import CodecError

_FIRST: Final = ("AAC", "TC", "ARQC", "RFU")
_SECOND: Final = ("AAC", "TC", "not requested", "RFU")


@dataclass(frozen=True, slots=True)
class Iad:
    """The fields of 9F10. ``form`` are the bytes in front, ``rest`` those after the verification results.

    ``key_index`` and ``cvn`` are None, and everything is ``rest``, in an unknown format.
    """

    form: bytes
    key_index: int | None
    cvn: int | None
    cvr: bytes
    rest: bytes


Bits = tuple[tuple[int, int, str], ...]
"""Byte, bit and meaning in card verification results, after their length byte where they have one."""

_VIS_BITS: Final[Bits] = (
    (1, 4, "Issuer authentication performed and failed"),
    (1, 3, "Offline PIN verification performed"),
    (1, 2, "Offline PIN verification failed"),
    (1, 1, "Unable to go online"),
    (2, 8, "Last online transaction not completed"),
    (2, 7, "PIN Try Limit exceeded"),
    (2, 6, "Exceeded velocity checking counters"),
    (2, 5, "New card"),
    (2, 4, "Issuer authentication failure on last online transaction"),
    (2, 3, "Issuer authentication not performed after online authorization"),
    (2, 2, "Application blocked by card because PIN Try Limit exceeded"),
    (2, 1, "Offline static data authentication failed on last transaction and transaction declined offline"),
    (3, 4, "Issuer script processing failed on last transaction"),
    (3, 3, "Offline dynamic data authentication failed on last transaction and transaction declined offline"),
    (3, 2, "Offline dynamic data authentication performed"),
    (3, 1, "PIN verification command not received for a PIN-expecting card"),
)
"""Common to VIS and PBOC; b1 of byte 3 is RFU in PBOC."""

_MCHIP_BITS: Final[Bits] = (
    (1, 3, "Offline PIN verification performed"),
    (1, 2, "Offline encrypted PIN verification performed"),
    (1, 1, "Offline PIN verification successful"),
    (2, 8, "DDA returned"),
    (2, 7, "Combined DDA returned in first GENERATE AC"),
    (2, 6, "Combined DDA returned in second GENERATE AC"),
    (2, 5, "Issuer authentication performed"),
    (2, 4, "CIAC-Default skipped on CAT3"),
    (4, 7, "Unable to go online"),
    (4, 6, "Offline PIN verification not performed"),
    (4, 5, "Offline PIN verification failed"),
    (4, 4, "PIN Try Limit exceeded"),
    (4, 3, "International transaction"),
    (4, 2, "Domestic transaction"),
    (4, 1, "Terminal erroneously considers offline PIN OK"),
    (5, 8, "Lower consecutive offline limit exceeded"),
    (5, 7, "Upper consecutive offline limit exceeded"),
    (5, 6, "Lower cumulative offline limit exceeded"),
    (5, 5, "Upper cumulative offline limit exceeded"),
    (5, 4, "Go online on next transaction was set"),
    (5, 3, "Issuer authentication failed"),
    (5, 2, "Script received"),
    (5, 1, "Script failed"),
    (6, 2, "Match found in additional check table"),
    (6, 1, "No match found in additional check table"),
)

_CCD_BITS: Final[Bits] = (
    (1, 4, "CDA performed"),
    (1, 3, "Offline DDA performed"),
    (1, 2, "Issuer authentication not performed"),
    (1, 1, "Issuer authentication failed"),
    (2, 4, "Offline PIN verification performed"),
    (2, 3, "Offline PIN verification performed and PIN not successfully verified"),
    (2, 2, "PIN Try Limit exceeded"),
    (2, 1, "Last online transaction not completed"),
    (3, 8, "Lower offline transaction count limit exceeded"),
    (3, 7, "Upper offline transaction count limit exceeded"),
    (3, 6, "Lower cumulative offline amount limit exceeded"),
    (3, 5, "Upper cumulative offline amount limit exceeded"),
    (3, 4, "Issuer-discretionary bit 1"),
    (3, 3, "Issuer-discretionary bit 2"),
    (3, 2, "Issuer-discretionary bit 3"),
    (3, 1, "Issuer-discretionary bit 4"),
    (4, 4, "Issuer script processing failed"),
    (4, 3, "Offline data authentication failed on previous transaction"),
    (4, 2, "Go online on next transaction was set"),
    (4, 1, "Unable to go online"),
)


class IssuerData(Codec[Iad]):
    """The part that all forms share; a subclass splits the bytes and names the bits of its verification results."""

    BITS: ClassVar[Bits]
    NAMES: ClassVar[dict[int, str]] = {}
    """Cryptogram version numbers."""
    NIBBLES: ClassVar[tuple[tuple[int, bool, str], ...]] = ()
    """Counts inside the verification results: byte, whether in b8 to b5, and what they count."""

    @classmethod
    def read(cls, data: bytes) -> Iad:
        fields = cls.cut(data)
        return fields if fields is not None else Iad(b"", None, None, b"", data)

    @classmethod
    @abstractmethod
    def cut(cls, data: bytes) -> Iad | None:
        """The parts, or None for another form."""

    @classmethod
    def write(cls, value: Iad, length: int) -> bytes:
        if value.key_index is None or value.cvn is None:
            return value.rest
        data = cls.joined(value, value.key_index, value.cvn)
        if cls.cut(data) != value:
            raise CodecError("parts that this form of issuer application data does not have")
        return data

    @classmethod
    def joined(cls, value: Iad, key_index: int, cvn: int) -> bytes:
        return value.form + bytes((key_index, cvn)) + value.cvr + value.rest

    @classmethod
    def text(cls, value: Iad, context: Context) -> str:
        if value.cvn is None:
            return value.rest.hex().upper()
        name = cls.named(value, value.cvn)
        return f"CVN {value.cvn} ({value.cvn:02X}{f', {name}' if name else ''})"

    @classmethod
    def named(cls, value: Iad, cvn: int) -> str:
        """The name of the cryptogram version; empty for one without a name."""
        return cls.NAMES.get(cvn, "")

    @classmethod
    def parts(cls, value: Iad, context: Context) -> tuple[ElementPart, ...]:
        if value.key_index is None:
            return ()
        lines = [
            ElementPart("derivation key index", f"{value.key_index:02X}"),
            ElementPart("card verification results", value.cvr.hex().upper()),
            *cls.results(value.cvr),
        ]
        return (*lines, *cls.tail(value.rest))

    @classmethod
    def results(cls, cvr: bytes) -> tuple[ElementPart, ...]:
        """The verification results, bit by bit."""
        own = cvr[1:] if len(cvr) == 4 else cvr
        lines = [
            ElementPart("second GENERATE AC", _SECOND[own[0] >> 6]),
            ElementPart("first GENERATE AC", _FIRST[own[0] >> 4 & 3]),
        ]
        for byte, high, name in cls.NIBBLES:
            lines.append(ElementPart(name, str(own[byte - 1] >> 4 if high else own[byte - 1] & 0x0F)))
        lines += [
            ElementPart(f"byte {byte} bit {bit}", text) for byte, bit, text in cls.BITS if own[byte - 1] >> bit - 1 & 1
        ]
        return tuple(lines)

    @classmethod
    def tail(cls, rest: bytes) -> tuple[ElementPart, ...]:
        return (ElementPart("issuer discretionary data", rest.hex().upper()),) if rest else ()


class PbocData(IssuerData):
    """Length 07, key index, CVN, results of four bytes, algorithm; then the issuer's own with its length.

    The version says how a cryptogram is built; the cipher is in the algorithm byte alone: a card with
    3DES and SM4 has the same version, 01, for both.
    """

    VECTORS: ClassVar[Vectors] = (
        ("07010103A0A00001", Iad(b"\x07", 1, 1, bytes.fromhex("03A0A000"), b"\x01")),
        ("07010103A00000040A0100", Iad(b"\x07", 1, 1, bytes.fromhex("03A00000"), bytes.fromhex("040A0100"))),
        ("0601", Iad(b"", None, None, b"", b"\x06\x01")),
    )
    BITS: ClassVar = _VIS_BITS[:-1]
    NIBBLES: ClassVar = ((3, True, "issuer script commands on last transaction"),)
    _ALGORITHMS: ClassVar = {0x01: "3DES", 0x04: "SM4"}

    @classmethod
    def cut(cls, data: bytes) -> Iad | None:
        if len(data) < 8 or data[0] != 0x07 or data[3] != 0x03:
            return None
        return Iad(data[:1], data[1], data[2], data[3:7], data[7:])

    @classmethod
    def named(cls, value: Iad, cvn: int) -> str:
        return cls._ALGORITHMS.get(value.rest[0], "")

    @classmethod
    def tail(cls, rest: bytes) -> tuple[ElementPart, ...]:
        algorithm = ElementPart("algorithm", f"{rest[0]:02X} ({cls._ALGORITHMS.get(rest[0], 'not known')})")
        return (algorithm, *super().tail(rest[1:]))


class VisaData(IssuerData):
    """Formats 0, 1 and 3: length 06, key index, CVN, results of four bytes. Format 2 (1F, CVN, key index) has five."""

    VECTORS: ClassVar[Vectors] = (
        ("06010A03A4A002", Iad(b"\x06", 1, 0x0A, bytes.fromhex("03A4A002"), b"")),
        ("06011203A0B8000F", Iad(b"\x06", 1, 0x12, bytes.fromhex("03A0B800"), b"\x0f")),
        (
            "1F2201A000000000" + "00" * 24,
            Iad(b"\x1f", 1, 0x22, bytes.fromhex("A000000000"), bytes(24)),
        ),
        ("0F00", Iad(b"", None, None, b"", b"\x0f\x00")),
    )
    BITS: ClassVar = _VIS_BITS
    NAMES: ClassVar = {0x0A: "CVN 10", 0x0E: "CVN 14", 0x11: "CVN 17", 0x12: "CVN 18", 0x22: "CVN '22'"}
    NIBBLES: ClassVar = ((3, True, "issuer script commands on last transaction"),)

    @classmethod
    def cut(cls, data: bytes) -> Iad | None:
        if len(data) >= 7 and data[0] == 0x06 and data[3] == 0x03:
            return Iad(data[:1], data[1], data[2], data[3:7], data[7:])
        if len(data) == 32 and data[0] == 0x1F:
            return Iad(data[:1], data[2], data[1], data[3:8], data[8:])
        return None

    @classmethod
    def joined(cls, value: Iad, key_index: int, cvn: int) -> bytes:
        if value.form == b"\x1f":
            return value.form + bytes((cvn, key_index)) + value.cvr + value.rest
        return super().joined(value, key_index, cvn)

    @classmethod
    def results(cls, cvr: bytes) -> tuple[ElementPart, ...]:
        # Format 2 has results of five bytes of its own, which no public source describes bit by bit.
        return super().results(cvr) if len(cvr) == 4 else ()


class MchipData(IssuerData):
    """Key index, CVN, results of six bytes, two bytes of DAC or ICC dynamic number, counters."""

    VECTORS: ClassVar[Vectors] = (
        (
            "0110A00003220000000000000000000000FF",
            Iad(b"", 1, 0x10, bytes.fromhex("A00003220000"), bytes.fromhex("000000000000000000FF")),
        ),
        ("0110", Iad(b"", None, None, b"", b"\x01\x10")),
    )
    BITS: ClassVar = _MCHIP_BITS
    NAMES: ClassVar = {
        0x10: "M/Chip session key, counters not included",
        0x11: "M/Chip session key, counters included",
        0x14: "EMV common session key, counters not included",
        0x15: "EMV common session key, counters included",
    }
    NIBBLES: ClassVar = ((3, True, "script counter"), (3, False, "PIN tries left"))

    @classmethod
    def cut(cls, data: bytes) -> Iad | None:
        if len(data) not in (18, 20, 26, 28) or data[1] not in range(0x10, 0x18):
            return None
        return Iad(b"", data[0], data[1], data[2:8], data[8:])

    @classmethod
    def tail(cls, rest: bytes) -> tuple[ElementPart, ...]:
        return (
            ElementPart("DAC or ICC dynamic number", rest[:2].hex().upper()),
            ElementPart("counters", rest[2:].hex().upper()),
        )


class CommonCoreData(IssuerData):
    """For an unknown application: Common Core Definitions, 32 bytes; any other format stays undivided."""

    VECTORS: ClassVar[Vectors] = (
        (
            "0FA501A030000000" + "00" * 8 + "0F" + "00" * 15,
            Iad(b"\x0f", 1, 0xA5, bytes.fromhex("A030000000"), bytes(8) + b"\x0f" + bytes(15)),
        ),
        ("06010A03A4A002", Iad(b"", None, None, b"", bytes.fromhex("06010A03A4A002"))),
    )
    BITS: ClassVar = _CCD_BITS
    NAMES: ClassVar = {0xA5: "common core, 3DES", 0xA6: "common core, AES"}
    NIBBLES: ClassVar = ((2, True, "PIN tries left"), (4, True, "issuer script commands processed"))

    @classmethod
    def cut(cls, data: bytes) -> Iad | None:
        if len(data) != 32 or data[0] != 0x0F or data[16] != 0x0F:
            return None
        return Iad(data[:1], data[2], data[1], data[3:8], data[8:])

    @classmethod
    def joined(cls, value: Iad, key_index: int, cvn: int) -> bytes:
        return value.form + bytes((cvn, key_index)) + value.cvr + value.rest

    @classmethod
    def tail(cls, rest: bytes) -> tuple[ElementPart, ...]:
        return (
            ElementPart("counters", rest[:8].hex().upper()),
            ElementPart("issuer discretionary data", rest[9:].hex().upper()),
        )
