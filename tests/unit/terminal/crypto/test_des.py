from __future__ import annotations

import random
import subprocess

import psec.mac
import pyemv.mac
import pytest

from terminal.crypto import des, padding
from terminal.errors import CryptoError

# The oracles still use TripleDES the old way, with short keys and from its old home in the cryptography library.
old_ways = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def openssl(cipher: str, key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
    command = ["openssl", "enc", f"-{cipher}", "-nopad", "-K", key.hex()]
    command += ["-iv", iv.hex()] if iv is not None else []
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("blocks", [1, 2, 31])
def test_triple_des_agrees_with_openssl(blocks: int) -> None:
    rng = random.Random(blocks)
    key, data, iv = rng.randbytes(16), rng.randbytes(8 * blocks), rng.randbytes(8)
    assert des.ecb_encrypt(key, data) == openssl("des-ede-ecb", key, data)
    assert des.cbc_encrypt(key, data, iv) == openssl("des-ede-cbc", key, data, iv)
    assert des.cbc_encrypt(key + iv, data, iv) == openssl("des-ede3-cbc", key + iv, data, iv)
    assert des.cbc_encrypt(key[:8], data, iv) == openssl("des-ede3-cbc", key[:8] * 3, data, iv)


@old_ways
@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 255])
@pytest.mark.parametrize("method", [1, 2])
def test_retail_mac_agrees_with_pyemv_and_psec(length: int, method: int) -> None:
    data = random.Random(length).randbytes(length)
    mac = des.retail_mac(KEY, padding.pad1(data, 8) if method == 1 else padding.pad2(data, 8))
    assert mac == pyemv.mac.mac_iso9797_3(KEY[:8], KEY[8:], data, method)
    assert mac == psec.mac.generate_retail_mac(KEY[:8], KEY[8:], data, method)


@old_ways
def test_cbc_mac_agrees_with_psec() -> None:
    data = random.Random(1).randbytes(100)
    assert des.cbc_mac(KEY, padding.pad2(data, 8)) == psec.mac.generate_cbc_mac(KEY, data, 2)


def test_macs_continue_from_an_iv() -> None:
    first, second = bytes(range(16)), bytes(range(16, 40))
    halfway = des.cbc_encrypt(KEY[:8], first)[-8:]
    assert des.retail_mac(KEY, second, halfway) == des.retail_mac(KEY, first + second)
    assert des.retail_mac(KEY, second[-8:], halfway) == des.retail_mac(KEY, first + second[-8:])
    assert des.cbc_mac(KEY[:8], second, halfway) == des.cbc_mac(KEY[:8], first + second)


def test_parity_is_odd_and_leaves_the_key_as_it_is() -> None:
    key = bytes(range(256))
    adjusted = des.adjust_parity(key)
    assert all(b.bit_count() % 2 == 1 for b in adjusted)
    assert all(a >> 1 == b >> 1 for a, b in zip(adjusted, key, strict=True))
    assert des.ecb_encrypt(adjusted[64:80], KEY) == des.ecb_encrypt(key[64:80], KEY)


@pytest.mark.parametrize("key", [b"", bytes(7), bytes(15), bytes(32)])
def test_other_key_lengths_are_refused_without_showing_the_key(key: bytes) -> None:
    with pytest.raises(CryptoError, match=rf"8, 16 or 24 bytes, not {len(key)}"):
        des.ecb_encrypt(key, bytes(8))


@pytest.mark.parametrize("operation", [des.ecb_encrypt, des.ecb_decrypt, des.cbc_encrypt, des.cbc_decrypt, des.cbc_mac])
def test_broken_blocks_are_refused(operation: object) -> None:
    assert callable(operation)
    with pytest.raises(CryptoError, match="no whole number of 8-byte blocks"):
        operation(KEY, bytes(9))


def test_a_mac_of_nothing_is_refused() -> None:
    with pytest.raises(CryptoError, match="pad the data"):
        des.cbc_mac(KEY, b"")
    with pytest.raises(CryptoError, match="pad the data"):
        des.retail_mac(KEY, b"")


def test_retail_mac_needs_two_keys_and_a_whole_iv() -> None:
    with pytest.raises(CryptoError, match="16 bytes, not 8"):
        des.retail_mac(KEY[:8], bytes(8))
    with pytest.raises(CryptoError, match="IV has 8 bytes, not 4"):
        des.retail_mac(KEY, bytes(8), bytes(4))
    with pytest.raises(CryptoError, match="IV has 8 bytes, not 16"):
        des.cbc_encrypt(KEY, bytes(8), bytes(16))
