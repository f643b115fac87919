"""GET DATA: one primitive data object of the selected application. EMV 4.4 Book 3, 6.5.7."""

from __future__ import annotations

from terminal.apdu import Command, Sender
from terminal.errors import ApduError, CardMalformed, TlvError
from terminal.tlv import decode


def get_data(sender: Sender, tag: int) -> bytes | None:
    """The value of a data object, None where the card does not give it or gives something else.

    Raises TransportError.
    """
    try:
        response = sender.send(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256))
    except (CardMalformed, ApduError):
        return None
    if not response.sw.ok:
        return None
    try:
        found = decode(response.data).only(tag)
    except TlvError:
        return None
    return None if found is None else found.value
