"""SM2 keys in custody: they sign, are stored, and never print."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gmssl.sm2 import CryptSM2

from terminal.crypto import rsa, sm2
from terminal.crypto.sm3 import sm3
from terminal.errors import KeyMisuse, KeyRefused
from terminal.keys import Algorithm, KeyComponent, KeyRef, MemoryCustody, Purpose, SoftwareKeystore
from terminal.secret import Secret

PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")


def test_a_signature_of_custody_verifies_with_gmssl(custody: MemoryCustody) -> None:
    info = custody.generate("issuer-sm2", Purpose.SIGN_ISSUER, Algorithm.SM2, by="Li Na")
    assert info.point is not None
    assert (info.bits, info.modulus, info.kcv) == (256, None, sm3(info.point)[:3])
    signature = custody.sign_sm2(info.ref, b"certificate")
    oracle = CryptSM2(private_key="", public_key="")
    oracle.public_key = info.point.hex()
    assert oracle.verify_with_sm3(signature.hex(), b"certificate")


def test_an_imported_key_is_the_one_it_was(custody: MemoryCustody) -> None:
    info = custody.import_key("ca", Purpose.SIGN_CA, Algorithm.SM2, Secret(PRIVATE), by="Li Na")
    assert info.point == sm2.Sm2Private.decode(PRIVATE).public
    rotated = custody.rotate("ca", by="Li Na")
    assert (rotated.ref.version, rotated.algorithm) == (2, Algorithm.SM2)
    assert rotated.point != info.point


@pytest.mark.parametrize("key", [b"", bytes(32), PRIVATE[1:], b"\xff" * 32])
def test_what_is_no_private_number_is_refused(custody: MemoryCustody, key: bytes) -> None:
    with pytest.raises(KeyRefused, match="not an SM2 private key"):
        custody.import_key("ca", Purpose.SIGN_CA, Algorithm.SM2, Secret(key), by="Li Na")


def test_private_keys_do_not_come_in_components(custody: MemoryCustody) -> None:
    parts = [KeyComponent(Secret(PRIVATE), "Li Na"), KeyComponent(Secret(PRIVATE), "Wang Wei")]
    with pytest.raises(KeyMisuse, match="a private key has no components"):
        custody.import_components("ca", Purpose.SIGN_CA, Algorithm.SM2, parts)


def test_each_algorithm_has_its_own_operation(custody: MemoryCustody) -> None:
    two = custody.generate("two", Purpose.SIGN_CA, Algorithm.SM2, by="Li Na").ref
    ra = custody.generate("ra", Purpose.SIGN_CA, Algorithm.RSA, by="Li Na", bits=1024).ref
    with pytest.raises(KeyMisuse, match="two/1 is not an RSA key"):
        custody.sign(two, bytes(128))
    with pytest.raises(KeyMisuse, match="ra/1 is not an SM2 key"):
        custody.sign_sm2(ra, b"x")
    public = rsa.RsaPublic(custody.info(ra).modulus or 0, 3)
    assert rsa.public(public, custody.sign(ra, bytes(127) + b"\x02")) == bytes(127) + b"\x02"


def test_new_algorithms_survive_the_file_and_the_snapshot(make_keystore: Callable[..., SoftwareKeystore]) -> None:
    store = make_keystore()
    info = store.generate("issuer-sm2", Purpose.SIGN_ISSUER, Algorithm.SM2, by="Li Na")
    master = store.generate("ac-sm4", Purpose.AC, Algorithm.SM4, by="Li Na")
    again = SoftwareKeystore.unlock(store.path, Secret("correct horse 工会".encode()))
    transport = Secret(bytes(range(32)))
    for custody in (again, MemoryCustody.from_snapshot(again.snapshot(transport), transport)):
        assert custody.info(info.ref) == info
        assert custody.info(master.ref) == master
        assert info.point is not None
        assert sm2.verify(info.point, b"x", custody.sign_sm2(info.ref, b"x"))


def test_a_private_key_does_not_show_itself(custody: MemoryCustody) -> None:
    custody.import_key("ca", Purpose.SIGN_CA, Algorithm.SM2, Secret(PRIVATE), by="Li Na")
    record = custody._table.get(KeyRef("ca"))
    for text in (repr(record), repr(record.material), repr(record.info), repr(custody.audit())):
        assert PRIVATE.hex() not in text.lower()
        assert str(int.from_bytes(PRIVATE, "big")) not in text
    with pytest.raises(KeyMisuse, match="ca/1 is not a single symmetric key"):
        _ = record.secret
