"""The issuer application data of a redemption (9F10) with the card verification results, and their meaning.

docs/redemption.md, The answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final, Self

from terminal.emv.data.bits import BitField
from terminal.emv.data.elements.codecs import Day
from terminal.emv.data.elements.element import ElementPart, Vectors
from terminal.emv.data.elements.iad import Iad, IssuerData
from terminal.errors import CodecError

LENGTH: Final = 14
_OWN, _RESULTS, _COUNTS = b"\x07", b"\x03", b"\x05"
"""The lengths of the parts: key index to algorithm, the results behind it, and the counts at the end."""
_KIND, _SCRIPTS = 0x00C0_0000, 0x0F
"""The bits of four bytes that are no flags: the kind of the cryptogram, and the number of script commands."""
_AAC, _TC = 0x0000_0000, 0x0040_0000


class CvrFlag(BitField):
    """Card verification results: four bytes, the first their length (03). docs/redemption.md, CVR."""

    @staticmethod
    def size() -> int:
        return 4

    PIN_VERIFIED = 2, 6, "The PIN was verified since SELECT"
    PIN_FAILED = 2, 5, "The last VERIFY since SELECT failed"
    NO_PIN_TRY = 2, 4, "No PIN try is left"
    BLOCKED = 2, 3, "The application is blocked"
    SCRIPT_EXECUTED = 2, 2, "A script command was executed since the last TC"
    SCRIPT_REFUSED = 2, 1, "A script command was refused for its MAC since the last executed one"

    NO_SUCH_CLASS = 3, 8, "The benefit class is not on the card"
    LIMIT_EXCEEDED = 3, 7, "The limit would be exceeded"
    PIN_MISSING = 3, 6, "The PIN is demanded and was not verified"
    DATE_BEFORE_LAST = 3, 5, "The date is before the last date of a TC"
    NO_DATE = 3, 4, "The date is none"
    NO_QUANTITY = 3, 3, "The quantity is 0"
    COUNTER_USED_UP = 3, 2, "The ATC is used up"
    NOT_ACTIVATED = 3, 1, "The application is not activated"

    NEW_PERIOD = 4, 8, "A new period began"
    DATE_BEFORE_PERIOD = 4, 7, "The date is before the period start"
    AAC_REQUESTED = 4, 6, "The terminal asked for an AAC"


REASONS: Final = (
    CvrFlag.BLOCKED,
    CvrFlag.NOT_ACTIVATED,
    CvrFlag.NO_SUCH_CLASS,
    CvrFlag.NO_QUANTITY,
    CvrFlag.NO_DATE,
    CvrFlag.DATE_BEFORE_LAST,
    CvrFlag.DATE_BEFORE_PERIOD,
    CvrFlag.LIMIT_EXCEEDED,
    CvrFlag.PIN_MISSING,
    CvrFlag.COUNTER_USED_UP,
    CvrFlag.AAC_REQUESTED,
)
"""The flags of an AAC that say why there is no TC; the first is the one to name where there is room for one."""


@dataclass(frozen=True, slots=True)
class RedemptionData:
    """The issuer application data of one answer to GENERATE AC.

    ``used`` and ``limit`` are those of the entitlement after this answer, ``start`` the first day of its period; 0 and
    None where the card has no such class. ``scripts``: commands of the office executed since issue, modulo 16.
    """

    key_index: int
    version: int
    approved: bool
    """Whether the results are those of a TC."""
    flags: CvrFlag
    scripts: int
    algorithm: int
    used: int
    limit: int
    start: date | None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises CodecError for another length or form, a kind that is neither TC nor AAC, a bit without meaning."""
        if len(data) != LENGTH or (data[:1], data[3:4], data[8:9]) != (_OWN, _RESULTS, _COUNTS):
            raise CodecError("this is not the issuer application data of a redemption")
        bits = int.from_bytes(b"\x00" + data[4:7], "big")
        flags = CvrFlag(bits & ~(_KIND | _SCRIPTS))
        if bits & _KIND not in (_AAC, _TC) or flags.unnamed:
            raise CodecError(f"card verification results {data[3:7].hex().upper()} have no meaning")
        start = Day.read(data[11:]) if any(data[11:]) else None
        approved = bits & _KIND == _TC
        return cls(data[1], data[2], approved, flags, bits & _SCRIPTS, data[7], data[9], data[10], start)

    @property
    def reasons(self) -> tuple[CvrFlag, ...]:
        """Why there is no TC, the most important reason first; empty for a TC of a sound card."""
        return tuple(flag for flag in REASONS if flag & self.flags)


class MemberData(IssuerData):
    """Explains 9F10 of the member application bit by bit; data in another form are shown in hex."""

    VECTORS: ClassVar[Vectors] = (
        (
            "0701000340000000050C0C260101",
            Iad(b"\x07", 1, 0, bytes.fromhex("03400000"), bytes.fromhex("00050C0C260101")),
        ),
        ("0701", Iad(b"", None, None, b"", b"\x07\x01")),
    )
    BITS: ClassVar = tuple((byte - 1, bit, text) for flag in CvrFlag for byte, bit, text in flag.places())

    @classmethod
    def cut(cls, data: bytes) -> Iad | None:
        try:
            RedemptionData.decode(data)
        except CodecError:
            return None
        return Iad(data[:1], data[1], data[2], data[3:7], data[7:])

    @classmethod
    def results(cls, cvr: bytes) -> tuple[ElementPart, ...]:
        return tuple(cls._results(cvr))

    @classmethod
    def _results(cls, cvr: bytes) -> Iterator[ElementPart]:
        bits = int.from_bytes(cvr, "big")
        yield ElementPart("cryptogram", "TC" if bits & _KIND == _TC else "AAC")
        for byte, bit, text in CvrFlag(bits & ~(_KIND | _SCRIPTS) & 0x00FF_FFFF).places():
            yield ElementPart(f"byte {byte} bit {bit}", text)
        yield ElementPart("script commands since issue, modulo 16", str(bits & _SCRIPTS))

    @classmethod
    def tail(cls, rest: bytes) -> tuple[ElementPart, ...]:
        period = Day.read(rest[4:]).isoformat() if any(rest[4:]) else "none"
        return (
            ElementPart("algorithm", f"{rest[0]:02X}"),
            ElementPart("used after this redemption", f"{rest[2]} of {rest[3]}"),
            ElementPart("period start", period),
        )
