"""The PIN of the member application: VERIFY, for benefits that demand it. EMV 4.4 Book 3, 6.5.12; ISO 9564-1, 9.3.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from terminal.apdu import Command, Sender
from terminal.crypto.pinblock import format2
from terminal.errors import CardRefused
from terminal.secret import Secret

_PLAIN: Final = 0x80
_BLOCKED: Final = 0x6984
"""The PIN is blocked, as 6983."""


@dataclass(frozen=True, slots=True)
class PinCheck:
    """The outcome of one VERIFY. ``tries_left`` is 0 for a PIN that is blocked, and None after a right one."""

    verified: bool
    tries_left: int | None


def verify_pin(sender: Sender, pin: Secret) -> PinCheck:
    """Present a PIN (4 to 12 ASCII digits) to the selected application, between the verdict and the redemption.

    Raises CryptoError for what is no PIN, before anything is sent, CardRefused for another status word (a card without
    a PIN), and TransportError: then a try may be used.
    """
    response = sender.send(Command(0x00, 0x20, 0x00, _PLAIN, format2(pin).reveal()))
    if response.sw.ok:
        return PinCheck(True, None)
    left = 0 if response.sw == _BLOCKED else response.sw.tries_left
    if left is None:
        raise CardRefused("verifying the PIN (VERIFY)", response.sw)
    return PinCheck(False, left)
