"""The data elements of the member application, as rows of the table of data elements.

Elements that mean the same as in EMV have EMV's tags (EMV 4.4 Book 3, annex A); DF2x and DF3x are the application's own
(docs/card-layout.md); 9F61 and 9F62 are those of PBOC (JR/T 0025.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, TypeVar

from terminal.emv.data import tags
from terminal.emv.data.cvm_list import CvmList, CvmRule
from terminal.emv.data.dictionary import STANDARD, Dictionary
from terminal.emv.data.elements.codecs import Count, Day, Digits, KeyIndex, Number, Raw
from terminal.emv.data.elements.element import Codec, Element, Personal, Source, Vectors
from terminal.emv.data.elements.structures import CvmListCodec, DataObjects
from terminal.member import codecs
from terminal.member.cvr import MemberData
from terminal.tlv import Dol, DolFormat, Tag

T = TypeVar("T")

MEMBER_AID: Final = bytes.fromhex("F04D454D4245520101")
MEMBER_SCHEME: Final = "member"
AN, ANS, B, CN, N = DolFormat.AN, DolFormat.ANS, DolFormat.B, DolFormat.CN, DolFormat.N


def _row(
    tag: int,
    name: str,
    form: DolFormat,
    sizes: tuple[int, int],
    codec: type[Codec[T]],
    personal: Personal = Personal.NO,
) -> Element[T]:
    """``sizes`` are the least and the most bytes."""
    records = (tags.TAG_70_RECORD,)
    return Element(Tag(tag), name, form, *sizes, Source.CARD, records, codec, MEMBER_SCHEME, personal)


CARD_NUMBER = _row(tags.TAG_5A_PAN, "member card number", CN, (6, 10), codecs.MemberCardNumber, Personal.PAN)
SEQUENCE = _row(tags.TAG_5F34_PAN_SEQUENCE, "card sequence number", N, (1, 1), Number)
EXPIRY_DATE = _row(tags.TAG_5F24_EXPIRATION_DATE, "card expiry date", N, (3, 3), Day)
EFFECTIVE_DATE = _row(tags.TAG_5F25_EFFECTIVE_DATE, "card effective date", N, (3, 3), Day)
CARDHOLDER_NAME = _row(tags.TAG_5F20_CARDHOLDER_NAME, "cardholder name", ANS, (2, 26), Raw, Personal.HIDDEN)
CDOL1 = _row(tags.TAG_8C_CDOL1, "card risk management data object list 1", B, (1, 252), DataObjects)
CDOL2 = _row(tags.TAG_8D_CDOL2, "card risk management data object list 2", B, (1, 252), DataObjects)
DDOL = _row(tags.TAG_9F49_DDOL, "dynamic data object list", B, (1, 252), DataObjects)
PDOL = _row(tags.TAG_9F38_PDOL, "processing options data object list", B, (1, 252), DataObjects)
CVM_LIST = _row(tags.TAG_8E_CVM_LIST, "cardholder verification method list", B, (8, 252), CvmListCodec)
CA_KEY_INDEX = _row(tags.TAG_8F_CA_KEY_INDEX, "scheme CA public key index", B, (1, 1), KeyIndex)
ISSUER_CERTIFICATE = _row(tags.TAG_90_ISSUER_CERTIFICATE, "issuer public key certificate", B, (64, 248), Raw)
ISSUER_REMAINDER = _row(tags.TAG_92_ISSUER_REMAINDER, "issuer public key remainder", B, (1, 248), Raw)
STATIC_SIGNATURE = _row(tags.TAG_93_SIGNED_STATIC_DATA, "signed static application data", B, (64, 248), Raw)
ISSUER_EXPONENT = _row(tags.TAG_9F32_ISSUER_EXPONENT, "issuer public key exponent", B, (1, 3), Raw)
ICC_CERTIFICATE = _row(tags.TAG_9F46_ICC_CERTIFICATE, "card public key certificate", B, (64, 248), Raw, Personal.HIDDEN)
ICC_EXPONENT = _row(tags.TAG_9F47_ICC_EXPONENT, "card public key exponent", B, (1, 3), Raw)
ICC_REMAINDER = _row(tags.TAG_9F48_ICC_REMAINDER, "card public key remainder", B, (1, 248), Raw)
STATIC_TAG_LIST = _row(tags.TAG_9F4A_STATIC_TAG_LIST, "static data authentication tag list", B, (0, 252), Raw)
DYNAMIC_SIGNATURE = _row(tags.TAG_9F4B_SIGNED_DYNAMIC_DATA, "signed dynamic application data", B, (64, 248), Raw)
USAGE_CONTROL = _row(tags.TAG_9F07_USAGE_CONTROL, "application usage control", B, (2, 2), Raw)
VERSION = _row(tags.TAG_9F08_CARD_VERSION, "application version number", B, (2, 2), Raw)
TRANSACTION_COUNTER = _row(tags.TAG_9F36_ATC, "application transaction counter", B, (2, 2), Count)
PIN_TRIES = _row(tags.TAG_9F17_PIN_TRY_COUNTER, "PIN tries left", B, (1, 1), Count)
MEMBER_NUMBER = _row(0xDF21, "member number", N, (6, 6), Digits, Personal.HIDDEN)
UNIT_CODE = _row(0xDF22, "unit code", AN, (1, 18), codecs.UnitCodeCodec)
UNIT_NAME = _row(0xDF23, "unit name", ANS, (1, 60), codecs.UnitNameText)
MEMBER_NAME = _row(0xDF24, "member name", ANS, (1, 60), codecs.MemberNameText, Personal.HIDDEN)
SEX = _row(0xDF25, "sex", N, (1, 1), codecs.SexCode)
CATEGORY = _row(0xDF26, "member category", B, (1, 1), codecs.CategoryCode)
VALID_THROUGH = _row(0xDF27, "membership valid through", N, (3, 3), Day)
ENTITLEMENTS = _row(0xDF28, "entitlements", B, (0, 240), codecs.EntitlementList)
COVER_ENDS = _row(0xDF29, "protection cover ends", N, (3, 3), Day)
SCHEME = _row(0xDF2A, "scheme", N, (3, 3), Digits)
MASKED_IDENTITY = _row(0xDF2B, "masked identity", AN, (8, 8), codecs.MaskedIdentityText)
ACTIVATED_ON = _row(0xDF2D, "activated on", N, (3, 3), codecs.DayOrNone)
# GET DATA only:
SCRIPT_COUNTER = _row(0xDF2E, "script counter", B, (2, 2), Count)
LAST_REDEMPTION = _row(0xDF2F, "last date of a redemption", N, (3, 3), codecs.DayOrNone)
DATE_SET_BACK = _row(0xDF33, "latest date that was set back", N, (3, 3), codecs.DayOrNone)
LOG_FORMAT = _row(tags.TAG_9F4F_LOG_FORMAT, "log format", B, (1, 252), DataObjects)
# In an answer to GENERATE AC:
ISSUER_DATA = _row(tags.TAG_9F10_IAD, "issuer application data", B, (1, 32), MemberData)
# Readable only inside the secure channel of the read key set:
ID_NUMBER = _row(tags.TAG_9F61_ID_NUMBER, "ID number", AN, (1, 40), codecs.SecretText, Personal.HIDDEN)
ID_TYPE = _row(tags.TAG_9F62_ID_TYPE, "ID type", CN, (1, 1), codecs.IdTypeCode)
MOBILE = _row(0xDF2C, "mobile number", N, (6, 6), codecs.MobileNumber, Personal.HIDDEN)
BENEFIT_CLASS = _row(0xDF31, "benefit class", N, (2, 2), Digits)
QUANTITY = _row(0xDF32, "quantity", B, (1, 1), Count)

ELEMENTS: Final[tuple[Element[Any], ...]] = tuple(row for row in vars().values() if isinstance(row, Element))
"""Every data element of the application."""

VECTORS: Final[Mapping[Element[Any], Vectors]] = MappingProxyType(
    {
        SEQUENCE: (("00", 0), ("01", 1), ("99", 99)),
        EXPIRY_DATE: (("361231", date(2036, 12, 31)), ("491231", date(2049, 12, 31))),
        EFFECTIVE_DATE: (("261122", date(2026, 11, 22)), ("500101", date(1950, 1, 1))),
        CARDHOLDER_NAME: (("5A48414E472F57454920", b"ZHANG/WEI "),),
        CDOL1: (("9F0206DF3102", Dol.of((0x9F02, 6), (0xDF31, 2))),),
        CDOL2: (("8A02", Dol.of((0x8A, 2))),),
        DDOL: (("9F3704", Dol.of((0x9F37, 4))),),
        PDOL: (("9F1A029F3704", Dol.of((0x9F1A, 2), (0x9F37, 4))),),
        CVM_LIST: (("00000000000000001F03", CvmList(0, 0, (CvmRule(0x1F, 3),))),),
        CA_KEY_INDEX: (("01", 1), ("FE", 0xFE)),
        ISSUER_CERTIFICATE: (("AA" * 248, b"\xaa" * 248),),
        ISSUER_REMAINDER: (("0102", b"\x01\x02"),),
        STATIC_SIGNATURE: (("BB" * 176, b"\xbb" * 176),),
        ISSUER_EXPONENT: (("03", b"\x03"), ("010001", b"\x01\x00\x01")),
        ICC_CERTIFICATE: (("CC" * 176, b"\xcc" * 176),),
        ICC_EXPONENT: (("03", b"\x03"),),
        ICC_REMAINDER: (("0102", b"\x01\x02"),),
        STATIC_TAG_LIST: (("82", b"\x82"), ("", b"")),
        DYNAMIC_SIGNATURE: (("DD" * 144, b"\xdd" * 144),),
        USAGE_CONTROL: (("FFC0", b"\xff\xc0"),),
        VERSION: (("0101", b"\x01\x01"),),
        TRANSACTION_COUNTER: (("0000", 0), ("00FF", 255)),
        PIN_TRIES: (("03", 3),),
        MEMBER_NUMBER: (("130000000042", "130000000042"),),
        VALID_THROUGH: (("311231", date(2031, 12, 31)),),
        COVER_ENDS: (("271122", date(2027, 11, 22)),),
        SCHEME: (("130000", "130000"),),
        SCRIPT_COUNTER: (("0000", 0), ("0102", 258)),
        LOG_FORMAT: (("9F36029A03", Dol.of((0x9F36, 2), (0x9A, 3))),),
        ISSUER_DATA: MemberData.VECTORS,
        BENEFIT_CLASS: (("0101", "0101"),),
        QUANTITY: (("01", 1), ("FF", 255)),
    }
)
"""Pairs of encoded hex and value, for the rows whose codec serves other elements too."""

FORMATS: Final = MappingProxyType({**STANDARD.known().formats, **{row.tag: row.format for row in ELEMENTS}})
"""Formats by tag, for filling data object lists: the card's elements and the terminal's."""


def dictionary(aid: bytes = MEMBER_AID) -> Dictionary:
    """EMV, the payment systems, and in member applications, under this AID or the usual one, the elements that only
    they have, and 9F10, whose content each issuer lays down."""
    own = [row for row in ELEMENTS if STANDARD.lookup(row.tag) is None or row is ISSUER_DATA]
    return STANDARD.joined(own, dict.fromkeys((MEMBER_AID[:5], aid[:5]), MEMBER_SCHEME))
