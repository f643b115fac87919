"""Codecs of values with parts: flags, lists, tracks, results. EMV 4.4 Book 3, chapters 5, 6.5.5 and 10, Annex C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from terminal.emv.data.bits import (
    AIP,
    AUC,
    TSI,
    TVR,
    AdditionalCapabilities,
    BiometricCapabilities,
    BitField,
    TerminalCapabilities,
)
from terminal.emv.data.cvm_list import CvmCode, CvmCondition, CvmList, CvmResults, CvmRule, method_text
from terminal.emv.data.elements.codecs import CompressedDigits, Flagged, counted
from terminal.emv.data.elements.codes import amount_text
from terminal.emv.data.elements.element import Codec, Context, ElementPart, Vectors
from terminal.emv.data.records import Afl, AflEntry
from terminal.errors import CodecError
from terminal.tlv import Dol, Tag
from terminal.tlv.ber import tag_length


class _Field(Flagged):
    """Flags of one field; a subclass is that field's codec."""

    FIELD: ClassVar[type[BitField]]

    @classmethod
    def read(cls, data: bytes) -> BitField:
        return cls.FIELD.decode(data)

    @classmethod
    def write(cls, value: BitField, length: int) -> bytes:
        return value.encode()


class TvrFlags(_Field):
    FIELD = TVR
    VECTORS: ClassVar[Vectors] = (
        ("8000048000", TVR.ODA_NOT_PERFORMED | TVR.ONLINE_CVM_CAPTURED | TVR.FLOOR_LIMIT_EXCEEDED),
    )


class TsiFlags(_Field):
    FIELD = TSI
    VECTORS: ClassVar[Vectors] = (("E800", TSI(0xE800)),)


class AipFlags(_Field):
    FIELD = AIP
    VECTORS: ClassVar[Vectors] = (
        ("3C00", AIP.DDA | AIP.CARDHOLDER_VERIFICATION | AIP.TERMINAL_RISK_MANAGEMENT | AIP.ISSUER_AUTHENTICATION),
    )


class AucFlags(_Field):
    FIELD = AUC
    VECTORS: ClassVar[Vectors] = (("FFC0", AUC(0xFFC0)),)


class CapabilityFlags(_Field):
    FIELD = TerminalCapabilities
    VECTORS: ClassVar[Vectors] = (("E0F8C8", TerminalCapabilities(0xE0F8C8)),)


class AdditionalFlags(_Field):
    FIELD = AdditionalCapabilities
    VECTORS: ClassVar[Vectors] = (("6000F0A001", AdditionalCapabilities(0x6000F0A001)),)


class BiometricFlags(_Field):
    FIELD = BiometricCapabilities
    VECTORS: ClassVar[Vectors] = (("C00000", BiometricCapabilities(0xC00000)),)


@dataclass(frozen=True, slots=True, repr=False)
class Track2:
    """Track 2 equivalent data, tag 57. ``expiry`` is YYMM. ISO/IEC 7813."""

    pan: str
    expiry: str
    service_code: str
    discretionary: str

    @property
    def digits(self) -> str:
        """The whole track with D for the separator and no padding."""
        return f"{self.pan}D{self.expiry}{self.service_code}{self.discretionary}"

    def __repr__(self) -> str:
        return f"<Track2 with a card number of {len(self.pan)} digits>"


class Track2Data(Codec[Track2]):
    """Card number, separator D, expiry, service code, discretionary data, F to fill the last byte."""

    VECTORS: ClassVar[Vectors] = (
        ("4761739001010119D2212201114380448F", Track2("4761739001010119", "2212", "201", "114380448")),
        ("6212340000000000011D3012220F", Track2("6212340000000000011", "3012", "220", "")),
    )

    @classmethod
    def read(cls, data: bytes) -> Track2:
        digits = data.hex().upper()
        track = digits[:-1] if digits.endswith("F") else digits
        pan, separator, rest = track.partition("D")
        if not separator or not (pan + rest).isdigit() or len(rest) < 7 or not 1 <= len(pan) <= 19:
            raise CodecError("not a card number, D, expiry, service code and digits")
        return Track2(pan, rest[:4], rest[4:7], rest[7:])

    @classmethod
    def write(cls, value: Track2, length: int) -> bytes:
        track = value.digits
        try:
            data = bytes.fromhex(track + "F" * (len(track) % 2))
        except ValueError:
            raise CodecError("not digits") from None
        if cls.read(data) != value:
            raise CodecError("expiry and service code have four and three digits")
        return data

    @classmethod
    def text(cls, value: Track2, context: Context) -> str:
        return value.digits

    @classmethod
    def parts(cls, value: Track2, context: Context) -> tuple[ElementPart, ...]:
        return (
            ElementPart("card number", value.pan),
            ElementPart("expiry", f"20{value.expiry[:2]}-{value.expiry[2:]}"),
            ElementPart("service code", service_code_text(value.service_code)),
            ElementPart("discretionary data", value.discretionary),
        )


