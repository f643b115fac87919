"""What holds for all bytes: decryption undoes encryption, unpadding undoes padding, MACs see every change."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.crypto import aes, des, padding, pinblock, sm4, tr31
from terminal.errors import CryptoError
from terminal.secret import Secret

des_keys = st.sampled_from([8, 16, 24]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
aes_keys = st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
blocks = st.sampled_from([8, 16])


@given(key=des_keys, data=st.binary(max_size=80), iv=st.binary(min_size=8, max_size=8))
def test_des_round_trips(key: bytes, data: bytes, iv: bytes) -> None:
    padded = padding.pad2(data, 8)
    assert padding.unpad2(des.ecb_decrypt(key, des.ecb_encrypt(key, padded)), 8) == data
    assert padding.unpad2(des.cbc_decrypt(key, des.cbc_encrypt(key, padded, iv), iv), 8) == data


@given(key=aes_keys, data=st.binary(max_size=80), iv=st.binary(min_size=16, max_size=16))
def test_aes_round_trips(key: bytes, data: bytes, iv: bytes) -> None:
    padded = padding.pad2(data, 16)
    assert padding.unpad2(aes.ecb_decrypt(key, aes.ecb_encrypt(key, padded)), 16) == data
    assert padding.unpad2(aes.cbc_decrypt(key, aes.cbc_encrypt(key, padded, iv), iv), 16) == data


@given(data=st.binary(max_size=80), block=blocks)
def test_padding_adds_least_and_comes_off(data: bytes, block: int) -> None:
    one, two = padding.pad1(data, block), padding.pad2(data, block)
    assert len(one) % block == 0
    assert 0 < len(two) - len(data) <= block
    assert padding.unpad1(one, len(data), block) == data
    assert padding.unpad2(two, block) == data


@given(data=st.binary(max_size=48), block=blocks)
def test_only_what_padding_makes_is_unpadded(data: bytes, block: int) -> None:
    try:
        plain = padding.unpad2(data, block)
    except CryptoError:
        return
    assert padding.pad2(plain, block) == data


@given(data=st.binary(min_size=1, max_size=64), bit=st.integers(min_value=0))
def test_macs_change_with_every_bit(data: bytes, bit: int) -> None:
    key = bytes(range(16))
    position = bit % (8 * len(data))
    changed = bytearray(data)
    changed[position // 8] ^= 1 << position % 8
    assert aes.cmac(key, bytes(changed)) != aes.cmac(key, data)
    assert des.retail_mac(key, padding.pad2(bytes(changed), 8)) != des.retail_mac(key, padding.pad2(data, 8))


@given(data=st.binary(max_size=40))
def test_padded_messages_of_different_length_have_different_macs(data: bytes) -> None:
    key = bytes(range(16))
    longer = des.retail_mac(key, padding.pad2(data + b"\x00", 8))
    assert longer != des.retail_mac(key, padding.pad2(data, 8))


def test_unpadding_needs_a_block_of_the_right_size() -> None:
    with pytest.raises(CryptoError):
        padding.unpad2(padding.pad2(b"", 8), 16)


@given(key=st.binary(min_size=16, max_size=16), data=st.binary(max_size=80), iv=st.binary(min_size=16, max_size=16))
def test_sm4_round_trips(key: bytes, data: bytes, iv: bytes) -> None:
    padded = padding.pad2(data, 16)
    assert padding.unpad2(sm4.ecb_decrypt(key, sm4.ecb_encrypt(key, padded)), 16) == data
    assert padding.unpad2(sm4.cbc_decrypt(key, sm4.cbc_encrypt(key, padded, iv), iv), 16) == data


pins = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=12, max_size=19)


@given(pin=pins, pan=pans, key=st.binary(min_size=16, max_size=16), seed=st.randoms(use_true_random=False))
def test_every_pin_comes_out_of_every_block(pin: str, pan: str, key: bytes, seed: random.Random) -> None:
    secret = Secret(pin.encode())
    assert pinblock.read_format0(pinblock.format0(secret, pan), pan) == secret
    assert pinblock.read_format3(pinblock.format3(secret, pan, lambda n: random_bytes(seed, n)), pan) == secret
    four = pinblock.encrypt_format4(key, secret, pan, lambda n: random_bytes(seed, n))
    assert pinblock.decrypt_format4(key, four, pan) == secret


def random_bytes(source: random.Random, count: int) -> bytes:
    """Bytes drawn from a seed: arbitrary bytes of Hypothesis could be rejected without end."""
    return random.Random(source.getrandbits(32)).randbytes(count)


@given(block=st.binary(min_size=8, max_size=8), pan=pans)
def test_any_block_is_a_pin_of_digits_or_none(block: bytes, pan: str) -> None:
    for read in (pinblock.read_format0, pinblock.read_format3):
        try:
            pin = read(Secret(block), pan).reveal()
        except CryptoError:
            continue
        assert 4 <= len(pin) <= 12
        assert pin.isdigit()


@given(
    text=st.one_of(st.text(max_size=120), st.from_regex(r"[BD]00[0-9]{2}P0TB00S0[0-9]00[0-9A-F]{0,80}", fullmatch=True))
)
def test_no_text_is_taken_for_a_key_block(text: str) -> None:
    with pytest.raises(CryptoError):
        tr31.unwrap(bytes(16), text)
