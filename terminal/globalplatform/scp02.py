"""SCP02 secure messaging, the host's half: C-MAC with ICV encryption, C-DECRYPTION, R-MAC. GPC 2.3.1, Annex E."""

from __future__ import annotations

import hmac

from terminal.apdu import Command, Response
from terminal.crypto import des, padding
from terminal.errors import ApduError, IntegrityError
from terminal.globalplatform.levels import SecurityLevel
from terminal.keys.custody import OpenSession

_BLOCK = des.BLOCK
_MAC = 8
_ICV_ENCRYPTION = 0x10
_SM = 0x04


class Scp02:
    """Wraps commands and unwraps responses of one session, without I/O; each wrap changes its state.

    ``level`` is the requested level; ``external_authenticate`` must be the first command. GPC 2.3.1, E.4.
    """

    def __init__(self, session: OpenSession, i: int, level: SecurityLevel) -> None:
        self._keys = session
        self._encrypt_icv = bool(i & _ICV_ENCRYPTION)
        self._icv = b""
        self._r_mac = b""
        self._sent = b""
        self.level = level

    @property
    def max_data(self) -> int:
        """Maximum number of plain data bytes of a command whose wrapped form is 255 bytes: 255, 247 (C-MAC) or 239
        (encrypted)."""
        if not self.level & SecurityLevel.C_MAC:
            return 255
        room = 255 - _MAC
        return room // _BLOCK * _BLOCK - 1 if self.level & SecurityLevel.C_DECRYPTION else room

    def external_authenticate(self) -> Command:
        """The command that authenticates the host and sets the security level; its C-MAC starts both chains. E.5.2."""
        plain = Command(0x80, 0x82, self.level, 0x00, self._keys.host_cryptogram)
        command = self._signed(plain, plain.data)
        self._r_mac = self._icv
        return command

    def start_r_mac(self) -> None:
        """After BEGIN R-MAC SESSION: later responses carry an R-MAC, chained to the last C-MAC. E.4.5."""
        self._r_mac = self._icv
        self.level |= SecurityLevel.R_MAC

    def stop_r_mac(self) -> None:
        self.level &= ~SecurityLevel.R_MAC

    def wrap(self, command: Command) -> Command:
        """The command at this level. Raises ApduError for data that exceed a short command."""
        data = command.data
        self._sent = bytes((command.cla & ~0x07, command.ins, command.p1, command.p2, len(data) & 0xFF)) + data
        if not self.level & SecurityLevel.C_MAC:
            return command
        if command.extended or len(data) > self.max_data:
            raise ApduError(f"{len(data)} data bytes; an SCP02 command holds {self.max_data} at this level")
        if data and self.level & SecurityLevel.C_DECRYPTION:
            data = des.cbc_encrypt(self._keys.enc.reveal(), padding.pad2(data, _BLOCK))
        return self._signed(command, data)

    def unwrap(self, response: Response) -> Response:
        """Verify and remove the R-MAC, if there is one. An error status without data carries none.

        Raises IntegrityError.
        """
        if not self.level & SecurityLevel.R_MAC:
            return response
        if not response.data and not response.sw.ok and not response.sw.warning:
            return response
        data, mac = response.data[:-_MAC], response.data[-_MAC:]
        received = bytes((len(data) & 0xFF,)) + data + int(response.sw).to_bytes(2, "big")
        expected = self._mac(self._keys.rmac.reveal(), self._sent + received, self._r_mac)
        if not hmac.compare_digest(mac, expected):
            raise IntegrityError("the R-MAC of a response is wrong: the response was changed, or is not from this card")
        self._r_mac = expected
        return Response(data, response.sw)

    def _signed(self, command: Command, body: bytes) -> Command:
        """The C-MAC covers the plain data under the changed header. E.4.4."""
        cla = command.cla | _SM
        key = self._keys.mac.reveal()
        icv = self._icv or bytes(_BLOCK)
        if self._icv and self._encrypt_icv:
            icv = des.ecb_encrypt(key[:8], icv)
        head = bytes((cla, command.ins, command.p1, command.p2, len(command.data) + _MAC))
        self._icv = self._mac(key, head + command.data, icv)
        return Command(cla, command.ins, command.p1, command.p2, body + self._icv, command.ne)

    @staticmethod
    def _mac(key: bytes, data: bytes, icv: bytes) -> bytes:
        return des.retail_mac(key, padding.pad2(data, _BLOCK), icv)