class Pan(CompressedDigits):
    """A primary account number, up to 19 digits."""

    VECTORS: ClassVar[Vectors] = (("6212340000000000011F", "6212340000000000011"),)


class ServiceCode(Codec[str]):
    """Format n 3 in two bytes. ISO/IEC 7813."""

    VECTORS: ClassVar[Vectors] = (("0220", "220"), ("0201", "201"))

    @classmethod
    def read(cls, data: bytes) -> str:
        digits = data.hex()
        if len(digits) != 4 or not digits.isdigit() or digits[0] != "0":
            raise CodecError("not three digits")
        return digits[1:]

    @classmethod
    def write(cls, value: str, length: int) -> bytes:
        if len(value) != 3 or not (value.isascii() and value.isdigit()):
            raise CodecError("not three digits")
        return bytes.fromhex("0" + value)

    @classmethod
    def text(cls, value: str, context: Context) -> str:
        return service_code_text(value)


class DataObjects(Codec[Dol]):
    """A data object list: tags and lengths. EMV 4.4 Book 3, 5.4."""

    VECTORS: ClassVar[Vectors] = (("9F02069F3704", Dol.of((0x9F02, 6), (0x9F37, 4))),)

    @classmethod
    def read(cls, data: bytes) -> Dol:
        return Dol.parse(data)

    @classmethod
    def write(cls, value: Dol, length: int) -> bytes:
        return value.encode()

    @classmethod
    def text(cls, value: Dol, context: Context) -> str:
        return f"{counted(len(value.entries), 'object')}, {counted(value.length, 'byte')} together"

    @classmethod
    def parts(cls, value: Dol, context: Context) -> tuple[ElementPart, ...]:
        return tuple(
            ElementPart(f"{tag} {context.name(tag)}".rstrip(), counted(length, "byte")) for tag, length in value
        )


class TagList(Codec[tuple[Tag, ...]]):
    """Tags without lengths, as in 9F4A."""

    VECTORS: ClassVar[Vectors] = (("", ()), ("82", (Tag(0x82),)), ("829F36", (Tag(0x82), Tag(0x9F36))))

    @classmethod
    def read(cls, data: bytes) -> tuple[Tag, ...]:
        tags, at = [], 0
        while at < len(data):
            try:
                stop = at + tag_length(data, at, 0)
            except IndexError:
                raise CodecError("a tag list ends inside a tag", at) from None
            tags.append(Tag(int.from_bytes(data[at:stop], "big")))
            at = stop
        return tuple(tags)

    @classmethod
    def write(cls, value: tuple[Tag, ...], length: int) -> bytes:
        return b"".join([tag.encode() for tag in value])

    @classmethod
    def text(cls, value: tuple[Tag, ...], context: Context) -> str:
        return ", ".join(f"{tag} {context.name(tag)}".rstrip() for tag in value) or "none"


class FileLocator(Codec[Afl]):
    """Which records to read, and which of them are signed. EMV 4.4 Book 3, 10.2."""

    VECTORS: ClassVar[Vectors] = (("0801010110010300", Afl((AflEntry(1, 1, 1, 1), AflEntry(2, 1, 3, 0)))),)

    @classmethod
    def read(cls, data: bytes) -> Afl:
        return Afl.parse(data)

    @classmethod
    def write(cls, value: Afl, length: int) -> bytes:
        return value.encode()

    @classmethod
    def text(cls, value: Afl, context: Context) -> str:
        return counted(sum(1 for _ in value.records()), "record")

    @classmethod
    def parts(cls, value: Afl, context: Context) -> tuple[ElementPart, ...]:
        return tuple(
            ElementPart(
                f"SFI {entry.sfi}",
                f"record {entry.first}{f' to {entry.last}' if entry.last > entry.first else ''}, {entry.signed} signed",
            )
            for entry in value.entries
        )


class CvmListCodec(Codec[CvmList]):
    """The CVM list. EMV 4.4 Book 3, 10.5 and Annex C3."""

    VECTORS: ClassVar[Vectors] = (
        (
            "000003E800000000420341031E031F00",
            CvmList(1000, 0, (CvmRule(0x42, 3), CvmRule(0x41, 3), CvmRule(0x1E, 3), CvmRule(0x1F, 0))),
        ),
    )

    @classmethod
    def read(cls, data: bytes) -> CvmList:
        return CvmList.decode(data)

    @classmethod
    def write(cls, value: CvmList, length: int) -> bytes:
        return value.encode()

    @classmethod
    def text(cls, value: CvmList, context: Context) -> str:
        return counted(len(value.rules), "rule")

    @classmethod
    def parts(cls, value: CvmList, context: Context) -> tuple[ElementPart, ...]:
        amounts = [
            ElementPart(name, amount_text(amount, context.currency))
            for name, amount in (("X", value.x), ("Y", value.y))
            if amount
        ]
        return (*amounts, *(ElementPart(f"rule {n}", str(rule)) for n, rule in enumerate(value.rules, 1)))


