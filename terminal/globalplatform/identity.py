"""What tells one chip from another: production data, key data or card image number, as far as they say something."""

from __future__ import annotations

from enum import StrEnum

from terminal.globalplatform.tolerant import objects, says_something, values
from terminal.keys import Diversification


class IdentitySource(StrEnum):
    """Where the identity of a chip is read."""

    CPLC = "cplc"
    """Production data, 9F7F."""
    KEY_DATA = "key-data"
    """The ten bytes in the answer to INITIALIZE UPDATE."""
    CARD_IMAGE_NUMBER = "cin"
    """Data object 45. GPC 2.3.1, H.6."""


_UNSET = frozenset((0x00, 0xFF))


def of_key_data(key_data: bytes) -> str:
    """``KD-`` and the key data in hex; empty for key data of bytes 00 and FF only: those of a chip number that was
    never set, between fixed bytes."""
    return f"KD-{key_data.hex().upper()}" if set(key_data) - _UNSET else ""


_CHIP_NUMBER = {
    Diversification.VISA2: slice(4, 8),
    Diversification.EMV_CPS: slice(6, 10),
    Diversification.KDF3: slice(None),
}
"""Where the key data hold what tells chips apart: VISA2 and EMV CPS take their serial number (EMV CPS 1.1, 4.1)."""


def tells_keys_apart(method: Diversification, key_data: bytes) -> bool:
    """Whether keys that ``method`` derives from these ten bytes are those of one chip: False where the chip number in
    them was never set, so that all such chips would share their keys. True where nothing is derived."""
    return method is Diversification.NONE or bool(set(key_data[_CHIP_NUMBER[method]]) - _UNSET)


def of_card_image_number(data: bytes) -> str:
    """``CIN-`` and the number in hex, from the data object 45 or its value; empty for one that was never set."""
    value = next(iter(values(objects(data), 0x45)), data)
    return f"CIN-{value.hex().upper()}" if says_something(value) else ""
