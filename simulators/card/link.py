"""The link layer of the card: response data by GET RESPONSE and 6Cxx at T=0, at once at T=1.

ISO/IEC 7816-3:2006, 12.2; 7816-4:2020, 5.3.4.
"""

from __future__ import annotations

from collections.abc import Callable

from terminal.apdu import OK, Command, LinkProtocol, Response, StatusWord
from terminal.errors import ApduError

_GET_RESPONSE = 0xC0


class _ExtendedCommand(Command):
    """A command that came with extended length fields, also where short ones would do: a MAC covers its Lc as sent."""

    __slots__ = ()

    @property
    def extended(self) -> bool:
        return True


class CardLink:
    """One powered contact: command APDU bytes in, response APDU bytes out.

    At T=0 (as PC/SC carries it) the response data of a command with data follow by GET RESPONSE (61xx); a wrong Le is
    answered 6Cxx, and the data are retained for the same command with the right Le. At T=1 and contactless the data
    come at once, also for a command without Le (as for Le 00), and 61xx serves only what is longer than Le.
    """

    def __init__(self, protocol: LinkProtocol, execute: Callable[[Command], Response]) -> None:
        self._t0 = protocol is LinkProtocol.T0
        self._execute = execute
        self._pending = b""  # for GET RESPONSE
        self._pending_sw = OK
        self._retained: tuple[bytes, Response] | None = None  # for the same header with the right Le

    def exchange(self, raw: bytes) -> bytes:
        try:
            command = Command.decode(raw)
        except ApduError:
            return self._clear(b"\x67\x00")
        if len(raw) > 6 and not raw[4]:
            command = _ExtendedCommand(command.cla, command.ins, command.p1, command.p2, command.data, command.ne)
        if command.ins == _GET_RESPONSE and command.cla < 0x04:
            return self._get_response(command)
        if self._t0 and (command.extended or (len(raw) > 5 and raw[4] == 0)):
            return self._clear(b"\x67\x00")  # not encodable at T=0
        retained, self._retained = self._retained, None
        self._pending = b""
        if retained is not None and retained[0] == command.header and not command.data:
            response = retained[1]
        else:
            response = self._execute(command)
        return self._encode(command, response)

    def _encode(self, command: Command, response: Response) -> bytes:
        data = response.data
        ne = command.ne or 0
        if self._t0:
            if not data:
                return response.encode()
            if command.data:
                return self._hold(data, response.sw)
            if not response.sw.ok:  # a warning comes with its data; 6Cxx could lose it
                return self._first(data, max(ne, 1), response.sw)
            if len(data) <= 256 and ne != len(data):
                self._retained = (command.header, response)
                return bytes((0x6C, len(data) & 0xFF))
            return self._first(data, ne, response.sw)
        ne = ne or (65536 if command.extended else 256)
        if len(data) <= ne:
            return response.encode()
        if len(data) <= 256 and response.sw.ok:
            self._retained = (command.header, response)
            return bytes((0x6C, len(data) & 0xFF))
        return self._first(data, ne, response.sw)

    def _get_response(self, command: Command) -> bytes:
        if command.p1 or command.p2 or command.data:
            return b"\x6a\x86"
        if not self._pending:
            return b"\x69\x85"
        ne = command.ne or 0
        if self._t0 and ne > len(self._pending):
            return bytes((0x6C, len(self._pending) & 0xFF))
        return self._first(self._pending, ne or 256, self._pending_sw)

    def _first(self, data: bytes, ne: int, sw: StatusWord) -> bytes:
        if len(data) <= ne:
            self._pending = b""
            return data + int(sw).to_bytes(2, "big")
        return data[:ne] + self._hold(data[ne:], sw)

    def _hold(self, data: bytes, sw: StatusWord) -> bytes:
        self._pending, self._pending_sw = data, sw
        return bytes((0x61, len(data) & 0xFF if len(data) < 256 else 0))

    def _clear(self, response: bytes) -> bytes:
        self._pending, self._retained = b"", None
        return response
