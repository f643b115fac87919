"""Signed JSON lists that counters use to verify cards offline.

A file is ``{"list": {...}, "signature": "hex"}``. The signature is RSA with SHA-256 (RFC 8017, 8.2, RSASSA-PKCS1-v1_5,
which OpenSSL checks with ``dgst -verify``) over the canonical form of the list: UTF-8, keys sorted, no blanks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from terminal.crypto.rsa import RsaPublic, public
from terminal.errors import CodecError, CryptoError, IntegrityError

Sign = Callable[[bytes], bytes]
"""Raw RSA with the list key: a representative as long as the modulus in, a signature of that length out."""

SKEW: Final = timedelta(minutes=5)
"""By how much the clocks of issuer and counter may differ: a list is fetched at the moment it is issued."""

_SHA256_INFO: Final = bytes.fromhex("3031300D060960864801650304020105000420")
"""DER of DigestInfo for SHA-256 without the digest. RFC 8017, 9.2, note 1."""


class ListOutdated(IntegrityError):
    """A list with a valid signature that must not be used: not in force, or older than one that was used before."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Which edition of a list this is: its version grows with each, times are with time zone."""

    version: int
    issued: datetime
    expires: datetime

    def age(self, at: datetime) -> timedelta:
        return at - self.issued

    def current(self, at: datetime) -> bool:
        """Whether ``at`` lies between issue and expiry; the issuer's clock may be ahead by ``SKEW``."""
        return self.issued - SKEW <= at <= self.expires

    def to_json(self) -> dict[str, Any]:
        return {"version": self.version, "issued": self.issued.isoformat(), "expires": self.expires.isoformat()}


def representative(body: bytes, size: int) -> bytes:
    """The padded SHA-256 of ``body``, ``size`` bytes. RFC 8017, 9.2, EMSA-PKCS1-v1_5. Raises CryptoError."""
    tail = b"\x00" + _SHA256_INFO + hashlib.sha256(body).digest()
    if size < len(tail) + 10:
        raise CryptoError(f"an RSA key of {size} bytes is too short to sign a list")
    return b"\x00\x01" + b"\xff" * (size - 2 - len(tail)) + tail


def write(kind: str, content: Mapping[str, Any], issue: Issue, key: RsaPublic, sign: Sign) -> bytes:
    """A signed file. ``kind`` prevents one list from passing for another. Raises CryptoError, and what ``sign``
    raises."""
    body = {**content, **issue.to_json(), "kind": kind}
    signature = sign(representative(_canonical(body), key.size))
    return assembled(body, signature.hex())


def assembled(body: Mapping[str, Any], signature: str) -> bytes:
    """A signed file of a body with its existing signature, in hex."""
    return _canonical({"list": body, "signature": signature}) + b"\n"


def read(
    kind: str, text: bytes, key: RsaPublic, *, at: datetime | None = None, at_least: int = 1
) -> tuple[dict[str, Any], Issue]:
    """The content and issue of a signed file, its signature verified with the list key.

    With ``at`` the list must be in force at that time; ``at_least`` is the lowest version that may be used, against
    replay of an old list. Raises IntegrityError when the signature is not by that key over this list,
    ListOutdated, and CodecError when the file is not of ``kind`` or breaks its format.
    """
    try:
        file = json.loads(text)
        body, signature = file["list"], bytes.fromhex(file["signature"])
        signed = _canonical(body)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CodecError(f"this file is not a signed {kind}") from error
    try:
        genuine = hmac.compare_digest(public(key, signature), representative(signed, key.size))
    except CryptoError:
        genuine = False
    if not genuine:
        raise IntegrityError(f"the {kind} is not signed by the list key, or was changed after signing")
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise CodecError(f"this file is signed, but is not a {kind}")
    issue = _issue(kind, body)
    if issue.version < at_least:
        raise ListOutdated(f"the {kind} has version {issue.version}; version {at_least} was used before")
    if at is not None and not issue.current(at):
        raise ListOutdated(f"the {kind} is in force from {issue.issued:%Y-%m-%d} to {issue.expires:%Y-%m-%d} only")
    return body, issue


def read_unverified(kind: str, text: bytes) -> tuple[dict[str, Any], Issue]:
    """The content and issue of a file that lies where only its issuer writes. Raises CodecError."""
    try:
        body = json.loads(text)["list"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CodecError(f"this file is not a signed {kind}") from error
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise CodecError(f"this file is not a signed {kind}")
    return body, _issue(kind, body)


def _issue(kind: str, body: Mapping[str, Any]) -> Issue:
    try:
        issue = Issue(
            int(body["version"]), datetime.fromisoformat(body["issued"]), datetime.fromisoformat(body["expires"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"the {kind} has no version, issue or expiry time") from error
    if issue.issued.tzinfo is None or issue.expires.tzinfo is None or issue.version < 1:
        raise CodecError(f"the {kind} has a time without time zone, or a version below 1")
    return issue


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
