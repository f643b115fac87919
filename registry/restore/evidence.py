"""What numbers on cards and lists say of the time since a backup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from registry.values import HotlistEntry

REJECTED: Final = "rejected"
"""Reason of hotlist entries: the chip failed, or nobody knows where it is."""


def serial_of(number: str, prefix: str, length: int, *, check_digit: bool = False) -> int | None:
    """The serial in a number of that prefix and length; None for another number."""
    if len(number) != length or not number.startswith(prefix):
        return None
    serial = number[len(prefix) : len(number) - check_digit]
    return int(serial) if serial.isascii() and serial.isdigit() else None


def orphans(card_numbers: Sequence[str], listed: Sequence[HotlistEntry], at: datetime) -> list[HotlistEntry]:
    """Entries that refuse cards of these numbers: the first of each, and the one after each that was rejected."""
    wanted = set(card_numbers)
    remade = [
        HotlistEntry(entry.card_number, entry.sequence + 1, REJECTED, at)
        for entry in listed
        if entry.card_number in wanted and entry.reason == REJECTED
    ]
    return [HotlistEntry(number, 1, REJECTED, at) for number in card_numbers] + remade
