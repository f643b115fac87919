"""Offline data authentication with RSA: certificates, the static and the dynamic signature. EMV 4.4 Book 2, 5 and 6.

Every check of the book is one ``Check``; ``OdaFailed`` names the first that fails. Expiry dates are returned and not
checked, unless a day is given: a counter must distinguish a forged card from an expired one.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from enum import Enum, StrEnum
from functools import lru_cache
from struct import Struct
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar, overload

from terminal.crypto.rsa import EXPONENTS, RsaPublic, public
from terminal.errors import CryptoError, NotGenuine

DYNAMIC_NUMBER = range(2, 9)
"""Lengths of an ICC dynamic number in bytes. EMV 4.4 Book 2, 6.5.1."""
_SHA1, _RSA = 0x01, 0x01


class Signed(Enum):
    """Contents of an RSA signature by format byte, with their name in messages and the bytes beside the key."""

    ISSUER = (0x02, "issuer certificate", 36)
    ICC = (0x04, "card certificate", 42)
    STATIC = (0x03, "static signature", 26)
    DYNAMIC = (0x05, "dynamic signature", 25)

    def __init__(self, form: int, label: str, overhead: int) -> None:
        self.form = form
        self.label = label
        self.overhead = overhead


class Check(StrEnum):
    """The checks, with their text in messages."""

    DATA = "data missing"
    LENGTH = "length of the signature"
    RECOVERY = "recovery"
    TRAILER = "trailer BC"
    HEADER = "header 6A"
    FORMAT = "format byte"
    HASH_ALGORITHM = "hash algorithm"
    KEY_ALGORITHM = "public key algorithm"
    HASH = "hash"
    ISSUER = "issuer identifier against the card number"
    CARD_NUMBER = "card number"
    EXPIRY = "expiry"
    EXPONENT = "public key exponent"
    REMAINDER = "public key remainder"
    DYNAMIC_DATA = "dynamic data"
    CA_KEY = "scheme CA key"
    REVOCATION = "revocation list"
    TAG_LIST = "static data authentication tag list"
    SIGNATURE = "signature"
    CRYPTOGRAM_INFORMATION = "cryptogram information data"
    TRANSACTION_HASH = "transaction data hash"


class OdaFailed(NotGenuine):
    """Offline data authentication failed: ``kind`` names the object, ``check`` the step."""

    def __init__(self, kind: Signed, check: Check, detail: str = "") -> None:
        super().__init__(f"{kind.label}: {check} failed{f' ({detail})' if detail else ''}")
        self.kind = kind
        self.check = check


class Certificate(NamedTuple):
    """The fields of an issuer's or a card's certificate. EMV 4.4 Book 2, 5.3, table 6; 6.4, table 14."""

    subject: bytes
    expiry: bytes
    serial: bytes
    hash_algorithm: int
    key_algorithm: int
    key_length: int
    exponent_length: int
    key: bytes


class Static(NamedTuple):
    """The fields of a static signature. EMV 4.4 Book 2, 5.4, table 7."""

    hash_algorithm: int
    code: bytes
    pad: bytes


class Dynamic(NamedTuple):
    """The fields of a dynamic signature. EMV 4.4 Book 2, 6.5.2, table 17."""

    hash_algorithm: int
    dynamic: bytes
    pad: bytes


_Fields = TypeVar("_Fields", bound=Certificate | Static | Dynamic)
_HEADS: Final = {Signed.ISSUER: Struct("x4s2s3sBBBB"), Signed.ICC: Struct("x10s2s3sBBBB")}
"""Format byte, subject, expiry, serial number, algorithms of hash and key, lengths of key and exponent."""


@dataclass(frozen=True, slots=True)
class Recovered(Generic[_Fields]):
    """The content of a recovered signature: its fields, the bytes that its hash covers, and that hash."""

    fields: _Fields
    hashed: bytes
    hash: bytes


class PublicKey(NamedTuple):
    """A public key from a certificate that passed every check but its date.

    ``subject`` is the issuer identifier (3 to 8 digits) or the card number; ``expires`` the last day of validity.
    """

    key: RsaPublic
    subject: str
    expires: date
    serial: bytes


class DynamicData(NamedTuple):
    """Data that a card signed in INTERNAL AUTHENTICATE: its dynamic number, and the issuer's data after it."""

    number: bytes
    rest: bytes


