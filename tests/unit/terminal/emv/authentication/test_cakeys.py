"""The key file: what it gives, and that every fault is reported with line and field. EMV 4.4 Book 2, 11.2."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from terminal.crypto import sm2
from terminal.crypto.sm3 import sm3
from terminal.emv.authentication.authorities import SmCaKey
from terminal.emv.authentication.cakeys import CaStore, ca_store, load_ca_store, parse_ca_store
from terminal.emv.authentication.rsa import Check, OdaFailed
from terminal.errors import CodecError
from tests.support.paths import ROOT

PUBLISHED = (ROOT / "tests") / "vectors" / "ca-public-keys.json"
ENTRY = json.loads(PUBLISHED.read_text())["keys"][0]
VISA, UNIONPAY = bytes.fromhex("A000000003"), bytes.fromhex("A000000333")
TODAY = date(2026, 11, 22)
POINT = sm2.generate().public
OFF_CURVE, OFF_INDEX = b"\x01" * 64, b"\x57"
SM_CHECKSUM = sm3(UNIONPAY + b"\x57" + POINT).hex()

RSA_YAML = f"""\
  - rid: {ENTRY["rid"]}
    index: "{ENTRY["index"]}"
    modulus: {ENTRY["modulus"]}
    exponent: "{ENTRY["exponent"]}"
    sha1: {ENTRY["sha1"]}
"""
SM_YAML = f"""\
  - rid: A000000333
    index: "57"
    point: "{POINT.hex()}"
    sm3: "{SM_CHECKSUM}"
