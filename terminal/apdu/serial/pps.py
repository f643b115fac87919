"""Protocol and parameters selection, as pure functions. ISO/IEC 7816-3:2006, 9."""

from __future__ import annotations

from enum import Enum
from functools import reduce
from operator import xor
from typing import Final

PPSS: Final = 0xFF
_SPEED = 0x10


class PpsResult(Enum):
    """What a card answered to a PPS request. 9.3."""

    ACCEPTED = "accepted"
    DEFAULT_RATE = "default rate"
    """The protocol is selected, the proposed rate is not."""
    REFUSED = "refused"


def request(protocol: int, speed: int | None) -> bytes:
    """PPS request for a protocol (0 or 1) and a speed byte as in TA1; None proposes none. 9.2."""
    parts = (PPSS, protocol) if speed is None else (PPSS, protocol | _SPEED, speed)
    return bytes((*parts, reduce(xor, parts)))


def length(pps0: int) -> int:
    """Length in bytes of a PPS request or response, from its second byte. 9.2."""
    return 3 + (pps0 >> 4 & 7).bit_count()


def result(sent: bytes, response: bytes) -> PpsResult:
    """What a whole PPS response says. 9.3."""
    if response == sent:
        return PpsResult.ACCEPTED
    right = (
        len(response) >= 3
        and response[0] == PPSS
        and len(response) == length(response[1])
        and not reduce(xor, response)
    )
    # A response without PPS1 leaves the default values of F and D in use.
    if right and not response[1] & 0xF0 and response[1] & 0x0F == sent[1] & 0x0F:
        return PpsResult.DEFAULT_RATE
    return PpsResult.REFUSED
