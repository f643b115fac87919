"""Primitives and card key derivation against published figures; their sources are in PROVENANCE.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from terminal.crypto import aes, cvv, des, kcv, kdf, padding, tr31
from terminal.keys import Algorithm, Diversification, MemoryCustody, Purpose, Scp, SessionRequest
from terminal.secret import Secret

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "crypto.json").read_text())
ALGORITHMS = {16: Algorithm.AES128, 24: Algorithm.AES192, 32: Algorithm.AES256}


def sourced(group: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("v", [pytest.param(v, id=v["source"]) for v in VECTORS[group]])


def b(text: str) -> bytes:
    return bytes.fromhex(text)


@sourced("aes_ecb")
def test_aes_ecb(v: dict[str, str]) -> None:
    assert aes.ecb_encrypt(b(v["key"]), b(v["plain"])) == b(v["cipher"])
    assert aes.ecb_decrypt(b(v["key"]), b(v["cipher"])) == b(v["plain"])


@sourced("aes_cbc")
def test_aes_cbc(v: dict[str, str]) -> None:
    assert aes.cbc_encrypt(b(v["key"]), b(v["plain"]), b(v["iv"])) == b(v["cipher"])
    assert aes.cbc_decrypt(b(v["key"]), b(v["cipher"]), b(v["iv"])) == b(v["plain"])


@sourced("aes_cmac")
def test_aes_cmac(v: dict[str, str]) -> None:
    assert aes.cmac(b(v["key"]), b(v["data"])) == b(v["mac"])


@sourced("des_ecb")
def test_des_ecb(v: dict[str, str]) -> None:
    assert des.ecb_encrypt(b(v["key"]), b(v["plain"])) == b(v["cipher"])
    assert des.ecb_decrypt(b(v["key"]), b(v["cipher"])) == b(v["plain"])


@sourced("iso9797")
def test_macs_of_iso_9797(v: dict[str, Any]) -> None:
    pad = padding.pad1 if v["padding"] == 1 else padding.pad2
    data = pad(v["text"].encode(), 8)
    assert des.cbc_mac(b("0123456789abcdef"), data) == b(v["algorithm1"])
    assert des.retail_mac(b("0123456789abcdeffedcba9876543210"), data) == b(v["algorithm3"])


@sourced("cvv")
def test_card_verification_values(v: dict[str, str]) -> None:
    key = b("0123456789abcdeffedcba9876543210")
    assert cvv.card_verification_value(key, v["pan"], v["expiry"], v["service"]) == v["value"]


@sourced("tr31")
def test_key_blocks(v: dict[str, str]) -> None:
    header, key = tr31.unwrap(b(v["protector"]), v["block"])
    assert key == b(v["key"])
    assert (header.version, header.usage, header.mode, header.exportability) == (v["block"][0], "P0", "E", "E")


@pytest.mark.parametrize("v", VECTORS["card_keys"], ids=lambda v: f"{v['method']}-{len(v['master']) * 4}")
def test_card_keys_have_the_published_check_values(v: dict[str, Any]) -> None:
    custody = MemoryCustody(simulation=True)
    master, method = b(v["master"]), Diversification(v["method"])
    algorithm = ALGORITHMS[len(master)] if method is Diversification.KDF3 else Algorithm.TDES
    ref = custody.import_key("master", Purpose.KMC, algorithm, Secret(master), by="test").ref
    keys = custody.card_keys(ref, method, b(v["data"]), 1)
    assert [k.hex() for k in keys.kcvs] == v["kcvs"]


@sourced("kdf3")
def test_kdf3(v: dict[str, Any]) -> None:
    key = b(v["key"])
    assert kdf.kdf3(b(v["master"]), v["constant"], b(v["data"]), 8 * len(key)) == key


def test_scp02_session_keys_have_the_published_check_values() -> None:
    v = VECTORS["scp02_session_kcvs"]
    custody = MemoryCustody(simulation=True)
    static = Secret(b(v["static"]))
    ref = custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, static, by="test").ref
    card = custody.import_key("imk-card", Purpose.CARD, Algorithm.TDES, static, by="test").ref
    request = SessionRequest(Scp.SCP02, 0x15, bytes(8), bytes(6), b(v["sequence"]))
    session = custody.open_session(custody.card_keys(ref, Diversification.NONE, b"", 0xFF), request)
    for name in ("enc", "mac", "rmac"):
        key: Secret = getattr(session, name)
        assert kcv.des_kcv(key.reveal()) == b(v[name])
    wrapped, _, _ = custody.wrap_card_keys(session.dek, custody.card_keys(card, Diversification.NONE, b"", 1))
    assert wrapped.ciphertext == b(v["wrapped_static_key_under_session_dek"])
    assert wrapped.kcvs == (b("8baf47"),)
