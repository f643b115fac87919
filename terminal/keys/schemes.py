"""Cryptogram schemes: how a card application computes cryptograms and protects scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from terminal.errors import KeyMisuse


@dataclass(frozen=True, slots=True)
class CryptogramScheme:
    """The methods that a cryptogram version number stands for. ``mac`` also determines the cipher of all keys.

    ``session``: the key of cryptogram and ARPC. ``csk`` the common session key of the ATC, ``none`` the card key
    itself, ``atc`` the card key's encryption of ``kdf.atc_blocks`` (PBOC).
    ``scripts``: the keys of script MAC and encryption. ``csk`` the common session key of the ARQC, ``xor`` the card
    key XOR ``kdf.atc_blocks`` (Visa), ``atc`` as above.
    ``fold``: how 16 bytes of SM4 become 8: the XOR of both halves, or the left one.
    ``padding``: ISO/IEC 9797-1 padding method of the cryptogram's data.
    ``encryption``: of script data. ``emv`` CBC, always padded by method 2; ``length`` a length byte first, always
    padded by method 2, ECB (Visa); ``pboc`` a length byte first, padded by method 2 unless whole already, ECB.
    ``pin_block``: of a new PIN in a script: ISO format 2, or XOR part of the card's cryptogram key.

    EMV 4.4 Book 2, 8.1, 8.2, 9.2, 9.3, A1.3. Raises KeyMisuse for methods of different ciphers.
    """

    session: Literal["csk", "none", "atc"]
    scripts: Literal["csk", "xor", "atc"]
    mac: Literal["alg3", "sm4"] = "alg3"
    fold: Literal["xor", "left"] = "xor"
    padding: Literal[1, 2] = 2
    encryption: Literal["emv", "length", "pboc"] = "emv"
    pin_block: Literal["iso2", "vis"] = "iso2"

    def __post_init__(self) -> None:
        if self.mac == "sm4" and (self.session == "csk" or self.scripts != "atc"):
            raise KeyMisuse("SM4 session keys come from the ATC")


EMV_CSK = CryptogramScheme("csk", "csk")
"""EMV: common session keys, ISO format 2 PIN blocks. EMV 4.4 Book 2, CCD."""
CVN10 = CryptogramScheme("none", "xor", padding=1, encryption="length", pin_block="vis")
"""Visa's CVN 10; CVN 17 is the same over less data."""
CVN18 = CryptogramScheme("csk", "xor", encryption="length", pin_block="vis")
CVN22 = CryptogramScheme("csk", "csk", encryption="length")
PBOC_DES = CryptogramScheme("atc", "atc", encryption="pboc", pin_block="vis")
"""JR/T 0025 with 3DES."""
PBOC_SM4 = CryptogramScheme("atc", "atc", mac="sm4", encryption="pboc", pin_block="vis")
"""JR/T 0025 with SM4. Public sources disagree on ``fold``, so a card profile sets it."""

SCHEMES: Mapping[str, CryptogramScheme] = MappingProxyType(
    {
        "emv-csk": EMV_CSK,
        "cvn10": CVN10,
        "cvn17": CVN10,
        "cvn18": CVN18,
        "cvn22": CVN22,
        "pboc-des": PBOC_DES,
        "pboc-sm4": PBOC_SM4,
    }
)
"""Schemes by the name that profiles use."""
