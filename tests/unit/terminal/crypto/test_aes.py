from __future__ import annotations

import random
import subprocess

import pytest

from terminal.crypto import aes
from terminal.errors import CryptoError


def run_openssl(*arguments: str, data: bytes) -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("blocks", [1, 2, 15])
def test_ciphers_agree_with_openssl(size: int, blocks: int) -> None:
    rng = random.Random(size * blocks)
    key, data, iv = rng.randbytes(size), rng.randbytes(16 * blocks), rng.randbytes(16)
    ecb = run_openssl("enc", f"-aes-{8 * size}-ecb", "-nopad", "-K", key.hex(), data=data)
    cbc = run_openssl("enc", f"-aes-{8 * size}-cbc", "-nopad", "-K", key.hex(), "-iv", iv.hex(), data=data)
    assert aes.ecb_encrypt(key, data) == ecb
    assert aes.ecb_decrypt(key, ecb) == data
    assert aes.cbc_encrypt(key, data, iv) == cbc
    assert aes.cbc_decrypt(key, cbc, iv) == data


@pytest.mark.parametrize("length", [0, 1, 16, 17, 255])
def test_cmac_agrees_with_openssl(length: int) -> None:
    rng = random.Random(length)
    key, data = rng.randbytes(16), rng.randbytes(length)
    expected = run_openssl(
        "mac", "-cipher", "aes-128-cbc", "-macopt", f"hexkey:{key.hex()}", "-in", "/dev/stdin", "CMAC", data=data
    )
    assert aes.cmac(key, data) == bytes.fromhex(expected.decode())


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(33)])
def test_other_key_lengths_are_refused(key: bytes) -> None:
    with pytest.raises(CryptoError, match=rf"16, 24 or 32 bytes, not {len(key)}"):
        aes.cmac(key, b"")


def test_broken_blocks_and_ivs_are_refused() -> None:
    with pytest.raises(CryptoError, match="no whole number of 16-byte blocks"):
        aes.ecb_encrypt(bytes(16), bytes(17))
    with pytest.raises(CryptoError, match="IV has 16 bytes, not 8"):
        aes.cbc_decrypt(bytes(16), bytes(16), bytes(8))
