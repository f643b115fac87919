"""The custodian in memory: all operations of KeyCustody in software. A keystore adds a file, workers get a snapshot."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from terminal.crypto import aes, des, padding, pinblock, rsa, sm2
from terminal.crypto.kdf import UdkOption
from terminal.errors import CryptoError, KeyMisuse, KeyRefused, KeystoreDamaged, KeystoreLocked
from terminal.keys import derivation, payment, sealing, transport
from terminal.keys.custody import (
    Algorithm,
    ApplicationKeys,
    CardKeys,
    Diversification,
    KeyInfo,
    KeyRef,
    OpenSession,
    PinBlock,
    PinFormat,
    Purpose,
    Sealed,
    SealedKeys,
    SessionDek,
    SessionRequest,
    Udks,
    WrappedSecret,
)
from terminal.keys.derivation import StaticKeys
from terminal.keys.management import KeyManagement, utc_now
from terminal.keys.schemes import CryptogramScheme
from terminal.keys.table import KeyTable, decode, encode, key_kcv
from terminal.names import fold, same_name
from terminal.secret import Secret

_CARD_MASTERS = (Purpose.KMC, Purpose.CARD, Purpose.READ)
_SIGNERS = (Purpose.SIGN_CA, Purpose.SIGN_ISSUER, Purpose.SIGN_LIST)
_NONCE = 12
_SNAPSHOT = b"membercard key snapshot 1"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class DekHandle:
    """A handle of a session DEK for callers. The custodian keeps the key for as long as the handle exists."""

    block: int


class MemoryCustody(KeyManagement):
    """Keys in the memory of this process.

    ``random`` returns n bytes; RSA and SM2 keys come from OpenSSL and Tongsuo.
    """

    def __init__(
        self,
        simulation: bool,
        random: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], datetime] = utc_now,
        *,
        table: KeyTable | None = None,
    ) -> None:
        super().__init__(table or KeyTable(simulation), random, clock)
        self._deks: WeakKeyDictionary[DekHandle, Secret] = WeakKeyDictionary()
        self._opened_pins: set[bytes] = set()

    def snapshot(self, transport: Secret, names: Collection[str] | None = None) -> bytes:
        """The keys of these names (all by default) under a transport secret of 32 random bytes, for a worker process.

        The blob may be pickled, sent and stored; the transport secret is sent separately and lives as long as the
        workers. AES-256-GCM. Raises KeyNotFound, KeystoreLocked for a transport secret of another length.
        """
        wanted = {ref.name for ref in self._table.records} if names is None else names
        nonce = self._random(_NONCE)
        return nonce + _snapshot_cipher(transport).encrypt(nonce, encode(self._table.only(wanted)), _SNAPSHOT)

    @classmethod
    def from_snapshot(
        cls,
        blob: bytes,
        transport: Secret,
        random: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], datetime] = utc_now,
    ) -> MemoryCustody:
        """The custodian of a worker: the same keys in memory. Raises KeystoreDamaged, KeystoreLocked."""
        try:
            plain = _snapshot_cipher(transport).decrypt(blob[:_NONCE], blob[_NONCE:], _SNAPSHOT)
        except (InvalidTag, ValueError):
            raise KeystoreDamaged("the key snapshot does not open with this transport secret") from None
        table = decode(plain)
        return MemoryCustody(table.simulation, random, clock, table=table)

    def card_keys(self, master: KeyRef, method: Diversification, data: bytes, version: int) -> CardKeys:
        """Keys of one card from a KMC, CARD or READ master. Raises KeyNotFound, KeyMisuse."""
        if not 0 <= version <= 0xFF:
            raise KeyMisuse(f"a key version number is one byte, not {version}")
        algorithm, keys = self._card_key_bytes(master, method, data, _CARD_MASTERS, "deriving card keys")
        return CardKeys(master, method, data, version, _kcvs(algorithm, keys))

    def open_session(self, card_keys: CardKeys, request: SessionRequest) -> OpenSession:
        """Session keys and cryptograms. Only sessions of security domains (KMC, CARD masters) wrap data.

        GPC 2.3.1, E.4; Amendment D 1.2, 6.2. Raises KeyNotFound, KeyMisuse, KeyRefused.
        """
        algorithm, keys = self._checked_card_keys(card_keys, _CARD_MASTERS, "opening a secure channel")
        session = derivation.session(algorithm, keys, request)
        dek = DekHandle(derivation.block_size(request.scp))
        if self.info(card_keys.master).purpose is not Purpose.READ:
            self._deks[dek] = Secret(session.dek)
        enc, mac, rmac = Secret(session.enc), Secret(session.mac), Secret(session.rmac)
        return OpenSession(enc, mac, rmac, dek, session.card_cryptogram, session.host_cryptogram)

    def wrap_card_keys(self, dek: SessionDek, new: CardKeys) -> tuple[WrappedSecret, WrappedSecret, WrappedSecret]:
        """New ENC, MAC, DEK from a CARD master for PUT KEY, each with its KCV; AES-192 keys are padded with 00.

        GPC 2.3.1, 11.8.2.3; Amendment D 1.2, 7.2. Raises KeyNotFound, KeyMisuse, KeyRefused.
        """
        algorithm, keys = self._checked_card_keys(new, (Purpose.CARD,), "wrapping new card keys")
        enc, mac, wrapped_dek = (
            WrappedSecret(self._encrypt(dek, key + bytes(-len(key) % dek.block)), (key_kcv(algorithm, key),))
            for key in keys
        )
        return enc, mac, wrapped_dek

    def wrap_for_card(self, dek: SessionDek, secret: Udks | CardKeys | Sealed, *, pad: bool) -> WrappedSecret:
        """A secret DGI value under the session DEK: UDKs, a READ key set, or sealed bytes. See KeyCustody.

        EMV CPS 1.1, 4.3.5. Raises KeyNotFound, KeyMisuse, KeyRefused, IntegrityError.
        """
        kcvs: tuple[bytes, ...] = ()
        if isinstance(secret, ApplicationKeys | SealedKeys):
            kcvs, plain = secret.kcvs, self._checked_udks(secret).reveal()
        elif isinstance(secret, CardKeys):
            _, keys = self._checked_card_keys(secret, (Purpose.READ,), "wrapping a read key set")
            kcvs, plain = secret.kcvs, b"".join(keys)
        else:
            plain = sealing.unseal(self._table, secret).reveal()
        return WrappedSecret(self._encrypt(dek, padding.pad2(plain, dek.block) if pad else plain), kcvs)

    def application_keys(
        self, masters: tuple[KeyRef, KeyRef, KeyRef], pan: str, sequence: int, *, option: UdkOption | None = None
    ) -> ApplicationKeys:
        """UDKs from AC, SMI and SMC masters, in this order. EMV 4.4 Book 2, A1.4. Raises KeyNotFound, KeyMisuse."""
        algorithm, udks = payment.card_keys(self._table, masters, pan, sequence, option)
        return ApplicationKeys(masters, pan, sequence, _kcvs(algorithm, udks), option)

    def cryptogram(self, keys: Udks, scheme: CryptogramScheme, atc: bytes, data: bytes) -> bytes:
        """ARQC, TC or AAC, 8 bytes. EMV 4.4 Book 2, 8.1. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        return payment.cryptogram(self._table, keys, scheme, atc, data)

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
        """Whether the cryptogram is that of the card. EMV 4.4 Book 2, 8.1. Raises KeyNotFound, KeyMisuse."""
        own = payment.cryptogram_of(self._table, master, scheme, (pan, sequence, option), atc, data)
        return hmac.compare_digest(own, cryptogram)

    def arpc(
        self, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, response: bytes, method: int
    ) -> bytes:
        """8 bytes by method 1, 4 by method 2. EMV 4.4 Book 2, 8.2. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        return payment.arpc(self._table, keys, scheme, atc, arqc, response, method)

    def script_mac(self, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes) -> bytes:
        """8 bytes over ``data``. EMV 4.4 Book 2, 9.2. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        return payment.script_mac(self._table, keys, scheme, atc, arqc, data)

    def script_encrypt(self, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes) -> bytes:
        """Enciphered command data. EMV 4.4 Book 2, 9.3. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        return payment.script_encrypt(self._table, keys, scheme, atc, arqc, data)

    def encrypt_pin(self, key: KeyRef, form: PinFormat, pin: Secret, pan: str) -> PinBlock:
        """A PIN under a PIN key. ISO 9564-1. Raises KeyNotFound, KeyMisuse for other PINs, PANs and formats."""
        return payment.encrypt_pin(self._table, key, form, pin, pan, self._random)

    def translate_pin(self, pin: PinBlock, key: KeyRef, form: PinFormat) -> PinBlock:
        """The same PIN under another key. Raises KeyNotFound, KeyMisuse when the block does not open."""
        return self.encrypt_pin(key, form, payment.decrypt_pin(self._table, pin), pin.pan)

    def new_pin(self, digits: int, seal: KeyRef, context: str) -> Sealed:
        """A random PIN, sealed for DGI 8010. Raises KeyNotFound, KeyMisuse unless it has 4 to 12 digits."""
        pin = payment.random_pin(digits, self._random)
        return self._seal(seal, pinblock.format2(pin), sealing.data_context(context))

    def seal_pin(self, pin: PinBlock, seal: KeyRef, context: str) -> Sealed:
        """The PIN in ISO format 2, sealed for DGI 8010. Raises KeyNotFound, KeyMisuse when the block does not open."""
        return self._seal(seal, pinblock.format2(payment.decrypt_pin(self._table, pin)), sealing.data_context(context))

    def open_pins(self, pins: Sequence[Sealed], purpose: str, *, by: str, second: str) -> tuple[Secret, ...]:
        """PINs for their letters, all or none, audited first. This custodian knows which it opened since it was
        unlocked. Raises KeyMisuse for one person alone, for other secrets and a PIN opened before, IntegrityError."""
        if not fold(by) or not fold(second) or same_name(by, second):
            raise KeyMisuse("opening PINs: two different people do it")
        with self._mutex:
            opened = tuple(sealing.unseal_pin(self._table, sealed) for sealed in pins)
            marks = {sealed.blob[:_NONCE] for sealed in pins}
            if len(marks) != len(pins) or marks & self._opened_pins:
                raise KeyMisuse("opening PINs: each is opened once, and one of these was opened before")
            self._note_opening(pins, purpose, by, second)
            self._opened_pins |= marks
        return opened

    def pin_for_card(
        self,
        keys: Udks,
        scheme: CryptogramScheme,
        atc: bytes,
        arqc: bytes,
        pin: PinBlock,
        present: PinBlock | None = None,
    ) -> bytes:
        """Enciphered data of PIN CHANGE. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        new = payment.decrypt_pin(self._table, pin)
        old = None if present is None else payment.decrypt_pin(self._table, present)
        return payment.pin_script(self._table, keys, scheme, atc, arqc, new, old)

    def card_verification_value(self, key: KeyRef, pan: str, expiry: str, service_code: str) -> str:
        """CVV, CVC or iCVV, three digits. Raises KeyNotFound, KeyMisuse."""
        return payment.card_verification_value(self._table, key, pan, expiry, service_code)

    def to_transport(self, transport_key: KeyRef, secret: Udks | Sealed) -> WrappedSecret:
        """A secret of a dossier under a transport key. Raises KeyNotFound, KeyMisuse, KeyRefused, IntegrityError."""
        if isinstance(secret, Sealed):
            plain = sealing.unseal(self._table, secret)
            return WrappedSecret(transport.wrap_data(self._table, transport_key, plain, self._random), ())
        return WrappedSecret(transport.wrap_keys(self._table, transport_key, self._checked_udks(secret)), secret.kcvs)

    def keys_from_transport(
        self, transport_key: KeyRef, wrapped: WrappedSecret, algorithm: Algorithm, seal: KeyRef, context: str
    ) -> SealedKeys:
        """A bank's card keys, checked and sealed. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        plain = transport.unwrap_keys(self._table, transport_key, wrapped.ciphertext, algorithm, wrapped.kcvs)
        return self._sealed_keys(plain, algorithm, wrapped.kcvs, seal, context)

    def data_from_transport(self, transport_key: KeyRef, wrapped: bytes, seal: KeyRef, context: str) -> Sealed:
        """A bank's other secret, sealed. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        return self._seal(
            seal, transport.unwrap_data(self._table, transport_key, wrapped), sealing.data_context(context)
        )

    def tracks_from_transport(self, transport_key: KeyRef, wrapped: bytes) -> Secret:
        """A bank's stripe data, which go to an encoder in clear. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        return transport.tracks(self._table, transport_key, wrapped)

    def key_blocks(self, transport_key: KeyRef, keys: Udks) -> tuple[str, str, str]:
        """Card keys as TR-31 key blocks. Raises KeyNotFound, KeyMisuse, KeyRefused, IntegrityError."""
        algorithm = keys.algorithm if isinstance(keys, SealedKeys) else self.info(keys.masters[0]).algorithm
        plain = self._checked_udks(keys)
        return transport.card_blocks(self._table, transport_key, algorithm, plain, self._random)

    def keys_from_blocks(
        self, transport_key: KeyRef, blocks: Sequence[str], kcvs: tuple[bytes, ...], seal: KeyRef, context: str
    ) -> SealedKeys:
        """A bank's card keys in TR-31 key blocks, checked and sealed. Raises KeyNotFound, KeyMisuse, KeyRefused."""
        plain = transport.card_keys(self._table, transport_key, blocks, kcvs)
        return self._sealed_keys(plain, Algorithm.TDES, kcvs, seal, context)

    def transport_mac(self, transport_key: KeyRef, context: bytes, data: bytes) -> bytes:
        """CMAC under a key derived for this context. See ``transport.mac``. Raises KeyNotFound, KeyMisuse."""
        return transport.mac(self._table, transport_key, context, data)

    def export_block(self, ref: KeyRef, transport_key: KeyRef, *, by: str) -> str:
        """A working key as a TR-31 key block, audited. See ``transport.block``. Raises KeyNotFound, KeyMisuse."""
        return self._export(ref, by, transport_key, transport.block(self._table, ref, transport_key, self._random))

    def import_block(
        self, name: str, purpose: Purpose, algorithm: Algorithm, key_block: str, transport_key: KeyRef, *, by: str
    ) -> KeyInfo:
        """A working key from a TR-31 key block. See ``transport.unblock``, ``import_key``."""
        key = transport.unblock(self._table, purpose, algorithm, key_block, transport_key)
        return self.import_key(name, purpose, algorithm, key, by=by)

    def sign(self, key: KeyRef, message: bytes) -> bytes:
        """Raw RSA under a SIGN_* key; both sides are as long as the modulus. Raises KeyNotFound, KeyMisuse."""
        material = self._table.use(key, _SIGNERS, "signing").material
        if not isinstance(material, rsa.RsaPrivate):
            raise KeyMisuse(f"signing: {key} is not an RSA key")
        try:
            return rsa.private(material, message)
        except CryptoError as fault:
            raise KeyMisuse(f"signing with {key}: {fault}") from fault

    def sign_sm2(self, key: KeyRef, message: bytes) -> bytes:
        """SM2 with SM3 under a SIGN_* key: r || s, 64 bytes. GB/T 32918.2. Raises KeyNotFound, KeyMisuse."""
        material = self._table.use(key, _SIGNERS, "signing").material
        if not isinstance(material, sm2.Sm2Private):
            raise KeyMisuse(f"signing: {key} is not an SM2 key")
        return sm2.sign(material, message)

    def seal(self, key: KeyRef, data: bytes, context: str) -> Sealed:
        """Bytes under a SEAL key, AES-256-GCM with a random nonce. Raises KeyNotFound, KeyMisuse."""
        return self._seal(key, Secret(data), sealing.caller_context(context))

    def open(self, sealed: Sealed) -> Secret:
        """The sealed bytes. Raises IntegrityError when blob or context was changed, KeyNotFound, KeyMisuse."""
        sealing.caller_context(sealed.context)
        return sealing.unseal(self._table, sealed)

    def same_secret(self, one: Sealed, other: Sealed) -> bool:
        """Whether both are the same bytes. Raises IntegrityError, KeyNotFound, KeyMisuse for what could be guessed."""
        return sealing.same_secret(self._table, one, other)

    def index(self, key: KeyRef, data: bytes) -> bytes:
        """Blind index: HMAC-SHA-256, 32 bytes, under an INDEX key. Raises KeyNotFound, KeyMisuse."""
        return hmac.digest(self._table.use(key, (Purpose.INDEX,), "indexing").secret, data, "sha256")

    def _card_key_bytes(
        self, master: KeyRef, method: Diversification, data: bytes, purposes: Collection[Purpose], operation: str
    ) -> tuple[Algorithm, StaticKeys]:
        record = self._table.use(master, purposes, operation)
        if not isinstance(record.material, tuple):
            raise KeyMisuse(f"{operation}: {master} is a private key")
        parts = [part.reveal() for part in record.material]
        masters = StaticKeys(*(parts if len(parts) == len(StaticKeys._fields) else parts * len(StaticKeys._fields)))
        return record.info.algorithm, derivation.card_key_set(method, record.info.algorithm, masters, data)

    def _checked_card_keys(
        self, keys: CardKeys, purposes: Collection[Purpose], operation: str
    ) -> tuple[Algorithm, StaticKeys]:
        algorithm, derived = self._card_key_bytes(keys.master, keys.method, keys.data, purposes, operation)
        _check_kcvs(_kcvs(algorithm, derived), keys.kcvs, str(keys))
        return algorithm, derived

    def _seal(self, key: KeyRef, data: Secret, context: str) -> Sealed:
        return sealing.seal(self._table, key, data, context, self._random)

    def _sealed_keys(
        self, plain: Secret, algorithm: Algorithm, kcvs: tuple[bytes, ...], seal: KeyRef, context: str
    ) -> SealedKeys:
        try:
            ac, smi, smc = kcvs
        except ValueError:
            raise KeyRefused(f"{len(kcvs)} keys are not AC, SMI and SMC of a card") from None
        return SealedKeys(self._seal(seal, plain, sealing.keys_context(algorithm, context)), algorithm, (ac, smi, smc))

    def _checked_udks(self, keys: Udks) -> Secret:
        if isinstance(keys, SealedKeys):
            return sealing.unseal_keys(self._table, keys)
        algorithm, udks = payment.card_keys(self._table, keys.masters, keys.pan, keys.sequence, keys.option)
        _check_kcvs(_kcvs(algorithm, udks), keys.kcvs, "the application keys")
        return Secret(b"".join(udks))

    def _encrypt(self, dek: SessionDek, data: bytes) -> bytes:
        key = self._deks.get(dek) if isinstance(dek, DekHandle) else None
        if key is None:
            raise KeyMisuse("this session DEK does not wrap data: it is not of a security domain session opened here")
        if len(data) % dek.block:
            raise KeyMisuse(
                f"{len(data)} bytes to wrap are no whole number of {dek.block}-byte blocks: they need padding"
            )
        if dek.block == des.BLOCK:
            return des.ecb_encrypt(key.reveal(), data)
        return aes.cbc_encrypt(key.reveal(), data)


def _kcvs(algorithm: Algorithm, keys: StaticKeys) -> tuple[bytes, bytes, bytes]:
    return key_kcv(algorithm, keys.enc), key_kcv(algorithm, keys.mac), key_kcv(algorithm, keys.dek)


def _check_kcvs(actual: tuple[bytes, bytes, bytes], expected: tuple[bytes, bytes, bytes], what: str) -> None:
    if actual != expected:
        raise KeyRefused(f"{what}: the keys in custody have other check values")


def _snapshot_cipher(secret: Secret) -> AESGCM:
    if len(secret) != 32:
        raise KeystoreLocked("a transport secret is 32 random bytes")
    return AESGCM(secret.reveal())
