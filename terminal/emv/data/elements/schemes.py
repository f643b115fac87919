"""Data elements that payment systems define, which mean something else, or nothing, in another's application.

PBOC: JR/T 0025.5 and 0025.6 (electronic cash), 0025.12 (contactless), 0025.17 (SM algorithms). Visa: VIS 1.6 and Book
C-3. Mastercard: M/Chip and Book C-2.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from terminal.emv.data.elements import choices, codecs, iad, structures
from terminal.emv.data.elements.annex_a import (
    ANS,
    ANSWER,
    CARD,
    CN,
    LISTED,
    RECORD,
    TERMINAL,
    VAR,
    B,
    N,
    Row,
    elements_of,
)
from terminal.emv.data.elements.element import Element, Personal

_PBOC: Final[tuple[Row, ...]] = (
    (0x9F10, "Issuer Application Data", B, (0, 32), CARD, ANSWER, iad.PbocData),
    (0x9F51, "Application Currency Code", N, (2, 2), CARD, (), codecs.CurrencyCode),
    (0x9F52, "Application Default Action (ADA)", B, (2, 4), CARD, (), codecs.Raw),
    (0x9F53, "Consecutive Transaction Limit (International-Currency)", B, (1, 1), CARD, (), codecs.Count),
    (0x9F54, "Cumulative Total Transaction Amount Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F55, "Geographic Indicator", B, (1, 1), CARD, (), codecs.Raw),
    (0x9F56, "Issuer Authentication Indicator", B, (1, 1), CARD, (), codecs.Raw),
    (0x9F57, "Issuer Country Code", N, (2, 2), CARD, (), codecs.CountryCode),
    (0x9F58, "Lower Consecutive Offline Limit", B, (1, 1), CARD, (), codecs.Count),
    (0x9F59, "Upper Consecutive Offline Limit", B, (1, 1), CARD, (), codecs.Count),
    (0x9F5A, "Issuer URL 2", ANS, (0, VAR), CARD, LISTED, codecs.Text),
    (0x9F5C, "Cumulative Total Transaction Amount Upper Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F5D, "Available Offline Spending Amount", N, (6, 6), CARD, ANSWER, codecs.Amount),
    (0x9F61, "Cardholder ID Number", ANS, (1, 40), CARD, RECORD, codecs.Text),
    (0x9F62, "Cardholder ID Type", CN, (1, 1), CARD, RECORD, choices.CardholderIdType),
    (0x9F63, "Card Product Identification", B, (1, 32), CARD, RECORD, codecs.Raw),
    (0x9F66, "Terminal Transaction Qualifiers", B, (4, 4), TERMINAL, (), codecs.Raw),
    (0x9F68, "Card Additional Processes", B, (4, 4), CARD, (), codecs.Raw),
    (0x9F69, "Card Authentication Related Data", B, (5, 16), CARD, RECORD, codecs.Raw),
    (0x9F6B, "Card CVM Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F6C, "Card Transaction Qualifiers", B, (2, 2), CARD, ANSWER, codecs.Raw),
    (0x9F6D, "Electronic Cash Reset Threshold", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F72, "Consecutive Transaction Limit (International-Country)", B, (1, 1), CARD, (), codecs.Count),
    (0x9F73, "Currency Conversion Factor", N, (4, 4), CARD, (), codecs.Digits),
    (
        0x9F74,
        "Electronic Cash Issuer Authorization Code",
        ANS,
        (6, 6),
        CARD,
        RECORD,
        codecs.Text,
    ),
    (0x9F75, "Cumulative Total Transaction Amount Limit (Dual Currency)", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F76, "Secondary Application Currency Code", N, (2, 2), CARD, (), codecs.CurrencyCode),
    (0x9F77, "Electronic Cash Balance Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F78, "Electronic Cash Single Transaction Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F79, "Electronic Cash Balance", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F7A, "Electronic Cash Terminal Support Indicator", N, (1, 1), TERMINAL, (), choices.EcSupport),
    (0x9F7B, "Electronic Cash Terminal Transaction Limit", N, (6, 6), TERMINAL, (), codecs.Amount),
    (0xDF4D, "Load Log Entry", B, (2, 2), CARD, LISTED, choices.LogEntry),
    (0xDF4F, "Load Log Format", B, (0, VAR), CARD, (), structures.DataObjects),
    (0xDF60, "CAPP Transaction Indicator", B, (1, 1), TERMINAL, (), codecs.Raw),
    (0xDF61, "Segmented Deduction Application Identifier", B, (1, 1), CARD, LISTED, codecs.Raw),
    (0xDF62, "Electronic Cash Segmented Deduction Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0xDF63, "Electronic Cash Segmented Deduction Amount", N, (6, 6), CARD, (), codecs.Amount),
    (0xDF69, "SM Algorithm Support Indicator", B, (1, 1), TERMINAL, (), choices.SmSupport),
    (0xDF71, "Second Electronic Cash Currency Code", N, (2, 2), CARD, (), codecs.CurrencyCode),
    (0xDF72, "Second Currency Card CVM Limit", N, (6, 6), CARD, (), codecs.SecondAmount),
    (0xDF76, "Second Electronic Cash Reset Threshold", N, (6, 6), CARD, (), codecs.SecondAmount),
    (0xDF77, "Second Electronic Cash Balance Limit", N, (6, 6), CARD, (), codecs.SecondAmount),
    (0xDF78, "Second Electronic Cash Single Transaction Limit", N, (6, 6), CARD, (), codecs.SecondAmount),
    (0xDF79, "Second Electronic Cash Balance", N, (6, 6), CARD, (), codecs.SecondAmount),
)

_VISA: Final[tuple[Row, ...]] = (
    (0x9F10, "Issuer Application Data", B, (0, 32), CARD, ANSWER, iad.VisaData),
    (0x9F51, "Application Currency Code", N, (2, 2), CARD, (), codecs.CurrencyCode),
    (0x9F52, "Application Default Action (ADA)", B, (2, 6), CARD, (), codecs.Raw),
    (0x9F53, "Consecutive Transaction Limit (International)", B, (1, 1), CARD, (), codecs.Count),
    (0x9F54, "Cumulative Total Transaction Amount Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F55, "Geographic Indicator", B, (1, 1), CARD, (), codecs.Raw),
    (0x9F56, "Issuer Authentication Indicator", B, (1, 1), CARD, (), codecs.Raw),
    (0x9F57, "Issuer Country Code", N, (2, 2), CARD, (), codecs.CountryCode),
    (0x9F58, "Lower Consecutive Offline Limit", B, (1, 1), CARD, (), codecs.Count),
    (0x9F59, "Upper Consecutive Offline Limit", B, (1, 1), CARD, (), codecs.Count),
    (0x9F5A, "Application Program Identifier", B, (1, 16), CARD, LISTED, codecs.Raw),
    (0x9F5C, "Cumulative Total Transaction Amount Upper Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F5D, "Available Offline Spending Amount (AOSA)", N, (6, 6), CARD, ANSWER, codecs.Amount),
    (0x9F66, "Terminal Transaction Qualifiers (TTQ)", B, (4, 4), TERMINAL, (), codecs.Raw),
    (0x9F68, "Card Additional Processes", B, (4, 4), CARD, (), codecs.Raw),
    (0x9F69, "Card Authentication Related Data", B, (5, 16), CARD, RECORD, codecs.Raw),
    (0x9F6B, "Card CVM Limit", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F6C, "Card Transaction Qualifiers (CTQ)", B, (2, 2), CARD, ANSWER, codecs.Raw),
    (0x9F6E, "Form Factor Indicator (FFI)", B, (4, 4), CARD, ANSWER, codecs.Raw),
    (0x9F72, "Consecutive Transaction Limit (International-Country)", B, (1, 1), CARD, (), codecs.Count),
    (0x9F73, "Currency Conversion Factor", N, (4, 5), CARD, (), codecs.Digits),
    (0x9F7C, "Customer Exclusive Data (CED)", B, (0, 32), CARD, ANSWER, codecs.Raw),
)

_MASTERCARD: Final[tuple[Row, ...]] = (
    (0x56, "Track 1 Data", ANS, (0, 76), CARD, RECORD, codecs.Text),
    (0x9F10, "Issuer Application Data", B, (0, 32), CARD, ANSWER, iad.MchipData),
    (0x9F50, "Offline Accumulator Balance", N, (6, 6), CARD, (), codecs.Amount),
    (0x9F51, "DRDOL", B, (0, 250), CARD, RECORD, structures.DataObjects),
    (0x9F53, "Transaction Category Code", ANS, (1, 1), TERMINAL, (), codecs.Text),
    (0x9F5B, "DSDOL", B, (0, 250), CARD, RECORD, structures.DataObjects),
    (0x9F5D, "Application Capabilities Information", B, (3, 3), CARD, LISTED, codecs.Raw),
    (0x9F60, "CVC3 (Track1)", B, (2, 2), CARD, (0x77,), codecs.Raw),
    (0x9F61, "CVC3 (Track2)", B, (2, 2), CARD, (0x77,), codecs.Raw),
    (0x9F62, "PCVC3 (Track1)", B, (6, 6), CARD, RECORD, codecs.Raw),
    (0x9F63, "PUNATC (Track1)", B, (6, 6), CARD, RECORD, codecs.Raw),
    (0x9F64, "NATC (Track1)", B, (1, 1), CARD, RECORD, codecs.Count),
    (0x9F65, "PCVC3 (Track2)", B, (2, 2), CARD, RECORD, codecs.Raw),
    (0x9F66, "PUNATC (Track2)", B, (2, 2), CARD, RECORD, codecs.Raw),
    (0x9F67, "NATC (Track2)", B, (1, 1), CARD, RECORD, codecs.Count),
    (0x9F69, "UDOL", B, (0, 250), CARD, RECORD, structures.DataObjects),
    (0x9F6A, "Unpredictable Number (Numeric)", N, (4, 4), TERMINAL, (), codecs.Digits),
    (0x9F6B, "Track 2 Data", B, (0, 19), CARD, RECORD, structures.Track2Data),
    (0x9F6C, "Mag-stripe Application Version Number (Card)", B, (2, 2), CARD, RECORD, codecs.Raw),
    (0x9F6D, "Mag-stripe Application Version Number (Reader)", B, (2, 2), TERMINAL, (), codecs.Raw),
    (0x9F6E, "Third Party Data", B, (5, 32), CARD, LISTED, codecs.Raw),
    (0x9F7C, "Merchant Custom Data", B, (20, 20), TERMINAL, (), codecs.Raw),
    (0x9F7E, "Mobile Support Indicator", B, (1, 1), TERMINAL, (), codecs.Raw),
)

SCHEMES: Final = MappingProxyType(
    {
        bytes.fromhex("A000000333"): "PBOC",
        bytes.fromhex("A000000632"): "PBOC",
        bytes.fromhex("A000000003"): "Visa",
        bytes.fromhex("A000000004"): "Mastercard",
    }
)
"""Schemes by the beginning of an application identifier. JT/T 978 cards follow PBOC."""

SCHEME_ELEMENTS: Final[tuple[Element[Any], ...]] = (
    *elements_of(_PBOC, "PBOC", {0x9F61: Personal.HIDDEN}, False),
    *elements_of(_VISA, "Visa", {}, False),
    *elements_of(_MASTERCARD, "Mastercard", {0x56: Personal.HIDDEN, 0x9F6B: Personal.HIDDEN}, False),
)
