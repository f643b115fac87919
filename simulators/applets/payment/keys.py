"""The application keys: scheme of a cryptogram, the cryptogram itself, ARPC, script MAC and script data.

EMV 4.4 Book 2, chapters 8 and 9; JR/T 0025.5 and JR/T 0025.17 (PBOC 3.0). The algorithms common to card and issuer are
in simulators.cryptograms.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from simulators.applets.emv import EmvApplet
from simulators.applets.emv_data import APPLICATION_KEYS, ISSUER_APPLICATION_DATA
from simulators.applets.payment.data import SCHEME, SM4_KEYS, PaymentOptions
from simulators.card.applet import Refuse
from simulators.cryptograms import algorithms
from simulators.cryptograms.algorithms import Udks, session_key
from simulators.cryptograms.schemes import (
    CVN10,
    CVN17,
    CVN18,
    CVN22,
    PBOC,
    PBOC_SM4,
    Cipher,
    Fold,
    IadFormat,
    IssuerScheme,
)
from terminal.apdu import Command
from terminal.crypto import des, sm4
from terminal.errors import CryptoError
from terminal.tlv import Tag

_RULES: Final[Mapping[int, IssuerScheme]] = MappingProxyType(
    {0x01: PBOC, 0x0A: CVN10, 0x11: CVN17, 0x12: CVN18, 0x22: CVN22}
)
"""By cryptogram version."""
_TDES, _SM4 = 0x01, 0x04
"""Algorithms in PBOC's issuer application data."""
_PBOC_DATA, _LONG_DATA = 0x07, 0x1F


@dataclass(frozen=True, slots=True, repr=False)
class PaymentKeys:
    """The three keys of a transaction and their scheme."""

    card: EmvApplet
    scheme: IssuerScheme
    udks: Udks
    issuer_template: bytes
    """9F10 as personalized, without card verification results."""

    @classmethod
    def of(cls, card: EmvApplet, options: PaymentOptions | None = None) -> PaymentKeys:
        """The keys of a card; SM4 keys with Chinese options and on a card without others. Raises Refuse: 6985."""
        chinese = card.stored(SM4_KEYS) is not None and (
            card.stored(APPLICATION_KEYS) is None or (options is not None and options.chinese)
        )
        three = card.need(SM4_KEYS if chinese else APPLICATION_KEYS)
        parameters = card.stored(SCHEME)
        data = (options.issuer_data if options else None) or card.need(ISSUER_APPLICATION_DATA)
        version = parameters[0] if parameters else data[1 if data[0] == _LONG_DATA else 2]
        scheme = PBOC_SM4 if chinese else _RULES.get(version)
        if scheme is None:
            raise Refuse(0x6985)
        if parameters:
            scheme = replace(scheme, fold=Fold.LEFT if parameters[1] else Fold.XOR, mac_length=parameters[2])
        return cls(card, scheme, Udks(three[:16], three[16:32], three[32:]), data)

    def issuer_data(self, cvr: bytes) -> bytes:
        """9F10 with these card verification results (four bytes) and the algorithm in use. JR/T 0025.5."""
        data = self.issuer_template
        if data[0] == _LONG_DATA:
            return data[:3] + cvr + data[7:]
        algorithm = bytes((_SM4 if self.scheme.cipher is Cipher.SM4 else _TDES,))
        return data[:3] + cvr + (algorithm + data[8:] if data[0] == _PBOC_DATA else data[7:])

    def cryptogram(self, values: Mapping[Tag, bytes], issuer_data: bytes) -> bytes:
        """The application cryptogram over terminal data, AIP, ATC and card verification results. Data that the lists do
        not request are omitted. EMV 4.4 Book 2, 8.1."""
        terminal = b"".join(values.get(Tag(tag), b"") for tag in self.scheme.tags)
        covered = terminal + IadFormat.parse(issuer_data).covered(self.scheme)
        self._count_work(len(covered) + 32)
        return algorithms.cryptogram(self.scheme, self.udks, values[Tag(0x9F36)], covered)

    def check_arpc(self, atc: bytes, ac: bytes, data: bytes) -> bool:
        """Whether issuer authentication data (tag 91) hold the ARPC for ``ac``. EMV 4.4 Book 2, 8.2.

        Method 1: ARPC of eight bytes, response code of two; method 2: ARPC of four, then CSU and proprietary data.
        """
        length = 8 if self.scheme.arpc == 1 else 4
        response = data[length:]
        if len(response) != 2 if self.scheme.arpc == 1 else not 4 <= len(response) <= 12:
            return False
        self._count_work(48)
        return hmac.compare_digest(data[:length], algorithms.arpc(self.scheme, self.udks, atc, ac, response))

    def unwrap(self, command: Command, atc: bytes, ac: bytes) -> bytes:
        """The data of a script command without the MAC, which is verified. EMV 4.4 Book 2, 9.2.3; header, ATC and
        cryptogram are covered as in Visa and PBOC, without chaining of MACs.

        Raises Refuse: 6987 without a MAC, 6988 with a wrong one.
        """
        data, mac = command.data[: -self.scheme.mac_length], command.data[-self.scheme.mac_length :]
        if len(mac) != self.scheme.mac_length:
            raise Refuse(0x6987)
        self._count_work(len(command.data) + 48)
        header = command.header + bytes((len(command.data) & 0xFF,))
        if not hmac.compare_digest(mac, algorithms.script_mac(self.scheme, self.udks, atc, ac, header, data)):
            raise Refuse(0x6988)
        return data

    def decipher(self, data: bytes, atc: bytes, ac: bytes) -> bytes:
        """Deciphered confidential script data: length byte, data, padding. EMV 4.4 Book 2, 9.3. Raises Refuse: 6A80."""
        key = session_key(self.scheme.sm_session, self.scheme.cipher, self.udks.smc, atc, ac)
        self._count_work(len(data) + 32)
        try:
            decrypt = sm4.ecb_decrypt if self.scheme.cipher is Cipher.SM4 else des.ecb_decrypt
            plain = decrypt(key, data)
        except CryptoError:
            raise Refuse(0x6A80) from None
        length, rest = plain[0] if plain else 0, plain[1:]
        filler = rest[length:]
        if not length or len(rest) < length or filler not in (b"", b"\x80".ljust(len(filler), b"\x00")):
            raise Refuse(0x6A80)
        return rest[:length]

    def _count_work(self, size: int) -> None:
        chinese = self.scheme.cipher is Cipher.SM4
        self.card.host.count_work("sm4" if chinese else "des", size // (16 if chinese else 8) + 1)
