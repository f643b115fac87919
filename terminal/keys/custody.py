"""Key custody: operations on keys that are named by reference. No operation returns a master key; an HSM offers them
all.

The software keystore, the in-memory custodian of a developer and (later) PKCS#11 tokens implement KeyCustody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from terminal.crypto.kdf import UdkOption
from terminal.errors import KeyMisuse
from terminal.keys.schemes import CryptogramScheme
from terminal.secret import Secret


class Algorithm(StrEnum):
    TDES = "3des"  # two-key, 16 bytes
    AES128 = "aes128"
    AES192 = "aes192"
    AES256 = "aes256"
    HMAC = "hmac-sha256"
    RSA = "rsa"
    SM4 = "sm4"
    SM2 = "sm2"


class Purpose(StrEnum):
    """The operations that a key is for; any other raises KeyMisuse."""

    KMC = "kmc"  # master of blank stock: derives the initial keys of a chip
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
    PIN = "pek"  # PINs in transit between terminals, hosts and banks
    CVK = "cvk"  # card verification values of stripe and chip
    TRANSPORT = "zmk"  # other keys and secrets in transit between a bank and this issuer


class Diversification(StrEnum):
    NONE = "none"
    VISA2 = "visa2"
    EMV_CPS = "emv-cps"  # EMV CPS 1.1
    KDF3 = "kdf3"  # NIST SP 800-108 counter mode with CMAC, SCP03 chips


class PinFormat(StrEnum):
    """Format of an enciphered PIN block: 0 and 3 under 3DES, 4 under AES and SM4. ISO 9564-1."""

    ISO0 = "0"
    ISO3 = "3"
    ISO4 = "4"


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
    """Attributes of one key version."""

    ref: KeyRef
    algorithm: Algorithm
    purpose: Purpose
    bits: int
    kcv: bytes  # 3 bytes; for RSA the first 3 bytes of SHA-256 over the modulus, for SM2 of SM3 over the point
    created: datetime
    simulation: bool  # held by a simulation custodian, which accepts published test keys: never for real cards
    modulus: int | None = None  # RSA public part
    exponent: int | None = None
    point: bytes | None = None  # SM2 public part: X || Y, 64 bytes


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The ENC, MAC and DEK keys of one security domain, by reference: how to derive them, without their bytes.

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
    """The UDKs AC, SMI and SMC of one application, by reference: 3DES with adjusted parity, or SM4; 16 bytes each.
    EMV 4.4 Book 2, A1.4; JR/T 0025 with SM4."""

    masters: tuple[KeyRef, KeyRef, KeyRef]
    pan: str
    sequence: int
    kcvs: tuple[bytes, bytes, bytes]
    option: UdkOption | None = None  # None: A for PANs of up to 16 digits, B for longer ones; A with SM4


@dataclass(frozen=True, slots=True)
class Sealed:
    """Bytes sealed by AES-256-GCM under a SEAL key; ``context`` is the associated data and must be given to open it.

    Contexts that begin with ``custody/`` are those of secrets that custody generated or imported: they go to chips and
    banks, and ``open`` refuses them.
    """

    key: KeyRef
    blob: bytes  # nonce (12) || ciphertext || tag (16)
    context: str


@dataclass(frozen=True, slots=True)
class SealedKeys:
    """The UDKs AC, SMI and SMC of a card whose masters a bank holds, sealed together; for 3DES or SM4."""

    sealed: Sealed
    algorithm: Algorithm
    kcvs: tuple[bytes, bytes, bytes]


Udks = ApplicationKeys | SealedKeys
"""The three keys of one card's application, derived here or supplied by a bank."""


@dataclass(frozen=True, slots=True)
class PinBlock:
    """A PIN enciphered under a PIN key, for one PAN. ISO 9564-1: 8 bytes in formats 0 and 3, 16 in format 4."""

    key: KeyRef
    format: PinFormat
    block: bytes
    pan: str


@dataclass(frozen=True, slots=True)
class WrappedSecret:
    """Ciphertext under a session DEK or transport key, with the check value of each key in it: none for other data."""

    ciphertext: bytes
    kcvs: tuple[bytes, ...]


