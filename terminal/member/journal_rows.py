"""Rows of a counter's redemption journal, which counter and office exchange: values, their codec and their chain.

A row is written by the counter alone and never changed. Each is linked to the one before by a hash, so that the office
sees that rows are missing, or that a journal was replaced by an older copy. Rows hold card numbers: whoever stores them
stores personal data. docs/redemption-journal.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from terminal.errors import CodecError

HASH_LENGTH: Final = 32
NO_ROW: Final = bytes(HASH_LENGTH)
"""The hash before the first row."""
LARGEST_ROW: Final = 4096
"""Bytes of an encoded row at most. The evidence of a redemption with RSA of 1984 bits has some 800 hex digits."""
_YEARS: Final = range(2000, 2100)
_LARGEST_NUMBER: Final = 2**53 - 1


class RowKind(StrEnum):
    """What a row records. ``ENDS_INTENT`` names the kinds after which nothing is open of an intent."""

    OPENED = "opened"
    """The first row."""
    INTENT = "intent"
    """A card is about to be asked: ``card``, ``sequence``, ``request`` (hex) and ``cashier``."""
    TORN = "torn"
    """No answer came: the intent stays open until the card is back."""
    REVERSED = "reversed"
    """A redemption was taken back: ``redemption`` is the number of its row, ``by`` and ``reason``."""
    REDEEMED = "redeemed"
    """The card counted and signed: ``intent``, ``card``, ``sequence``, ``counter`` (the ATC) and ``evidence`` (hex)."""
    RECOVERED = "recovered"
    """The same, of a torn redemption at a later insertion; the evidence may be that of the card's log."""
    GRANTED = "granted"
    """The office has counted a use of a benefit that it counts, and the intent stays open: ``intent``, ``card``,
    ``sequence``, ``grant`` (its number in the office), ``price``, ``saved``, and ``left`` where there is a limit."""
    GIVEN = "given"
    """A granted benefit was given: the values of ``GRANTED``, and ``recovered`` where it was found again."""
    REPEATED = "repeated"
    """The card answered with a transaction counter that has a row already: nothing is given."""
    REFUSED = "refused"
    """The card counted nothing and says why: ``reason``."""
    NOT_PROVEN = "not-proven"
    """The answer proves nothing: nothing is given, and the intent stays open, since the card may have counted.
    ``reason`` names the failed check."""
    NOT_COUNTED = "not-counted"
    """The card never saw the request, or its log proves that it counted nothing."""
    UNKNOWN = "unknown"
    """Ten later redemptions fill the card's log, or a person gave the request up: only the office finds out."""
    UPLOADED = "uploaded"
    """The office has every row up to ``through``."""
    CUT = "cut"
    """A half-written row of ``bytes`` bytes at the end was removed when the journal was opened."""
    ACKNOWLEDGED = "acknowledged"
    """A person takes note of damaged rows, at the offsets ``places``, or of a clock that was set back; ``by``,
    ``reason``."""


COUNTED: Final = frozenset((RowKind.REDEEMED, RowKind.RECOVERED))
"""Rows with the evidence of a redemption."""
GIVES: Final = COUNTED | {RowKind.GIVEN}
"""Rows of which a receipt is issued."""
ENDS_INTENT: Final = GIVES | {
    RowKind.REPEATED, RowKind.REFUSED, RowKind.NOT_COUNTED, RowKind.UNKNOWN
}  # fmt: skip
"""Rows after which nothing is open of an intent."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One row. ``number`` counts from 1; ``at`` is aware, to the millisecond, in UTC; ``data`` are short values by
    name, as ``RowKind`` lists them. Raises CodecError for a value out of form."""

    number: int
    at: datetime
    kind: RowKind
    data: Mapping[str, str | int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise CodecError("a row of a journal has a time with a time zone")
        if self.at.year not in _YEARS:
            raise CodecError("a row of a journal is of 2000 to 2099")
        if not 1 <= self.number <= _LARGEST_NUMBER:
            raise CodecError("rows of a journal are numbered from 1")
        for name, value in self.data.items():
            if name in ("n", "at", "kind") or type(value) not in (str, int):
                raise CodecError("a row of a journal has values of another kind")

    def text(self, name: str) -> str:
        """A text of the row. Raises CodecError where it has none."""
        value = self.data.get(name)
        if not isinstance(value, str):
            raise CodecError(f"row {self.number} of the journal ({self.kind}) has no text {name}")
        return value

    def amount(self, name: str) -> int:
        """A number of the row, from 0. Raises CodecError where it has none."""
        value = self.data.get(name)
        if not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
            raise CodecError(f"row {self.number} of the journal ({self.kind}) has no number {name}")
        return value

    def octets(self, name: str) -> bytes:
        """Bytes of the row, which has them in hex. Raises CodecError where it has none."""
        try:
            return bytes.fromhex(self.text(name))
        except ValueError:
            raise CodecError(f"row {self.number} of the journal ({self.kind}) has no bytes {name}") from None

    def to_json(self) -> dict[str, str | int]:
        """For an upload: plain values."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds")
        return {"n": self.number, "at": at, "kind": self.kind.value, **self.data}

    def encode(self) -> bytes:
        """The one encoding of the row: JSON with sorted names and without blanks, in UTF-8. Raises CodecError for a row
        of more than ``LARGEST_ROW`` bytes, and for text that is none."""
        try:
            content = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise CodecError("a row of a journal has text that is none") from None
        if len(content) > LARGEST_ROW:
            raise CodecError(f"a row of a journal has {LARGEST_ROW} bytes at most")
        return content

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The row with these values. Raises CodecError; its message shows none of them."""
        try:
            if not isinstance(value, dict):
                raise TypeError
            rest = {str(name): item for name, item in value.items() if name not in ("n", "at", "kind")}
            number, at = value["n"], value["at"]
            if type(number) is not int or not isinstance(at, str):
                raise TypeError
            return cls(number, datetime.fromisoformat(at), RowKind(value["kind"]), rest)
        except CodecError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError):
            raise CodecError("this is not a row of a redemption journal") from None

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """What ``encode`` wrote, and nothing else. Raises CodecError."""
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            raise CodecError("this is not a row of a redemption journal") from None
        row = cls.from_json(value)
        if row.encode() != content:
            raise CodecError("a row of a redemption journal that is encoded in another way")
        return row

    def link(self, previous: bytes) -> bytes:
        """The hash of this row after a row with the hash ``previous``: SHA-256 over both."""
        return hashlib.sha256(previous + self.encode()).digest()
