"""A scheme CA, an issuer and a card, with RSA keys made once per test run: signs as EMV 4.4 Book 2 lays down.

Written apart from the program on purpose: it builds certificates from the tables, byte by byte, so that a test can bend
any byte of them before it is signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import gmpy2
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True)
class Key:
    """An RSA key pair as plain numbers."""

    n: int
    d: int
    e: int

    @property
    def size(self) -> int:
        return (self.n.bit_length() + 7) // 8

    @property
    def modulus(self) -> bytes:
        return self.n.to_bytes(self.size, "big")

    @property
    def exponent(self) -> bytes:
        return self.e.to_bytes((self.e.bit_length() + 7) // 8, "big")

    def sign(self, message: bytes) -> bytes:
        signed: bytes = gmpy2.powmod(int.from_bytes(message, "big"), self.d, self.n).to_bytes(self.size, "big")
        return signed


@cache
def key(name: str, bits: int, e: int = 3) -> Key:
    """The key of that name; the same one within a test run."""
    numbers = rsa.generate_private_key(public_exponent=e, key_size=bits).private_numbers()
    return Key(numbers.public_numbers.n, numbers.d, e)


def unbent(body: bytes) -> bytes:
    return body


@dataclass(frozen=True)
class Certified:
    """A certificate with the remainder and exponent that go beside it."""

    certificate: bytes
    remainder: bytes
    exponent: bytes


def certificate(
    signer: Key,
    subject_key: Key,
    head: str,
    *,
    static: bytes = b"",
    bend: Callable[[bytes], bytes] = unbent,
    seal: Callable[[bytes], bytes] = unbent,
) -> Certified:
    """``head`` is the hex of format, subject, expiry and serial. ``bend`` changes the body before it is hashed,
    ``seal`` the whole block before it is signed."""
    start = bytes.fromhex(head)
    room = signer.size - 2 - 20 - len(start) - 4
    inside, remainder = subject_key.modulus[:room].ljust(room, b"\xbb"), subject_key.modulus[room:]
    body = bend(start + bytes((1, 1, subject_key.size, len(subject_key.exponent))) + inside)
    digest = hashlib.sha1(body + remainder + subject_key.exponent + static).digest()  # noqa: S324
    return Certified(signer.sign(seal(b"\x6a" + body + digest + b"\xbc")), remainder, subject_key.exponent)


def static_signature(signer: Key, static: bytes, code: bytes = b"\xda\xc0") -> bytes:
    body = b"\x03\x01" + code + b"\xbb" * (signer.size - 26)
    return signer.sign(b"\x6a" + body + hashlib.sha1(body + static).digest() + b"\xbc")  # noqa: S324


def dynamic_signature(
    signer: Key, dynamic: bytes, terminal: bytes, *, form: int = 5, length: int | None = None
) -> bytes:
    body = bytes((form, 1, len(dynamic) if length is None else length)) + dynamic
    body = body.ljust(signer.size - 22, b"\xbb")
    return signer.sign(b"\x6a" + body + hashlib.sha1(body + terminal).digest() + b"\xbc")  # noqa: S324
