"""Passwords: rules for new ones, argon2id hashes (RFC 9106), and random one-time passwords."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from base64 import b64encode
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from reader_service.errors import Invalid

SHORTEST: Final = 10
LONGEST: Final = 200
STRONG: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
"""RFC 9106, 4, second recommended option: 64 MiB, three passes, four lanes; about 50 ms."""
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For tests, where nobody attacks: the least that argon2 takes."""

_AT_ONCE: Final = 2
"""Hashes computed at the same time: each takes 64 MiB."""
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_COMMON: Final = frozenset(
    """
    1234567890 0123456789 12345678910 0987654321 9876543210 1234512345 1122334455 1111111111 0000000000 8888888888
    6666666666 123123123 123456789a a123456789 qwertyuiop 1q2w3e4r5t q1w2e3r4t5 1qaz2wsx3edc qazwsxedcrfv asdfghjkl
    asdfghjkl1 zxcvbnm123 qwerty123456 qwerty12345 abcdefghij abcdefghijkl abcd123456 abc1234567 abc123456789
    password12 password123 password1234 passw0rd123 p@ssw0rd123 mypassword iloveyou123 5201314520 woaini1314520
    woaini123456 woaini520 administrator administrator1 admin12345 admin123456 adminadmin root123456 letmein123
    welcome123 welcome1234 changeme123 changemenow membercard membercard1 membercard123 gonghui123 gonghui123456
    gonghuika123 huiyuanka123 zhigong123 testtest12 test123456 football123 baseball123 sunshine123 princess123
    superman123 dragon12345 monkey12345 shadow12345 trustno1234 zhongguo123 beijing2008 nihao123456 wangyang123
    """.split()
)
"""Those that are tried first; the rule of ten characters leaves out most of the common ones."""


def _hash_of_nobody(hasher: PasswordHasher) -> str:
    """A stored hash that no known password has. It takes as long to check as a hash of this hasher, and nothing to
    make. Encoded as the reference implementation of RFC 9106 does."""
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, tag = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${tag}"


class Passwords:
    """Hashes and checks passwords, a few at a time. Blocks its thread, so it is never called on the event loop."""

    def __init__(self, hasher: PasswordHasher = STRONG) -> None:
        self._hasher = hasher
        self._running = threading.Semaphore(_AT_ONCE)
        self._nobody = _hash_of_nobody(hasher)

    def hash(self, password: str) -> str:
        with self._running:
            return self._hasher.hash(normalized(password))

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is correct. None, for an unknown name, takes as long and is never correct."""
        with self._running:
            try:
                right = self._hasher.verify(password_hash or self._nobody, normalized(password)[: LONGEST + 1])
            except (VerificationError, InvalidHashError):
                return False
        return right and password_hash is not None


def normalized(password: str) -> str:
    """One encoding for equal characters, whichever keyboard wrote them. RFC 8265, 4.2 (OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def check_rules(password: str, name: str) -> None:
    """Raises Invalid, naming the field ``password``, for one that is too easy to guess."""
    fault = _fault(normalized(password), name)
    if fault:
        raise Invalid(f"choose another password: {fault[1]}", {"password": fault[1]}, rule=fault[0])


def _fault(password: str, name: str) -> tuple[str, str] | None:
    plain = re.sub(r"[\W_]", "", password.casefold())
    if len(password) < SHORTEST:
        return "short", f"it has fewer than {SHORTEST} characters"
    if len(password) > LONGEST:
        return "long", f"it has more than {LONGEST} characters"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in password):
        return "unprintable", "it has characters that cannot be typed"
    bare = re.sub(r"[\W_]", "", name.casefold())
    if bare and (bare == plain or (len(bare) > 3 and bare in plain and len(plain) - len(bare) < 6)):
        return "name", "it is the name, or little more"
    if password.casefold() in _COMMON or plain in _COMMON or re.fullmatch(r"1[3-9]\d{9}|\d{17}[\dx]", plain):
        return "common", "it is one of those that are tried first"
    if len(set(plain)) < 4:
        return "simple", "it repeats a few characters"
    return None


def one_time() -> str:
    """A random password that must be changed at once: 16 letters and digits in groups of four, 79 bits."""
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(drawn[at : at + 4] for at in range(0, 16, 4))
