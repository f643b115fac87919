"""Commands to the card inside a transaction. An answer that no specification foresees ends it, with a step."""

from __future__ import annotations

from typing import Final

from terminal.apdu import Command, Response, Sender
from terminal.emv.data.records import card_objects
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.errors import ApduError, CardMalformed, TlvError
from terminal.tlv import Tlvs

FAULTY_ICC: Final = "EMV 4.4 Book 3, 7.5"
"""Malformed data and unexpected status words end the transaction."""
LONG_LENGTH: Final = "EMV 4.4 Book 3, Annex B2"
MOST_DATA: Final = 255
"""Bytes of command data in EMV: short commands only. EMV 4.4 Book 1, 9.4."""


def transmit(state: TransactionState, stage: KernelStage, sender: Sender, command: Command, operation: str) -> Response:
    """Send a command. An unreadable answer (no status word, endless data) ends the transaction; the first complete
    answer begins it (``state.begun``).

    Raises Stop, and TransportError when the connection to the card fails.
    """
    try:
        response = sender.send(command)
    except (CardMalformed, ApduError) as fault:
        state.stop(stage, f"{operation}: the card gave no answer that can be read ({fault})", FAULTY_ICC)
    state.begun = True
    return response


def select(
    state: TransactionState, sender: Sender, name: bytes, operation: str, *, following: bool = False
) -> Response:
    """SELECT by name, the first or the ``following`` occurrence. EMV 4.4 Book 1, 11.3."""
    command = Command(0x00, 0xA4, 0x04, 0x02 if following else 0x00, name, ne=256)
    return transmit(state, KernelStage.SELECTION, sender, command, operation)


def objects(state: TransactionState, stage: KernelStage, operation: str, data: bytes) -> Tlvs | None:
    """The data objects of an answer; None when they do not parse. Lengths in more bytes than they need are read, with a
    remark. EMV 4.4 Book 3, Annex B2."""
    try:
        tlvs, long_length = card_objects(data)
    except TlvError:
        return None
    if long_length:
        remark_length(state, stage, operation)
    return tlvs


def remark_length(state: TransactionState, stage: KernelStage, operation: str) -> None:
    """Note that an answer of the card has a length in long form where it needs none."""
    state.note(stage, f"{operation}: a length of the answer has more bytes than it needs; it is read", LONG_LENGTH)


def get_data(
    sender: Sender, tag: int, state: TransactionState | None = None, stage: KernelStage = KernelStage.READING
) -> bytes | None:
    """GET DATA: the value of one primitive data object; None where the card does not give it, gives an empty one or
    something else. Remarks go into ``state``.

    Raises TransportError. EMV 4.4 Book 3, 5.2, 6.5.7.
    """
    try:
        response = sender.send(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256))
    except (CardMalformed, ApduError):
        return None
    if not response.sw.ok:
        return None
    try:
        tlvs, long_length = card_objects(response.data)
    except TlvError:
        return None
    data_object = tlvs.only(tag)
    if data_object is None or not data_object.value:
        return None
    if state is not None and long_length:
        remark_length(state, stage, f"reading {data_object.tag}")
    return data_object.value
