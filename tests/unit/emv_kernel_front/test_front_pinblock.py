"""PIN blocks against psec, which knows nothing of this program. ISO 9564-1:2017, 9.3, 9.4; EMV 4.4 Book 2, 7.2."""

from __future__ import annotations

import pytest
from psec import pinblock as psec

from terminal.crypto import aes
from terminal.crypto.rsa import RsaPublic
from terminal.emv.pinblock import encipher_for_card, format_0, format_2, format_3, format_4
from terminal.emv.seams import Pin
from terminal.errors import CodecError, CryptoError
from tests.support import rsa_signer as make

PINS = ["1234", "98765", "0000", "123456789012"]
PAN = "6222020000000000012"
KEY = bytes(range(16))


def zeros(length: int) -> bytes:
    return bytes(length)


@pytest.mark.parametrize("digits", PINS)
@pytest.mark.parametrize("pan", [PAN, "6222020000000008", "4012345678909"])
def test_formats_0_3_and_4(digits: str, pan: str) -> None:
    pin = Pin(digits.encode())
    assert format_0(pin, pan).reveal() == psec.encode_pinblock_iso_0(digits, pan)
    assert psec.decode_pinblock_iso_3(format_3(pin, pan).reveal(), pan) == digits
    sealed = format_4(pin, pan, lambda block: aes.ecb_encrypt(KEY, block))
    assert psec.decipher_pinblock_iso_4(KEY, sealed, pan) == digits


@pytest.mark.parametrize("digits", PINS)
def test_format_2(digits: str) -> None:
    assert format_2(Pin(digits.encode())).reveal() == psec.encode_pinblock_iso_2(digits)


def test_format_3_fills_with_letters_of_its_own_and_draws_again_above_252() -> None:
    drawn = iter([b"\xff" * 12, bytes(range(12))])
    block = format_3(Pin(b"1234"), PAN, lambda _: next(drawn)).reveal()
    clear = bytes(a ^ b for a, b in zip(block, bytes.fromhex("0000" + PAN[-13:-1]), strict=True))
    assert clear.hex().upper() == "341234ABCDEFABCD"


def test_a_block_does_not_print_itself() -> None:
    assert "1234" not in repr(format_2(Pin(b"1234")))
    assert str(format_0(Pin(b"1234"), PAN)) == "<Secret, 8 bytes>"


@pytest.mark.parametrize("pan", ["", "7", "62220A"])
def test_a_block_needs_a_card_number(pan: str) -> None:
    with pytest.raises(CodecError, match="needs the digits of a card number"):
        format_0(Pin(b"1234"), pan)


@pytest.mark.parametrize("digits", [b"123", b"1234567890123", b"12a4", b"", "１２３４".encode()])
def test_what_is_no_pin(digits: bytes) -> None:
    with pytest.raises(CodecError, match="4 to 12 decimal digits"):
        Pin(digits)


def test_an_enciphered_pin_opens_with_the_cards_key() -> None:
    key, challenge = make.key("card", 1024), bytes.fromhex("1122334455667788")
    sealed = encipher_for_card(Pin(b"123456"), RsaPublic(key.n, key.e), challenge, lambda n: b"\x5a" * n)
    assert key.sign(sealed) == bytes.fromhex("7F26123456FFFFFFFF1122334455667788") + b"\x5a" * (128 - 17)
    assert encipher_for_card(Pin(b"123456"), RsaPublic(key.n, key.e), challenge) != sealed


def test_a_key_too_small_for_a_pin() -> None:
    with pytest.raises(CryptoError):
        encipher_for_card(Pin(b"1234"), RsaPublic((1 << 127) + 1, 3), bytes(8))
