"""Every data element of EMV 4.4 Book 3, Annex A, by tag, and 9F5B of Book 4, Annex A5.

Lengths are bytes; ``VAR`` is where the specification sets no limit of its own. Where Annex A says "var." for a format,
it is that of the content. Biometric elements that share a tag with others mean what they say in their templates only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from terminal.emv.data.elements import choices, codecs, iad, structures
from terminal.emv.data.elements.element import Codec, Element, Personal, Source
from terminal.tlv import DolFormat, Tag

VAR: Final = 0xFFFF
A, AN, ANS, B, CN, N = DolFormat.A, DolFormat.AN, DolFormat.ANS, DolFormat.B, DolFormat.CN, DolFormat.N
CARD, TERMINAL, ISSUER = Source.CARD, Source.TERMINAL, Source.ISSUER
RECORD: Final = (0x70, 0x77)
ANSWER: Final = (0x77, 0x80)
LISTED: Final = (0xBF0C, 0x73)
CERTIFICATE: Final = 248
"""The longest RSA key of EMV, and so the longest certificate and remainder. EMV 4.4 Book 2, Annex B2.1."""

Row = tuple[int, str, DolFormat, tuple[int, int], Source, tuple[int, ...], type[Codec[Any]]]

_ROWS: Final[tuple[Row, ...]] = (
    (0x42, "Issuer Identification Number (IIN)", N, (3, 3), CARD, LISTED, codecs.Digits),
    (0x4F, "Application Dedicated File (ADF) Name", B, (5, 16), CARD, (0x61,), codecs.AidCodec),
    (0x50, "Application Label", ANS, (1, 16), CARD, (0x61, 0xA5), codecs.Text),
    (0x57, "Track 2 Equivalent Data", B, (5, 19), CARD, RECORD, structures.Track2Data),
    (0x5A, "Application Primary Account Number (PAN)", CN, (1, 10), CARD, RECORD, structures.Pan),
    (0x5F20, "Cardholder Name", ANS, (2, 26), CARD, RECORD, codecs.Text),
    (0x5F24, "Application Expiration Date", N, (3, 3), CARD, RECORD, codecs.Day),
    (0x5F25, "Application Effective Date", N, (3, 3), CARD, RECORD, codecs.Day),
    (0x5F28, "Issuer Country Code", N, (2, 2), CARD, RECORD, codecs.CountryCode),
    (0x5F2A, "Transaction Currency Code", N, (2, 2), TERMINAL, (), codecs.CurrencyCode),
    (0x5F2D, "Language Preference", AN, (2, 8), CARD, (0xA5,), codecs.Languages),
    (0x5F30, "Service Code", N, (2, 2), CARD, RECORD, structures.ServiceCode),
    (0x5F34, "Application Primary Account Number (PAN) Sequence Number", N, (1, 1), CARD, RECORD, codecs.Number),
    (0x5F36, "Transaction Currency Exponent", N, (1, 1), TERMINAL, (), codecs.Number),
    (0x5F50, "Issuer URL", ANS, (0, VAR), CARD, LISTED, codecs.Text),
    (0x5F53, "International Bank Account Number (IBAN)", AN, (0, 34), CARD, LISTED, codecs.Text),
    (0x5F54, "Bank Identifier Code (BIC)", AN, (8, 11), CARD, LISTED, codecs.Text),
    (0x5F55, "Issuer Country Code (alpha2 format)", A, (2, 2), CARD, LISTED, codecs.CountryLetters),
    (0x5F56, "Issuer Country Code (alpha3 format)", A, (3, 3), CARD, LISTED, codecs.CountryLetters),
    (0x5F57, "Account Type", N, (1, 1), TERMINAL, (), choices.AccountType),
    (0x61, "Application Template", B, (0, 252), CARD, (0x70,), codecs.Template),
    (0x6F, "File Control Information (FCI) Template", B, (0, 252), CARD, (), codecs.Template),
    (0x70, "READ RECORD Response Message Template", B, (0, 252), CARD, (), codecs.Template),
    (0x71, "Issuer Script Template 1", B, (0, VAR), ISSUER, (), codecs.Template),
    (0x72, "Issuer Script Template 2", B, (0, VAR), ISSUER, (), codecs.Template),
    (0x73, "Directory Discretionary Template", B, (0, 252), CARD, (0x61,), codecs.Template),
    (0x77, "Response Message Template Format 2", B, (0, VAR), CARD, (), codecs.Template),
    (0x7F60, "Biometric Information Template (BIT)", B, (0, VAR), CARD, (0xBF4A, 0xBF4B), codecs.Template),
    (0x80, "Response Message Template Format 1", B, (0, VAR), CARD, (), codecs.Raw),
    (0x81, "Amount, Authorised (Binary)", B, (4, 4), TERMINAL, (), codecs.BinaryAmount),
    (0x82, "Application Interchange Profile", B, (2, 2), CARD, ANSWER, structures.AipFlags),
    (0x83, "Command Template", B, (0, VAR), TERMINAL, (), codecs.Raw),
    (0x84, "Dedicated File (DF) Name", B, (5, 16), CARD, (0x6F,), codecs.AidCodec),
    (0x86, "Issuer Script Command", B, (0, 261), ISSUER, (0x71, 0x72), codecs.ScriptCommandCodec),
    (0x87, "Application Priority Indicator", B, (1, 1), CARD, (0x61, 0xA5), choices.PriorityIndicator),
    (0x88, "Short File Identifier (SFI)", B, (1, 1), CARD, (0xA5,), codecs.Count),
    (0x89, "Authorisation Code", AN, (6, 6), ISSUER, (), codecs.Text),
    (0x8A, "Authorisation Response Code", AN, (2, 2), ISSUER, (), choices.ResponseCode),
    (0x8C, "Card Risk Management Data Object List 1 (CDOL1)", B, (0, 252), CARD, RECORD, structures.DataObjects),
    (0x8D, "Card Risk Management Data Object List 2 (CDOL2)", B, (0, 252), CARD, RECORD, structures.DataObjects),
    (0x8E, "Cardholder Verification Method (CVM) List", B, (10, 252), CARD, RECORD, structures.CvmListCodec),
    (0x8F, "Certification Authority Public Key Index", B, (1, 1), CARD, RECORD, codecs.KeyIndex),
    (0x90, "Issuer Public Key Certificate", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x91, "Issuer Authentication Data", B, (8, 16), ISSUER, (), codecs.Raw),
    (0x92, "Issuer Public Key Remainder", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x93, "Signed Static Application Data", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x94, "Application File Locator (AFL)", B, (4, 252), CARD, ANSWER, structures.FileLocator),
    (0x95, "Terminal Verification Results", B, (5, 5), TERMINAL, (), structures.TvrFlags),
    (0x97, "Transaction Certificate Data Object List (TDOL)", B, (0, 252), CARD, RECORD, structures.DataObjects),
    (0x98, "Transaction Certificate (TC) Hash Value", B, (20, 20), TERMINAL, (), codecs.Raw),
    (0x99, "Transaction Personal Identification Number (PIN) Data", B, (0, VAR), TERMINAL, (), codecs.Raw),
    (0x9A, "Transaction Date", N, (3, 3), TERMINAL, (), codecs.Day),
    (0x9B, "Transaction Status Information", B, (2, 2), TERMINAL, (), structures.TsiFlags),
    (0x9C, "Transaction Type", N, (1, 1), TERMINAL, (), choices.TransactionType),
    (0x9D, "Directory Definition File (DDF) Name", B, (5, 16), CARD, (0x61,), codecs.AidCodec),
    (0x9F01, "Acquirer Identifier", N, (6, 6), TERMINAL, (), codecs.Digits),
    (0x9F02, "Amount, Authorised (Numeric)", N, (6, 6), TERMINAL, (), codecs.Amount),
    (0x9F03, "Amount, Other (Numeric)", N, (6, 6), TERMINAL, (), codecs.Amount),
    (0x9F04, "Amount, Other (Binary)", B, (4, 4), TERMINAL, (), codecs.BinaryAmount),
    (0x9F05, "Application Discretionary Data", B, (1, 32), CARD, RECORD, codecs.Raw),
    (0x9F06, "Application Identifier (AID) - terminal", B, (5, 16), TERMINAL, (), codecs.AidCodec),
    (0x9F07, "Application Usage Control", B, (2, 2), CARD, RECORD, structures.AucFlags),
    (0x9F08, "Application Version Number", B, (2, 2), CARD, RECORD, codecs.Raw),
    (0x9F09, "Application Version Number", B, (2, 2), TERMINAL, (), codecs.Raw),
    (0x9F0A, "Application Selection Registered Proprietary Data", B, (0, VAR), CARD, (0x73, 0xBF0C), codecs.Raw),
    (0x9F0B, "Cardholder Name Extended", ANS, (27, 45), CARD, RECORD, codecs.Text),
    (0x9F0C, "Issuer Identification Number Extended (IINE)", N, (3, 4), CARD, LISTED, codecs.Digits),
    (0x9F0D, "Issuer Action Code - Default", B, (5, 5), CARD, RECORD, structures.TvrFlags),
    (0x9F0E, "Issuer Action Code - Denial", B, (5, 5), CARD, RECORD, structures.TvrFlags),
    (0x9F0F, "Issuer Action Code - Online", B, (5, 5), CARD, RECORD, structures.TvrFlags),
    (0x9F10, "Issuer Application Data", B, (0, 32), CARD, ANSWER, iad.CommonCoreData),
    (0x9F11, "Issuer Code Table Index", N, (1, 1), CARD, (0xA5,), choices.CodeTable),
    (0x9F12, "Application Preferred Name", ANS, (1, 16), CARD, (0x61, 0xA5), codecs.Text),
    (0x9F13, "Last Online Application Transaction Counter (ATC) Register", B, (2, 2), CARD, (), codecs.Count),
    (0x9F14, "Lower Consecutive Offline Limit", B, (1, 1), CARD, RECORD, codecs.Count),
    (0x9F15, "Merchant Category Code", N, (2, 2), TERMINAL, (), codecs.Digits),
    (0x9F16, "Merchant Identifier", ANS, (15, 15), TERMINAL, (), codecs.Text),
    (0x9F17, "Personal Identification Number (PIN) Try Counter", B, (1, 1), CARD, (), codecs.Count),
    (0x9F18, "Issuer Script Identifier", B, (4, 4), ISSUER, (0x71, 0x72), codecs.Raw),
    (0x9F19, "Token Requestor ID", N, (6, 6), CARD, RECORD, codecs.Digits),
    (0x9F1A, "Terminal Country Code", N, (2, 2), TERMINAL, (), codecs.CountryCode),
    (0x9F1B, "Terminal Floor Limit", B, (4, 4), TERMINAL, (), codecs.BinaryAmount),
    (0x9F1C, "Terminal Identification", AN, (8, 8), TERMINAL, (), codecs.Text),
    (0x9F1D, "Terminal Risk Management Data", B, (1, 8), TERMINAL, (), codecs.Raw),
    (0x9F1E, "Interface Device (IFD) Serial Number", AN, (8, 8), TERMINAL, (), codecs.Text),
    (0x9F1F, "Track 1 Discretionary Data", ANS, (0, VAR), CARD, RECORD, codecs.Text),
    (0x9F20, "Track 2 Discretionary Data", CN, (0, VAR), CARD, RECORD, codecs.CompressedDigits),
    (0x9F21, "Transaction Time", N, (3, 3), TERMINAL, (), codecs.Clock),
    (0x9F22, "Certification Authority Public Key Index", B, (1, 1), TERMINAL, (), codecs.KeyIndex),
    (0x9F23, "Upper Consecutive Offline Limit", B, (1, 1), CARD, RECORD, codecs.Count),
    (0x9F24, "Payment Account Reference (PAR)", AN, (29, 29), CARD, RECORD, codecs.Text),
    (0x9F25, "Last 4 Digits of PAN", N, (2, 2), CARD, RECORD, codecs.Digits),
    (0x9F26, "Application Cryptogram", B, (8, 8), CARD, ANSWER, codecs.Raw),
    (0x9F27, "Cryptogram Information Data", B, (1, 1), CARD, ANSWER, choices.CryptogramInformation),
    (0x9F2D, "ICC PIN Encipherment or ODE Public Key Certificate", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x9F2E, "ICC PIN Encipherment Public Key Exponent", B, (1, 3), CARD, RECORD, codecs.Count),
    (0x9F2F, "ICC PIN Encipherment Public Key Remainder", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x9F30, "Biometric Terminal Capabilities", B, (3, 3), TERMINAL, (), structures.BiometricFlags),
    (0x9F31, "Card BIT Group Template", B, (0, VAR), CARD, (0x70,), codecs.Template),
    (0x9F32, "Issuer Public Key Exponent", B, (1, 3), CARD, RECORD, codecs.Count),
    (0x9F33, "Terminal Capabilities", B, (3, 3), TERMINAL, (), structures.CapabilityFlags),
    (0x9F34, "Cardholder Verification Method (CVM) Results", B, (3, 3), TERMINAL, (), structures.CvmResultsCodec),
    (0x9F35, "Terminal Type", N, (1, 1), TERMINAL, (), choices.TerminalType),
    (0x9F36, "Application Transaction Counter (ATC)", B, (2, 2), CARD, ANSWER, codecs.Count),
    (0x9F37, "Unpredictable Number", B, (4, 4), TERMINAL, (), codecs.Raw),
    (0x9F38, "Processing Options Data Object List (PDOL)", B, (0, VAR), CARD, (0xA5,), structures.DataObjects),
    (0x9F39, "Point-of-Service (POS) Entry Mode", N, (1, 1), TERMINAL, (), choices.EntryMode),
    (0x9F3A, "Amount, Reference Currency", B, (4, 4), TERMINAL, (), codecs.ReferenceAmount),
    (0x9F3B, "Application Reference Currency", N, (2, 8), CARD, RECORD, codecs.CurrencyCodes),
    (0x9F3C, "Transaction Reference Currency Code", N, (2, 2), TERMINAL, (), codecs.CurrencyCode),
    (0x9F3D, "Transaction Reference Currency Exponent", N, (1, 1), TERMINAL, (), codecs.Number),
    (0x9F40, "Additional Terminal Capabilities", B, (5, 5), TERMINAL, (), structures.AdditionalFlags),
    (0x9F41, "Transaction Sequence Counter", N, (2, 4), TERMINAL, (), codecs.Digits),
    (0x9F42, "Application Currency Code", N, (2, 2), CARD, RECORD, codecs.CurrencyCode),
    (0x9F43, "Application Reference Currency Exponent", N, (1, 4), CARD, RECORD, codecs.Digits),
    (0x9F44, "Application Currency Exponent", N, (1, 1), CARD, RECORD, codecs.Number),
    (0x9F45, "Data Authentication Code", B, (2, 2), CARD, (), codecs.Raw),
    (0x9F46, "ICC Public Key Certificate", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x9F47, "ICC Public Key Exponent", B, (1, 3), CARD, RECORD, codecs.Count),
    (0x9F48, "ICC Public Key Remainder", B, (1, CERTIFICATE), CARD, RECORD, codecs.Raw),
    (0x9F49, "Dynamic Data Authentication Data Object List (DDOL)", B, (0, 252), CARD, RECORD, structures.DataObjects),
    (0x9F4A, "Static Data Authentication Tag List", B, (0, VAR), CARD, RECORD, structures.TagList),
    (0x9F4B, "Signed Dynamic Application Data", B, (1, CERTIFICATE), CARD, ANSWER, codecs.Raw),
    (0x9F4C, "ICC Dynamic Number", B, (2, 8), CARD, (), codecs.Raw),
    (0x9F4D, "Log Entry", B, (2, 2), CARD, LISTED, choices.LogEntry),
    (0x9F4E, "Merchant Name and Location", ANS, (0, VAR), TERMINAL, (), codecs.Text),
    (0x9F4F, "Log Format", B, (0, VAR), CARD, (), structures.DataObjects),
    (0x9F5B, "Issuer Script Results", B, (0, VAR), TERMINAL, (), structures.ScriptResults),
    (0xA1, "Biometric Header Template (BHT)", B, (0, VAR), CARD, (0x7F60,), codecs.Template),
    (0xA5, "File Control Information (FCI) Proprietary Template", B, (0, VAR), CARD, (0x6F,), codecs.Template),
    (0xBF0C, "FCI Issuer Discretionary Data", B, (0, 222), CARD, (0xA5,), codecs.Template),
    (0xBF4A, "Offline BIT Group Template", B, (0, VAR), CARD, (0x9F31,), codecs.Template),
    (0xBF4B, "Online BIT Group Template", B, (0, VAR), CARD, (0x9F31,), codecs.Template),
    (0xBF4C, "Biometric Try Counters Template", B, (0, VAR), CARD, (), codecs.Template),
    (0xBF4D, "Preferred Attempts Template", B, (0, VAR), CARD, (), codecs.Template),
    (0xBF4E, "Biometric Verification Data Template", B, (0, VAR), TERMINAL, (), codecs.Template),
)

_INSIDE: Final[tuple[Row, ...]] = (
    (0x81, "Biometric Type", B, (1, 3), CARD, (0xA1, 0xBF4E), codecs.Raw),
    (0x82, "Biometric Subtype", B, (1, 1), CARD, (0xA1,), codecs.Raw),
    (0x90, "Biometric Solution ID", B, (0, VAR), CARD, (0xA1, 0xBF4E), codecs.Raw),
    (0xDF50, "Facial Try Counter", B, (1, 1), CARD, (0xBF4C,), codecs.Count),
    (0xDF51, "Finger Try Counter", B, (1, 1), CARD, (0xBF4C,), codecs.Count),
    (0xDF52, "Iris Try Counter", B, (1, 1), CARD, (0xBF4C,), codecs.Count),
    (0xDF53, "Palm Try Counter", B, (1, 1), CARD, (0xBF4C,), codecs.Count),
    (0xDF54, "Voice Try Counter", B, (1, 1), CARD, (0xBF4C,), codecs.Count),
    (0xDF50, "Preferred Facial Attempts", B, (1, 1), CARD, (0xBF4D,), codecs.Count),
    (0xDF51, "Preferred Finger Attempts", B, (1, 1), CARD, (0xBF4D,), codecs.Count),
    (0xDF52, "Preferred Iris Attempts", B, (1, 1), CARD, (0xBF4D,), codecs.Count),
    (0xDF53, "Preferred Palm Attempts", B, (1, 1), CARD, (0xBF4D,), codecs.Count),
    (0xDF54, "Preferred Voice Attempts", B, (1, 1), CARD, (0xBF4D,), codecs.Count),
    (0xDF50, "Enciphered Biometric Key Seed", B, (0, VAR), TERMINAL, (0xBF4E,), codecs.Raw),
    (0xDF51, "Enciphered Biometric Data", B, (0, VAR), TERMINAL, (0xBF4E,), codecs.Raw),
    (0xDF52, "MAC of Enciphered Biometric Data", B, (8, 8), TERMINAL, (0xBF4E,), codecs.Raw),
)
"""Elements that mean this inside those templates only."""

PERSONAL: Final = {0x5A: Personal.PAN} | dict.fromkeys(
    (0x57, 0x5F20, 0x5F53, 0x99, 0x9F0B, 0x9F1F, 0x9F20, 0x9F24, 0x9F2D, 0x9F46), Personal.HIDDEN
)
"""The card's certificates too: they hold the card number, in plain (SM2) or recoverable with the public keys (RSA)."""


def elements_of(
    rows: tuple[Row, ...], scheme: str, personal: dict[int, Personal], contextual: bool
) -> Iterator[Element[Any]]:
    """The elements of table rows."""
    for number, name, form, (least, most), source, template, codec in rows:
        hidden = personal.get(number, Personal.NO)
        yield Element(
            Tag(number), name, form, least, most, source, template, codec, scheme, hidden, contextual=contextual
        )


ANNEX_A: Final = (*elements_of(_ROWS, "EMV", PERSONAL, False), *elements_of(_INSIDE, "EMV", PERSONAL, True))
"""In the order of their tags, contextual ones last."""
