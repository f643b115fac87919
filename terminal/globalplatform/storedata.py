"""STORE DATA: DGIs packed into the fewest possible blocks. GPC 2.3.1, 11.11; EMV CPS 1.1, 4.3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from terminal.apdu import Command
from terminal.errors import SecureChannelError
from terminal.keys.custody import CardKeys, KeyCustody, Sealed, SessionDek, Udks
from terminal.tlv import dgi

_LAST = 0x80
_RESPONSE = 0x01
"""P1 b1: the card may return data (ISO/IEC 7816-4 case 4). GPC 2.3.1, Table 11-87."""
_ENCRYPTED = 0x60


class StoreDataStructure(IntEnum):
    """P1 b5-b4: the structure of the data field. GPC 2.3.1, Table 11-87."""

    NONE = 0x00
    DGI = 0x08
    BER = 0x10


@dataclass(frozen=True, slots=True)
class StoreDataBlock:
    """The data field of one STORE DATA command; ``encrypted``: its values are under the session DEK."""

    data: bytes
    encrypted: bool

    def __repr__(self) -> str:
        return f"<StoreDataBlock {len(self.data)} bytes{', encrypted' if self.encrypted else ''}>"


class StoreDataPart(Protocol):
    """One DGI to store: a plain value, or the reference of a secret one that only custody reads.

    ``secret`` values are sent under the session DEK; ``padded`` adds ISO/IEC 9797-1 method 2 padding first.
    """

    @property
    def number(self) -> int: ...
    @property
    def value(self) -> bytes | Udks | CardKeys | Sealed: ...
    @property
    def secret(self) -> bool: ...
    @property
    def padded(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class DgiPart:
    """A StoreDataPart as a plain value."""

    number: int
    value: bytes | Udks | CardKeys | Sealed
    padded: bool = False

    @property
    def secret(self) -> bool:
        return not isinstance(self.value, bytes)

    def __repr__(self) -> str:
        return f"<DgiPart {self.number:04X}>"


def pack(parts: Iterable[StoreDataPart], custody: KeyCustody, dek: SessionDek, max_data: int) -> list[StoreDataBlock]:
    """DGIs in blocks of at most ``max_data`` bytes: secret ones first, then plain ones, in the given order.

    Every block but the last of its kind is full, and a DGI may continue in the next block: fewer commands are
    impossible, since plain and secret DGIs may not share a block. The check values of keys (9000, 9030) are plain and
    so arrive after the keys that they check.
    Raises TlvError for a DGI number or length that does not exist, SecureChannelError for a secret value in clear,
    and CustodyError.
    """
    secret, plain = bytearray(), bytearray()
    for part in parts:
        if isinstance(part.value, bytes):
            if part.secret:
                raise SecureChannelError(f"DGI {part.number:04X} is secret, but its value is in clear: seal it first")
            plain += dgi.encode([(part.number, part.value)])
        else:
            wrapped = custody.wrap_for_card(dek, part.value, pad=part.padded)
            secret += dgi.encode([(part.number, wrapped.ciphertext)])
    return blocks(bytes(secret), max_data, encrypted=True) + blocks(bytes(plain), max_data)


def blocks(data: bytes, max_data: int, *, encrypted: bool = False) -> list[StoreDataBlock]:
    """Data in full blocks, except the last; no block for no data."""
    return [StoreDataBlock(data[at : at + max_data], encrypted) for at in range(0, len(data), max_data)]


def commands(
    content: Sequence[StoreDataBlock], structure: StoreDataStructure, *, response: bool = False
) -> list[Command]:
    """STORE DATA commands: P1 has structure, encryption, the last block, and with ``response`` that data may be
    returned; P2 counts from 00 to FF and wraps.

    Raises SecureChannelError when there is nothing to store.
    """
    if not content:
        raise SecureChannelError("STORE DATA: there is nothing to store")
    last = len(content) - 1
    flag = _RESPONSE if response else 0
    return [
        Command(
            0x80,
            0xE2,
            structure | (_ENCRYPTED if block.encrypted else 0) | (_LAST if number == last else 0) | flag,
            number & 0xFF,
            block.data,
            ne=256 if response else None,
        )
        for number, block in enumerate(content)
    ]
