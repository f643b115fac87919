"""A ticket as a signed code: a counter checks it offline with the key of the signed lists.

The code is base32 (RFC 4648, 6), which a QR code holds in its alphanumeric mode, over the content and its signature:
RSA with SHA-256 (``signed``) over a prefix, which no list begins with, and the content. The content is: form (1 byte),
rush (4), ticket (4), first and last day (2 each, days since 2000-01-01), the last four digits of the card (2), and the
lot, packed as digits of base 38. A code of a 2048-bit key has 298 bytes at most.
"""

from __future__ import annotations

import base64
import hmac
import struct
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

from terminal.crypto.rsa import RsaPublic, public
from terminal.errors import CodecError, CryptoError, IntegrityError
from terminal.member.signed import Sign, representative

LONGEST: Final = 300
"""Bytes of a ticket."""
_FORM: Final = 1
_PREFIX: Final = b"membercard ticket\x00"
_HEAD: Final = struct.Struct(">BIIHHH")
_EPOCH: Final = date(2000, 1, 1)
_LETTERS: Final = "-0123456789abcdefghijklmnopqrstuvwxyz"
_BASE: Final = len(_LETTERS) + 1
_LONGEST_LOT: Final = 40
_GROUP: Final = 8
"""Letters of base32 that hold whole bytes."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says: ``number`` is that of the claim, ``card_tail`` the last four digits of the member's card."""

    rush: int
    lot: str
    number: int
    first: date
    last: date
    card_tail: str

    def write(self, key: RsaPublic, sign: Sign) -> str:
        """The signed code. Raises CodecError for values that have no place in it, and what ``sign`` raises."""
        content = self._encoded()
        whole = content + sign(representative(_PREFIX + content, key.size))
        if len(whole) > LONGEST:
            raise CodecError(f"a ticket of {len(whole)} bytes does not fit its code: its key is too long")
        return base64.b32encode(whole).decode().rstrip("=")

    @classmethod
    def read(cls, code: str, key: RsaPublic) -> Self:
        """What a code says. Raises CodecError for one that is no ticket, IntegrityError for one that is not signed by
        that key or was changed."""
        whole = _decoded(code)
        content, signature = whole[: -key.size], whole[-key.size :]
        if len(content) <= _HEAD.size:
            raise CodecError("this code is not a ticket")
        try:
            genuine = hmac.compare_digest(public(key, signature), representative(_PREFIX + content, key.size))
        except CryptoError:
            genuine = False
        if not genuine:
            raise IntegrityError("this ticket was not signed by this federation, or was changed afterwards")
        form, rush, number, first, last, tail = _HEAD.unpack_from(content)
        if form != _FORM:
            raise CodecError("this ticket is of a newer form: update the program of this counter")
        return cls(rush, _unpacked(content[_HEAD.size :]), number, _day(first), _day(last), f"{tail:04d}")

    def _encoded(self) -> bytes:
        if not 1 <= len(self.lot) <= _LONGEST_LOT or set(self.lot) - set(_LETTERS):
            raise CodecError("a ticket names its lot in small letters, digits and hyphens")
        days = [(day - _EPOCH).days for day in (self.first, self.last)]
        try:
            return _HEAD.pack(_FORM, self.rush, self.number, *days, int(self.card_tail)) + _packed(self.lot)
        except (struct.error, ValueError) as error:
            raise CodecError("a value of this ticket has no place in its code") from error


def _decoded(code: str) -> bytes:
    letters = code.strip().upper()
    try:
        whole = base64.b32decode(letters + "=" * (-len(letters) % _GROUP))
    except ValueError as error:
        raise CodecError("this code is not a ticket") from error
    if base64.b32encode(whole).decode().rstrip("=") != letters:  # letters whose last bits belong to no byte
        raise CodecError("this code is not a ticket")
    return whole


def _day(days: int) -> date:
    return _EPOCH + timedelta(days=days)


def _packed(lot: str) -> bytes:
    number = 0
    for letter in lot:
        number = number * _BASE + _LETTERS.index(letter) + 1
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _unpacked(packed: bytes) -> str:
    number, letters = int.from_bytes(packed, "big"), ""
    while number:
        number, digit = divmod(number, _BASE)
        letters = _LETTERS[digit - 1] + letters
    return letters