class SessionDek(Protocol):
    """A handle of the data encryption key of one open session.

    In SCP03 that is the card's static key: custody keeps it.
    """

    @property
    def block(self) -> int:
        """Cipher block size: 8 (SCP02) or 16 (SCP03)."""
        ...


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """The data of INITIALIZE UPDATE from which session keys are derived.

    SCP02: ``sequence`` is the counter of 2 bytes; the host challenge has 8 bytes, the card challenge 6.
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

    An operation on a key of another purpose always raises KeyMisuse.
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

    def wrap_card_keys(self, dek: SessionDek, new: CardKeys) -> tuple[WrappedSecret, WrappedSecret, WrappedSecret]:
        """New ENC, MAC, DEK for PUT KEY, each encrypted under the session DEK, each with its KCV.
        SCP02: 3DES-ECB, KCV 3DES over eight 00. SCP03: AES-CBC with zero IV, KCV AES over sixteen 01."""
        ...

    def wrap_for_card(self, dek: SessionDek, secret: Udks | CardKeys | Sealed, *, pad: bool) -> WrappedSecret:
        """A secret DGI value under the session DEK: SCP02 3DES-ECB, SCP03 AES-CBC with zero IV.

        UDKs and CardKeys give their three keys concatenated. ``pad`` adds ISO/IEC 9797-1 method 2 padding
        (always at least one byte); without it the length must be a multiple of ``dek.block``.
        """
        ...

    def application_keys(
        self, masters: tuple[KeyRef, KeyRef, KeyRef], pan: str, sequence: int, *, option: UdkOption | None = None
    ) -> ApplicationKeys:
        """UDKs by EMV option A or B; None is A for PANs of up to 16 digits and B for longer ones. SM4 has option A
        only. EMV 4.4 Book 2, A1.4.1-A1.4.2; JR/T 0025 with SM4."""
        ...

    def cryptogram(self, keys: Udks, scheme: CryptogramScheme, atc: bytes, data: bytes) -> bytes:
        """An application cryptogram (ARQC, TC or AAC), 8 bytes, over the data that the scheme selects.
        EMV 4.4 Book 2, 8.1."""
        ...

    def verify_cryptogram(
        self,
        master: KeyRef,
        scheme: CryptogramScheme,
        pan: str,
        sequence: int,
        atc: bytes,
        data: bytes,
        cryptogram: bytes,
        *,
        option: UdkOption | None = None,
    ) -> bool:
        """Whether the card of this PAN and sequence number computed a cryptogram over these data. Derives the card's
        AC key alone, from its AC master. EMV 4.4 Book 2, 8.1; A1.4."""
        ...

    def arpc(
        self, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, response: bytes, method: int
    ) -> bytes:
        """Method 1: 8 bytes over a response code of 2. Method 2: 4 bytes over CSU (4) and 0 to 8 bytes more.
        EMV 4.4 Book 2, 8.2."""
        ...

    def script_mac(self, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes) -> bytes:
        """MAC of 8 bytes over ``data``, which are for Visa and PBOC header || ATC || ARQC || command data.
        EMV 4.4 Book 2, 9.2."""
        ...

    def script_encrypt(self, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes) -> bytes:
        """Enciphered command data, padded as the scheme specifies. EMV 4.4 Book 2, 9.3."""
        ...

    def encrypt_pin(self, key: KeyRef, form: PinFormat, pin: Secret, pan: str) -> PinBlock:
        """A PIN (4 to 12 ASCII digits) enciphered for transmission to a host. PIN keys only. ISO 9564-1."""
        ...

    def translate_pin(self, pin: PinBlock, key: KeyRef, form: PinFormat) -> PinBlock:
        """The same PIN and PAN under another PIN key or in another format."""
        ...

    def new_pin(self, digits: int, seal: KeyRef, context: str) -> Sealed:
        """A random PIN of 4 to 12 digits as a sealed block of ISO format 2, for the card (DGI 8010)."""
        ...

    def seal_pin(self, pin: PinBlock, seal: KeyRef, context: str) -> Sealed:
        """An existing PIN as the block that ``new_pin`` makes."""
        ...

    def open_pins(self, pins: Sequence[Sealed], purpose: str, *, by: str, second: str) -> tuple[Secret, ...]:
        """Sealed PINs as ASCII digits, for letters that are printed at once: each opened once, by two people, and
        audited before."""
        ...

    def pins_opened(self, purpose: str) -> int: ...

    def pin_for_card(
        self,
        keys: Udks,
        scheme: CryptogramScheme,
        atc: bytes,
        arqc: bytes,
        pin: PinBlock,
        present: PinBlock | None = None,
    ) -> bytes:
        """The enciphered data of PIN CHANGE; with the ``present`` PIN (P2 01) in Visa's form under every scheme.
        EMV 4.4 Book 2, 9.3; Book 3, 6.5.10."""
        ...

    def card_verification_value(self, key: KeyRef, pan: str, expiry: str, service_code: str) -> str:
        """The CVV or CVC of a card, three digits; the iCVV with service code 999. ``expiry`` is YYMM. CVK keys only.
        See ``terminal.crypto.cvv``."""
        ...

    def to_transport(self, transport_key: KeyRef, secret: Udks | Sealed) -> WrappedSecret:
        """A secret of a dossier under a TRANSPORT key, for a bank. Keys: 3DES or SM4 in ECB, AES in CBC with zero IV,
        with their check values. Other data: in CBC with IV and MAC (``transport.wrap_data``)."""
        ...

    def keys_from_transport(
        self, transport_key: KeyRef, wrapped: WrappedSecret, algorithm: Algorithm, seal: KeyRef, context: str
    ) -> SealedKeys:
        """Three card keys from ``to_transport``, sealed; each must have its check value."""
        ...

    def data_from_transport(self, transport_key: KeyRef, wrapped: bytes, seal: KeyRef, context: str) -> Sealed:
        """Other data from ``to_transport``, sealed."""
        ...

    def tracks_from_transport(self, transport_key: KeyRef, wrapped: bytes) -> Secret:
        """What follows TRACKS_MARK in data from ``to_transport``. Raises KeyRefused for data without it."""
        ...

    def key_blocks(self, transport_key: KeyRef, keys: Udks) -> tuple[str, str, str]:
        """AC, SMI and SMC as TR-31 key blocks of usage E0, E2 and E1. Not for SM4. ANSI X9.143."""
        ...

    def keys_from_blocks(
        self, transport_key: KeyRef, blocks: Sequence[str], kcvs: tuple[bytes, ...], seal: KeyRef, context: str
    ) -> SealedKeys:
        """Three card keys from ``key_blocks``, sealed; each must have its check value."""
        ...

    def transport_mac(self, transport_key: KeyRef, context: bytes, data: bytes) -> bytes:
        """CMAC, one cipher block, under a key derived from a TRANSPORT key for this ``context`` only."""
        ...

    def sign(self, key: KeyRef, message: bytes) -> bytes:
        """Raw RSA: message representative (as long as the modulus) to the power d. SIGN_* keys only."""
        ...

    def sign_sm2(self, key: KeyRef, message: bytes) -> bytes:
        """SM2 with SM3 over a message of any length: r || s, 64 bytes. SIGN_* keys only."""
        ...

    def seal(self, key: KeyRef, data: bytes, context: str) -> Sealed: ...

    def open(self, sealed: Sealed) -> Secret:
        """The sealed bytes. Raises IntegrityError for a changed blob or context, KeyMisuse for contexts of custody."""
        ...

    def same_secret(self, one: Sealed, other: Sealed) -> bool:
        """Whether two sealed secrets are the same bytes.

        Raises KeyMisuse for a secret of less than 16 bytes that ``open`` refuses and one that a caller sealed: a caller
        could guess a PIN by it.
        """
        ...

    def index(self, key: KeyRef, data: bytes) -> bytes:
        """Blind index: HMAC-SHA-256, 32 bytes. INDEX keys only."""
        ...


def application_data(pan: str, sequence: int) -> bytes:
    """Diversification data of an application key set: the PAN as cn, padded with F, then the sequence number in BCD.

    Raises KeyMisuse unless the PAN is decimal digits and the sequence number 0 to 99.
    """
    if not (pan.isascii() and pan.isdigit()) or not 0 <= sequence <= 99:
        raise KeyMisuse("application keys are derived from a PAN of decimal digits and a sequence number from 0 to 99")
    digits = pan + "F" * (len(pan) % 2)
    return bytes.fromhex(digits) + bytes.fromhex(f"{sequence:02d}")
