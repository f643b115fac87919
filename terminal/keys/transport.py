"""Keys and secrets in transit between a bank and this issuer, under a transport key that both hold."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
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
        Purpose.CVK: ("C0", "C"),
    }
)
"""Key usage and mode of use (X: derives other keys, B: enciphers and deciphers, C: generates and verifies). ANSI
X9.143, tables 2 and 4."""
_EQUAL_MODES: Mapping[Purpose, str] = MappingProxyType({Purpose.CVK: "G"})
"""Another mode that allows no less: whoever generates a verification value verifies it by comparing."""
_AES = frozenset({Algorithm.AES128, Algorithm.AES192, Algorithm.AES256})
_BLOCK_ALGORITHMS: Mapping[Algorithm, str] = MappingProxyType({Algorithm.TDES: "T", **dict.fromkeys(_AES, "A")})
_STRENGTH = {Algorithm.TDES: 112, Algorithm.AES128: 128, Algorithm.AES192: 192, Algorithm.AES256: 256}


_CARD_PURPOSES = (Purpose.AC, Purpose.SMI, Purpose.SMC)
_CARD_USAGES = tuple(_USAGES[purpose][0] for purpose in _CARD_PURPOSES)
_ENC, _MAC, _FILE = b"MCDP ENC", b"MCDP MAC", b"MCDP FILE"
"""Labels of the keys derived from a transport key."""
TRACKS_MARK = b"tracks of a stripe\n"
"""Before the text of tracks in transit; no key, RSA number or PIN block begins so."""
_CBC = MappingProxyType(
    {
        Algorithm.TDES: (des.cbc_encrypt, des.cbc_decrypt),
        Algorithm.SM4: (sm4.cbc_encrypt, sm4.cbc_decrypt),
        **dict.fromkeys(_AES, (aes.cbc_encrypt, aes.cbc_decrypt)),
    }
)


def block(table: KeyTable, ref: KeyRef, transport: KeyRef, random: Callable[[int], bytes]) -> str:
    """A working key as a TR-31 key block, of version B under 3DES and D under AES. ANSI X9.143.

    Raises KeyNotFound, and KeyMisuse for purposes that are not exported, for SM4 (which TR-31 does not define) and for
    a transport key weaker than the key.
    """
    operation = f"exporting {ref}"
    protector = table.use(transport, (Purpose.TRANSPORT,), operation)
    record = table.get(ref)
    if record.info.purpose not in _USAGES:
        raise KeyMisuse(f"{operation}: a key for {record.info.purpose} is not exported")
    above, below = protector.info.algorithm, record.info.algorithm
    if above not in _STRENGTH or below not in _STRENGTH:
        raise KeyMisuse(f"{operation}: a TR-31 key block holds 3DES or AES keys, not {below} under {above}")
    if _STRENGTH[above] < _STRENGTH[below]:
        raise KeyMisuse(f"{operation}: {transport} is {above}, weaker than the key")
    usage, mode = _USAGES[record.info.purpose]
    version = "D" if above in _AES else "B"
    header = tr31.Tr31Header(version, usage, _BLOCK_ALGORITHMS[below], mode)
    return tr31.wrap(protector.secret, header, record.secret, random)


def unblock(table: KeyTable, purpose: Purpose, algorithm: Algorithm, key_block: str, transport: KeyRef) -> Secret:
    """The key in a TR-31 key block whose header has this purpose and algorithm. ANSI X9.143.

    Raises KeyNotFound, KeyMisuse, and KeyRefused for a block that is damaged, of version A or C, or for another use.
    """
    operation = "importing a key block"
    protector = table.use(transport, (Purpose.TRANSPORT,), operation)
    if purpose not in _USAGES or algorithm not in _BLOCK_ALGORITHMS:
        raise KeyMisuse(f"{operation}: no {algorithm} key for {purpose} comes as a TR-31 key block")
    version = "D" if protector.info.algorithm in _AES else "B"
    if protector.info.algorithm not in _STRENGTH or key_block[:1] != version:
        raise KeyRefused(f"{operation}: it is not of version {version}, which goes with {transport}")
    try:
        header, key = tr31.unwrap(protector.secret, key_block)
    except CryptoError as fault:
        raise KeyRefused(f"{operation} under {transport}: {fault}") from None
    usage, mode = _USAGES[purpose]
    # Mode N is "no restriction": the usage alone restricts the key.
    if (header.usage, header.algorithm) != (usage, _BLOCK_ALGORITHMS[algorithm]) or header.mode not in (
        mode,
        "N",
        _EQUAL_MODES.get(purpose),
    ):
        contents = f"usage {header.usage}, algorithm {header.algorithm}, mode {header.mode}"
        raise KeyRefused(f"{operation}: it says {contents}, which is no {algorithm} key for {purpose}")
    return Secret(key)


def wrap_keys(table: KeyTable, transport: KeyRef, keys: Secret) -> bytes:
    """Concatenated card keys under a transport key: 3DES or SM4 in ECB, AES in CBC with zero IV. Raises KeyMisuse."""
    algorithm, key, _ = _cipher(table, transport, "wrapping keys for transport")
    if algorithm is Algorithm.TDES:
        return des.ecb_encrypt(key, keys.reveal())
    return sm4.ecb_encrypt(key, keys.reveal()) if algorithm is Algorithm.SM4 else aes.cbc_encrypt(key, keys.reveal())


def unwrap_keys(
    table: KeyTable, transport: KeyRef, ciphertext: bytes, algorithm: Algorithm, kcvs: tuple[bytes, ...]
) -> Secret:
    """The inverse of ``wrap_keys``: as many keys of ``algorithm`` as there are check values.

    Raises KeyNotFound, KeyMisuse, and KeyRefused when the number of keys or a check value differs.
    """
    operation = "unwrapping transported keys"
    cipher, key, size = _cipher(table, transport, operation)
    if not ciphertext or len(ciphertext) % size:
        raise KeyRefused(f"{operation}: {len(ciphertext)} bytes are no whole number of {size}-byte blocks")
    if cipher is Algorithm.TDES:
        plain = des.ecb_decrypt(key, ciphertext)
    else:
        plain = sm4.ecb_decrypt(key, ciphertext) if cipher is Algorithm.SM4 else aes.cbc_decrypt(key, ciphertext)
    return _checked(operation, plain, algorithm, kcvs)


def wrap_data(table: KeyTable, transport: KeyRef, plain: Secret, random: Callable[[int], bytes]) -> bytes:
    """IV, ciphertext and MAC of any other secret. ISO/IEC 19772, encrypt-then-MAC. Raises KeyNotFound, KeyMisuse.

    CBC over method 2 padding under one derived key; CMAC over IV and ciphertext under another. The MAC is verified
    before decryption, so that there is no padding oracle.
    """
    algorithm, key, size = _cipher(table, transport, "wrapping data for transport")
    iv = random(size)
    body = iv + _CBC[algorithm][0](_derived(algorithm, key, _ENC), padding.pad2(plain.reveal(), size), iv)
    return body + _cmac(algorithm, _derived(algorithm, key, _MAC), body)


def unwrap_data(table: KeyTable, transport: KeyRef, wrapped: bytes) -> Secret:
    """The inverse of ``wrap_data``.

    Raises KeyNotFound, KeyMisuse, and KeyRefused for a wrong length, MAC or padding.
    """
    operation = "unwrapping transported data"
    algorithm, key, size = _cipher(table, transport, operation)
    body, received_mac = wrapped[:-size], wrapped[-size:]
    if len(wrapped) < 3 * size or len(wrapped) % size:
        raise KeyRefused(f"{operation}: {len(wrapped)} bytes are no IV, blocks of {size} bytes and MAC")
    if not hmac.compare_digest(_cmac(algorithm, _derived(algorithm, key, _MAC), body), received_mac):
        raise KeyRefused(f"{operation}: the MAC is wrong; it was changed, or is not under {transport}")
    plain = _CBC[algorithm][1](_derived(algorithm, key, _ENC), body[size:], body[:size])
    try:
        return Secret(padding.unpad2(plain, size))
    except CryptoError:
        raise KeyRefused(f"{operation}: the padding is wrong; the sender uses another format") from None


def tracks(table: KeyTable, transport: KeyRef, wrapped: bytes) -> Secret:
    """Data from ``wrap_data`` that begin with TRACKS_MARK, without it: no other secret of a bank is opened so.

    Raises KeyNotFound, KeyMisuse, and KeyRefused as ``unwrap_data`` does and for other data.
    """
    plain = unwrap_data(table, transport, wrapped).reveal()
    if not plain.startswith(TRACKS_MARK):
        raise KeyRefused("unwrapping the tracks of a stripe: these data are something else")
    return Secret(plain.removeprefix(TRACKS_MARK))


def mac(table: KeyTable, transport: KeyRef, context: bytes, data: bytes) -> bytes:
    """CMAC, one cipher block, under the key for the files of this context. NIST SP 800-38B. Raises KeyMisuse."""
    algorithm, key, _ = _cipher(table, transport, "authenticating a file")
    return _cmac(algorithm, _derived(algorithm, key, _FILE, context), data)


def card_blocks(
    table: KeyTable, transport: KeyRef, algorithm: Algorithm, keys: Secret, random: Callable[[int], bytes]
) -> tuple[str, str, str]:
    """Card keys AC, SMI and SMC as TR-31 key blocks. Raises KeyNotFound, KeyMisuse.

    ANSI X9.143 has no usage for card keys: they have that of their masters, as with the HSMs of several makers.
    """
    operation = "exporting card keys"
    protector = table.use(transport, (Purpose.TRANSPORT,), operation)
    above = protector.info.algorithm
    if algorithm not in _BLOCK_ALGORITHMS or above not in _BLOCK_ALGORITHMS:
        raise KeyMisuse(f"{operation}: a TR-31 key block holds 3DES or AES keys, not {algorithm} under {above}")
    version, size, plain = "D" if above in _AES else "B", KEY_BYTES[algorithm], keys.reveal()
    ac, smi, smc = (
        tr31.wrap(
            protector.secret,
            tr31.Tr31Header(version, usage, _BLOCK_ALGORITHMS[algorithm], "X"),
            plain[size * place : size * (place + 1)],
            random,
        )
        for place, usage in enumerate(_CARD_USAGES)
    )
    return ac, smi, smc


def card_keys(table: KeyTable, transport: KeyRef, blocks: Sequence[str], kcvs: tuple[bytes, ...]) -> Secret:
    """The inverse of ``card_blocks``, for 3DES. Raises KeyNotFound, KeyMisuse, and KeyRefused for other blocks."""
    operation = "importing card keys"
    if len(blocks) != len(_CARD_PURPOSES):
        raise KeyRefused(f"{operation}: {len(blocks)} key blocks are not those of AC, SMI and SMC")
    keys = (
        unblock(table, purpose, Algorithm.TDES, one, transport)
        for purpose, one in zip(_CARD_PURPOSES, blocks, strict=True)
    )
    return _checked(operation, b"".join(key.reveal() for key in keys), Algorithm.TDES, kcvs)


def _checked(operation: str, plain: bytes, algorithm: Algorithm, kcvs: tuple[bytes, ...]) -> Secret:
    size = KEY_BYTES.get(algorithm)
    if size is None or not kcvs or len(plain) != size * len(kcvs):
        raise KeyRefused(f"{operation}: {len(plain)} bytes are not {len(kcvs)} {algorithm} keys")
    keys = [plain[at : at + size] for at in range(0, len(plain), size)]
    if any(key_kcv(algorithm, key) != kcv for key, kcv in zip(keys, kcvs, strict=True)):
        raise KeyRefused(f"{operation}: a key has another check value than expected")
    # ECB blocks can be rearranged: a key whose two halves are equal is single DES.
    if algorithm is Algorithm.TDES and any(des.adjust_parity(k[:8]) == des.adjust_parity(k[8:]) for k in keys):
        raise KeyRefused(f"{operation}: a 3DES key has two equal halves")
    return Secret(plain)


def _derived(algorithm: Algorithm, key: bytes, label: bytes, context: bytes = b"") -> bytes:
    """A key for one use, as long as the transport key and for the same cipher. NIST SP 800-108, 4.1.

    CMAC over counter (1 byte), label, 00, context and length in bits (2 bytes), which no TR-31 derivation uses.
    """
    rest = label + b"\x00" + context + (8 * len(key)).to_bytes(2, "big")
    blocks = (_cmac(algorithm, key, bytes((i,)) + rest) for i in range(1, 5))
    return b"".join(blocks)[: len(key)]


def _cmac(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    if algorithm is Algorithm.TDES:
        return des.cmac(key, data)
    return sm4.cmac(key, data) if algorithm is Algorithm.SM4 else aes.cmac(key, data)


def _cipher(table: KeyTable, transport: KeyRef, operation: str) -> tuple[Algorithm, bytes, int]:
    record = table.use(transport, (Purpose.TRANSPORT,), operation)
    algorithm = record.info.algorithm
    return algorithm, record.secret, des.BLOCK if algorithm is Algorithm.TDES else aes.BLOCK
