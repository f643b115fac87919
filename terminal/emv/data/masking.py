"""Primary account numbers as they may be shown. ISO/IEC 7812-1:2017, 4.1; PCI DSS 4.0, 3.4.1."""

from __future__ import annotations


def masked_pan(digits: str, *, short: bool = False) -> str:
    """First six and last four digits; fewer than 13 digits are masked but for the last four.

    The digits between become asterisks, one each, or with ``short`` one ellipsis.
    """
    start = digits[:6] if len(digits) >= 13 else ""
    hidden = max(0, len(digits) - len(start) - 4)
    return f"{start}{'…' if short else '*' * hidden}{digits[-4:] if len(digits) > 4 else '****'}"
