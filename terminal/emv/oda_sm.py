"""Offline data authentication with SM2 and SM3: plain certificates with the signature appended. JR/T 0025.17.

The twin of ``oda``: the same objects in the same order, the same failures. Nothing is recovered from a signature, so
there are no remainders and exponents (tags 92, 9F32, 9F47, 9F48). The byte for the encryption algorithm is not judged:
only its value 00 is published, and nothing here depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from construct import Byte, Bytes, Construct, ConstructError, Struct, Terminated, this

from terminal.crypto import sm2
from terminal.emv.oda import DYNAMIC_NUMBER, Check, DynamicData, OdaFailed, Signed, month_end
from terminal.errors import CryptoError

ISSUER_CERTIFICATE: Final = 142
"""Bytes of tag 90, which begins with 12."""
ISSUER_FORMAT: Final = 0x12
_FORMS: Final = {Signed.ISSUER: ISSUER_FORMAT, Signed.ICC: 0x14, Signed.STATIC: 0x13, Signed.DYNAMIC: 0x15}
_ALGORITHM: Final = (0x04, 0x11, sm2.PUBLIC)
"""SM2 with SM3, the curve of GB/T 32918.5, and the length of the point."""


def _certificate_layout(subject: int) -> Construct:
    return Struct(
        "format" / Byte,
        "subject" / Bytes(subject),
        "expiry" / Bytes(2),
        "serial" / Bytes(3),
        "signature_algorithm" / Byte,
        "encryption_algorithm" / Byte,
        "curve" / Byte,
        "key_length" / Byte,
        "key" / Bytes(sm2.PUBLIC),
        "signature" / Bytes(sm2.SIGNATURE),
        Terminated,
    )


_LAYOUTS: Final[dict[Signed, Construct]] = {
    Signed.ISSUER: _certificate_layout(4),
    Signed.ICC: _certificate_layout(10),
    Signed.STATIC: Struct("format" / Byte, "code" / Bytes(2), "signature" / Bytes(sm2.SIGNATURE), Terminated),
    Signed.DYNAMIC: Struct(
        "format" / Byte,
        "length" / Byte,
        "dynamic" / Bytes(this.length),
        "signature" / Bytes(sm2.SIGNATURE),
        Terminated,
    ),
}


@dataclass(frozen=True, slots=True)
class SmPublicKey:
    """A public key (X || Y, 64 bytes) out of a certificate that passed every check.

    ``subject`` is the issuer identifier (3 to 8 digits) or the card number; ``expires`` the last day of validity.
    """

    key: bytes
    subject: str
    expires: date
    serial: bytes


def issuer_key(authority: bytes, certificate: bytes, *, pan: str, at: date) -> SmPublicKey:
    """The issuer public key out of tag 90, 142 bytes, signed by the scheme CA key. Raises OdaFailed."""
    found = _verified(authority, Signed.ISSUER, certificate, b"")
    subject = found.subject.hex().upper().rstrip("F")
    if not (3 <= len(subject) <= 8 and pan.startswith(subject)):
        raise OdaFailed(Signed.ISSUER, Check.ISSUER)
    return _public_key(found, Signed.ISSUER, subject, at)


def icc_key(issuer: bytes, certificate: bytes, *, pan: str, static: bytes, at: date) -> SmPublicKey:
    """The card's public key out of tag 9F46, 148 bytes; this also proves the static data. Raises OdaFailed."""
    found = _verified(issuer, Signed.ICC, certificate, static)
    subject = found.subject.hex().upper().rstrip("F")
    if subject != pan:
        raise OdaFailed(Signed.ICC, Check.CARD_NUMBER)
    return _public_key(found, Signed.ICC, subject, at)


def static_signature(issuer: bytes, signature: bytes, *, static: bytes) -> bytes:
    """Verify Signed Static Application Data, tag 93, 67 bytes; the data authentication code. Raises OdaFailed."""
    return bytes(_verified(issuer, Signed.STATIC, signature, static).code)


def dynamic_signature(card: bytes, signature: bytes, *, terminal_data: bytes) -> DynamicData:
    """Verify Signed Dynamic Application Data, tag 9F4B, over the DDOL data (in CDA: the unpredictable number).

    Raises OdaFailed.
    """
    dynamic = bytes(_verified(card, Signed.DYNAMIC, signature, terminal_data).dynamic)
    if not dynamic or dynamic[0] not in DYNAMIC_NUMBER or len(dynamic) <= dynamic[0]:
        raise OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA)
    return DynamicData(dynamic[1 : 1 + dynamic[0]], dynamic[1 + dynamic[0] :])


def _verified(signer: bytes, what: Signed, data: bytes, more: bytes) -> Any:
    """The fields of a signed object whose signature is right over its plain part and ``more``."""
    if data[:1] != bytes((_FORMS[what],)):
        raise OdaFailed(what, Check.FORMAT)
    try:
        fields = _LAYOUTS[what].parse(data)
    except ConstructError:
        raise OdaFailed(what, Check.LENGTH, f"{len(data)} bytes") from None
    try:
        genuine = sm2.verify(signer, data[: -sm2.SIGNATURE] + more, fields.signature)
    except CryptoError as fault:
        raise OdaFailed(what, Check.SIGNATURE, str(fault)) from None
    if not genuine:
        raise OdaFailed(what, Check.SIGNATURE)
    return fields


def _public_key(fields: Any, what: Signed, subject: str, at: date) -> SmPublicKey:
    expires = month_end(fields.expiry, what)
    if (fields.signature_algorithm, fields.curve, fields.key_length) != _ALGORITHM:
        raise OdaFailed(what, Check.KEY_ALGORITHM)
    if at > expires:
        raise OdaFailed(what, Check.EXPIRY, f"valid through {expires:%m/%Y}")
    return SmPublicKey(bytes(fields.key), subject, expires, bytes(fields.serial))
