"""Card keys, session keys, cryptograms, ARPC and script commands, computed from the specifications.

EMV 4.4 Book 2, chapters 8 and 9 and annex A1; JR/T 0025.7 for the session keys of PBOC and for SM4.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple

from simulators.cryptograms.schemes import Cipher, Encipherment, Fold, IssuerScheme, PinForm, SessionKeyMethod
from terminal.crypto import des, padding, sm4
from terminal.errors import CodecError, CryptoError
from terminal.secret import Secret


@dataclass(frozen=True, slots=True)
class IssuerMasters:
    """An issuer's master keys of one cipher, 16 bytes each. ``option`` of card key derivation: ``A``, ``B``, or None: A
    for card numbers of up to 16 digits, B for longer ones."""

    ac: Secret
    smi: Secret
    smc: Secret
    option: str | None = None


class Udks(NamedTuple):
    """The keys of one card: cryptograms, script integrity, script confidentiality."""

    ac: bytes
    smi: bytes
    smc: bytes

    def __repr__(self) -> str:
        return "<Udks>"


def card_keys(masters: IssuerMasters, cipher: Cipher, pan: str, sequence: int) -> Udks:
    """The keys of one card. EMV 4.4 Book 2, A1.4. Raises CryptoError unless ``pan`` is digits, ``sequence`` 0 to 99."""
    if not re.fullmatch("[0-9]{1,19}", pan) or not 0 <= sequence <= 99:
        raise CryptoError("card keys are made from a card number of digits and a sequence number from 0 to 99")
    # Up to 16 digits option B equals A; for SM4 no hash of an option B is published.
    hashed = len(pan) > 16 and masters.option != "A" and cipher is Cipher.TDES
    y = _hashed(pan, sequence) if hashed else bytes.fromhex(f"{pan}{sequence:02d}"[-16:].zfill(16))
    block = y + _inverse(y)
    keys = (secret.reveal() for secret in (masters.ac, masters.smi, masters.smc))
    if cipher is Cipher.SM4:
        return Udks(*(sm4.ecb_encrypt(key, block) for key in keys))
    return Udks(*(des.adjust_parity(des.ecb_encrypt(key, block)) for key in keys))


def _hashed(pan: str, sequence: int) -> bytes:
    """Option B: the first sixteen decimal digits of a SHA-1, completed by its letters as 0 to 5."""
    text = f"{pan}{sequence:02d}"
    data = bytes.fromhex("0" * (len(text) % 2) + text)
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()  # prescribed by EMV, only to select digits
    digits = re.sub("[a-f]", "", digest) + "".join(str(ord(c) - ord("a")) for c in re.sub("[0-9]", "", digest))
    return bytes.fromhex(digits[:16])


def session_key(kind: SessionKeyMethod, cipher: Cipher, key: bytes, atc: bytes, arqc: bytes) -> bytes:
    """One session key. ``arqc`` diversifies the common session keys of secure messaging; for cryptograms it is
    ``atc || 00..``. Raises CodecError for other lengths."""
    if len(atc) != 2 or len(arqc) != 8:
        raise CodecError(f"an ATC has two bytes and a cryptogram eight, not {len(atc)} and {len(arqc)}")
    counted = bytes(6) + atc + bytes(6) + _inverse(atc)
    if kind is SessionKeyMethod.NONE:
        return key
    if cipher is Cipher.SM4:
        return sm4.ecb_encrypt(key, counted)
    if kind is SessionKeyMethod.XOR:
        return des.adjust_parity(_xor(key, counted))
    if kind is SessionKeyMethod.ATC:
        return des.adjust_parity(des.ecb_encrypt(key, counted))
    halves = (arqc[:2] + bytes((mark,)) + arqc[3:] for mark in (0xF0, 0x0F))
    return des.adjust_parity(des.ecb_encrypt(key, b"".join(halves)))


def cryptogram(scheme: IssuerScheme, keys: Udks, atc: bytes, data: bytes) -> bytes:
    """ARQC, TC or AAC, eight bytes. EMV 4.4 Book 2, 8.1.2."""
    return _mac(scheme, _ac_key(scheme, keys, atc), data, scheme.ac_padding)


def arpc(scheme: IssuerScheme, keys: Udks, atc: bytes, ac: bytes, response: bytes) -> bytes:
    """The authorization response cryptogram: eight bytes over a response code of two (method 1), or four over card
    status update and proprietary data (method 2). EMV 4.4 Book 2, 8.2."""
    key = _ac_key(scheme, keys, atc)
    if scheme.arpc == 2:
        return _mac(scheme, key, ac + response, 2)[:4]
    block = _xor(ac, response + bytes(6))
    if scheme.cipher is Cipher.SM4:
        return _fold(scheme, sm4.ecb_encrypt(key, block + bytes(8)))
    return des.ecb_encrypt(key, block)


def script_mac(scheme: IssuerScheme, keys: Udks, atc: bytes, ac: bytes, header: bytes, data: bytes) -> bytes:
    """MAC of a script command: over its header (five bytes, Lc counting the MAC), ATC, cryptogram and data.

    EMV 4.4 Book 2, 9.2.3.1, format 2, with the data of the transaction as in Visa and PBOC.
    """
    key = session_key(scheme.sm_session, scheme.cipher, keys.smi, atc, ac)
    return _mac(scheme, key, header + atc + ac + data, 2)[: scheme.mac_length]


def script_encrypt(scheme: IssuerScheme, keys: Udks, atc: bytes, ac: bytes, data: bytes) -> bytes:
    """Confidential script data of at most 255 bytes. EMV 4.4 Book 2, 9.3."""
    key = session_key(scheme.sm_session, scheme.cipher, keys.smc, atc, ac)
    block = sm4.BLOCK if scheme.cipher is Cipher.SM4 else des.BLOCK
    if scheme.encipherment is Encipherment.EMV:
        padded = padding.pad2(data, block)
        return sm4.cbc_encrypt(key, padded) if scheme.cipher is Cipher.SM4 else des.cbc_encrypt(key, padded)
    plain = bytes((len(data),)) + data
    if scheme.encipherment is Encipherment.LENGTH or len(plain) % block:
        plain = padding.pad2(plain, block)
    return sm4.ecb_encrypt(key, plain) if scheme.cipher is Cipher.SM4 else des.ecb_encrypt(key, plain)


def new_pin_block(scheme: IssuerScheme, keys: Udks, pin: str, current: str | None = None) -> bytes:
    """The clear PIN block of a PIN CHANGE. The Visa form combines it with the card's cryptogram key, and with the
    present PIN if the card is to check it. Visa ICC Specification, appendix; ISO 9564-1, 9.3.3. Raises CodecError."""
    for digits in (pin, current or pin):
        if not re.fullmatch("[0-9]{4,12}", digits):
            raise CodecError("a PIN has 4 to 12 digits")
    filled = bytes.fromhex(pin.ljust(14, "F"))
    if scheme.pin_form is PinForm.ISO2 and current is None:
        return bytes((0x20 | len(pin),)) + filled
    block = _xor(bytes((len(pin),)) + filled, bytes(4) + keys.ac[4:8])
    return block if current is None else _xor(block, bytes.fromhex(current.ljust(16, "0")))


def _ac_key(scheme: IssuerScheme, keys: Udks, atc: bytes) -> bytes:
    return session_key(scheme.ac_session, scheme.cipher, keys.ac, atc, atc + bytes(6))


def _mac(scheme: IssuerScheme, key: bytes, data: bytes, method: int) -> bytes:
    if scheme.cipher is Cipher.SM4:
        return _fold(scheme, sm4.mac(key, data))
    pad = padding.pad1 if method == 1 else padding.pad2
    return des.retail_mac(key, pad(data, des.BLOCK))


def _fold(scheme: IssuerScheme, block: bytes) -> bytes:
    return _xor(block[:8], block[8:]) if scheme.fold is Fold.XOR else block[:8]


def _inverse(data: bytes) -> bytes:
    return bytes(b ^ 0xFF for b in data)


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
