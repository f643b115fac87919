"""Script commands of the issuer to the member application, under the card's SMI and SMC keys.

docs/redemption.md, Scripts; EMV 4.4 Book 3, 6.5.1, 6.5.2 and 6.5.10; Book 2, 9.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Final

from simulators.applets import emv_data
from simulators.applets.emv import EmvApplet
from simulators.applets.emv_data import APPLICATION_KEYS
from simulators.applets.member.data import MemberContents
from simulators.applets.member.entitlements import card_date, decode_entitlements
from simulators.applets.member.state import LAST_COUNTER, MemberState
from simulators.card.applet import Refuse
from simulators.cryptograms.member import decipher_script, redemption_script_mac
from terminal.apdu import OK, Command, Response
from terminal.errors import CryptoError

_MAC: Final = 8
_RESET_TRIES, _NEW_PIN = 0x00, 0x02
_LAST_DATE: Final = 0xDF2F


class MemberScripts:
    """Executes the script commands of one card, each in one transaction with the script counter."""

    def __init__(self, card: EmvApplet, state: MemberState, contents: MemberContents) -> None:
        self._card, self._state, self._contents = card, state, contents

    def run(self, command: Command) -> Response:
        """Execute one command.

        Raises Refuse: 6985 contactless or with the counter used up, 6987 and 6988 for the MAC, then the refusals of
        the command (6A80, 6A86, 6A88, 6985). A refused command is not counted.
        """
        state = self._state
        if self._card.host.contactless or state.script_counter == LAST_COUNTER:
            raise Refuse(0x6985)
        data = self._verified(command)
        with state.memory.transaction():
            _ACTIONS[command.ins](self, command, data)
            state.record_script()
        return Response(b"", OK)

    def _verified(self, command: Command) -> bytes:
        """The data without their MAC. Raises Refuse: 6987 without one, 6988 for a wrong one, 6700."""
        if len(command.data) > 0xFF:
            raise Refuse(0x6700)
        data, mac = command.data[:-_MAC], command.data[-_MAC:]
        if len(mac) != _MAC:
            raise Refuse(0x6987)
        header = command.header + bytes((len(command.data),))
        self._card.host.count_work("des", (len(header) + 4 + len(data)) // 8 + 5)
        expected = redemption_script_mac(self._keys[16:32], self._atc, self._counter, header, data)
        if not hmac.compare_digest(mac, expected):
            self._state.record_script_refused()
            raise Refuse(0x6988)
        return data

    def _block(self, command: Command, data: bytes) -> None:
        """APPLICATION BLOCK. EMV 4.4 Book 3, 6.5.1."""
        _plain(command, data)
        self._state.set_blocked(on=True)

    def _unblock(self, command: Command, data: bytes) -> None:
        """APPLICATION UNBLOCK. EMV 4.4 Book 3, 6.5.2."""
        _plain(command, data)
        self._state.set_blocked(on=False)

    def _change_pin(self, command: Command, data: bytes) -> None:
        """PIN CHANGE/UNBLOCK: reset the try counter, with P2 02 also set a new PIN. EMV 4.4 Book 3, 6.5.10."""
        if command.p1 or command.p2 not in (_RESET_TRIES, _NEW_PIN):
            raise Refuse(0x6A86)
        limits = self._card.stored(emv_data.PIN_TRIES)
        if limits is None:
            raise Refuse(0x6985)
        if command.p2 == _NEW_PIN:
            self._state.memory[f"{emv_data.PIN:04X}"] = self._pin_block(data)
        elif data:
            raise Refuse(0x6A80)
        self._card.set_tries(limits[1], limits[1])

    def _pin_block(self, data: bytes) -> bytes:
        """The new PIN block of format 2. ISO 9564-1. Raises Refuse: 6A80."""
        self._card.host.count_work("des", len(data) // 8 + 4)
        try:
            block = decipher_script(self._keys[32:], self._atc, self._counter, data)
        except CryptoError:
            raise Refuse(0x6A80) from None
        if not emv_data.is_pin_block(block):
            raise Refuse(0x6A80)
        return block

    def _put_data(self, command: Command, data: bytes) -> None:
        """PUT DATA of the last date, or of one element in the record that has it."""
        tag = command.p1 << 8 | command.p2
        if tag == _LAST_DATE:
            _date_or_none(data)
            self._state.set_last_date(data)
            return
        check = _FORMS.get(tag)
        if check is None or self._contents.updatable(tag) is None:
            raise Refuse(0x6A88)
        check(data)
        self._contents.put(self._state.memory, tag, data)

    @property
    def _keys(self) -> bytes:
        return self._card.need(APPLICATION_KEYS)

    @property
    def _atc(self) -> bytes:
        return self._state.atc.to_bytes(2, "big")

    @property
    def _counter(self) -> bytes:
        return self._state.script_counter.to_bytes(2, "big")


def _plain(command: Command, data: bytes) -> None:
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if data:
        raise Refuse(0x6A80)


def _date(value: bytes) -> None:
    if card_date(value) is None:
        raise Refuse(0x6A80)


def _date_or_none(value: bytes) -> None:
    if value != bytes(3):
        _date(value)


def _byte(value: bytes) -> None:
    if len(value) != 1:
        raise Refuse(0x6A80)


_FORMS: Final[Mapping[int, Callable[[bytes], object]]] = {
    0xDF26: _byte,
    0xDF27: _date,
    0xDF28: decode_entitlements,
    0xDF29: _date,
    0xDF2D: _date_or_none,
}
"""The check of each element that PUT DATA may change. Each raises Refuse: 6A80."""
_ACTIONS: Final[Mapping[int, Callable[[MemberScripts, Command, bytes], None]]] = {
    0x1E: MemberScripts._block,
    0x18: MemberScripts._unblock,
    0x24: MemberScripts._change_pin,
    0xDA: MemberScripts._put_data,
}
COMMANDS: Final = ((0x84, 0x1E), (0x84, 0x18), (0x84, 0x24), (0x04, 0xDA))
"""Class and instruction of each script command."""
