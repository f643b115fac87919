"""Amounts that somebody types at a counter."""

from __future__ import annotations

from programme.wording import fen_of
from reader_service.errors import Invalid


def fen(text: str, field: str) -> int:
    """An amount in yuan as fen. Raises Invalid, naming the field."""
    try:
        return fen_of(text)
    except ValueError:
        raise Invalid("a price is written as 12 or 12.50", {field: "write 12 or 12.50"}) from None
