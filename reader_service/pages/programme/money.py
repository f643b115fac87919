"""Amounts and shares that somebody types in the office."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from reader_service.errors import Invalid


def signed_fen(text: str, field: str) -> int:
    """An amount in yuan as fen, below zero where it begins with ``-``; empty is zero. Raises Invalid, naming the
    field."""
    return _hundredfold(text, field, "12.50", "-0.30")


def ten_thousandths(text: str, field: str) -> int:
    """A share in percent with two decimals at most as ten-thousandths; empty is zero. Raises Invalid, naming the
    field."""
    return _hundredfold(text.strip().removesuffix("%"), field, "1.5", "-0.75")


def _hundredfold(text: str, field: str, first: str, second: str) -> int:
    written = text.strip() or "0"
    try:
        value = Decimal(written) * 100
        whole = int(value)
    except (InvalidOperation, ValueError, OverflowError):
        whole, value = 0, Decimal("NaN")
    if value != whole or not written.isascii() or abs(whole) > 10**12:
        raise Invalid(f"write {first} or {second}", {field: f"write {first} or {second}"})
    return whole
