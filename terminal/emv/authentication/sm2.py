"""Offline data authentication with SM2 and SM3: plain certificates with the signature appended. JR/T 0025.17.

Objects, order and failures are those of ``rsa``. Nothing is recovered from a signature, so there are no remainders and
exponents (tags 92, 9F32, 9F47, 9F48). The byte for the encryption algorithm is not checked: only its value 00 is
published, and nothing here depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from struct import Struct
from typing import Final, NamedTuple

from terminal.crypto import sm2
from terminal.emv.authentication.rsa import DYNAMIC_NUMBER, Check, DynamicData, OdaFailed, Signed, month_end
from terminal.errors import CryptoError

ISSUER_CERTIFICATE: Final = 142
"""Bytes of tag 90, which begins with 12."""
ISSUER_FORMAT: Final = 0x12
_FORMS: Final = {Signed.ISSUER: ISSUER_FORMAT, Signed.ICC: 0x14, Signed.STATIC: 0x13, Signed.DYNAMIC: 0x15}
_ALGORITHM: Final = (0x04, 0x11, sm2.PUBLIC)
"""SM2 with SM3, the curve of GB/T 32918.5, and the length of the point."""


_LAYOUTS: Final = {
    Signed.ISSUER: Struct(f"x4s2s3sBxBB{sm2.PUBLIC}s{sm2.SIGNATURE}x"),
    Signed.ICC: Struct(f"x10s2s3sBxBB{sm2.PUBLIC}s{sm2.SIGNATURE}x"),
}
"""Format byte, subject, expiry, serial number, algorithms of signature and encryption, curve, length of the key, key,
signature."""
_STATIC: Final = 3 + sm2.SIGNATURE
"""Bytes of tag 93: format byte, data authentication code, signature."""


class _Certificate(NamedTuple):
    subject: bytes
    expiry: bytes
    serial: bytes
    signature_algorithm: int
    curve: int
    key_length: int
    key: bytes


@dataclass(frozen=True, slots=True)
class SmPublicKey:
    """A public key (X || Y, 64 bytes) from a certificate that passed every check.

    ``subject`` is the issuer identifier (3 to 8 digits) or the card number; ``expires`` the last day of validity.
    """

    key: bytes
    subject: str
    expires: date
    serial: bytes


def issuer_key(authority: bytes, certificate: bytes, *, pan: str, at: date) -> SmPublicKey:
    """The issuer public key from tag 90, 142 bytes, signed by the scheme CA key. Raises OdaFailed."""
    parsed = _certificate(authority, Signed.ISSUER, certificate, b"")
    subject = parsed.subject.hex().upper().rstrip("F")
    if not (3 <= len(subject) <= 8 and pan.startswith(subject)):
        raise OdaFailed(Signed.ISSUER, Check.ISSUER)
    return _public_key(parsed, Signed.ISSUER, subject, at)


def icc_key(issuer: bytes, certificate: bytes, *, pan: str, static: bytes, at: date) -> SmPublicKey:
    """The card's public key from tag 9F46, 148 bytes; this also proves the static data. Raises OdaFailed."""
    parsed = _certificate(issuer, Signed.ICC, certificate, static)
    subject = parsed.subject.hex().upper().rstrip("F")
    if subject != pan:
        raise OdaFailed(Signed.ICC, Check.CARD_NUMBER)
    return _public_key(parsed, Signed.ICC, subject, at)


def static_signature(issuer: bytes, signature: bytes, *, static: bytes) -> bytes:
    """Verify Signed Static Application Data, tag 93, 67 bytes; the data authentication code. Raises OdaFailed."""
    _verify(issuer, Signed.STATIC, signature, static, _STATIC)
    return signature[1:3]


def dynamic_signature(card: bytes, signature: bytes, *, terminal_data: bytes) -> DynamicData:
    """Verify Signed Dynamic Application Data, tag 9F4B, over the DDOL data (in CDA: the unpredictable number).

    Raises OdaFailed.
    """
    length = signature[1] if len(signature) > 1 else 0
    _verify(card, Signed.DYNAMIC, signature, terminal_data, 2 + length + sm2.SIGNATURE)
    dynamic = signature[2 : 2 + length]
    if not dynamic or dynamic[0] not in DYNAMIC_NUMBER or len(dynamic) <= dynamic[0]:
        raise OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA)
    return DynamicData(dynamic[1 : 1 + dynamic[0]], dynamic[1 + dynamic[0] :])


def _certificate(signer: bytes, kind: Signed, data: bytes, more: bytes) -> _Certificate:
    """The fields of a certificate whose signature is valid over its plain part and ``more``."""
    layout = _LAYOUTS[kind]
    _verify(signer, kind, data, more, layout.size)
    return _Certificate._make(layout.unpack(data))


def _verify(signer: bytes, kind: Signed, data: bytes, more: bytes, size: int) -> None:
    """Check format byte and length, and the signature at the end of ``data`` over the bytes before it and ``more``."""
    if data[:1] != bytes((_FORMS[kind],)):
        raise OdaFailed(kind, Check.FORMAT)
    if len(data) != size:
        raise OdaFailed(kind, Check.LENGTH, f"{len(data)} bytes")
    try:
        genuine = sm2.verify(signer, data[: -sm2.SIGNATURE] + more, data[-sm2.SIGNATURE :])
    except CryptoError as fault:
        raise OdaFailed(kind, Check.SIGNATURE, str(fault)) from None
    if not genuine:
        raise OdaFailed(kind, Check.SIGNATURE)


def _public_key(parsed: _Certificate, kind: Signed, subject: str, at: date) -> SmPublicKey:
    expires = month_end(parsed.expiry, kind)
    if (parsed.signature_algorithm, parsed.curve, parsed.key_length) != _ALGORITHM:
        raise OdaFailed(kind, Check.KEY_ALGORITHM)
    if at > expires:
        raise OdaFailed(kind, Check.EXPIRY, f"valid through {expires:%m/%Y}")
    return SmPublicKey(parsed.key, subject, expires, parsed.serial)