"""


def refused(text: str) -> str:
    with pytest.raises(CodecError) as caught:
        parse_ca_store(text, "ca.yaml")
    return str(caught.value)


def failure(store: CaStore, rid: bytes, index: int, on: date = TODAY) -> str:
    with pytest.raises(OdaFailed) as caught:
        store.rsa_key(rid, index, on)
    assert caught.value.check is Check.CA_KEY
    return str(caught.value)


def test_the_published_keys_are_read_as_they_stand() -> None:
    store = load_ca_store(PUBLISHED)
    assert len(store.rsa) == len(json.loads(PUBLISHED.read_text())["keys"])
    assert store.rsa_key(VISA, 0x01, TODAY).checksum.hex() == ENTRY["sha1"]
    assert not store.sm
    assert not store.revoked


def test_rsa_sm2_and_revoked_certificates_in_one_yaml_file() -> None:
    store = parse_ca_store(
        f"provenance: for a test\nkeys:\n{RSA_YAML}    expires: 2026-11-22\n{SM_YAML}    expires: 2030-01-01\n"
        'revoked:\n  - {rid: A000000333, index: "57", serial: "00A1B2"}\n'
    )
    assert store.rsa_key(VISA, 1, TODAY).expires == TODAY
    assert store.sm_key(UNIONPAY, 0x57, TODAY) == SmCaKey(UNIONPAY, 0x57, POINT, date(2030, 1, 1))
    store.check_revocation(UNIONPAY, 0x57, bytes.fromhex("00A1B3"))
    with pytest.raises(OdaFailed, match=r"issuer certificate: revocation list failed \(serial number 00A1B2\)"):
        store.check_revocation(UNIONPAY, 0x57, bytes.fromhex("00A1B2"))


def test_a_key_that_is_absent_or_over_is_not_used() -> None:
    store = parse_ca_store(f"keys:\n{RSA_YAML}    expires: 2026-11-21\n")
    assert (
        failure(store, VISA, 1)
        == "issuer certificate: scheme CA key failed (A000000003/01 was valid through 2026-11-21)"
    )
    assert failure(store, VISA, 2) == "issuer certificate: scheme CA key failed (A000000003/02 is not known)"
    assert store.rsa_key(VISA, 1, date(2026, 11, 21)).index == 1
    with pytest.raises(OdaFailed, match="A000000003/01 is not known"):
        store.sm_key(VISA, 1, TODAY)


def test_an_rsa_and_an_sm2_key_may_share_an_index() -> None:
    both = parse_ca_store(f"keys:\n{RSA_YAML}{SM_YAML}")
    store = ca_store([*both.rsa.values(), SmCaKey(VISA, 1, POINT)], [(VISA, 1, b"\0\0\1")])
    assert (store.rsa_key(VISA, 1, TODAY).index, store.sm_key(VISA, 1, TODAY).key) == (1, POINT)
    assert store.revoked == {(VISA, 1, b"\0\0\1")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keys:\n" + RSA_YAML.replace(ENTRY["rid"], "A0000003"), "ca.yaml:2: keys.0.rid: String should match"),
        ("keys:\n" + RSA_YAML.replace('"01"', "01"), "ca.yaml:3: keys.0.index: write the value in quotation marks"),
        ("keys:\n" + RSA_YAML.replace("modulus:", "modulo:"), "ca.yaml:4: keys.0.modulo: no such field"),
        (
            "keys:\n" + SM_YAML + RSA_YAML + "    expires: soon\n",
            "ca.yaml:11: keys.1.expires: Input should be a valid date",
        ),
        (
            "keys:\n" + RSA_YAML + 'revoked:\n  - {rid: A000000333, index: "02"}\n',
            "ca.yaml:8: revoked.0.serial: this field is required",
        ),
        ("revoked: []\n", "ca.yaml:1: keys: this field is required"),
        ("keys:\n  - [\n", "ca.yaml:3: not YAML: "),
        ("keys: &a\n  - *b\n", "ca.yaml:1: anchors and aliases"),
        ("3", "ca.yaml: a scheme CA key file is a mapping with the fields provenance, keys, revoked"),
        ("", "ca.yaml: a scheme CA key file is a mapping with the fields provenance, keys, revoked"),
        ("keys: []\nkeys: []\n", "ca.yaml:2: not YAML: found duplicate key"),
    ],
)
def test_faults_name_line_and_field(text: str, message: str) -> None:
    assert refused(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RSA_YAML.replace(ENTRY["sha1"], "0a" * 20), "the checksum of key A000000003/01 does not match the key"),
        (RSA_YAML.replace('"01"', '"02"'), "the checksum of key A000000003/02 does not match the key"),
        (RSA_YAML.replace(ENTRY["modulus"], ENTRY["modulus"][:-1] + "1"), "the checksum of key A000000003/01"),
        (RSA_YAML.replace('"03"', '"05"'), "the exponent is 3 or 65537"),
        (RSA_YAML.replace(ENTRY["modulus"], "00" + ENTRY["modulus"][2:]), "the modulus begins with no zero byte"),
        (RSA_YAML.replace("sha1:", "sm3:").replace(ENTRY["sha1"], "0a" * 32), "a key has modulus, exponent and sha1"),
        (SM_YAML.replace(SM_CHECKSUM, "00" * 32), "the checksum of key A000000333/57 does not match the key"),
        (SM_YAML.replace("57", "58", 1), "the checksum of key A000000333/58 does not match the key"),
        (
            SM_YAML.replace(POINT.hex(), OFF_CURVE.hex()).replace(
                SM_CHECKSUM, sm3(UNIONPAY + OFF_INDEX + OFF_CURVE).hex()
            ),
            "no point of the SM2 curve",
        ),
    ],
)
def test_a_bent_key_is_refused_by_its_line(text: str, message: str) -> None:
    fault_text = refused("keys:\n" + text)
    assert fault_text.startswith("ca.yaml:2: keys.0: ")
    assert message in fault_text


def test_the_same_key_twice_and_several_faults_at_once() -> None:
    assert "key A000000003/01 occurs twice" in refused(f"keys:\n{RSA_YAML}{RSA_YAML}")
    assert len(refused("keys:\n  - {}\n").splitlines()) == 2


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match=r"cannot read the scheme CA key file .*No such file"):
        load_ca_store(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"keys: \xff")
    with pytest.raises(CodecError, match="is not UTF-8 text: invalid start byte at byte 6"):
        load_ca_store(bad)
