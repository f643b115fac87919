"""Card key sets from masters, and session keys and cryptograms of SCP02 and SCP03, on bytes: for custodians only."""

from __future__ import annotations

from typing import NamedTuple

from terminal.crypto import aes, des, kdf, padding
from terminal.errors import KeyMisuse
from terminal.keys.custody import Algorithm, Diversification, Scp, SessionRequest

KEY_DATA = 10
_CONSTANTS = (1, 2, 3)  # ENC, MAC, DEK


class StaticKeys(NamedTuple):
    """Key bytes of one security domain, or the three masters that they are derived from."""

    enc: bytes
    mac: bytes
    dek: bytes

    def __repr__(self) -> str:
        return "<StaticKeys>"


class SessionKeys(NamedTuple):
    """Session keys, the data encryption key, and both cryptograms."""

    enc: bytes
    mac: bytes
    rmac: bytes
    dek: bytes
    card_cryptogram: bytes
    host_cryptogram: bytes

    def __repr__(self) -> str:
        return "<SessionKeys>"


def card_key_set(method: Diversification, algorithm: Algorithm, masters: StaticKeys, data: bytes) -> StaticKeys:
    """The static keys of one card. VISA2 and EMV CPS need 3DES masters and 10 bytes of key data, KDF3 an AES master.

    EMV CPS 1.1, 4.1; ``kdf.kdf3``. Raises KeyMisuse.
    """
    if method is Diversification.NONE:
        return masters
    if (algorithm is Algorithm.TDES) is (method is Diversification.KDF3):
        raise KeyMisuse(f"{method} diversification does not work with a master of {algorithm}")
    if method is Diversification.KDF3:
        return StaticKeys(*(kdf.kdf3(m, c, data, 8 * len(m)) for m, c in zip(masters, _CONSTANTS, strict=True)))
    if len(data) != KEY_DATA:
        raise KeyMisuse(f"{method} diversification needs {KEY_DATA} bytes of key data, not {len(data)}")
    six = data[0:2] + data[4:8] if method is Diversification.VISA2 else data[4:10]
    return StaticKeys(
        *(
            des.ecb_encrypt(m, six + bytes((0xF0, c)) + six + bytes((0x0F, c)))
            for m, c in zip(masters, _CONSTANTS, strict=True)
        )
    )


def session(algorithm: Algorithm, keys: StaticKeys, request: SessionRequest) -> SessionKeys:
    """Session keys and cryptograms of one secure channel. Raises KeyMisuse when keys or challenges do not match it."""
    if (request.scp is Scp.SCP02) is not (algorithm is Algorithm.TDES):
        raise KeyMisuse(f"SCP{request.scp} does not work with keys of {algorithm}")
    return _scp02(keys, request) if request.scp is Scp.SCP02 else _scp03(keys, request)


def _scp02(keys: StaticKeys, request: SessionRequest) -> SessionKeys:
    """GPC 2.3.1, E.4.1 (session keys) and E.4.2 (cryptograms: full triple DES MAC under S-ENC)."""
    lengths = len(request.host_challenge), len(request.sequence), len(request.card_challenge)
    if lengths != (8, 2, 6):
        raise KeyMisuse(
            f"SCP02 has challenges of 8 and 6 bytes and a counter of 2, not {lengths[0::2]} and {lengths[1]}"
        )
    counter = request.sequence + bytes(12)
    enc = des.cbc_encrypt(keys.enc, b"\x01\x82" + counter)
    mac = des.cbc_encrypt(keys.mac, b"\x01\x01" + counter)
    rmac = des.cbc_encrypt(keys.mac, b"\x01\x02" + counter)
    dek = des.cbc_encrypt(keys.dek, b"\x01\x81" + counter)
    card = request.sequence + request.card_challenge
    card_cryptogram = des.cbc_mac(enc, padding.pad2(request.host_challenge + card, des.BLOCK))
    host_cryptogram = des.cbc_mac(enc, padding.pad2(card + request.host_challenge, des.BLOCK))
    return SessionKeys(enc, mac, rmac, dek, card_cryptogram, host_cryptogram)


def _scp03(keys: StaticKeys, request: SessionRequest) -> SessionKeys:
    """GPC 2.3.1 Amendment D 1.2, 6.2.1 (session keys) and 6.2.2 (cryptograms); the DEK is the static key (6.2.8)."""
    size = 16 if request.i & 0x01 else 8
    if len(request.host_challenge) != size or len(request.card_challenge) != size:
        raise KeyMisuse(f"SCP03 with i={request.i:02X} has challenges of {size} bytes")
    context = request.host_challenge + request.card_challenge
    enc = kdf.cmac_counter(keys.enc, 0x04, context, 8 * len(keys.enc))
    mac = kdf.cmac_counter(keys.mac, 0x06, context, 8 * len(keys.mac))
    rmac = kdf.cmac_counter(keys.mac, 0x07, context, 8 * len(keys.mac))
    card_cryptogram = kdf.cmac_counter(mac, 0x00, context, 8 * size)
    host_cryptogram = kdf.cmac_counter(mac, 0x01, context, 8 * size)
    return SessionKeys(enc, mac, rmac, keys.dek, card_cryptogram, host_cryptogram)


def block_size(scp: Scp) -> int:
    """Cipher block size of a protocol's DEK."""
    return des.BLOCK if scp is Scp.SCP02 else aes.BLOCK
