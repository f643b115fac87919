"""P1 of STORE DATA. GPC 2.3.1, 11.11.2.1."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulators.card.applet import Refuse

_LAST, _ENCRYPTION, _STRUCTURE, _RESERVED = 0x80, 0x60, 0x18, 0x06


class Encryption(IntEnum):
    """b7-b6: how the data are encrypted; 10 is reserved."""

    NONE = 0x00
    APPLICATION_DEPENDENT = 0x20
    DEK = 0x60


class Structure(IntEnum):
    """b5-b4: the structure of the data; 11 is reserved. NONE leaves it to the receiver."""

    NONE = 0x00
    DGI = 0x08
    BER_TLV = 0x10


class StoreDataP1(NamedTuple):
    """The meaning of P1. Not kept: b1, since data may be returned (1) and never are."""

    last: bool
    encryption: Encryption
    structure: Structure

    @classmethod
    def decode(cls, p1: int) -> StoreDataP1:
        """Raises Refuse: 6A86 for a reserved value."""
        try:
            encryption, structure = Encryption(p1 & _ENCRYPTION), Structure(p1 & _STRUCTURE)
        except ValueError:
            raise Refuse(0x6A86) from None
        if p1 & _RESERVED:
            raise Refuse(0x6A86)
        return cls(bool(p1 & _LAST), encryption, structure)
