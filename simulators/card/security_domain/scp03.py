"""Secure Channel Protocol '03', card side. GPC 2.3.1 Amendment D 1.2."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace

from simulators.card.applet import Refuse
from simulators.card.keyring import CardKeySet
from simulators.card.security_domain.session import (
    C_DEC,
    C_MAC,
    R_ENC,
    R_MAC,
    SECURED,
    CardSession,
    header_and_length,
    unmetered,
)
from terminal.apdu import Command, Response
from terminal.crypto import aes, kdf, padding
from terminal.errors import CryptoError

S16, PSEUDO_RANDOM, RESPONSE_MAC, RESPONSE_ENCRYPTION = 0x01, 0x10, 0x20, 0x40
"""Bits of the parameter i. Amendment D 1.2, 5.1."""

_CARD_CRYPTOGRAM, _HOST_CRYPTOGRAM, _CARD_CHALLENGE, _S_ENC, _S_MAC, _S_RMAC = 0x00, 0x01, 0x02, 0x04, 0x06, 0x07


class CardScp03(CardSession):
    """One SCP03 session on the card, S8 or S16, AES-128 to AES-256.

    ``i`` is the protocol parameter; ``key_data`` the ten bytes of key diversification data in the response; ``counter``
    the sequence counter of this session (3 bytes on the link, only with a pseudo-random challenge); ``random(n)`` gives
    the challenge otherwise.
    """

    def __init__(
        self,
        keys: CardKeySet,
        *,
        aid: bytes,
        random: Callable[[int], bytes],
        i: int = 0x70,
        key_data: bytes = bytes(10),
        counter: int = 0,
        count_work: Callable[[str, int], None] = unmetered,
    ) -> None:
        super().__init__(keys, aid=aid, count_work=count_work)
        self._i, self._key_data, self._counter, self._random = i, key_data, counter, random
        self.mac_length = 16 if i & S16 else 8
        self.levels = (0, C_MAC, C_MAC | C_DEC)
        if i & RESPONSE_MAC:
            self.levels += (C_MAC | R_MAC, C_MAC | C_DEC | R_MAC)
        if i & RESPONSE_ENCRYPTION:
            self.levels += (C_MAC | C_DEC | R_MAC | R_ENC,)
        self._chain = bytes(16)
        self._commands = 0
        self._enc = self._mac = self._rmac = self._context = b""

    def initialize_update(self, host_challenge: bytes) -> bytes:
        """Key data, version, 03, i, challenge, cryptogram[, counter]. Amendment D 1.2, 6.2.2 and 7.1.1."""
        size = self.mac_length
        if len(host_challenge) != size:
            raise Refuse(0x6700)
        counter = self._counter.to_bytes(3, "big") if self._i & PSEUDO_RANDOM else b""
        if counter:
            challenge = self._derive(self.keys.enc, _CARD_CHALLENGE, counter + self._aid, size)
        else:
            challenge = self._random(size)
        self._context = host_challenge + challenge
        length = len(self.keys.enc)
        self._enc = self._derive(self.keys.enc, _S_ENC, self._context, length)
        self._mac = self._derive(self.keys.mac, _S_MAC, self._context, length)
        self._rmac = self._derive(self.keys.mac, _S_RMAC, self._context, length)
        cryptogram = self._derive(self._mac, _CARD_CRYPTOGRAM, self._context, size)
        return self._key_data + bytes((self.keys.version, 3, self._i)) + challenge + cryptogram + counter

    def external_authenticate(self, command: Command) -> None:
        """See CardSession. Amendment D 1.2, 6.2.3 and 7.1.2."""
        size = self.mac_length
        self.check_authenticate(command, size)
        expected = self._derive(self._mac, _HOST_CRYPTOGRAM, self._context, size)
        if not hmac.compare_digest(command.data[:size], expected):
            self.fail(0x6300)
        self._check_mac(command, command.data[:size], command.data[size:])
        self.level, self.authenticated = command.p1, True

    def unwrap(self, command: Command) -> Command:
        """See CardSession. Amendment D 1.2, 6.2.4 and 6.2.6."""
        if not self.level & C_MAC:
            if command.cla & SECURED:
                self.fail(0x6982)
            return command
        data, mac = self.secured_part(command)
        self._check_mac(command, data, mac)
        self._commands += 1  # also for a command without data: its response may need an IV
        if self.level & C_DEC and data:
            data = self._decrypt_command(data)
        return replace(command, cla=command.cla & ~SECURED, data=data)

    def wrap(self, response: Response) -> Response:
        """See CardSession. Amendment D 1.2, 6.2.5 and 6.2.7."""
        if not self.level & R_MAC or not (response.sw.ok or response.sw.warning):
            return response
        data = response.data
        if self.level & R_ENC and data:
            padded = padding.pad2(data, aes.BLOCK)
            self._count_work("aes", len(padded) // aes.BLOCK + 1)
            data = aes.cbc_encrypt(self._enc, padded, self._iv(0x80))
        mac = self._cmac(self._rmac, self._chain + data + int(response.sw).to_bytes(2, "big"))
        return Response(data + mac[: self.mac_length], response.sw)

    def decrypt(self, data: bytes) -> bytes:
        """AES-CBC with a zero IV under the static DEK: SCP03 derives no session DEK. Amendment D 1.2, 6.2.8."""
        if not data or len(data) % aes.BLOCK:
            raise Refuse(0x6A80)
        self._count_work("aes", len(data) // aes.BLOCK)
        return aes.cbc_decrypt(self.keys.dek, data)

    def _check_mac(self, command: Command, data: bytes, mac: bytes) -> None:
        head = header_and_length(command, len(data) + self.mac_length)
        chain = self._cmac(self._mac, self._chain + head + data)
        if not hmac.compare_digest(chain[: self.mac_length], mac):
            self.fail(0x6988)
        self._chain = chain

    def _decrypt_command(self, data: bytes) -> bytes:
        if len(data) % aes.BLOCK:
            self.fail(0x6988)
        self._count_work("aes", len(data) // aes.BLOCK + 1)
        try:
            return padding.unpad2(aes.cbc_decrypt(self._enc, data, self._iv(0x00)), aes.BLOCK)
        except CryptoError:
            self.fail(0x6988)

    def _iv(self, first: int) -> bytes:
        return aes.ecb_encrypt(self._enc, bytes((first,)) + self._commands.to_bytes(15, "big"))

    def _cmac(self, key: bytes, data: bytes) -> bytes:
        self._count_work("aes", len(data) // aes.BLOCK + 1)
        return aes.cmac(key, data)

    def _derive(self, key: bytes, constant: int, context: bytes, length: int) -> bytes:
        self._count_work("aes", 3 * (1 + (length > aes.BLOCK)))
        return kdf.cmac_counter(key, constant, context, 8 * length)
