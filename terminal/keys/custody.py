"""Key custody: operations on keys named by reference. Masters never leave it; what an HSM can do is all it offers.

The software keystore, the in-memory custodian of a developer and (later) PKCS#11 tokens implement KeyCustody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from terminal.errors import KeyMisuse
from terminal.secret import Secret


class Algorithm(StrEnum):
    TDES = "3des"  # two-key, 16 bytes
    AES128 = "aes128"
    AES192 = "aes192"
    AES256 = "aes256"
    HMAC = "hmac-sha256"
    RSA = "rsa"


class Purpose(StrEnum):
    """What a key may do; anything else is KeyMisuse."""

    KMC = "kmc"  # master of blank stock: derives the stock keys of a chip
    CARD = "imk-card"  # issuer's master of final ISD keys
    READ = "imk-read"  # master of the member application's read key sets
    AC = "imk-ac"  # masters of application keys: cryptogram,
    SMI = "imk-smi"  # script integrity,
    SMC = "imk-smc"  # script confidentiality
    SIGN_CA = "sign-ca"  # scheme CA: signs issuer certificates
    SIGN_ISSUER = "sign-issuer"  # signs ICC certificates and static data
    SIGN_LIST = "sign-list"  # signs trust lists and hotlists
    SEAL = "seal"  # personal data and dossier secrets at rest
    INDEX = "index"  # blind index of personal data


class Diversification(StrEnum):
    NONE = "none"
    VISA2 = "visa2"
    EMV_CPS = "emv-cps"  # EMV CPS 1.1
    KDF3 = "kdf3"  # NIST SP 800-108 counter mode with CMAC, SCP03 chips


class Scp(StrEnum):
    SCP02 = "02"
    SCP03 = "03"


@dataclass(frozen=True, slots=True, order=True)
class KeyRef:
    """Name and version of a key in custody; prints as ``imk-card/1``."""

    name: str
    version: int = 1

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    ref: KeyRef
    algorithm: Algorithm
    purpose: Purpose
    bits: int
    kcv: bytes  # 3 bytes; for RSA the first 3 bytes of SHA-256 over the modulus
    created: datetime
    simulation: bool  # held by a simulation custodian, which takes published test keys: never for real cards
    modulus: int | None = None  # RSA public part
    exponent: int | None = None


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The ENC, MAC and DEK keys of one security domain, by reference: how to derive them, never the bytes.

    ``data`` is the diversification data: key data of INITIALIZE UPDATE (10 bytes) for ISD keys,
    PAN digits and sequence packed by ``application_data()`` for read key sets.
    """

    master: KeyRef
    method: Diversification
    data: bytes
    version: int  # key version number on the card
    kcvs: tuple[bytes, bytes, bytes]  # ENC, MAC, DEK; 3 bytes each

    def __str__(self) -> str:
        enc, mac, dek = (k.hex().upper() for k in self.kcvs)
        return f"key set {self.version:02X} from {self.master} (KCV ENC {enc}, MAC {mac}, DEK {dek})"


@dataclass(frozen=True, slots=True)
class ApplicationKeys:
    """The UDKs AC, SMI and SMC of one application, by reference. Three two-key 3DES keys, parity adjusted.
    EMV 4.4 Book 2, A1.4."""

    masters: tuple[KeyRef, KeyRef, KeyRef]
    pan: str
    sequence: int
    kcvs: tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Sealed:
    """Bytes sealed by AES-256-GCM under a SEAL key; ``context`` is the associated data and must be given to open it."""

    key: KeyRef
    blob: bytes  # nonce (12) || ciphertext || tag (16)
    context: str


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Ciphertext under a session DEK, with the check value of each key inside (empty for data that are no keys)."""

    ciphertext: bytes
    kcvs: tuple[bytes, ...]


class SessionDek(Protocol):
    """Opaque: the data encryption key of one open session. In SCP03 it is the card's static key, so it stays inside."""

    @property
    def block(self) -> int:
        """Cipher block size: 8 (SCP02) or 16 (SCP03)."""
        ...


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What INITIALIZE UPDATE told, for deriving session keys.

    SCP02: ``sequence`` is the 2-byte counter; challenges are 8 bytes of the host's, the card's 6 after the counter.
    SCP03: both challenges are 8 bytes (S8) or 16 (S16), ``sequence`` is empty or 3 bytes.
    """

    scp: Scp
    i: int
    host_challenge: bytes
    card_challenge: bytes
    sequence: bytes


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Short-lived session keys and the two cryptograms (8 bytes; 16 in S16)."""

    enc: Secret
    mac: Secret
    rmac: Secret
    dek: SessionDek
    card_cryptogram: bytes
    host_cryptogram: bytes


