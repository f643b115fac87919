"""Keys and secrets on their way between a bank and this house, under a transport key that both hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from terminal.crypto import aes, des, padding, sm4, tr31
from terminal.errors import CryptoError, KeyMisuse, KeyRefused
from terminal.keys.custody import Algorithm, KeyRef, Purpose
from terminal.keys.table import KEY_BYTES, KeyTable, key_kcv
from terminal.secret import Secret

_USAGES: Mapping[Purpose, tuple[str, str]] = MappingProxyType(
    {
        Purpose.AC: ("E0", "X"),
        Purpose.SMC: ("E1", "X"),
        Purpose.SMI: ("E2", "X"),
        Purpose.PIN: ("P0", "B"),
    }
)
"""Key usage and mode of use (X: derives other keys, B: enciphers and deciphers). ANSI X9.143, tables 2 and 4."""
_AES = frozenset({Algorithm.AES128, Algorithm.AES192, Algorithm.AES256})
_BLOCK_ALGORITHMS: Mapping[Algorithm, str] = MappingProxyType({Algorithm.TDES: "T", **dict.fromkeys(_AES, "A")})
_STRENGTH = {Algorithm.TDES: 112, Algorithm.AES128: 128, Algorithm.AES192: 192, Algorithm.AES256: 256}


def block(table: KeyTable, ref: KeyRef, transport: KeyRef, random: Callable[[int], bytes]) -> str:
    """A working key as a TR-31 key block, of version B under 3DES and D under AES. ANSI X9.143.

    Raises KeyNotFound, and KeyMisuse for purposes that stay in the house, for SM4 (which TR-31 has no letter for) and
    for a transport key weaker than the key.
    """
    doing = f"exporting {ref}"
    protector = table.use(transport, (Purpose.TRANSPORT,), doing)
    record = table.get(ref)
    if record.info.purpose not in _USAGES:
        raise KeyMisuse(f"{doing}: a key for {record.info.purpose} does not leave this house")
    above, below = protector.info.algorithm, record.info.algorithm
    if above not in _STRENGTH or below not in _STRENGTH:
        raise KeyMisuse(f"{doing}: a TR-31 key block holds 3DES or AES keys, not {below} under {above}")
    if _STRENGTH[above] < _STRENGTH[below]:
        raise KeyMisuse(f"{doing}: {transport} is {above}, weaker than the key")
    usage, mode = _USAGES[record.info.purpose]
    version = "D" if above in _AES else "B"
    header = tr31.Header(version, usage, _BLOCK_ALGORITHMS[below], mode)
    return tr31.wrap(protector.secret, header, record.secret, random)


def unblock(table: KeyTable, purpose: Purpose, algorithm: Algorithm, key_block: str, transport: KeyRef) -> Secret:
    """The key in a TR-31 key block whose header says this purpose and algorithm. ANSI X9.143.

    Raises KeyNotFound, KeyMisuse, and KeyRefused for a block that is damaged, of version A or C, or for another use.
    """
    doing = "importing a key block"
    protector = table.use(transport, (Purpose.TRANSPORT,), doing)
    if purpose not in _USAGES or algorithm not in _BLOCK_ALGORITHMS:
        raise KeyMisuse(f"{doing}: no {algorithm} key for {purpose} comes as a TR-31 key block")
    version = "D" if protector.info.algorithm in _AES else "B"
    if protector.info.algorithm not in _STRENGTH or key_block[:1] != version:
        raise KeyRefused(f"{doing}: it is not of version {version}, which goes with {transport}")
    try:
        header, key = tr31.unwrap(protector.secret, key_block)
    except CryptoError as fault:
        raise KeyRefused(f"{doing} under {transport}: {fault}") from None
    usage, _ = _USAGES[purpose]
    if (header.usage, header.algorithm) != (usage, _BLOCK_ALGORITHMS[algorithm]):
        told = f"usage {header.usage}, algorithm {header.algorithm}"
        raise KeyRefused(f"{doing}: it says {told}, which is no {algorithm} key for {purpose}")
    return Secret(key)


def wrap(table: KeyTable, transport: KeyRef, plain: Secret, *, pad: bool) -> bytes:
    """Secret bytes under a transport key: 3DES or SM4 in ECB, AES in CBC with zero IV. Raises KeyMisuse."""
    algorithm, key, size = _cipher(table, transport, "wrapping for transport")
    data = padding.pad2(plain.reveal(), size) if pad else plain.reveal()
    if not data or len(data) % size:
        raise KeyMisuse(f"{len(data)} bytes to wrap are no whole number of {size}-byte blocks: ask for padding")
    if algorithm is Algorithm.TDES:
        return des.ecb_encrypt(key, data)
    return sm4.ecb_encrypt(key, data) if algorithm is Algorithm.SM4 else aes.cbc_encrypt(key, data)


def unwrap(
    table: KeyTable,
    transport: KeyRef,
    ciphertext: bytes,
    algorithm: Algorithm,
    kcvs: tuple[bytes, ...],
    *,
    padded: bool,
) -> Secret:
    """What ``wrap`` wrapped; with check values given, as many keys of ``algorithm``, each of which must have its own.

    Raises KeyNotFound, KeyMisuse, and KeyRefused when the bytes are not what was told.
    """
    doing = "unwrapping what was transported"
    cipher, key, size = _cipher(table, transport, doing)
    if not ciphertext or len(ciphertext) % size:
        raise KeyRefused(f"{doing}: {len(ciphertext)} bytes are no whole number of {size}-byte blocks")
    if cipher is Algorithm.TDES:
        data = des.ecb_decrypt(key, ciphertext)
    else:
        data = sm4.ecb_decrypt(key, ciphertext) if cipher is Algorithm.SM4 else aes.cbc_decrypt(key, ciphertext)
    try:
        plain = padding.unpad2(data, size) if padded else data
    except CryptoError:
        raise KeyRefused(f"{doing}: it does not open under {transport}") from None
    if kcvs:
        _check(doing, plain, algorithm, kcvs)
    return Secret(plain)


def _check(doing: str, plain: bytes, algorithm: Algorithm, kcvs: tuple[bytes, ...]) -> None:
    size = KEY_BYTES.get(algorithm)
    if size is None or len(plain) != size * len(kcvs):
        raise KeyRefused(f"{doing}: {len(plain)} bytes are not {len(kcvs)} {algorithm} keys")
    if any(key_kcv(algorithm, plain[size * i : size * (i + 1)]) != kcv for i, kcv in enumerate(kcvs)):
        raise KeyRefused(f"{doing}: a key has another check value than was told")


def _cipher(table: KeyTable, transport: KeyRef, doing: str) -> tuple[Algorithm, bytes, int]:
    record = table.use(transport, (Purpose.TRANSPORT,), doing)
    algorithm = record.info.algorithm
    return algorithm, record.secret, des.BLOCK if algorithm is Algorithm.TDES else aes.BLOCK
