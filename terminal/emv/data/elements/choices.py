"""Codecs of bytes that choose from a table, and of those that pack two or three choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from terminal.emv.data.elements.codecs import Text
from terminal.emv.data.elements.element import Codec, Context, ElementPart, Vectors
from terminal.errors import CodecError

_WHO = {1: "financial institution", 2: "merchant", 3: "cardholder"}
_HOW = {
    1: "attended, online only",
    2: "attended, offline with online capability",
    3: "attended, offline only",
    4: "unattended, online only",
    5: "unattended, offline with online capability",
    6: "unattended, offline only",
}


class Chosen(Codec[int]):
    """A code of one byte, two digits or binary, whose meanings a table gives. Subclasses are the tables."""

    MEANINGS: ClassVar[dict[int, str]]
    """By the byte as it stands, 21 for ``21``."""

    @classmethod
    def read(cls, data: bytes) -> int:
        if len(data) != 1:
            raise CodecError("a code has one byte")
        return data[0]

    @classmethod
    def write(cls, value: int, length: int) -> bytes:
        if not 0 <= value <= 0xFF:
            raise CodecError("a code has one byte")
        return bytes((value,))

    @classmethod
    def text(cls, value: int, context: Context) -> str:
        return f"{value:02X}, {cls.MEANINGS.get(value, 'a value without a meaning')}"


class TerminalType(Chosen):
    """Tag 9F35. EMV 4.4 Book 4, Annex A1, table 24."""

    VECTORS: ClassVar[Vectors] = (("22", 0x22),)
    MEANINGS: ClassVar = {
        who << 4 | how: f"{_HOW[how]}, controlled by the {_WHO[who]}"
        for who in _WHO
        for how in _HOW
        if not (who == 3 and how < 4)
    }


class TransactionType(Chosen):
    """Tag 9C: the first two digits of the processing code. ISO 8583:1987, field 3; JR/T 0025.5 for 60 to 63."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("31", 0x31))
    MEANINGS: ClassVar = {
        0x00: "purchase",
        0x01: "cash",
        0x09: "purchase with cashback",
        0x17: "cash disbursement",
        0x20: "refund",
        0x21: "deposit",
        0x30: "available funds inquiry",
        0x31: "balance inquiry",
        0x40: "transfer",
        0x50: "payment",
        0x60: "load from another account",
        0x62: "load of cash",
        0x63: "load from the account of the card",
    }


class AccountType(Chosen):
    """Tag 5F57. EMV 4.4 Book 3, Annex G."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("30", 0x30))
    MEANINGS: ClassVar = {0x00: "default", 0x10: "savings", 0x20: "cheque or debit", 0x30: "credit"}


class EntryMode(Chosen):
    """Tag 9F39: how the card number came in. ISO 8583:1987, field 22."""

    VECTORS: ClassVar[Vectors] = (("05", 5), ("07", 7))
    MEANINGS: ClassVar = {
        0x00: "unknown",
        0x01: "keyed",
        0x02: "magnetic stripe",
        0x03: "bar code",
        0x05: "chip with contacts",
        0x07: "contactless chip",
        0x10: "stored credentials",
        0x80: "magnetic stripe after the chip failed",
        0x90: "magnetic stripe, whole track",
        0x91: "contactless magnetic stripe data",
        0x95: "chip, card data may be unreliable",
    }


class CodeTable(Chosen):
    """Tag 9F11: the part of ISO/IEC 8859 for the preferred name. EMV 4.4 Book 3, Annex C4."""

    VECTORS: ClassVar[Vectors] = (("01", 1), ("10", 0x10))
    MEANINGS: ClassVar = {int(str(n), 16): f"ISO/IEC 8859-{n}" for n in range(1, 11)}


class CardholderIdType(Chosen):
    """Tag 9F62 of PBOC: what document the ID number is of. JR/T 0025.5."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("05", 5))
    MEANINGS: ClassVar = {
        0x00: "resident identity card",
        0x01: "officer's certificate",
        0x02: "passport",
        0x03: "entry permit",
        0x04: "temporary identity card",
        0x05: "other",
    }


class SmSupport(Chosen):
    """Tag DF69 of PBOC: whether the terminal knows the Chinese algorithms. JR/T 0025.17."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("01", 1))
    MEANINGS: ClassVar = {0x00: "SM algorithms not supported", 0x01: "SM algorithms supported"}


class EcSupport(Chosen):
    """Tag 9F7A of PBOC: whether the terminal takes electronic cash. JR/T 0025.5."""

    VECTORS: ClassVar[Vectors] = (("00", 0), ("01", 1))
    MEANINGS: ClassVar = {0x00: "electronic cash not supported", 0x01: "electronic cash supported"}


class ResponseCode(Text):
    """Tag 8A. ISO 8583:1987, field 39; EMV 4.4 Book 4, Annex A6 for the terminal's own."""

    VERBATIM: ClassVar[bool] = False
    VECTORS: ClassVar[Vectors] = (("3030", "00"), ("5931", "Y1"))
    MEANINGS: ClassVar = {
        "00": "approved online",
        "01": "refer to card issuer",
        "05": "declined",
        "41": "lost card, capture",
        "43": "stolen card, capture",
        "51": "declined: not sufficient funds",
        "54": "declined: expired card",
        "55": "declined: wrong PIN",
        "91": "issuer unavailable",
        "Y1": "offline approved",
        "Z1": "offline declined",
        "Y3": "unable to go online, offline approved",
        "Z3": "unable to go online, offline declined",
    }

    @classmethod
    def text(cls, value: str, context: Context) -> str:
        meaning = cls.MEANINGS.get(value, "")
        return f"{value}{f', {meaning}' if meaning else ''}"


