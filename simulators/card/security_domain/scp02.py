"""Secure Channel Protocol '02', card side: three keys, explicit initiation, C-MAC on the modified command (i = 05; 10
adds the encrypted ICV, 20 the R-MAC, 40 the pseudo-random challenge). GPC 2.3.1, Annex E."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace

from simulators.card.applet import Refuse
from simulators.card.keyring import CardKeySet
from simulators.card.security_domain.session import (
    C_DEC,
    C_MAC,
    R_MAC,
    SECURED,
    CardSession,
    header_and_length,
    unmetered,
)
from terminal.apdu import Command, Response
from terminal.crypto import des, padding
from terminal.errors import CryptoError

ICV_ENCRYPTION, RESPONSE_MAC, PSEUDO_RANDOM = 0x10, 0x20, 0x40
"""Bits of the parameter i. GPC 2.3.1, E.1.1."""

_C_MAC, _R_MAC, _DEK, _ENC = 0x0101, 0x0102, 0x0181, 0x0182


class CardScp02(CardSession):
    """One SCP02 session on the card. ``counter`` is the present sequence counter of the key set (2 bytes)."""

    def __init__(
        self,
        keys: CardKeySet,
        *,
        aid: bytes,
        random: Callable[[int], bytes],
        i: int = 0x55,
        key_data: bytes = bytes(10),
        counter: int = 0,
        count_work: Callable[[str, int], None] = unmetered,
    ) -> None:
        super().__init__(keys, aid=aid, count_work=count_work)
        self._i, self._key_data, self._random = i, key_data, random
        self._counter = counter.to_bytes(2, "big")
        self.levels = (0, C_MAC, C_MAC | C_DEC)
        if i & RESPONSE_MAC:
            self.levels += (R_MAC, R_MAC | C_MAC, R_MAC | C_MAC | C_DEC)
        self._enc = self._derive(keys.enc, _ENC)
        self._mac = self._derive(keys.mac, _C_MAC)
        self._rmac = self._derive(keys.mac, _R_MAC)
        self._dek = self._derive(keys.dek, _DEK)
        self._icv = self._response_icv = bytes(8)
        self._request = b""  # the plain command that the next R-MAC covers
        self._host_challenge = self._card_challenge = b""

    def initialize_update(self, host_challenge: bytes) -> bytes:
        """Key data, version, 02, counter, challenge, cryptogram: 28 bytes. GPC 2.3.1, E.4.2 and E.5.1."""
        if len(host_challenge) != 8:
            raise Refuse(0x6700)
        if self._i & PSEUDO_RANDOM:
            challenge = self._retail_mac(self._mac, padding.pad2(self._aid, des.BLOCK), bytes(8))[:6]
        else:
            challenge = self._random(6)
        self._host_challenge, self._card_challenge = host_challenge, self._counter + challenge
        cryptogram = self._cryptogram(host_challenge + self._card_challenge)
        return self._key_data + bytes((self.keys.version, 2)) + self._card_challenge + cryptogram

    def external_authenticate(self, command: Command) -> None:
        """See CardSession. GPC 2.3.1, E.5.2."""
        self.check_authenticate(command, 8)
        expected = self._cryptogram(self._card_challenge + self._host_challenge)
        if not hmac.compare_digest(command.data[:8], expected):
            self.fail(0x6300)
        mac = self._retail_mac(self._mac, _padded(header_and_length(command, 16) + command.data[:8]), self._icv)
        if not hmac.compare_digest(command.data[8:], mac):
            self.fail(0x6988)
        self._icv = self._response_icv = mac
        self.level, self.authenticated = command.p1, True

    def unwrap(self, command: Command) -> Command:
        """See CardSession. GPC 2.3.1, E.4.4 and E.4.6: the MAC is over the plain data."""
        if not self.level & C_MAC:
            if command.cla & SECURED:
                self.fail(0x6982)
            plain = command
        else:
            data, mac = self.secured_part(command)
            if self.level & C_DEC and data:
                data = self._decrypt_command(data)
            icv = self._icv
            if self._i & ICV_ENCRYPTION:
                self._count_work("des", 1)
                icv = des.ecb_encrypt(self._mac[:8], icv)
            head = header_and_length(command, len(data) + 8)
            expected = self._retail_mac(self._mac, _padded(head + data), icv)
            if not hmac.compare_digest(expected, mac):
                self.fail(0x6988)
            self._icv = mac
            plain = replace(command, cla=command.cla & ~SECURED, data=data)
        if self.level & R_MAC:
            self._request = header_and_length(plain, len(plain.data)) + plain.data
        return plain

    def wrap(self, response: Response) -> Response:
        """See CardSession. GPC 2.3.1, E.4.5."""
        if not self.level & R_MAC or not (response.sw.ok or response.sw.warning):
            return response
        answer = bytes((len(response.data) & 0xFF,)) + response.encode()
        self._response_icv = self._retail_mac(self._rmac, _padded(self._request + answer), self._response_icv)
        return Response(response.data + self._response_icv, response.sw)

    def decrypt(self, data: bytes) -> bytes:
        """3DES-ECB under the session DEK. GPC 2.3.1, E.4.7."""
        if not data or len(data) % des.BLOCK:
            raise Refuse(0x6A80)
        self._count_work("des", 3 * len(data) // des.BLOCK)
        return des.ecb_decrypt(self._dek, data)

    def _decrypt_command(self, data: bytes) -> bytes:
        if len(data) % des.BLOCK:
            self.fail(0x6988)
        self._count_work("des", 3 * len(data) // des.BLOCK)
        try:
            return padding.unpad2(des.cbc_decrypt(self._enc, data), des.BLOCK)
        except CryptoError:
            self.fail(0x6988)

    def _cryptogram(self, data: bytes) -> bytes:
        self._count_work("des", 9)
        return des.cbc_mac(self._enc, _padded(data))

    def _retail_mac(self, key: bytes, data: bytes, icv: bytes) -> bytes:
        self._count_work("des", len(data) // des.BLOCK + 2)
        return des.retail_mac(key, data, icv)

    def _derive(self, key: bytes, constant: int) -> bytes:
        self._count_work("des", 6)
        return des.cbc_encrypt(key, constant.to_bytes(2, "big") + self._counter + bytes(12))


def _padded(data: bytes) -> bytes:
    return padding.pad2(data, des.BLOCK)
