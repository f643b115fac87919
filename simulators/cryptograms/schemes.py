"""Cryptogram versions: keys, covered data, padding and ARPC method of each.

EMV 4.4 leaves these to the card schemes; a card states its version in the issuer application data (9F10). Sources:
EMV 4.4 Book 2, chapters 8 and 9; Visa Integrated Circuit Card Specification, appendix D; JR/T 0025.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from terminal.errors import CodecError


class Cipher(StrEnum):
    TDES = "3des"
    SM4 = "sm4"


class SessionKeyMethod(StrEnum):
    """How a session key is derived from a card key."""

    NONE = "none"  # the card key itself
    XOR = "xor"  # card key xor (ATC, its complement): Visa's secure messaging
    COMMON = "common"  # EMV 4.4 Book 2, A1.3.1
    ATC = "atc"  # ATC and its complement enciphered: PBOC


class Fold(StrEnum):
    """How a block of 16 bytes of SM4 is reduced to a cryptogram of 8."""

    XOR = "xor"
    LEFT = "left"


class PinForm(StrEnum):
    """The PIN block inside a PIN CHANGE command."""

    ISO2 = "iso2"  # ISO 9564-1 format 2
    VIS = "vis"  # combined with the card's cryptogram key


class CoveredIssuerData(StrEnum):
    """The part of 9F10 that a cryptogram covers."""

    CVR = "cvr"  # the card verification results
    CVR_BYTE = "cvr-byte"  # the second byte of the CVR
    WHOLE = "whole"


class Encipherment(StrEnum):
    """Encipherment of confidential script data."""

    EMV = "emv"  # padding 80 00.. always, CBC: EMV 4.4 Book 2, 9.3
    LENGTH = "length"  # length byte, data, padding 80 00.. always, ECB: Visa
    PBOC = "pboc"  # the same, padded only to fill a block


AC_TAGS: Final = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36)
"""Data covered by a cryptogram, in this order, followed by data of the card. EMV 4.4 Book 2, 8.1.1, table 26."""
SHORT_AC_TAGS: Final = (0x9F02, 0x9F37, 0x9F36)
"""The same for Visa's cryptogram version 17."""


@dataclass(frozen=True, slots=True)
class IssuerScheme:
    """Parameters of cryptograms and script commands.

    ``ac_padding`` is a method of ISO/IEC 9797-1; ``arpc`` is method 1 or 2; ``mac_length`` of script MACs is 4 to 8.
    """

    name: str
    cipher: Cipher
    ac_session: SessionKeyMethod
    sm_session: SessionKeyMethod
    ac_padding: int = 2
    tags: tuple[int, ...] = AC_TAGS
    covered_data: CoveredIssuerData = CoveredIssuerData.CVR
    arpc: int = 1
    encipherment: Encipherment = Encipherment.LENGTH
    pin_form: PinForm = PinForm.VIS
    fold: Fold = Fold.XOR
    mac_length: int = 4


CVN10: Final = IssuerScheme("cvn10", Cipher.TDES, SessionKeyMethod.NONE, SessionKeyMethod.XOR, ac_padding=1)
CVN17: Final = IssuerScheme(
    "cvn17",
    Cipher.TDES,
    SessionKeyMethod.NONE,
    SessionKeyMethod.XOR,
    ac_padding=1,
    tags=SHORT_AC_TAGS,
    covered_data=CoveredIssuerData.CVR_BYTE,
)
CVN18: Final = IssuerScheme(
    "cvn18", Cipher.TDES, SessionKeyMethod.COMMON, SessionKeyMethod.XOR, covered_data=CoveredIssuerData.WHOLE, arpc=2
)
CVN22: Final = IssuerScheme(
    "cvn22",
    Cipher.TDES,
    SessionKeyMethod.COMMON,
    SessionKeyMethod.COMMON,
    covered_data=CoveredIssuerData.WHOLE,
    arpc=2,
    pin_form=PinForm.ISO2,
)
EMV: Final = IssuerScheme(
    "emv-csk",
    Cipher.TDES,
    SessionKeyMethod.COMMON,
    SessionKeyMethod.COMMON,
    encipherment=Encipherment.EMV,
    pin_form=PinForm.ISO2,
)
PBOC: Final = IssuerScheme(
    "pboc-des", Cipher.TDES, SessionKeyMethod.ATC, SessionKeyMethod.ATC, encipherment=Encipherment.PBOC
)
PBOC_SM4: Final = IssuerScheme(
    "pboc-sm4", Cipher.SM4, SessionKeyMethod.ATC, SessionKeyMethod.ATC, encipherment=Encipherment.PBOC
)
SCHEMES: Final[Mapping[str, IssuerScheme]] = MappingProxyType(
    {scheme.name: scheme for scheme in (CVN10, CVN17, CVN18, CVN22, EMV, PBOC, PBOC_SM4)}
)

_SM4_ALGORITHM: Final = 0x04
"""Algorithm byte of PBOC issuer application data: 01 triple DES, 04 SM4. JR/T 0025.5, annex."""


@dataclass(frozen=True, slots=True)
class IadFormat:
    """Issuer application data (9F10) of the layout that Visa and PBOC share: length, key index, version, CVR of four
    bytes, then in PBOC the algorithm; or the longer Visa format 2, whose first byte is 1F. The rest is issuer data."""

    raw: bytes
    key_index: int
    version: int
    cvr: bytes
    sm4: bool

    @classmethod
    def parse(cls, raw: bytes) -> IadFormat:
        """Raises CodecError for bytes of neither layout."""
        if len(raw) == 32 and raw[0] == 0x1F:
            return cls(raw, raw[2], raw[1], raw[3:8], False)
        if len(raw) < 7 or raw[0] not in (0x06, 0x07) or len(raw) < 1 + raw[0]:
            raise CodecError(f"issuer application data of {len(raw)} bytes, in no known layout")
        sm4 = raw[0] == 0x07 and raw[7] == _SM4_ALGORITHM
        return cls(raw, raw[1], raw[2], raw[3:7], sm4)

    def covered(self, scheme: IssuerScheme) -> bytes:
        """The part of these data that cryptograms of the scheme cover."""
        return {
            CoveredIssuerData.WHOLE: self.raw,
            CoveredIssuerData.CVR: self.cvr,
            CoveredIssuerData.CVR_BYTE: self.cvr[1:2],
        }[scheme.covered_data]
