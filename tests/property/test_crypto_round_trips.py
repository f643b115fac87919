"""What holds for all bytes: decryption undoes encryption, unpadding undoes padding, MACs see every change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.crypto import aes, des, padding
from terminal.errors import CryptoError

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