@dataclass(frozen=True, slots=True)
class Cid:
    """Cryptogram information data, one byte. EMV 4.4 Book 3, 6.5.5.4, table 15."""

    value: int

    @property
    def cryptogram(self) -> str:
        return ("AAC", "TC", "ARQC", "RFU")[self.value >> 6]

    @property
    def advice(self) -> bool:
        return bool(self.value & 0x08)

    @property
    def reason(self) -> int:
        """0 none, 1 service not allowed, 2 PIN try limit exceeded, 3 issuer authentication failed, 4 to 7 RFU."""
        return self.value & 0x07


class CryptogramInformation(Codec[Cid]):
    """Tag 9F27."""

    VECTORS: ClassVar[Vectors] = (("80", Cid(0x80)), ("0A", Cid(0x0A)))

    @classmethod
    def read(cls, data: bytes) -> Cid:
        if len(data) != 1:
            raise CodecError("one byte is needed")
        return Cid(data[0])

    @classmethod
    def write(cls, value: Cid, length: int) -> bytes:
        return bytes((value.value,))

    @classmethod
    def text(cls, value: Cid, context: Context) -> str:
        kinds = {"AAC": "declined", "TC": "approved", "ARQC": "go online", "RFU": "reserved"}
        return f"{value.cryptogram}, {kinds[value.cryptogram]}"

    @classmethod
    def parts(cls, value: Cid, context: Context) -> tuple[ElementPart, ...]:
        reasons = ("", "service not allowed", "PIN Try Limit exceeded", "issuer authentication failed")
        parts = []
        if value.value & 0x30:
            parts.append(ElementPart("payment system's cryptogram", f"{value.value >> 4 & 3}"))
        if value.advice:
            parts.append(ElementPart("advice", "required"))
        if value.reason:
            parts.append(ElementPart("reason", reasons[value.reason] if value.reason < 4 else f"{value.reason}, RFU"))
        return tuple(parts)


@dataclass(frozen=True, slots=True)
class Priority:
    """Application priority: ``order`` from 1 (first) to 15, 0 for none. EMV 4.4 Book 1, 12.2.3, table 48."""

    order: int
    confirmation: bool


class PriorityIndicator(Codec[Priority]):
    """Tag 87; the bits b7 to b5 are RFU and not kept."""

    VECTORS: ClassVar[Vectors] = (("01", Priority(1, False)), ("82", Priority(2, True)), ("00", Priority(0, False)))

    @classmethod
    def read(cls, data: bytes) -> Priority:
        if len(data) != 1:
            raise CodecError("one byte is needed")
        return Priority(data[0] & 0x0F, bool(data[0] & 0x80))

    @classmethod
    def write(cls, value: Priority, length: int) -> bytes:
        if not 0 <= value.order <= 15:
            raise CodecError("priorities are 0 to 15")
        return bytes((value.order | (0x80 if value.confirmation else 0),))

    @classmethod
    def text(cls, value: Priority, context: Context) -> str:
        order = f"priority {value.order}" if value.order else "no priority"
        return f"{order}, {'only' if value.confirmation else 'without'} confirmation by the cardholder"


@dataclass(frozen=True, slots=True)
class LogFile:
    """Where a log is: its file and the most records that it holds. EMV 4.4 Book 3, Annex D."""

    sfi: int
    records: int


class LogEntry(Codec[LogFile]):
    """Tag 9F4D, and DF4D for the loads of PBOC's electronic cash."""

    VECTORS: ClassVar[Vectors] = (("0B0A", LogFile(11, 10)),)

    @classmethod
    def read(cls, data: bytes) -> LogFile:
        if len(data) != 2 or not 1 <= data[0] <= 30:
            raise CodecError("an SFI from 1 to 30 and a number of records are needed")
        return LogFile(data[0], data[1])

    @classmethod
    def write(cls, value: LogFile, length: int) -> bytes:
        if not (1 <= value.sfi <= 30 and 0 <= value.records <= 0xFF):
            raise CodecError("an SFI from 1 to 30 and a number of records are needed")
        return bytes((value.sfi, value.records))

    @classmethod
    def text(cls, value: LogFile, context: Context) -> str:
        return f"SFI {value.sfi}, at most {value.records} records"
