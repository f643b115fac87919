"""What is a PIN, and how it is enciphered for the card. ISO 9564-1:2017, 8.1; EMV 4.4 Book 2, 7.2."""

from __future__ import annotations

import pytest

from terminal.crypto.rsa import RsaPublic
from terminal.emv.cardholder_verification.pinblock import encipher_for_card
from terminal.emv.transaction.protocols import Pin
from terminal.errors import CodecError, CryptoError
from tests.support.cards import rsa_signer as make


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
