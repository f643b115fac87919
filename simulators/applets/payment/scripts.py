"""Issuer scripts on the card: commands of the issuer under the secure messaging keys of card and issuer.

EMV 4.4 Book 3, 6.5.1 to 6.5.3 and 6.5.10; Book 2, 9; JR/T 0025.5 for PUT DATA and UPDATE RECORD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from simulators.applets import emv_data
from simulators.applets.emv import EmvApplet
from simulators.applets.payment import data as layout
from simulators.applets.payment.log import PaymentLog
from simulators.applets.payment.state import Indicator, PaymentState
from simulators.applets.payment.transaction import PaymentStage, PaymentTransaction
from simulators.card.applet import Refuse
from terminal.apdu import OK, Command, Response

UPDATABLE: Final = frozenset((0x9F52, 0x9F53, 0x9F54, 0x9F58, 0x9F59, 0x9F5C, 0x9F6D, 0x9F72, 0x9F77, 0x9F78, 0x9F79))
"""Data objects that PUT DATA may change: default action, limits, e-cash. JR/T 0025.5, PUT DATA."""
_UNBLOCK, _WITH_OLD_PIN, _NEW_PIN = 0x00, 0x01, 0x02


class PaymentScripts:
    """The script commands of one transaction, after its first cryptogram."""

    def __init__(
        self, card: EmvApplet, state: PaymentState, transaction: PaymentTransaction, load_log: PaymentLog | None
    ) -> None:
        self._card, self._state, self._transaction, self._load_log = card, state, transaction, load_log

    def run(self, command: Command) -> Response:
        """Execute one command and count it in one transaction; a failed one is counted and sets an indicator.

        Raises Refuse: 6985 before the first cryptogram, 6987 and 6988 for the MAC, and the refusals of the command.
        """
        transaction = self._transaction
        if transaction.stage is PaymentStage.INITIATED:
            raise Refuse(0x6985)
        try:
            keys = transaction.keys
            data = keys.unwrap(command, transaction.atc, transaction.ac)
            with self._state.memory.transaction():
                _ACTIONS[command.ins](self, command, data)
                transaction.count_script(failed=False)
        except Refuse:
            with self._state.memory.transaction():
                transaction.count_script(failed=True)
            raise
        return Response(b"", OK)

    def _block(self, command: Command, data: bytes) -> None:
        """APPLICATION BLOCK. EMV 4.4 Book 3, 6.5.1."""
        _plain(command, data)
        self._state.set_indicator(Indicator.BLOCKED)

    def _unblock(self, command: Command, data: bytes) -> None:
        """APPLICATION UNBLOCK. EMV 4.4 Book 3, 6.5.2."""
        _plain(command, data)
        self._state.set_indicator(Indicator.BLOCKED, on=False)

    def _block_card(self, command: Command, data: bytes) -> None:
        """CARD BLOCK. EMV 4.4 Book 3, 6.5.3."""
        _plain(command, data)
        self._card.host.block_card()

    def _change_pin(self, command: Command, data: bytes) -> None:
        """PIN CHANGE/UNBLOCK: reset the try counter, with P2 01 or 02 set a new PIN. EMV 4.4 Book 3, 6.5.10.

        The new PIN is a block of format 2, or that of Visa and PBOC: length, digits and filler XOR bytes 5 to 8 of the
        cryptogram key, with P2 01 also XOR the present PIN.
        """
        if command.p1 or command.p2 not in (_UNBLOCK, _WITH_OLD_PIN, _NEW_PIN):
            raise Refuse(0x6A86)
        old, limits = self._card.stored(emv_data.PIN), self._card.stored(emv_data.PIN_TRIES)
        if old is None or limits is None:
            raise Refuse(0x6985)
        if command.p2 == _UNBLOCK:
            if data:
                raise Refuse(0x6700)
        else:
            new = self._new_pin(data, old if command.p2 == _WITH_OLD_PIN else None)
            self._state.memory[f"{emv_data.PIN:04X}"] = new
        self._card.set_tries(limits[1], limits[1])

    def _new_pin(self, data: bytes, old: bytes | None) -> bytes:
        transaction = self._transaction
        keys = transaction.keys
        block = keys.decipher(data, transaction.atc, transaction.ac)
        if len(block) != 8:
            raise Refuse(0x6A80)
        if old is None and emv_data.is_pin_block(block):
            return block
        mixed = _xor(block, bytes(4) + keys.udks.ac[4:8])
        if old is not None:
            digits = old.hex()[2 : 2 + (old[0] & 0x0F)]
            mixed = _xor(mixed, bytes.fromhex(digits.ljust(16, "0")))
        new = bytes((0x20 | mixed[0],)) + mixed[1:]
        if mixed[0] > 0x0F or not emv_data.is_pin_block(new):
            raise Refuse(0x6A80)
        return new

    def _put_data(self, command: Command, data: bytes) -> None:
        """PUT DATA of one data object; a new e-cash balance is also logged. JR/T 0025.5 and 0025.13."""
        tag, state = command.p1 << 8 | command.p2, self._state
        old = state.object(tag)
        if tag not in UPDATABLE or old is None:
            raise Refuse(0x6A88)
        if not layout.is_valid_object(tag, data):
            raise Refuse(0x6A80)
        if tag == 0x9F79:
            most = state.number(0x9F77)
            if most is not None and int(data.hex()) > most:
                raise Refuse(0x6A80)
            if self._load_log is not None:
                self._load_log.append(state, self._transaction.values, command.header[2:] + old + data)
        state.put(tag, data)

    def _update_record(self, command: Command, data: bytes) -> None:
        """UPDATE RECORD of an existing record, a whole 70 template. JR/T 0025.5, UPDATE RECORD."""
        sfi, number = command.p2 >> 3, command.p1
        if command.p2 & 0x07 != 0x04 or not number:
            raise Refuse(0x6A86)
        if not 1 <= sfi <= layout.MAX_SFI or sfi << 8 | 1 in layout.INTERNAL:
            raise Refuse(0x6A82)
        if self._card.stored(sfi << 8 | number) is None:
            raise Refuse(0x6A83)
        self._state.memory[f"{sfi << 8 | number:04X}"] = emv_data.lists_record(data)


def _plain(command: Command, data: bytes) -> None:
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if data:
        raise Refuse(0x6700)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


_ACTIONS: Final[Mapping[int, Callable[[PaymentScripts, Command, bytes], None]]] = {
    0x1E: PaymentScripts._block,
    0x18: PaymentScripts._unblock,
    0x16: PaymentScripts._block_card,
    0x24: PaymentScripts._change_pin,
    0xDA: PaymentScripts._put_data,
    0xDC: PaymentScripts._update_record,
}
COMMANDS: Final = ((0x84, 0x1E), (0x84, 0x18), (0x84, 0x16), (0x84, 0x24), (0x04, 0xDA), (0x04, 0xDC))
"""Class and instruction of each script command."""
