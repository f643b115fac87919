"""A keystore file of an earlier version opens, its keys compute the same, and it can be changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from terminal.crypto import rsa, sm2
from terminal.errors import KeyMisuse, KeyNotFound
from terminal.keys import (
    CVN18,
    Diversification,
    KeyRef,
    Scp,
    Sealed,
    SessionRequest,
    SoftwareKeystore,
)
from terminal.secret import Secret

FILES = Path(__file__).parents[3] / "data" / "keystores"
ANSWERS: dict[str, Any] = json.loads((FILES / "version-1.answers.json").read_text())
PASSPHRASE = Secret(b"correct horse battery staple")
MASTERS = (KeyRef("imk-ac"), KeyRef("imk-smi"), KeyRef("imk-smc"))


def answer(name: str) -> bytes:
    return bytes.fromhex(ANSWERS[name])


@pytest.fixture
def keystore(tmp_path: Path) -> SoftwareKeystore:
    path = tmp_path / "keystore"
    shutil.copyfile(FILES / "version-1.keystore", path)
    return SoftwareKeystore.unlock(path, PASSPHRASE)


def test_keys_and_audit_list_are_the_same(keystore: SoftwareKeystore) -> None:
    assert keystore.simulation
    keys = [[str(i.ref), i.purpose.value, i.algorithm.value, i.bits, i.kcv.hex()] for i in keystore.keys()]
    assert keys == ANSWERS["keys"]
    assert [[e.at.isoformat(), e.by, e.action, e.key, e.detail] for e in keystore.audit()] == ANSWERS["audit"]
    with pytest.raises(KeyNotFound, match="was destroyed"):
        keystore.info(KeyRef("old"))


def test_sealed_data_open_and_custody_keeps_its_own(keystore: SoftwareKeystore) -> None:
    sealed, pin = (
        Sealed(KeyRef("seal", version), bytes.fromhex(ANSWERS[name]["blob"]), ANSWERS[name]["context"])
        for version, name in ((1, "sealed"), (2, "pin"))
    )
    assert keystore.open(sealed) == Secret(ANSWERS["sealed"]["plain"].encode())
    assert keystore.same_secret(pin, pin)
    with pytest.raises(KeyMisuse, match="opened by custody alone"):
        keystore.open(pin)


def test_symmetric_keys_compute_the_same(keystore: SoftwareKeystore) -> None:
    assert keystore.index(KeyRef("index"), b"130105198001010012") == answer("index")
    assert keystore.transport_mac(KeyRef("zmk"), b"file", b"data") == answer("transport_mac")
    keys = keystore.application_keys(MASTERS, "6228480402564890018", 1)
    assert [kcv.hex() for kcv in keys.kcvs] == ANSWERS["application_kcvs"]
    assert keystore.cryptogram(keys, CVN18, b"\x00\x01", b"data") == answer("cryptogram")


def test_card_keys_open_the_same_session(keystore: SoftwareKeystore) -> None:
    keys = keystore.card_keys(KeyRef("imk-card"), Diversification.VISA2, bytes(range(10)), 1)
    assert [kcv.hex() for kcv in keys.kcvs] == ANSWERS["card_kcvs"]
    request = SessionRequest(Scp.SCP02, 0x15, bytes(range(8)), bytes(range(8, 14)), b"\x00\x01")
    assert keystore.open_session(keys, request).card_cryptogram == answer("card_cryptogram")


def test_private_keys_sign_for_the_same_public_keys(keystore: SoftwareKeystore) -> None:
    message = bytes(127) + b"\x02"
    assert keystore.sign(KeyRef("issuer"), message) == answer("signature")
    info = keystore.info(KeyRef("issuer"))
    assert info.modulus is not None
    assert info.exponent is not None
    assert rsa.public(rsa.RsaPublic(info.modulus, info.exponent), answer("signature")) == message
    point = keystore.info(KeyRef("issuer-sm2")).point
    assert point is not None
    for signature in (answer("sm2_signature"), keystore.sign_sm2(KeyRef("issuer-sm2"), b"message")):
        assert sm2.verify(point, b"message", signature)


def test_the_file_can_be_changed_and_opened_again(keystore: SoftwareKeystore) -> None:
    assert keystore.rotate("seal", by="Zhang San").ref == KeyRef("seal", 3)
    again = SoftwareKeystore.unlock(keystore.path, PASSPHRASE)
    assert [entry.action for entry in again.audit()][-2:] == ["destroy", "rotate"]
    assert again.index(KeyRef("index"), b"130105198001010012") == answer("index")
