"""Data elements of the contactless kernel 2 that no other application defines: EMV Contactless Book C-2 2.10, Annex A.

Its templates have the only tags that begin with FF; the others are settings and signals of the kernel, shown as bytes.
"""

from __future__ import annotations

from typing import Any, Final

from terminal.emv.data.elements import codecs
from terminal.emv.data.elements.annex_a import TERMINAL, VAR, B, N, Row, elements_of
from terminal.emv.data.elements.element import Element

_TEMPLATES: Final[tuple[Row, ...]] = tuple(
    (tag, name, B, (0, VAR), TERMINAL, (), codecs.Template)
    for tag, name in (
        (0xFF8101, "Torn Record"),
        (0xFF8102, "Tags To Write Before Gen AC"),
        (0xFF8103, "Tags To Write After Gen AC"),
        (0xFF8104, "Data To Send"),
        (0xFF8105, "Data Record"),
        (0xFF8106, "Discretionary Data"),
    )
)
_AMOUNTS: Final[tuple[Row, ...]] = tuple(
    (tag, name, N, (6, 6), TERMINAL, (), codecs.Amount)
    for tag, name in (
        (0xDF8104, "Balance Read Before Gen AC"),
        (0xDF8105, "Balance Read After Gen AC"),
        (0xDF8123, "Reader Contactless Floor Limit"),
        (0xDF8124, "Reader Contactless Transaction Limit (No On-device CVM)"),
        (0xDF8125, "Reader Contactless Transaction Limit (On-device CVM)"),
        (0xDF8126, "Reader CVM Required Limit"),
    )
)
_BYTES: Final[tuple[Row, ...]] = tuple(
    (tag, name, B, (0, VAR), TERMINAL, (), codecs.Raw)
    for tag, name in (
        (0xDF8106, "Data Needed"),
        (0xDF8107, "CDOL1 Related Data"),
        (0xDF8108, "DS AC Type"),
        (0xDF8109, "DS Input (Term)"),
        (0xDF810A, "DS ODS Info For Reader"),
        (0xDF810B, "DS Summary Status"),
        (0xDF810C, "Kernel ID"),
        (0xDF810D, "DSVN Term"),
        (0xDF810E, "Post-Gen AC Put Data Status"),
        (0xDF810F, "Pre-Gen AC Put Data Status"),
        (0xDF8110, "Proceed To First Write Flag"),
        (0xDF8111, "PDOL Related Data"),
        (0xDF8112, "Tags To Read"),
        (0xDF8113, "DRDOL Related Data"),
        (0xDF8114, "Reference Control Parameter"),
        (0xDF8115, "Error Indication"),
        (0xDF8116, "User Interface Request Data"),
        (0xDF8117, "Card Data Input Capability"),
        (0xDF8118, "CVM Capability - CVM Required"),
        (0xDF8119, "CVM Capability - No CVM Required"),
        (0xDF811A, "Default UDOL"),
        (0xDF811B, "Kernel Configuration"),
        (0xDF811C, "Max Lifetime of Torn Transaction Log Record"),
        (0xDF811D, "Max Number of Torn Transaction Log Records"),
        (0xDF811E, "Mag-stripe CVM Capability - CVM Required"),
        (0xDF811F, "Security Capability"),
        (0xDF8120, "Terminal Action Code - Default"),
        (0xDF8121, "Terminal Action Code - Denial"),
        (0xDF8122, "Terminal Action Code - Online"),
        (0xDF8127, "Time Out Value"),
        (0xDF8128, "IDS Status"),
        (0xDF8129, "Outcome Parameter Set"),
        (0xDF812C, "Mag-stripe CVM Capability - No CVM Required"),
        (0xDF812D, "Message Hold Time"),
        (0xDF8130, "Hold Time Value"),
        (0xDF8131, "Phone Message Table"),
    )
)

BOOK_C2: Final[tuple[Element[Any], ...]] = tuple(elements_of((*_TEMPLATES, *_AMOUNTS, *_BYTES), "EMV", {}, False))
"""Known without an application: their numbers mean nothing else in EMV or PBOC."""
