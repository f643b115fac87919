"""Operations of payment keys in a KeyTable: card keys from masters, cryptograms, script protection, PIN blocks,
verification values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from terminal.crypto import aes, cvv, des, kdf, pinblock, sm4
from terminal.crypto.kdf import UdkOption
from terminal.errors import CryptoError, KeyMisuse, KeyRefused
from terminal.keys import cryptograms, sealing
from terminal.keys.custody import Algorithm, KeyRef, PinBlock, PinFormat, Purpose, SealedKeys, Udks
from terminal.keys.derivation import StaticKeys
from terminal.keys.schemes import CryptogramScheme
from terminal.keys.table import KEY_BYTES, KeyRecord, KeyTable, key_kcv
from terminal.secret import Secret

AC, SMI, SMC = range(3)
"""Places in ``ApplicationKeys.masters``."""
_PURPOSES = (Purpose.AC, Purpose.SMI, Purpose.SMC)
_T = TypeVar("_T")


def card_keys(
    table: KeyTable, masters: tuple[KeyRef, KeyRef, KeyRef], pan: str, sequence: int, option: UdkOption | None
) -> tuple[Algorithm, StaticKeys]:
    """All three UDKs of a card and the cipher that they are for. Raises KeyNotFound, KeyMisuse."""
    records = [_master(table, masters, place, "deriving application keys") for place in (AC, SMI, SMC)]
    algorithms = {record.info.algorithm for record in records}
    if len(algorithms) != 1:
        raise KeyMisuse(f"deriving application keys: {', '.join(map(str, masters))} are not for one cipher")
    return algorithms.pop(), StaticKeys(*_udks(records, pan, sequence, option))


def cryptogram(table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, data: bytes) -> bytes:
    """See KeyCustody.cryptogram. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    operation = "computing a cryptogram"
    udk = _card_key(table, keys, scheme, AC, operation)
    return _compute(operation, lambda: cryptograms.cryptogram(scheme, udk, atc, data))


def cryptogram_of(
    table: KeyTable,
    master: KeyRef,
    scheme: CryptogramScheme,
    card: tuple[str, int, UdkOption | None],
    atc: bytes,
    data: bytes,
) -> bytes:
    """The cryptogram of a card, from its AC master, PAN, sequence number and option. Raises KeyNotFound, KeyMisuse."""
    operation = "verifying a cryptogram"
    record = table.use(master, (Purpose.AC,), operation)
    (udk,) = _udks((record,), *card)
    _check_cipher(operation, record.info.algorithm, str(record.info.ref), scheme)
    return _compute(operation, lambda: cryptograms.cryptogram(scheme, udk, atc, data))


def arpc(
    table: KeyTable,
    keys: Udks,
    scheme: CryptogramScheme,
    atc: bytes,
    arqc: bytes,
    response: bytes,
    method: int,
) -> bytes:
    """See KeyCustody.arpc. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    operation = "answering a cryptogram"
    udk = _card_key(table, keys, scheme, AC, operation)
    return _compute(operation, lambda: cryptograms.arpc(scheme, udk, atc, arqc, response, method))


def script_mac(table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes) -> bytes:
    """See KeyCustody.script_mac. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    operation = "authenticating a script command"
    udk = _card_key(table, keys, scheme, SMI, operation)
    return _compute(operation, lambda: cryptograms.script_mac(scheme, udk, atc, arqc, data))


def script_encrypt(
    table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes
) -> bytes:
    """See KeyCustody.script_encrypt. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    operation = "enciphering script data"
    udk = _card_key(table, keys, scheme, SMC, operation)
    return _compute(operation, lambda: cryptograms.script_encrypt(scheme, udk, atc, arqc, data))


def pin_script(
    table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, pin: Secret, present: Secret | None
) -> bytes:
    """The enciphered data of PIN CHANGE. See KeyCustody.pin_for_card. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    operation = "forming a PIN block"
    if scheme.pin_block == "iso2" and present is None:
        block = _compute(operation, lambda: pinblock.format2(pin))
    else:
        card_key = _card_key(table, keys, scheme, AC, operation)
        block = _compute(operation, lambda: pinblock.for_script(pin, card_key, present))
    return script_encrypt(table, keys, scheme, atc, arqc, block.reveal())


def card_verification_value(table: KeyTable, key: KeyRef, pan: str, expiry: str, service_code: str) -> str:
    """See KeyCustody.card_verification_value. Raises KeyNotFound, KeyMisuse."""
    operation = "computing a card verification value"
    secret = table.use(key, (Purpose.CVK,), operation).secret
    return _compute(operation, lambda: cvv.card_verification_value(secret, pan, expiry, service_code))


