"""SM2 signatures with SM3, by Tongsuo: public keys are X || Y, 64 bytes, and signatures r || s, 64 bytes.

The signer's identity is always "1234567812345678", as JR/T 0025.17 specifies. It is Tongsuo's default: Tongsuo
hashes Z_A = SM3(0080 || identity || a || b || Gx || Gy || X || Y) before the message. GB/T 32918.2, 5.5 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from tongsuopy.crypto import hashes
from tongsuopy.crypto.asymciphers import ec
from tongsuopy.crypto.exceptions import InvalidSignature

from terminal.errors import CryptoError

BITS = 256
PRIVATE = 32
PUBLIC = 64
SIGNATURE = 64
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""The order n of the base point. GB/T 32918.5."""
_CURVE = ec.SM2()
_ALGORITHM = ec.ECDSA(hashes.SM3())  # On this curve Tongsuo computes SM2 signatures under this name.
_UNCOMPRESSED = b"\x04"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Sm2Private:
    """A private key, made by ``generate`` or ``decode``. It never prints and cannot be pickled."""

    public: bytes
    """X || Y, 64 bytes."""
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def decode(cls, data: bytes) -> Sm2Private:
        """The key of a private number d of 32 bytes. Raises CryptoError unless 0 < d < n - 1. GB/T 32918.1, 6.1."""
        d = int.from_bytes(data, "big")
        if len(data) != PRIVATE or not 0 < d < ORDER - 1:
            raise CryptoError("these bytes are not an SM2 private key")
        return _private(ec.derive_private_key(d, _CURVE))

    def encode(self) -> bytes:
        """The private number d, 32 secret bytes, to be sealed at once."""
        return int(self.key.private_numbers().private_value).to_bytes(PRIVATE, "big")

    def __repr__(self) -> str:
        return "<Sm2Private>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def generate() -> Sm2Private:
    """A new key pair from Tongsuo's random source. GB/T 32918.1, 6.1."""
    return _private(ec.generate_private_key(_CURVE))


def sign(key: Sm2Private, message: bytes) -> bytes:
    """The signature r || s, 64 bytes, over a message of any length. GB/T 32918.2, 6.1."""
    r, s = decode_dss_signature(key.key.sign(message, _ALGORITHM))
    return r.to_bytes(SIGNATURE // 2, "big") + s.to_bytes(SIGNATURE // 2, "big")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether r || s is this key's signature over the message; False for a signature of another length than 64 bytes.

    GB/T 32918.2, 7.1. Raises CryptoError when ``public`` is not a point X || Y of the curve.
    """
    key = _public(public)
    if len(signature) != SIGNATURE:
        return False
    r, s = (int.from_bytes(part, "big") for part in (signature[: SIGNATURE // 2], signature[SIGNATURE // 2 :]))
    try:
        key.verify(encode_dss_signature(r, s), message, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def check_public(public: bytes) -> bytes:
    """The same bytes, if they are a point X || Y of the curve. Raises CryptoError. GB/T 32918.1, 6.2."""
    _public(public)
    return public


def _public(public: bytes) -> ec.EllipticCurvePublicKey:
    if len(public) != PUBLIC:
        raise CryptoError(f"an SM2 public key has {PUBLIC} bytes, not {len(public)}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, _UNCOMPRESSED + public)
    except ValueError:
        raise CryptoError("these 64 bytes are no point of the SM2 curve") from None


def _private(key: ec.EllipticCurvePrivateKey) -> Sm2Private:
    numbers = key.public_key().public_numbers()
    return Sm2Private(numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big"), key)
