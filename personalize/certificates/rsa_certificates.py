"""RSA certificates and static signatures of the card, issuer side. EMV 4.4 Book 2, 5.1-5.4, 6.1-6.4.

The terminal side (recovery and checks) is ``terminal.emv.authentication``; the two share no code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from personalize.encoding import mmyy
from personalize.errors import PrepareError

Sign = Callable[[bytes], bytes]
"""Raw RSA with the signer's private key: a representative as long as its modulus."""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate, the remainder of the public key, and the public exponent."""

    certificate: bytes
    remainder: bytes
    exponent: bytes


def issuer_certificate(
    sign: Sign, ca_size: int, modulus: int, exponent: int, *, identifier: str, expires: date, serial: int
) -> IssuedCertificate:
    """The issuer public key certificate, tag 90. ``ca_size`` is the CA modulus length in bytes;
    ``identifier`` the leftmost 3 to 8 PAN digits. EMV 4.4 Book 2, 5.3, table 13."""
    head = b"\x02" + bytes.fromhex(identifier.ljust(8, "F")) + mmyy(expires) + serial.to_bytes(3, "big")
    return _certificate(sign, ca_size, head, modulus, exponent, static=b"", overhead=36)


def icc_certificate(
    sign: Sign, issuer_size: int, modulus: int, exponent: int, *, pan: str, expires: date, serial: int, static: bytes
) -> IssuedCertificate:
    """The ICC public key certificate, tag 9F46, which covers the static data to be authenticated.

    EMV 4.4 Book 2, 6.4, table 14."""
    head = b"\x04" + bytes.fromhex(pan.ljust(20, "F")) + mmyy(expires) + serial.to_bytes(3, "big")
    return _certificate(sign, issuer_size, head, modulus, exponent, static=static, overhead=42)


def signed_static_data(sign: Sign, issuer_size: int, static: bytes, *, authentication_code: bytes) -> bytes:
    """Signed Static Application Data, tag 93. EMV 4.4 Book 2, 5.4, table 3."""
    body = b"\x03\x01" + authentication_code + b"\xbb" * (issuer_size - 26)
    return sign(b"\x6a" + body + hashlib.sha1(body + static, usedforsecurity=False).digest() + b"\xbc")


def _certificate(
    sign: Sign, signer_size: int, head: bytes, modulus: int, exponent: int, *, static: bytes, overhead: int
) -> IssuedCertificate:
    key = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    exp = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    if len(key) > signer_size:
        raise PrepareError(
            f"a public key of {len(key) * 8} bits cannot be certified by a key of {signer_size * 8} bits "
            "(EMV 4.4 Book 2, 5.1: the signer's modulus is at least as long)"
        )
    room = signer_size - overhead
    inside, remainder = key[:room].ljust(room, b"\xbb"), key[room:]
    # Hash algorithm 01 is SHA-1, public key algorithm 01 is RSA.
    body = head + b"\x01\x01" + bytes((len(key), len(exp))) + inside
    digest = hashlib.sha1(body + remainder + exp + static, usedforsecurity=False).digest()
    return IssuedCertificate(sign(b"\x6a" + body + digest + b"\xbc"), remainder, exp)
