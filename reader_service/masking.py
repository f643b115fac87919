"""Masking of the numbers of persons and cards in texts for callers and logs."""

from __future__ import annotations

import re
from typing import Final

from registry.db.privacy import scrub
from terminal.emv.data.masking import masked_pan

_CARD: Final = re.compile(r"(?<!\d)\d{13,19}(?!\d)")
"""13 to 19 digits (ISO/IEC 7812-1, 4.1). A chip's serial has 20."""


def masked(text: str) -> str:
    """Mask ID and phone numbers except for the last four digits, card numbers except for the first six and
    last four."""
    return _CARD.sub(lambda number: masked_pan(number[0], short=True), scrub(text))
