"""The work of payment keys on a table of keys: card keys from masters, cryptograms, script protection, PIN blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from terminal.crypto import aes, des, kdf, pinblock, sm4
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
    """All three UDKs of a card and what cipher they are for. Raises KeyNotFound, KeyMisuse."""
    records = [_master(table, masters, place, "deriving application keys") for place in (AC, SMI, SMC)]
    algorithms = {record.info.algorithm for record in records}
    if len(algorithms) != 1:
        raise KeyMisuse(f"deriving application keys: {', '.join(map(str, masters))} are not for one cipher")
    return algorithms.pop(), StaticKeys(*_udks(records, pan, sequence, option))


def cryptogram(table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, data: bytes) -> bytes:
    """See KeyCustody.cryptogram. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    doing = "computing a cryptogram"
    udk = _card_key(table, keys, scheme, AC, doing)
    return _done(doing, lambda: cryptograms.cryptogram(scheme, udk, atc, data))


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
    doing = "answering a cryptogram"
    udk = _card_key(table, keys, scheme, AC, doing)
    return _done(doing, lambda: cryptograms.arpc(scheme, udk, atc, arqc, response, method))


def script_mac(table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes) -> bytes:
    """See KeyCustody.script_mac. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    doing = "authenticating a script command"
    udk = _card_key(table, keys, scheme, SMI, doing)
    return _done(doing, lambda: cryptograms.script_mac(scheme, udk, atc, arqc, data))


def script_encrypt(
    table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, data: bytes
) -> bytes:
    """See KeyCustody.script_encrypt. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    doing = "enciphering script data"
    udk = _card_key(table, keys, scheme, SMC, doing)
    return _done(doing, lambda: cryptograms.script_encrypt(scheme, udk, atc, arqc, data))


def pin_script(
    table: KeyTable, keys: Udks, scheme: CryptogramScheme, atc: bytes, arqc: bytes, pin: Secret, present: Secret | None
) -> bytes:
    """The enciphered data of PIN CHANGE. See KeyCustody.pin_for_card. Raises KeyNotFound, KeyMisuse, KeyRefused."""
    doing = "forming a PIN block"
    if scheme.pin_block == "iso2" and present is None:
        block = _done(doing, lambda: pinblock.format2(pin))
    else:
        card_key = _card_key(table, keys, scheme, AC, doing)
        block = _done(doing, lambda: pinblock.for_script(pin, card_key, present))
    return script_encrypt(table, keys, scheme, atc, arqc, block.reveal())


def random_pin(digits: int, random: Callable[[int], bytes]) -> Secret:
    """ASCII digits; each PIN is as likely as any other. Raises KeyMisuse unless there are 4 to 12."""
    if not 4 <= digits <= 12:
        raise KeyMisuse(f"drawing a PIN: it has 4 to 12 digits, not {digits}")
    # Of 128 bits the remainder favours no PIN by more than one in 2^88.
    number = int.from_bytes(random(16), "big") % 10**digits
    return Secret(f"{number:0{digits}d}".encode())


def encrypt_pin(
    table: KeyTable, key: KeyRef, form: PinFormat, pin: Secret, pan: str, random: Callable[[int], bytes]
) -> PinBlock:
    """See KeyCustody.encrypt_pin. Raises KeyNotFound, KeyMisuse."""
    doing = "enciphering a PIN"
    algorithm, secret = _pin_key(table, key, form, doing)

    def encrypt() -> bytes:
        if form is PinFormat.ISO4:
            cipher = sm4.ecb_encrypt if algorithm is Algorithm.SM4 else aes.ecb_encrypt
            return pinblock.encrypt_format4(secret, pin, pan, random, cipher)
        plain = pinblock.format0(pin, pan) if form is PinFormat.ISO0 else pinblock.format3(pin, pan, random)
        return des.ecb_encrypt(secret, plain.reveal())

    return PinBlock(key, form, _done(doing, encrypt), pan)


def decrypt_pin(table: KeyTable, pin: PinBlock) -> Secret:
    """The PIN, which stays inside custody. Raises KeyNotFound, KeyMisuse unless it is for this key, format and PAN."""
    doing = "deciphering a PIN"
    algorithm, secret = _pin_key(table, pin.key, pin.format, doing)

    def decrypt() -> Secret:
        if pin.format is PinFormat.ISO4:
            cipher = sm4.ecb_decrypt if algorithm is Algorithm.SM4 else aes.ecb_decrypt
            return pinblock.decrypt_format4(secret, pin.block, pin.pan, cipher)
        plain = Secret(des.ecb_decrypt(secret, pin.block))
        read = pinblock.read_format0 if pin.format is PinFormat.ISO0 else pinblock.read_format3
        return read(plain, pin.pan)

    return _done(doing, decrypt)


def _pin_key(table: KeyTable, key: KeyRef, form: PinFormat, doing: str) -> tuple[Algorithm, bytes]:
    record = table.use(key, (Purpose.PIN,), doing)
    if (record.info.algorithm is Algorithm.TDES) is (form is PinFormat.ISO4):
        raise KeyMisuse(f"{doing}: {key} is {record.info.algorithm}, and format {form} is for another cipher")
    return record.info.algorithm, record.secret


def _master(table: KeyTable, masters: tuple[KeyRef, KeyRef, KeyRef], place: int, doing: str) -> KeyRecord:
    return table.use(masters[place], (_PURPOSES[place],), doing)


def _udks(records: Sequence[KeyRecord], pan: str, sequence: int, option: UdkOption | None) -> list[bytes]:
    """One UDK from each master; all masters are for one cipher."""
    sm4 = records[0].info.algorithm is Algorithm.SM4
    if sm4 and option == "B":
        raise KeyMisuse("deriving application keys: option B is for 3DES masters alone")
    masters = [record.secret for record in records]

    def derive() -> list[bytes]:
        return kdf.udks_sm4(masters, pan, sequence) if sm4 else kdf.udks(masters, pan, sequence, option)

    return _done("deriving application keys", derive)


def _card_key(table: KeyTable, keys: Udks, scheme: CryptogramScheme, place: int, doing: str) -> bytes:
    """One UDK, if it is for the scheme's cipher and the one the caller means."""
    if isinstance(keys, SealedKeys):
        algorithm, source = keys.algorithm, "a bank"
        size = KEY_BYTES[algorithm]
        udk = sealing.unseal_keys(table, keys).reveal()[size * place : size * (place + 1)]
    else:
        record = _master(table, keys.masters, place, doing)
        algorithm, source = record.info.algorithm, str(record.info.ref)
        (udk,) = _udks((record,), keys.pan, keys.sequence, keys.option)
    if (algorithm is Algorithm.SM4) is not (scheme.mac == "sm4"):
        raise KeyMisuse(f"{doing}: the key from {source} is {algorithm}, and the scheme computes with another cipher")
    if key_kcv(algorithm, udk) != keys.kcvs[place]:
        raise KeyRefused(f"{doing}: the card key from {source} has another check value")
    return udk


def _done(doing: str, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except CryptoError as fault:
        raise KeyMisuse(f"{doing}: {fault}") from None