class CombinedData(NamedTuple):
    """Data that a card signed together with its cryptogram: CID, cryptogram (8 bytes), hash of the transaction data.

    EMV 4.4 Book 2, 6.6.1, table 19.
    """

    number: bytes
    cid: int
    cryptogram: bytes
    transaction_hash: bytes

    @classmethod
    def of(cls, dynamic: DynamicData, hash_size: int) -> CombinedData:
        """Raises OdaFailed when the dynamic data are too short for it."""
        rest = dynamic.rest
        if len(rest) < 9 + hash_size:
            raise OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA, f"{len(rest)} bytes behind the dynamic number")
        return cls(dynamic.number, rest[0], rest[1:9], rest[9 : 9 + hash_size])


_ACertificate = Literal[Signed.ISSUER, Signed.ICC]


@overload
def recover(signer: RsaPublic, kind: _ACertificate, signature: bytes) -> Recovered[Certificate]: ...
@overload
def recover(signer: RsaPublic, kind: Literal[Signed.STATIC], signature: bytes) -> Recovered[Static]: ...
@overload
def recover(signer: RsaPublic, kind: Literal[Signed.DYNAMIC], signature: bytes) -> Recovered[Dynamic]: ...
def recover(signer: RsaPublic, kind: Signed, signature: bytes) -> Recovered[Any]:
    """Recover a signature: length, RSA recovery, trailer, header, format byte, hash algorithm; the hash is not
    compared.

    Raises OdaFailed. EMV 4.4 Book 2, 5.3 steps 1-4 and 6, 5.4, 6.4, 6.5.2.
    """
    size = signer.size
    if len(signature) != size:
        raise OdaFailed(kind, Check.LENGTH, f"{len(signature)} bytes under a key of {size}")
    try:
        plain = public(signer, signature)
    except CryptoError:
        raise OdaFailed(kind, Check.RECOVERY) from None
    _require(plain[-1] == 0xBC, kind, Check.TRAILER)
    _require(plain[0] == 0x6A, kind, Check.HEADER)
    _require(size >= kind.overhead, kind, Check.DYNAMIC_DATA if kind is Signed.DYNAMIC else Check.LENGTH)
    _require(plain[1] == kind.form, kind, Check.FORMAT)
    fields = _fields(kind, plain[1:-21])
    _require(fields.hash_algorithm == _SHA1, kind, Check.HASH_ALGORITHM)
    return Recovered(fields, plain[1:-21], plain[-21:-1])


def _fields(kind: Signed, body: bytes) -> Certificate | Static | Dynamic:
    """The fields between header and hash. Raises OdaFailed where the length of the dynamic data is beyond them."""
    if kind is Signed.STATIC:
        return Static(body[1], body[2:4], body[4:])
    if kind is Signed.DYNAMIC:
        end = 3 + body[2]
        _require(end <= len(body), kind, Check.DYNAMIC_DATA)
        return Dynamic(body[1], body[3:end], body[end:])
    head = _HEADS[kind]
    return Certificate._make((*head.unpack_from(body), body[head.size :]))


def issuer_key(
    authority: RsaPublic, certificate: bytes, *, remainder: bytes, exponent: bytes, pan: str, at: date | None = None
) -> PublicKey:
    """The issuer public key from tag 90, with 92 and 9F32. ``authority`` is the CA key that tag 8F names.

    ``pan`` are the digits of the card number. Raises OdaFailed; EXPIRY only when ``at`` is given.
    EMV 4.4 Book 2, 5.3.
    """
    kind: Final = Signed.ISSUER
    recovered = recover(authority, kind, certificate)
    _require_remainder(recovered, kind, remainder)
    _require_hash(recovered, kind, remainder + exponent)
    subject = recovered.fields.subject.hex().upper().rstrip("F")
    _require(3 <= len(subject) <= 8 and pan.startswith(subject), kind, Check.ISSUER)
    return _public_key(recovered, kind, subject, remainder, exponent, at)


def icc_key(
    issuer: RsaPublic,
    certificate: bytes,
    *,
    remainder: bytes,
    exponent: bytes,
    pan: str,
    static: bytes,
    at: date | None = None,
) -> PublicKey:
    """The card's public key from tag 9F46, with 9F47 and 9F48; this also proves the static data.

    Raises OdaFailed; EXPIRY only when ``at`` is given. EMV 4.4 Book 2, 6.4.
    """
    kind: Final = Signed.ICC
    recovered = recover(issuer, kind, certificate)
    _require_remainder(recovered, kind, remainder)
    _require_hash(recovered, kind, remainder + exponent + static)
    subject = recovered.fields.subject.hex().upper().rstrip("F")
    _require(subject == pan, kind, Check.CARD_NUMBER)
    return _public_key(recovered, kind, subject, remainder, exponent, at)


