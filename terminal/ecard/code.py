"""The code of an e-card (docs/e-card.md): a delegation that the issuer signed, and what the device signed.

196 bytes, big-endian, in base32 without padding (RFC 4648, 6): 314 letters, which a QR code holds in its alphanumeric
mode and a scanner types as a keyboard under every layout. There is no personal data in it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from terminal.errors import CodecError

FORM: Final = 1
STEP_SECONDS: Final = 30
DEVICE_KEY: Final = 33
"""Bytes of a compressed point of P-256. SEC 1, 2.3.3."""
NONCE: Final = 4
SIGNATURE: Final = 64
DELEGATION_PREFIX: Final = b"membercard e-card delegation\x00"
PRESENTATION_PREFIX: Final = b"membercard e-card presentation\x00"
_FIELDS: Final = struct.Struct(f">B3sB10sBHBII{DEVICE_KEY}s")
_SHOWN: Final = struct.Struct(f">I{NONCE}s")
_DELEGATION: Final = _FIELDS.size + SIGNATURE
LENGTH: Final = _DELEGATION + _SHOWN.size + SIGNATURE
_LETTERS: Final = -(-LENGTH * 8 // 5)
_GROUP: Final = 8
_CARD_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the issuer says of a device: it shows this card from ``starts`` to ``ends``. Times are aware, whole seconds.

    ``federation`` is its division (6 digits), ``key`` the number of its key, ``generation`` counts the sign-ins of the
    card, ``category`` is that of the member (DF26), ``device_key`` a compressed point of P-256.
    """

    federation: str
    key: int
    card_number: str
    sequence: int
    generation: int
    category: int
    starts: datetime
    ends: datetime
    device_key: bytes

    def encode(self) -> bytes:
        """The fields without a signature. Raises CodecError for values that have no place in them."""
        federation, number = self.federation, self.card_number
        if not (federation.isascii() and federation.isdigit() and len(federation) == 6):
            raise CodecError("a federation is named by the six digits of its division")
        if not (number.isascii() and number.isdigit() and len(number) < _CARD_DIGITS):
            raise CodecError("a card number has 19 digits at most")
        if len(self.device_key) != DEVICE_KEY:
            raise CodecError(f"the key of a device has {DEVICE_KEY} bytes")
        try:
            return _FIELDS.pack(
                FORM,
                bytes.fromhex(federation),
                self.key,
                bytes.fromhex(number.ljust(_CARD_DIGITS, "F")),
                self.sequence,
                self.generation,
                self.category,
                int(self.starts.timestamp()),
                int(self.ends.timestamp()),
                self.device_key,
            )
        except struct.error as error:
            raise CodecError("a value of this e-card has no place in its code") from error

    def signed(self, sign: Callable[[bytes], bytes]) -> bytes:
        """What the device stores and shows: the fields with the issuer's signature, 64 bytes, which ``sign`` gives."""
        fields = self.encode()
        return fields + sign(DELEGATION_PREFIX + fields)

    @classmethod
    def decode(cls, fields: bytes) -> Self:
        """Raises CodecError."""
        form, federation, key, number, sequence, generation, category, starts, ends, device = _FIELDS.unpack(fields)
        digits, issuer = number.hex().upper().rstrip("F"), federation.hex()
        if form != FORM or not (digits.isdecimal() and issuer.isdecimal()):
            raise CodecError("this code is not an e-card")
        times = datetime.fromtimestamp(starts, UTC), datetime.fromtimestamp(ends, UTC)
        return cls(issuer, key, digits, sequence, generation, category, *times, device)


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A code as it was scanned, nothing of it verified. ``step`` counts 30 seconds from 1970-01-01T00:00Z."""

    delegation: Delegation
    step: int
    nonce: bytes
    whole: bytes

    @classmethod
    def read(cls, code: str) -> Self:
        """Raises CodecError for what is not a code of this form."""
        whole = _decoded(code)
        step, nonce = _SHOWN.unpack_from(whole, _DELEGATION)
        return cls(Delegation.decode(whole[: _FIELDS.size]), step, nonce, whole)

    @property
    def issuer_message(self) -> bytes:
        return DELEGATION_PREFIX + self.whole[: _FIELDS.size]

    @property
    def issuer_signature(self) -> bytes:
        return self.whole[_FIELDS.size : _DELEGATION]

    @property
    def device_message(self) -> bytes:
        return PRESENTATION_PREFIX + self.whole[:-SIGNATURE]

    @property
    def device_signature(self) -> bytes:
        return self.whole[-SIGNATURE:]


def step_at(at: datetime) -> int:
    """The step of an aware time."""
    return int(at.timestamp()) // STEP_SECONDS


def _decoded(code: str) -> bytes:
    letters = code.strip().upper()
    if len(letters) != _LETTERS:
        raise CodecError("this code is not an e-card")
    try:
        whole = base64.b32decode(letters + "=" * (-len(letters) % _GROUP))
    except ValueError as error:
        raise CodecError("this code is not an e-card") from error
    if base64.b32encode(whole).decode().rstrip("=") != letters:  # letters whose last bits belong to no byte
        raise CodecError("this code is not an e-card")
    return whole