class KeyCustody(Protocol):
    """Raises CustodyError subclasses: KeyNotFound, KeyMisuse, KeyRefused, KeystoreLocked.

    An operation on a key of another purpose is KeyMisuse, whoever asks.
    """

    def keys(self) -> Sequence[KeyInfo]: ...

    def info(self, ref: KeyRef) -> KeyInfo: ...

    def latest(self, name: str) -> KeyRef:
        """The newest version of the key of that name. Raises KeyNotFound."""
        ...

    def card_keys(self, master: KeyRef, method: Diversification, data: bytes, version: int) -> CardKeys:
        """Keys of one card from a KMC, CARD or READ master."""
        ...

    def open_session(self, card_keys: CardKeys, request: SessionRequest) -> OpenSession: ...

    def wrap_card_keys(self, dek: SessionDek, new: CardKeys) -> tuple[Wrapped, Wrapped, Wrapped]:
        """New ENC, MAC, DEK for PUT KEY, each encrypted under the session DEK, each with its KCV.
        SCP02: 3DES-ECB, KCV 3DES over eight 00. SCP03: AES-CBC with zero IV, KCV AES over sixteen 01."""
        ...

    def wrap_for_card(self, dek: SessionDek, secret: ApplicationKeys | CardKeys | Sealed, *, pad: bool) -> Wrapped:
        """A secret DGI value under the session DEK: SCP02 3DES-ECB, SCP03 AES-CBC with zero IV.

        ApplicationKeys and CardKeys give their three keys joined. ``pad`` adds ISO/IEC 9797-1 method 2 padding
        (always at least one byte); without it the length must be a multiple of ``dek.block``.
        """
        ...

    def application_keys(self, masters: tuple[KeyRef, KeyRef, KeyRef], pan: str, sequence: int) -> ApplicationKeys:
        """UDKs by EMV option A (PAN of up to 16 digits) or B (longer). EMV 4.4 Book 2, A1.4.1-A1.4.2."""
        ...

    def sign(self, key: KeyRef, message: bytes) -> bytes:
        """Raw RSA: message representative (as long as the modulus) to the power d. SIGN_* keys only."""
        ...

    def seal(self, key: KeyRef, data: bytes, context: str) -> Sealed: ...

    def open(self, sealed: Sealed) -> Secret:
        """Raises IntegrityError when blob or context was changed."""
        ...

    def index(self, key: KeyRef, data: bytes) -> bytes:
        """Blind index: HMAC-SHA-256, 32 bytes. INDEX keys only."""
        ...


def application_data(pan: str, sequence: int) -> bytes:
    """Diversification data of an application key set: PAN packed as cn and padded with F, then the sequence in BCD.

    Raises KeyMisuse unless the PAN is decimal digits and the sequence number 0 to 99.
    """
    if not (pan.isascii() and pan.isdigit()) or not 0 <= sequence <= 99:
        raise KeyMisuse("application keys are derived from a PAN of decimal digits and a sequence number from 0 to 99")
    digits = pan + "F" * (len(pan) % 2)
    return bytes.fromhex(digits) + bytes.fromhex(f"{sequence:02d}")
