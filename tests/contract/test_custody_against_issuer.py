"""Custody against the simulated issuing bank, which was written apart from it: every scheme, every operation."""

from __future__ import annotations

import dataclasses
import random

import pytest

from simulators.cryptograms import algorithms as issuer_crypto
from simulators.cryptograms.schemes import SCHEMES as BANK
from simulators.cryptograms.schemes import Cipher, Fold
from terminal.keys import SCHEMES, Algorithm, ApplicationKeys, KeyRef, MemoryCustody, PinFormat, Purpose
from terminal.secret import Secret

PURPOSES = (Purpose.AC, Purpose.SMI, Purpose.SMC)
CIPHERS = {Algorithm.TDES: Cipher.TDES, Algorithm.SM4: Cipher.SM4}
ATC, ARQC = bytes.fromhex("01FE"), bytes.fromhex("769577B5ABE9FE62")
NAMES = sorted(SCHEMES)


@pytest.fixture(scope="module")
def custody() -> MemoryCustody:
    source = random.Random(7)
    custody = MemoryCustody(simulation=False)
    for algorithm in CIPHERS:
        for purpose in PURPOSES:
            custody.import_key(f"{purpose}-{algorithm}", purpose, algorithm, Secret(source.randbytes(16)), by="test")
    custody.generate("pek", Purpose.PIN, Algorithm.TDES, by="test")
    return custody


def algorithm_of(name: str) -> Algorithm:
    return Algorithm.SM4 if SCHEMES[name].mac == "sm4" else Algorithm.TDES


def ours(custody: MemoryCustody, algorithm: Algorithm, pan: str, option: str | None = None) -> ApplicationKeys:
    ac, smi, smc = (KeyRef(f"{purpose}-{algorithm}") for purpose in PURPOSES)
    return custody.application_keys((ac, smi, smc), pan, 3, option=option)


def theirs(algorithm: Algorithm, pan: str, option: str | None = None) -> issuer_crypto.Udks:
    source = random.Random(7)
    masters = {(a, p): Secret(source.randbytes(16)) for a in CIPHERS for p in PURPOSES}
    ac, smi, smc = (masters[algorithm, purpose] for purpose in PURPOSES)
    return issuer_crypto.card_keys(issuer_crypto.IssuerMasters(ac, smi, smc, option), CIPHERS[algorithm], pan, 3)


PAN = "6225880112345678"


def test_both_know_the_same_schemes() -> None:
    assert NAMES == sorted(BANK)


@pytest.mark.parametrize("option", [None, "A", "B"])
@pytest.mark.parametrize("digits", [12, 16, 17, 18, 19])
def test_card_keys(custody: MemoryCustody, digits: int, option: str | None) -> None:
    pan = "6225880112345678901"[:digits]
    scheme, bank = SCHEMES["cvn10"], BANK["cvn10"]
    mine = custody.cryptogram(ours(custody, Algorithm.TDES, pan, option), scheme, ATC, b"data")
    assert mine == issuer_crypto.cryptogram(bank, theirs(Algorithm.TDES, pan, option), ATC, b"data")


@pytest.mark.parametrize("digits", [16, 19])
def test_sm4_card_keys(custody: MemoryCustody, digits: int) -> None:
    pan = "6225880112345678901"[:digits]
    mine = custody.cryptogram(ours(custody, Algorithm.SM4, pan, "A"), SCHEMES["pboc-sm4"], ATC, b"data")
    assert mine == issuer_crypto.cryptogram(BANK["pboc-sm4"], theirs(Algorithm.SM4, pan, "A"), ATC, b"data")


@pytest.mark.parametrize("fold", Fold)
@pytest.mark.parametrize("name", NAMES)
def test_cryptograms_answers_and_scripts(custody: MemoryCustody, name: str, fold: Fold) -> None:
    scheme = dataclasses.replace(SCHEMES[name], fold=fold.value)
    bank = dataclasses.replace(BANK[name], fold=fold, mac_length=8)
    keys, udks = ours(custody, algorithm_of(name), PAN), theirs(algorithm_of(name), PAN)
    for length in (0, 1, 7, 8, 15, 16, 29, 40):
        data = random.Random(length).randbytes(length)
        assert custody.cryptogram(keys, scheme, ATC, data) == issuer_crypto.cryptogram(bank, udks, ATC, data)
        message = b"\x84\x24\x00\x02\x18" + ATC + ARQC + data
        expected = issuer_crypto.script_mac(bank, udks, ATC, ARQC, message[:5], data)
        assert custody.script_mac(keys, scheme, ATC, ARQC, message) == expected
        expected = issuer_crypto.script_encrypt(bank, udks, ATC, ARQC, data)
        assert custody.script_encrypt(keys, scheme, ATC, ARQC, data) == expected
    for method, response in ((1, b"00"), (2, bytes.fromhex("00820000")), (2, bytes(12))):
        expected = issuer_crypto.arpc(dataclasses.replace(bank, arpc=method), udks, ATC, ARQC, response)
        assert custody.arpc(keys, scheme, ATC, ARQC, response, method) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_new_pin(custody: MemoryCustody, name: str) -> None:
    keys, udks = ours(custody, algorithm_of(name), PAN), theirs(algorithm_of(name), PAN)
    pin = custody.encrypt_pin(KeyRef("pek"), PinFormat.ISO0, Secret(b"918273"), PAN)
    block = issuer_crypto.new_pin_block(BANK[name], udks, "918273")
    expected = issuer_crypto.script_encrypt(BANK[name], udks, ATC, ARQC, block)
    assert custody.pin_for_card(keys, SCHEMES[name], ATC, ARQC, pin) == expected
