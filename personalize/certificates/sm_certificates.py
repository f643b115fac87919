"""SM2 certificates and static signatures of the card, issuer side: plain data followed by the signature.

JR/T 0025.17 (PBOC 3.0, part 17), layouts of the issuer certificate, the ICC certificate and signed static data.
The terminal side is ``terminal.emv.authentication``; the two share no code.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from personalize.encoding import mmyy

Sign = Callable[[bytes], bytes]
"""SM2 with SM3 and the signer's Z_A over a message of any length: r || s, 64 bytes."""

_SM2 = bytes((0x04, 0x00, 0x11, 0x40))
"""Signature algorithm SM2 with SM3, encryption algorithm none, curve, length of the public key."""


def issuer_certificate(sign: Sign, public: bytes, *, identifier: str, expires: date, serial: int) -> bytes:
    """Tag 90, 142 bytes. ``public`` is X || Y; ``identifier`` the leftmost 3 to 8 PAN digits."""
    head = b"\x12" + bytes.fromhex(identifier.ljust(8, "F")) + mmyy(expires)
    body = head + serial.to_bytes(3, "big") + _SM2 + public
    return body + sign(body)


def icc_certificate(sign: Sign, public: bytes, *, pan: str, expires: date, serial: int, static: bytes) -> bytes:
    """Tag 9F46, 148 bytes; the signature also covers the static data to be authenticated."""
    head = b"\x14" + bytes.fromhex(pan.ljust(20, "F")) + mmyy(expires)
    body = head + serial.to_bytes(3, "big") + _SM2 + public
    return body + sign(body + static)


def signed_static_data(sign: Sign, static: bytes, *, authentication_code: bytes) -> bytes:
    """Tag 93, 67 bytes."""
    body = b"\x13" + authentication_code
    return body + sign(body + static)
