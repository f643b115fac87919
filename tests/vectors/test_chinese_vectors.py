"""SM2, SM3 and SM4 against the examples of their standards; their sources are in PROVENANCE.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gmssl.sm2 import CryptSM2

from terminal.crypto import kcv, sm2, sm4
from terminal.crypto.sm3 import sm3

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "chinese.json").read_text())
SM2 = {name: bytes.fromhex(value) for name, value in VECTORS["sm2"].items() if name != "source"}
SM4: dict[str, Any] = VECTORS["sm4"]


@pytest.mark.parametrize("v", VECTORS["sm3"], ids=lambda v: v["source"])
def test_sm3(v: dict[str, str]) -> None:
    assert sm3(bytes.fromhex(v["data"])).hex() == v["hash"]


def test_sm4_one_block() -> None:
    key, plain, cipher = (bytes.fromhex(SM4[name]) for name in ("key", "plain", "cipher"))
    assert sm4.ecb_encrypt(key, plain) == cipher
    assert sm4.ecb_decrypt(key, cipher) == plain
    assert sm4.cbc_encrypt(key, plain) == cipher


def test_sm4_a_million_times() -> None:
    """In CBC each block of zeros is the encryption of the block before: all rounds are one call."""
    key, plain = bytes.fromhex(SM4["key"]), bytes.fromhex(SM4["plain"])
    chained = sm4.cbc_encrypt(key, bytes(16 * SM4["rounds"]), plain)
    block = plain
    for at in range(0, 16 * 1000, 16):
        block = sm4.ecb_encrypt(key, block)
        assert block == chained[at : at + 16]
    assert chained[-16:].hex() == SM4["after_rounds"]


def test_the_sm4_check_value_is_of_sixteen_zero_bytes() -> None:
    key = bytes.fromhex(SM4["key"])
    assert sm4.ecb_decrypt(key, sm4.ecb_encrypt(key, bytes(16))) == bytes(16)
    assert kcv.sm4_kcv(key) == sm4.ecb_encrypt(key, bytes(16))[:3]


def test_sm2_the_public_key_is_the_private_number_times_the_base_point() -> None:
    assert sm2.Sm2Private.decode(SM2["private"]).public == SM2["x"] + SM2["y"]


def test_sm2_the_signature_of_the_standard_verifies() -> None:
    public, signature = SM2["x"] + SM2["y"], SM2["r"] + SM2["s"]
    assert sm2.verify(public, SM2["message"], signature)
    assert not sm2.verify(public, SM2["message"] + b"\x00", signature)


def test_sm2_the_intermediate_figures_of_the_standard() -> None:
    """Z_A hashed with the message gives the e of the standard, and with its k gmssl makes the standard's signature."""
    a, b = CryptSM2.__init__.__defaults__[0]["a"], CryptSM2.__init__.__defaults__[0]["b"]
    g = CryptSM2.__init__.__defaults__[0]["g"]
    z = sm3(b"\x00\x80" + SM2["identity"] + bytes.fromhex(a + b + g) + SM2["x"] + SM2["y"])
    assert z == SM2["z"]
    assert sm3(z + SM2["message"]) == SM2["e"]
    oracle = CryptSM2(private_key=SM2["private"].hex(), public_key=(SM2["x"] + SM2["y"]).hex())
    assert bytes.fromhex(oracle.sign(SM2["e"], SM2["k"].hex())) == SM2["r"] + SM2["s"]