def random_pin(digits: int, random: Callable[[int], bytes]) -> Secret:
    """A PIN as ASCII digits, uniformly distributed. Raises KeyMisuse unless ``digits`` is 4 to 12."""
    if not 4 <= digits <= 12:
        raise KeyMisuse(f"drawing a PIN: it has 4 to 12 digits, not {digits}")
    # The remainder of 128 bits favours no PIN by more than one in 2^88.
    number = int.from_bytes(random(16), "big") % 10**digits
    return Secret(f"{number:0{digits}d}".encode())


def encrypt_pin(
    table: KeyTable, key: KeyRef, form: PinFormat, pin: Secret, pan: str, random: Callable[[int], bytes]
) -> PinBlock:
    """See KeyCustody.encrypt_pin. Raises KeyNotFound, KeyMisuse."""
    operation = "enciphering a PIN"
    algorithm, secret = _pin_key(table, key, form, operation)

    def encrypt() -> bytes:
        if form is PinFormat.ISO4:
            cipher = sm4.ecb_encrypt if algorithm is Algorithm.SM4 else aes.ecb_encrypt
            return pinblock.encrypt_format4(secret, pin, pan, random, cipher)
        plain = pinblock.format0(pin, pan) if form is PinFormat.ISO0 else pinblock.format3(pin, pan, random)
        return des.ecb_encrypt(secret, plain.reveal())

    return PinBlock(key, form, _compute(operation, encrypt), pan)


def decrypt_pin(table: KeyTable, pin: PinBlock) -> Secret:
    """The PIN, which stays inside custody. Raises KeyNotFound, KeyMisuse for another key, format or PAN."""
    operation = "deciphering a PIN"
    algorithm, secret = _pin_key(table, pin.key, pin.format, operation)

    def decrypt() -> Secret:
        if pin.format is PinFormat.ISO4:
            cipher = sm4.ecb_decrypt if algorithm is Algorithm.SM4 else aes.ecb_decrypt
            return pinblock.decrypt_format4(secret, pin.block, pin.pan, cipher)
        plain = Secret(des.ecb_decrypt(secret, pin.block))
        read = pinblock.read_format0 if pin.format is PinFormat.ISO0 else pinblock.read_format3
        return read(plain, pin.pan)

    return _compute(operation, decrypt)


def _pin_key(table: KeyTable, key: KeyRef, form: PinFormat, operation: str) -> tuple[Algorithm, bytes]:
    record = table.use(key, (Purpose.PIN,), operation)
    if (record.info.algorithm is Algorithm.TDES) is (form is PinFormat.ISO4):
        raise KeyMisuse(f"{operation}: {key} is {record.info.algorithm}, and format {form} is for another cipher")
    return record.info.algorithm, record.secret


def _master(table: KeyTable, masters: tuple[KeyRef, KeyRef, KeyRef], place: int, operation: str) -> KeyRecord:
    return table.use(masters[place], (_PURPOSES[place],), operation)


def _udks(records: Sequence[KeyRecord], pan: str, sequence: int, option: UdkOption | None) -> list[bytes]:
    """One UDK from each master; all masters are for one cipher."""
    is_sm4 = records[0].info.algorithm is Algorithm.SM4
    if is_sm4 and option == "B":
        raise KeyMisuse("deriving application keys: option B is for 3DES masters only")
    masters = [record.secret for record in records]

    def derive() -> list[bytes]:
        return kdf.udks_sm4(masters, pan, sequence) if is_sm4 else kdf.udks(masters, pan, sequence, option)

    return _compute("deriving application keys", derive)


def _card_key(table: KeyTable, keys: Udks, scheme: CryptogramScheme, place: int, operation: str) -> bytes:
    """One UDK. Raises KeyMisuse for another cipher than the scheme's, KeyRefused for another check value."""
    if isinstance(keys, SealedKeys):
        algorithm, source = keys.algorithm, "a bank"
        size = KEY_BYTES[algorithm]
        udk = sealing.unseal_keys(table, keys).reveal()[size * place : size * (place + 1)]
    else:
        record = _master(table, keys.masters, place, operation)
        algorithm, source = record.info.algorithm, str(record.info.ref)
        (udk,) = _udks((record,), keys.pan, keys.sequence, keys.option)
    _check_cipher(operation, algorithm, source, scheme)
    if key_kcv(algorithm, udk) != keys.kcvs[place]:
        raise KeyRefused(f"{operation}: the card key from {source} has another check value")
    return udk


def _check_cipher(operation: str, algorithm: Algorithm, source: str, scheme: CryptogramScheme) -> None:
    if (algorithm is Algorithm.SM4) is not (scheme.mac == "sm4"):
        raise KeyMisuse(
            f"{operation}: the key from {source} is {algorithm}, and the scheme computes with another cipher"
        )


def _compute(operation: str, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except CryptoError as fault:
        raise KeyMisuse(f"{operation}: {fault}") from None
