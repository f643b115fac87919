"""PIN blocks against psec, an independent implementation, both ways."""

from __future__ import annotations

import random
import secrets

import pytest
from gmssl.sm4 import SM4_ENCRYPT, CryptSM4
from psec import pinblock as psec

from terminal.crypto import pinblock, sm4
from terminal.errors import CryptoError
from terminal.secret import Secret

PINS = ["1234", "00000", "999999", "123456789012"]
PANS = ["622588011234", "6225880112345678", "6225880112345678901"]
KEY = bytes.fromhex("8C2F4A6D1B3E50798FA1C4D6E8FB0D12")


@pytest.mark.parametrize("pan", PANS[1:])
@pytest.mark.parametrize("pin", PINS)
def test_format_0_agrees_with_psec(pin: str, pan: str) -> None:
    block = pinblock.format0(Secret(pin.encode()), pan)
    assert block.reveal() == psec.encode_pinblock_iso_0(pin, pan)
    assert pinblock.read_format0(block, pan).reveal() == pin.encode()


@pytest.mark.parametrize("pin", PINS)
def test_format_2_agrees_with_psec(pin: str) -> None:
    assert pinblock.format2(Secret(pin.encode())).reveal() == psec.encode_pinblock_iso_2(pin)


@pytest.mark.parametrize("pan", PANS[1:])
@pytest.mark.parametrize("pin", PINS)
def test_format_3_passes_to_psec_and_back(pin: str, pan: str) -> None:
    ours = pinblock.format3(Secret(pin.encode()), pan, secrets.token_bytes)
    assert psec.decode_pinblock_iso_3(ours.reveal(), pan) == pin
    theirs = Secret(psec.encode_pinblock_iso_3(pin, pan))
    assert pinblock.read_format3(theirs, pan).reveal() == pin.encode()


@pytest.mark.parametrize("pan", PANS)
@pytest.mark.parametrize("pin", PINS)
def test_format_4_passes_to_psec_and_back(pin: str, pan: str) -> None:
    ours = pinblock.encrypt_format4(KEY, Secret(pin.encode()), pan, secrets.token_bytes)
    assert psec.decipher_pinblock_iso_4(KEY, ours, pan) == pin
    theirs = psec.encipher_pinblock_iso_4(KEY, pin, pan)
    assert pinblock.decrypt_format4(KEY, theirs, pan).reveal() == pin.encode()


def test_random_fill_differs_and_leaves_no_letter_out() -> None:
    source = random.Random(1).randbytes
    blocks = {pinblock.format3(Secret(b"1234"), PANS[1], source).reveal() for _ in range(200)}
    assert len(blocks) == 200
    field = bytes.fromhex("0000" + PANS[1][-13:-1])
    filled = "".join(bytes(a ^ b for a, b in zip(block, field, strict=True)).hex()[6:] for block in blocks)
    assert set(filled) == set("abcdef")
    counts = sorted(filled.count(letter) for letter in "abcdef")
    assert counts[-1] < 1.3 * counts[0]


@pytest.mark.parametrize(
    "pin", [b"", b"123", b"1234567890123", b"12a4", b"12 4", b"\xff\xff\xff\xff", "１２３４".encode()]
)
def test_what_is_no_pin_is_not_echoed(pin: bytes) -> None:
    for form in (
        lambda: pinblock.format0(Secret(pin), PANS[1]),
        lambda: pinblock.format2(Secret(pin)),
        lambda: pinblock.format3(Secret(pin), PANS[1], secrets.token_bytes),
        lambda: pinblock.encrypt_format4(KEY, Secret(pin), PANS[1], secrets.token_bytes),
        lambda: pinblock.for_script(Secret(pin), KEY),
    ):
        with pytest.raises(CryptoError, match=r"^a PIN is 4 to 12 decimal digits$"):
            form()


@pytest.mark.parametrize("pan", ["", "12345678901", "62258801123456789012", "622588011234567A"])
def test_a_pan_has_twelve_to_nineteen_digits(pan: str) -> None:
    with pytest.raises(CryptoError, match="12 to 19 decimal digits"):
        pinblock.format0(Secret(b"1234"), pan)
    with pytest.raises(CryptoError, match="12 to 19 decimal digits"):
        pinblock.encrypt_format4(KEY, Secret(b"1234"), pan, secrets.token_bytes)


def test_a_block_for_another_pan_or_of_another_format_is_none() -> None:
    other = "6225889998887776"
    block = pinblock.format0(Secret(b"123456789012"), PANS[1])
    with pytest.raises(CryptoError, match="not a PIN block of format 0"):
        pinblock.read_format0(block, other)
    with pytest.raises(CryptoError, match="not a PIN block of format 3"):
        pinblock.read_format3(block, PANS[1])
    four = pinblock.encrypt_format4(KEY, Secret(b"1234"), PANS[1], secrets.token_bytes)
    with pytest.raises(CryptoError, match="not a PIN block of format 4"):
        pinblock.decrypt_format4(KEY, four, other)


@pytest.mark.parametrize(
    "plain", ["031234FFFFFFFFFF", "0D1234FFFFFFFFFF", "04123AFFFFFFFFFF", "041234FFFFFFFFF0", "0412345FFFFFFFFF"]
)
def test_broken_blocks_are_none(plain: str) -> None:
    field = bytes.fromhex("0000" + PANS[1][-13:-1])
    block = Secret(bytes(a ^ b for a, b in zip(bytes.fromhex(plain), field, strict=True)))
    with pytest.raises(CryptoError, match="not a PIN block of format 0"):
        pinblock.read_format0(block, PANS[1])


def test_blocks_of_another_length_are_none() -> None:
    with pytest.raises(CryptoError, match="8 bytes, not 7"):
        pinblock.read_format0(Secret(bytes(7)), PANS[1])
    with pytest.raises(CryptoError, match="16 bytes, not 8"):
        pinblock.decrypt_format4(KEY, bytes(8), PANS[1])


@pytest.mark.parametrize("pin", PINS)
def test_format_4_under_sm4_is_the_same_construction(pin: str) -> None:
    """Written out with gmssl's SM4: PIN field, enciphered, XOR PAN field, enciphered."""
    pan, fill = PANS[1], bytes(range(8))
    oracle = CryptSM4()
    oracle.set_key(KEY, SM4_ENCRYPT)

    def ecb(block: bytes) -> bytes:
        return bytes(oracle.one_round(oracle.sk, block))

    pin_field = bytes.fromhex(f"4{len(pin):X}{pin}".ljust(16, "A")) + fill
    pan_field = bytes.fromhex(f"{len(pan) - 12}{pan}".ljust(32, "0"))
    expected = ecb(bytes(a ^ b for a, b in zip(ecb(pin_field), pan_field, strict=True)))
    ours = pinblock.encrypt_format4(KEY, Secret(pin.encode()), pan, lambda n: fill[:n], sm4.ecb_encrypt)
    assert ours == expected
    assert pinblock.decrypt_format4(KEY, ours, pan, sm4.ecb_decrypt).reveal() == pin.encode()
