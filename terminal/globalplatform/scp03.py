"""SCP03 secure messaging, the host's half: C-MAC, C-DECRYPTION, R-MAC, R-ENCRYPTION. GPC 2.3.1 Amendment D 1.2, 6.2."""

from __future__ import annotations

import hmac

from terminal.apdu import Command, Response
from terminal.crypto import aes, padding
from terminal.errors import ApduError, CardMalformed, CryptoError, IntegrityError
from terminal.globalplatform.levels import SecurityLevel
from terminal.globalplatform.update import S16
from terminal.keys.custody import OpenSession

_BLOCK = aes.BLOCK
_SM = 0x04
_RESPONSE = 0x80


class Scp03:
    """Wraps commands and unwraps responses of one session, without I/O; each wrap changes its state.

    ``level`` is the requested level; ``external_authenticate`` must be the first command. MACs have 8 bytes, 16 in S16
    mode.
    """

    def __init__(self, session: OpenSession, i: int, level: SecurityLevel) -> None:
        self._keys = session
        self._mac_length = 16 if i & S16 else 8
        self._chain = bytes(_BLOCK)
        self._counter = 0
        self.level = level

    @property
    def max_data(self) -> int:
        """Maximum number of plain data bytes of a command whose wrapped form is 255 bytes.

        255 without secure messaging; 247 with C-MAC, 239 encrypted; in S16 mode 239 and 223.
        """
        return self._room(255)

    def external_authenticate(self) -> Command:
        """The command that authenticates the host and sets the security level; its C-MAC starts the chain. 7.1.2."""
        return self._signed(Command(0x84, 0x82, self.level, 0x00, self._keys.host_cryptogram), extended=False)

    def wrap(self, command: Command) -> Command:
        """The command at this level; a short command stays short. Raises ApduError for data that exceed it."""
        if not self.level & SecurityLevel.C_MAC:
            return command
        room = self._room(65535 if command.extended else 255)
        if len(command.data) > room:
            raise ApduError(f"{len(command.data)} data bytes; this command holds {room} at this level")
        self._counter += 1
        data = command.data
        if data and self.level & SecurityLevel.C_DECRYPTION:
            data = aes.cbc_encrypt(self._keys.enc.reveal(), padding.pad2(data, _BLOCK), self._icv(0))
        head = (command.cla | _SM, command.ins, command.p1, command.p2)
        return self._signed(Command(*head, data=data, ne=command.ne), extended=command.extended)

    def unwrap(self, response: Response) -> Response:
        """Verify and remove the R-MAC, then decrypt. An error status is sent alone and unprotected (6.2.5).

        Raises IntegrityError; CardMalformed for wrong padding under a right R-MAC.
        """
        if not self.level & SecurityLevel.R_MAC:
            return response
        if not response.sw.ok and not response.sw.warning:
            if response.data:
                raise IntegrityError(f"unprotected data beside the error status {response.sw}")
            return response
        data, mac = response.data[: -self._mac_length], response.data[-self._mac_length :]
        signed = self._chain + data + int(response.sw).to_bytes(2, "big")
        expected = aes.cmac(self._keys.rmac.reveal(), signed)[: self._mac_length]
        if not hmac.compare_digest(mac, expected):
            raise IntegrityError("the R-MAC of a response is wrong: the response was changed, or is not from this card")
        if data and self.level & SecurityLevel.R_ENCRYPTION:
            data = self._decrypted(data)
        return Response(data, response.sw)

    def _room(self, lc: int) -> int:
        if not self.level & SecurityLevel.C_MAC:
            return lc
        room = lc - self._mac_length
        return room // _BLOCK * _BLOCK - 1 if self.level & SecurityLevel.C_DECRYPTION else room

    def _signed(self, command: Command, *, extended: bool) -> Command:
        """The C-MAC covers the previous one, the changed header and the data as sent. 6.2.4."""
        lc = len(command.data) + self._mac_length
        length = b"\x00" + lc.to_bytes(2, "big") if extended else bytes((lc,))
        self._chain = aes.cmac(self._keys.mac.reveal(), self._chain + command.header + length + command.data)
        head = (command.cla, command.ins, command.p1, command.p2)
        return Command(*head, data=command.data + self._chain[: self._mac_length], ne=command.ne)

    def _icv(self, direction: int) -> bytes:
        """The command's number, encrypted; for its response with the top bit set. 6.2.6, 6.2.7."""
        return aes.ecb_encrypt(self._keys.enc.reveal(), bytes((direction,)) + self._counter.to_bytes(15, "big"))

    def _decrypted(self, data: bytes) -> bytes:
        try:
            plain = aes.cbc_decrypt(self._keys.enc.reveal(), data, self._icv(_RESPONSE))
            return padding.unpad2(plain, _BLOCK)
        except CryptoError as error:
            raise CardMalformed(f"an encrypted response of {len(data)} bytes: {error}") from error