def static_signature(issuer: RsaPublic, signature: bytes, *, static: bytes) -> bytes:
    """Verify Signed Static Application Data, tag 93; the data authentication code, 2 bytes.

    Raises OdaFailed. EMV 4.4 Book 2, 5.4.
    """
    recovered = recover(issuer, Signed.STATIC, signature)
    _require_hash(recovered, Signed.STATIC, static)
    return recovered.fields.code


def dynamic_signature(card: RsaPublic, signature: bytes, *, terminal_data: bytes) -> DynamicData:
    """Verify Signed Dynamic Application Data, tag 9F4B, over the DDOL data that were sent.

    Raises OdaFailed. EMV 4.4 Book 2, 6.5.2.
    """
    recovered = recover(card, Signed.DYNAMIC, signature)
    _require_hash(recovered, Signed.DYNAMIC, terminal_data)
    dynamic = recovered.fields.dynamic
    _require(
        bool(dynamic) and dynamic[0] in DYNAMIC_NUMBER and len(dynamic) > dynamic[0], Signed.DYNAMIC, Check.DYNAMIC_DATA
    )
    return DynamicData(dynamic[1 : 1 + dynamic[0]], dynamic[1 + dynamic[0] :])


def expired(key: PublicKey, kind: Signed, at: date) -> OdaFailed | None:
    """The failed expiry check of a certificate on that day, or None."""
    return OdaFailed(kind, Check.EXPIRY, f"valid through {key.expires:%m/%Y}") if at > key.expires else None


def _public_key(
    recovered: Recovered[Certificate], kind: Signed, subject: str, remainder: bytes, exponent: bytes, at: date | None
) -> PublicKey:
    """The steps that both certificates share once their hash is verified: dates, algorithm, and joining the modulus."""
    fields = recovered.fields
    expires = month_end(fields.expiry, kind)
    _require(fields.key_algorithm == _RSA, kind, Check.KEY_ALGORITHM)
    e = int.from_bytes(exponent, "big")
    # The length of the exponent in the certificate is not compared: no step of 6.3 or 6.4 does.
    _require(e in EXPONENTS, kind, Check.EXPONENT)
    room = len(fields.key)
    _require(len(remainder) == max(0, fields.key_length - room), kind, Check.REMAINDER)
    modulus = (fields.key + remainder)[: fields.key_length]
    key = PublicKey(RsaPublic(int.from_bytes(modulus, "big"), e), subject, expires, fields.serial)
    _require(key.key.size == fields.key_length, kind, Check.REMAINDER)
    if at is not None and (failure := expired(key, kind, at)) is not None:
        raise failure
    return key


def month_end(field: bytes, kind: Signed) -> date:
    """The last day of MMYY; years 50 to 99 are of the last century. EMV 4.4 Book 4, 6.7.3."""
    last_day = _last_day(field)
    if last_day is None:
        raise OdaFailed(kind, Check.EXPIRY, "no month")
    return last_day


@lru_cache(maxsize=256)
def _last_day(field: bytes) -> date | None:
    text = field.hex()
    if not text.isdigit() or not 1 <= int(text[:2]) <= 12:
        return None
    month, year = int(text[:2]), int(text[2:])
    year += 2000 if year < 50 else 1900
    return date(year, month, calendar.monthrange(year, month)[1])


def _require_remainder(recovered: Recovered[Certificate], kind: Signed, remainder: bytes) -> None:
    """Raise ``Check.DATA`` for a missing remainder, apart from a wrong one. EMV 4.4 Book 3, 7.2."""
    if not remainder and recovered.fields.key_length > len(recovered.fields.key):
        raise OdaFailed(kind, Check.DATA, "public key remainder")


def _require_hash(recovered: Recovered[Any], kind: Signed, more: bytes) -> None:
    digest = hashlib.sha1(recovered.hashed + more, usedforsecurity=False).digest()
    _require(hmac.compare_digest(digest, recovered.hash), kind, Check.HASH)


def _require(condition: bool, kind: Signed, check: Check) -> None:
    if not condition:
        raise OdaFailed(kind, check)
