"""Raw RSA, as EMV certificates and card signatures use it, and key pairs in CRT form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import gmpy2
from cryptography.hazmat.primitives.asymmetric import rsa as _openssl

from terminal.errors import CryptoError

EXPONENTS = (3, 65537)
"""The public exponents of EMV 4.4 Book 2, B2.1."""


class RsaPublic(NamedTuple):
    """A public key: modulus and exponent."""

    n: int
    e: int

    @property
    def size(self) -> int:
        """Length of the modulus in bytes."""
        return (self.n.bit_length() + 7) // 8


class CrtComponents(NamedTuple):
    """Five numbers, each half as long as the modulus, in the order of DGIs 8201 to 8205."""

    qinv: bytes  # q^-1 mod p
    dq: bytes  # d mod (q - 1)
    dp: bytes  # d mod (p - 1)
    q: bytes
    p: bytes

    def __repr__(self) -> str:
        return f"<CrtComponents, {len(self.p)} bytes each>"


@dataclass(frozen=True, slots=True, repr=False)
class RsaPrivate:
    """A private key as numbers, p > q. It never prints and cannot be pickled; ``encode`` is for sealing it."""

    p: int
    q: int
    dp: int
    dq: int
    qinv: int
    n: int
    e: int

    @classmethod
    def from_primes(cls, p: int, q: int, e: int) -> RsaPrivate:
        """The key of two primes of equal length. Raises CryptoError when they do not form a key for ``e``."""
        p, q = max(p, q), min(p, q)
        n, phi = p * q, (p - 1) * (q - 1)
        if q < 3 or p == q or p.bit_length() != q.bit_length() or e < 3 or gmpy2.gcd(e, phi) != 1:
            raise CryptoError("these two numbers are not the primes of an RSA key")
        d = pow(e, -1, phi)
        return cls(p, q, d % (p - 1), d % (q - 1), pow(q, -1, p), n, e)

    @classmethod
    def decode(cls, data: bytes) -> RsaPrivate:
        """The inverse of ``encode``. Raises CryptoError."""
        half, odd = divmod(len(data) - 4, 2)
        if odd or half < 1:
            raise CryptoError("these bytes are not an encoded RSA key")
        e, p, q = data[:4], data[4 : 4 + half], data[4 + half :]
        return cls.from_primes(int.from_bytes(p, "big"), int.from_bytes(q, "big"), int.from_bytes(e, "big"))

    def encode(self) -> bytes:
        """Exponent (4 bytes), p, q: secret bytes, to be sealed at once."""
        half = self.half
        return self.e.to_bytes(4, "big") + self.p.to_bytes(half, "big") + self.q.to_bytes(half, "big")

    @property
    def public(self) -> RsaPublic:
        return RsaPublic(self.n, self.e)

    @property
    def half(self) -> int:
        """Length of each prime and CRT component in bytes."""
        return (self.p.bit_length() + 7) // 8

    @property
    def components(self) -> CrtComponents:
        """The CRT components for a card, secret bytes of fixed length. EMV CPS 1.1, table A-12."""
        half = self.half
        return CrtComponents(*(v.to_bytes(half, "big") for v in (self.qinv, self.dq, self.dp, self.q, self.p)))

    def __repr__(self) -> str:
        return f"<RsaPrivate, {self.n.bit_length()} bits>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def generate(bits: int, exponent: int = 3) -> RsaPrivate:
    """A new key pair from OpenSSL, of at least 1024 bits in steps of 16, so that the halves are whole bytes."""
    if bits < 1024 or bits % 16 or exponent not in EXPONENTS:
        raise CryptoError(
            f"no RSA key of {bits} bits with exponent {exponent}: at least 1024 bits in steps of 16, 3 or 65537"
        )
    numbers = _openssl.generate_private_key(public_exponent=exponent, key_size=bits).private_numbers()
    return RsaPrivate.from_primes(numbers.p, numbers.q, exponent)


def public(key: RsaPublic, message: bytes) -> bytes:
    """``message`` (as long as the modulus, and smaller) to the power e mod n, as long as the modulus.

    EMV 4.4 Book 2, B2.1 (recovery). Raises CryptoError.
    """
    size = key.size
    recovered: bytes = gmpy2.powmod(_representative(key, message, size), key.e, key.n).to_bytes(size, "big")
    return recovered


def private(key: RsaPrivate, message: bytes) -> bytes:
    """``message`` (as long as the modulus, and smaller) to the power d mod n, as long as the modulus.

    The time of both exponentiations is independent of the exponents. EMV 4.4 Book 2, B2.1 (signing). Raises
    CryptoError.
    """
    m = _representative(key.public, message, key.public.size)
    s1 = gmpy2.powmod_sec(m % key.p, key.dp, key.p)
    s2 = gmpy2.powmod_sec(m % key.q, key.dq, key.q)
    s = int(s2 + key.q * (key.qinv * (s1 - s2) % key.p))
    # One wrong half would reveal the primes (Boneh, DeMillo, Lipton 1997): so every signature is verified.
    if gmpy2.powmod(s, key.e, key.n) != m:
        raise CryptoError("the RSA computation failed its own check")
    return s.to_bytes(key.public.size, "big")


def _representative(key: RsaPublic, message: bytes, size: int) -> int:
    m = int.from_bytes(message, "big")
    if len(message) != size or m >= key.n:
        raise CryptoError(f"an RSA message for this key has {size} bytes and is smaller than the modulus")
    return m