class CvmResultsCodec(Codec[CvmResults]):
    """The CVM results. EMV 4.4 Book 4, Annex A4."""

    VECTORS: ClassVar[Vectors] = (
        ("1E0300", CvmResults(CvmRule.of(CvmCode.SIGNATURE, CvmCondition.TERMINAL_SUPPORTS), 0)),
        ("3F0001", CvmResults(CvmRule(0x3F, 0), 1)),
    )

    @classmethod
    def read(cls, data: bytes) -> CvmResults:
        return CvmResults.decode(data)

    @classmethod
    def write(cls, value: CvmResults, length: int) -> bytes:
        return value.encode()

    @classmethod
    def text(cls, value: CvmResults, context: Context) -> str:
        result = value.result.text if value.result is not None else f"result {value.result_code:02X}, which is RFU"
        return f"{method_text(value.rule.code)}: {result}"

    @classmethod
    def parts(cls, value: CvmResults, context: Context) -> tuple[ElementPart, ...]:
        condition = value.rule.condition
        return (
            ElementPart(
                "condition", condition.text if condition is not None else f"{value.rule.condition_code:02X}, RFU"
            ),
        )


@dataclass(frozen=True, slots=True)
class ScriptResultField:
    """The result of one issuer script. ``command`` is 0 for unspecified, else the last command (15: or a later one).

    ``result`` is 0 not performed, 1 failed, 2 successful. EMV 4.4 Book 4, Annex A5.
    """

    result: int
    command: int
    identifier: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data[0] >> 4, data[0] & 0x0F, data[1:])

    def encode(self) -> bytes:
        if not (0 <= self.result <= 0x0F and 0 <= self.command <= 0x0F and len(self.identifier) == 4):
            raise CodecError("a script result has two digits and an identifier of four bytes")
        return bytes((self.result << 4 | self.command,)) + self.identifier


class ScriptResults(Codec[tuple[ScriptResultField, ...]]):
    """Five bytes for each script. EMV 4.4 Book 4, Annex A5, table 34."""

    VECTORS: ClassVar[Vectors] = (
        ("2000000001", (ScriptResultField(2, 0, b"\x00\x00\x00\x01"),)),
        ("12000000000000000000", (ScriptResultField(1, 2, bytes(4)), ScriptResultField(0, 0, bytes(4)))),
    )

    @classmethod
    def read(cls, data: bytes) -> tuple[ScriptResultField, ...]:
        if len(data) % 5:
            raise CodecError("five bytes a script are needed")
        return tuple(ScriptResultField.decode(data[at : at + 5]) for at in range(0, len(data), 5))

    @classmethod
    def write(cls, value: tuple[ScriptResultField, ...], length: int) -> bytes:
        return b"".join([result.encode() for result in value])

    @classmethod
    def text(cls, value: tuple[ScriptResultField, ...], context: Context) -> str:
        return counted(len(value), "script")

    @classmethod
    def parts(cls, value: tuple[ScriptResultField, ...], context: Context) -> tuple[ElementPart, ...]:
        words = {0: "not performed", 1: "processing failed", 2: "processing successful"}
        return tuple(
            ElementPart(
                f"script {result.identifier.hex().upper()}",
                words.get(result.result, f"result {result.result:X}, which is RFU")
                + (f" at command {result.command}{' or later' * (result.command == 15)}" if result.command else ""),
            )
            for result in value
        )


def service_code_text(code: str) -> str:
    """``220, international with chip, authorization by the issuer, no restrictions``. ISO/IEC 7813."""
    where = {
        "1": "international",
        "2": "international with chip",
        "5": "national",
        "6": "national with chip",
        "7": "private",
        "9": "test",
    }
    by = {"0": "normal authorization", "2": "authorization by the issuer", "4": "by the issuer unless agreed otherwise"}
    what = {
        "0": "no restrictions, PIN required",
        "1": "no restrictions",
        "2": "goods and services only",
        "3": "ATM only, PIN required",
        "4": "cash only",
        "5": "goods and services only, PIN required",
        "6": "no restrictions, prompt for PIN where there is a pad",
        "7": "goods and services only, prompt for PIN where there is a pad",
    }
    return ", ".join([code, *(table.get(d, f"{d} is RFU") for table, d in zip((where, by, what), code, strict=True))])
