from __future__ import annotations

import pytest

from terminal.errors import KeyNotFound, KeyRefused
from terminal.keys import GP_TEST_KEY, Algorithm, MemoryCustody, Purpose
from terminal.keys.standard import OWN_KEYS, STOCK_KEYS, add_standard_keys, create_standard_keys
from terminal.keys.table import key_kcv
from terminal.secret import Secret

EXPECTED = {
    "imk-ac": (Purpose.AC, Algorithm.TDES, 128),
    "imk-card": (Purpose.CARD, Algorithm.TDES, 128),
    "imk-card-aes": (Purpose.CARD, Algorithm.AES128, 128),
    "imk-read": (Purpose.READ, Algorithm.AES128, 128),
    "imk-smc": (Purpose.SMC, Algorithm.TDES, 128),
    "imk-smi": (Purpose.SMI, Algorithm.TDES, 128),
    "index": (Purpose.INDEX, Algorithm.HMAC, 256),
    "issuer": (Purpose.SIGN_ISSUER, Algorithm.RSA, 1408),
    "list-signer": (Purpose.SIGN_LIST, Algorithm.RSA, 2048),
    "ecard-issuer": (Purpose.SIGN_ISSUER, Algorithm.SM2, 256),
    "scheme-ca": (Purpose.SIGN_CA, Algorithm.RSA, 1984),
    "pay-ac": (Purpose.AC, Algorithm.TDES, 128),
    "pay-ac-sm4": (Purpose.AC, Algorithm.SM4, 128),
    "pay-ca": (Purpose.SIGN_CA, Algorithm.RSA, 1984),
    "pay-ca-sm2": (Purpose.SIGN_CA, Algorithm.SM2, 256),
    "pay-issuer": (Purpose.SIGN_ISSUER, Algorithm.RSA, 1408),
    "pay-issuer-sm2": (Purpose.SIGN_ISSUER, Algorithm.SM2, 256),
    "pay-smc": (Purpose.SMC, Algorithm.TDES, 128),
    "pay-smc-sm4": (Purpose.SMC, Algorithm.SM4, 128),
    "pay-smi": (Purpose.SMI, Algorithm.TDES, 128),
    "pay-smi-sm4": (Purpose.SMI, Algorithm.SM4, 128),
    "pay-cvk": (Purpose.CVK, Algorithm.TDES, 128),
    "pek": (Purpose.PIN, Algorithm.TDES, 128),
    "pek-aes": (Purpose.PIN, Algorithm.AES128, 128),
    "pek-sm4": (Purpose.PIN, Algorithm.SM4, 128),
    "seal": (Purpose.SEAL, Algorithm.AES256, 256),
    "zmk": (Purpose.TRANSPORT, Algorithm.TDES, 128),
    "zmk-sm4": (Purpose.TRANSPORT, Algorithm.SM4, 128),
}
STOCK = {"kmc": (Purpose.KMC, Algorithm.TDES, 128), "kmc-aes": (Purpose.KMC, Algorithm.AES128, 128)}


def test_simulation_gets_every_key_and_the_test_key_as_stock_master() -> None:
    custody = MemoryCustody(simulation=True)
    created = create_standard_keys(custody, by="Li Na")
    assert {k.ref.name: (k.purpose, k.algorithm, k.bits) for k in custody.keys()} == EXPECTED | STOCK
    assert sorted(info.ref for info in created) == [info.ref for info in custody.keys()]
    assert all(info.simulation for info in created)
    for key in STOCK_KEYS:
        assert custody.info(custody.latest(key.name)).kcv == key_kcv(key.algorithm, GP_TEST_KEY)
    with pytest.raises(KeyRefused, match="exists already"):
        create_standard_keys(custody, by="Li Na")


def test_production_leaves_the_stock_masters_to_be_imported() -> None:
    custody = MemoryCustody(simulation=False)
    create_standard_keys(custody, by="Li Na")
    assert {k.ref.name for k in custody.keys()} == set(EXPECTED) == {key.name for key in OWN_KEYS}
    with pytest.raises(KeyNotFound):
        custody.latest("kmc")
    assert {info.exponent for info in custody.keys() if info.purpose is not Purpose.SIGN_LIST} == {None, 3}


def test_an_older_custodian_gets_what_it_lacks_and_keeps_what_it_has() -> None:
    custody = MemoryCustody(simulation=False)
    for key in OWN_KEYS:  # all but those whose making takes time are left out
        if key.algorithm is Algorithm.RSA:
            custody.generate(key.name, key.purpose, key.algorithm, by="Li Na", bits=1024)
    custody.import_key("zmk", Purpose.TRANSPORT, Algorithm.AES128, Secret(bytes(range(7, 23))), by="Li Na")
    before = {info.ref: info.kcv for info in custody.keys()}
    created = add_standard_keys(custody, by="Wang Wei")
    assert {info.ref.name for info in created} == set(EXPECTED) - {ref.name for ref in before}
    assert {info.ref.name for info in custody.keys()} == set(EXPECTED)
    assert {info.ref: info.kcv for info in custody.keys() if info.ref in before} == before
    assert add_standard_keys(custody, by="Wang Wei") == []
