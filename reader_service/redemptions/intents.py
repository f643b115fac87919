"""Values of the journal: what a card is about to be asked, what came of it, and the rows for the office."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from terminal.member.journal_rows import JournalRow, RowKind

_INTENT: Final = frozenset(("card", "sequence", "request", "cashier"))


@dataclass(frozen=True, slots=True)
class Intent:
    """A request that is on the disk. ``number`` is that of its row; ``request`` its bytes. ``details`` are the
    counter's own values about it, for receipts and sheets."""

    number: int
    at: datetime
    card_number: str = field(repr=False)
    sequence: int
    request: bytes = field(repr=False)
    cashier: str = ""
    details: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def counted_online(self) -> bool:
        """Whether the office counts it, and no card is asked."""
        return self.details.get("counted") == "office"

    @classmethod
    def of(cls, row: JournalRow) -> Intent:
        """Raises CodecError for a row without what an intent has."""
        details = {name: value for name, value in row.data.items() if name not in _INTENT}
        card, sequence = row.text("card"), row.amount("sequence")
        return cls(row.number, row.at, card, sequence, row.octets("request"), row.text("cashier"), details)


@dataclass(frozen=True, slots=True)
class IntentResult:
    """What came of an intent. ``counter`` and ``evidence`` belong to what the card counted; ``reason`` to the rest."""

    kind: RowKind
    counter: int = 0
    evidence: bytes = field(default=b"", repr=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GrantedUse:
    """What the office has granted for an intent: ``number`` there, ``price`` and ``saved`` in fen, uses ``left``, None
    without a limit."""

    number: int
    price: int
    saved: int
    left: int | None

    @classmethod
    def of(cls, row: JournalRow) -> GrantedUse:
        """Of a row ``granted`` or ``given``. Raises CodecError."""
        left = row.amount("left") if "left" in row.data else None
        return cls(row.amount("grant"), row.amount("price"), row.amount("saved"), left)

    @property
    def values(self) -> dict[str, int]:
        """The values of such a row."""
        rest = {} if self.left is None else {"left": self.left}
        return {"grant": self.number, "price": self.price, "saved": self.saved, **rest}


@dataclass(frozen=True, slots=True)
class UploadBatch:
    """Rows for the office in their order, and the hash of the row before the first."""

    journal: str
    previous: bytes
    rows: tuple[JournalRow, ...]

    @property
    def through(self) -> int:
        """The number of the last row."""
        return self.rows[-1].number

    def to_json(self) -> dict[str, Any]:
        """The body of an upload."""
        rows = [row.to_json() for row in self.rows]
        return {"journal": self.journal, "previous": self.previous.hex(), "rows": rows}
