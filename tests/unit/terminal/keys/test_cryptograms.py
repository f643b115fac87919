"""Cryptograms, ARPCs and scripts of every scheme against pyemv, an independent implementation."""

from __future__ import annotations

import dataclasses
import random

import pytest
from gmssl.sm4 import SM4_ENCRYPT, CryptSM4
from psec.des import encrypt_tdes_ecb
from pyemv import cvn, kd, sm
from pyemv.ac import generate_ac, generate_arpc_1, generate_arpc_2

from terminal.errors import KeyMisuse, KeyRefused
from terminal.keys import (
    CVN10,
    CVN18,
    CVN22,
    EMV_CSK,
    PBOC_DES,
    PBOC_SM4,
    SCHEMES,
    Algorithm,
    ApplicationKeys,
    CryptogramScheme,
    KeyRef,
    MemoryCustody,
    PinFormat,
    Purpose,
)
from terminal.secret import Secret

# pyemv and psec take triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

PAN, SEQUENCE = "6225880112345678", 1
ATC, ARQC, HEADER = bytes.fromhex("0A5C"), bytes.fromhex("769577B5ABE9FE62"), bytes.fromhex("8424000218")
CVR, IAD = bytes.fromhex("03A0B800"), bytes.fromhex("06011203A0B800")
ELEMENTS = {
    "tag_9f02": "000000009999",
    "tag_9f03": "000000000000",
    "tag_9f1a": "0156",
    "tag_95": "8000048000",
    "tag_5f2a": "0156",
    "tag_9a": "261122",
    "tag_9c": "01",
    "tag_9f37": "52BF4585",
    "tag_82": "1800",
    "tag_9f36": ATC.hex(),
}
MASTERS = {purpose: random.Random(purpose.value).randbytes(16) for purpose in (Purpose.AC, Purpose.SMI, Purpose.SMC)}
TDES_SCHEMES = sorted(name for name, scheme in SCHEMES.items() if scheme.mac == "alg3")


def elements() -> dict[str, bytes]:
    return {tag: bytes.fromhex(value) for tag, value in ELEMENTS.items()}


def transaction(last: bytes) -> bytes:
    return b"".join(elements().values()) + last


@pytest.fixture
def custody() -> MemoryCustody:
    custody = MemoryCustody(simulation=True)
    for purpose, key in MASTERS.items():
        custody.import_key(purpose.value, purpose, Algorithm.TDES, Secret(key), by="test")
        custody.import_key(f"{purpose}-sm4", purpose, Algorithm.SM4, Secret(key), by="test")
    custody.generate("pek", Purpose.PIN, Algorithm.TDES, by="test")
    return custody


def card(custody: MemoryCustody, pan: str = PAN, *, sm4: bool = False, option: str | None = None) -> ApplicationKeys:
    suffix = "-sm4" if sm4 else ""
    ac, smi, smc = (KeyRef(f"{purpose}{suffix}") for purpose in MASTERS)
    return custody.application_keys((ac, smi, smc), pan, SEQUENCE, option=option)


def issuer(kind: type, pan: str = PAN) -> object:
    return kind(MASTERS[Purpose.AC], MASTERS[Purpose.SMI], MASTERS[Purpose.SMC], pan, f"{SEQUENCE:02d}")


def udk(purpose: Purpose) -> bytes:
    return kd.derive_icc_mk_a(MASTERS[purpose], PAN, f"{SEQUENCE:02d}")


def sm4_ecb(key: bytes, data: bytes) -> bytes:
    oracle = CryptSM4()
    oracle.set_key(key, SM4_ENCRYPT)
    return oracle.crypt_ecb(data)[: len(data)]


def sm4_mac(key: bytes, data: bytes) -> bytes:
    oracle = CryptSM4()
    oracle.set_key(key, SM4_ENCRYPT)
    padded = data + b"\x80" + bytes(-(len(data) + 1) % 16)
    return oracle.crypt_cbc(bytes(16), padded)[: len(padded)][-16:]


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("option", [None, "A", "B"])
@pytest.mark.parametrize("pan", ["6225880112345678", "62258801123456789", "6225880112345678901"])
def test_card_keys_follow_the_option(custody: MemoryCustody, pan: str, option: str | None) -> None:
    keys = card(custody, pan, option=option)
    derive = kd.derive_icc_mk_a if option == "A" else kd.derive_icc_mk_b
    expected = [derive(key, pan, f"{SEQUENCE:02d}") for key in MASTERS.values()]
    assert keys.kcvs == tuple(encrypt_tdes_ecb(key, bytes(8))[:3] for key in expected)
    assert keys.option == option
    ac = generate_ac(kd.derive_common_sk(expected[0], ATC + bytes(6)), transaction(CVR))
    assert custody.cryptogram(keys, EMV_CSK, ATC, transaction(CVR)) == ac


@pytest.mark.parametrize("option", [None, "A", "B"])
@pytest.mark.parametrize("pan", ["6225880112345678", "6225880112345678901"])
def test_a_cryptogram_is_verified_with_its_master(custody: MemoryCustody, pan: str, option: str | None) -> None:
    derive = kd.derive_icc_mk_a if option == "A" else kd.derive_icc_mk_b
    session = kd.derive_common_sk(derive(MASTERS[Purpose.AC], pan, f"{SEQUENCE:02d}"), ATC + bytes(6))
    ac, master = generate_ac(session, transaction(CVR)), KeyRef(Purpose.AC.value)

    def verified(data: bytes, cryptogram: bytes, sequence: int = SEQUENCE) -> bool:
        return custody.verify_cryptogram(master, EMV_CSK, pan, sequence, ATC, data, cryptogram, option=option)

    assert verified(transaction(CVR), ac)
    assert not verified(transaction(CVR), ac[:4])
    assert not verified(transaction(CVR), xor(ac, bytes(7) + b"\x01"))
    assert not verified(transaction(CVR) + b"\x00", ac)
    assert not verified(transaction(CVR), ac, SEQUENCE + 1)


def test_a_cryptogram_of_sm4_is_verified_with_its_master(custody: MemoryCustody) -> None:
    ac = custody.cryptogram(card(custody, sm4=True), PBOC_SM4, ATC, b"data")
    master = KeyRef(f"{Purpose.AC}-sm4")
    assert custody.verify_cryptogram(master, PBOC_SM4, PAN, SEQUENCE, ATC, b"data", ac)
    with pytest.raises(KeyMisuse, match="option B"):
        custody.verify_cryptogram(master, PBOC_SM4, PAN, SEQUENCE, ATC, b"data", ac, option="B")
    with pytest.raises(KeyMisuse, match="another cipher"):
        custody.verify_cryptogram(master, EMV_CSK, PAN, SEQUENCE, ATC, b"data", ac)
    with pytest.raises(KeyMisuse, match="ATC"):
        custody.verify_cryptogram(master, PBOC_SM4, PAN, SEQUENCE, b"\x00", b"data", ac)


def test_cvn10_is_as_pyemv_has_it(custody: MemoryCustody) -> None:
    keys, oracle = card(custody), issuer(cvn.VisaCVN10)
    arqc = oracle.generate_ac(**elements(), cvr=CVR)
    assert custody.cryptogram(keys, CVN10, ATC, transaction(CVR)) == arqc
    assert custody.arpc(keys, CVN10, ATC, arqc, b"00", 1) == oracle.generate_arpc(arqc, b"00")
    assert custody.script_mac(keys, CVN10, ATC, arqc, HEADER + ATC + arqc + b"data") == oracle.generate_command_mac(
        HEADER, arqc, ATC, b"data"
    )
    for length in (0, 6, 7, 8, 40):
        data = bytes(length)
        assert custody.script_encrypt(keys, CVN10, ATC, arqc, data) == oracle.encrypt_command_data(data, ATC)


def test_cvn17_takes_less_data_but_computes_like_cvn10() -> None:
    assert SCHEMES["cvn17"] is CVN10


@pytest.mark.parametrize("extra", [b"", b"\x01", bytes(8)])
def test_cvn18_is_as_pyemv_has_it(custody: MemoryCustody, extra: bytes) -> None:
    keys, oracle, csu = card(custody), issuer(cvn.VisaCVN18), bytes.fromhex("00820000")
    arqc = oracle.generate_ac(**elements(), tag_9f10=IAD)
    assert custody.cryptogram(keys, CVN18, ATC, transaction(IAD)) == arqc
    assert custody.arpc(keys, CVN18, ATC, arqc, csu + extra, 2) == oracle.generate_arpc(arqc, ATC, csu, extra)
    assert custody.script_mac(keys, CVN18, ATC, arqc, HEADER + ATC + arqc) == oracle.generate_command_mac(
        HEADER, arqc, ATC
    )
    assert custody.script_encrypt(keys, CVN18, ATC, arqc, b"limit") == oracle.encrypt_command_data(b"limit", ATC)


def test_cvn22_is_as_pyemv_has_it(custody: MemoryCustody) -> None:
    keys, oracle, csu = card(custody), issuer(cvn.VisaCVN22), bytes.fromhex("00820000")
    arqc = oracle.generate_ac(**elements(), tag_9f10=IAD)
    assert custody.cryptogram(keys, CVN22, ATC, transaction(IAD)) == arqc
    assert custody.arpc(keys, CVN22, ATC, arqc, csu, 2) == oracle.generate_arpc(arqc, ATC, csu)
    assert custody.script_mac(keys, CVN22, ATC, arqc, HEADER + ATC + arqc) == oracle.generate_command_mac(
        HEADER, arqc, ATC
    )
    assert custody.script_encrypt(keys, CVN22, ATC, arqc, b"limit") == oracle.encrypt_command_data(b"limit", arqc)


@pytest.mark.parametrize(("scheme", "kind"), [(CVN10, cvn.VisaCVN10), (CVN18, cvn.VisaCVN18), (CVN22, cvn.VisaCVN22)])
@pytest.mark.parametrize("pin", ["1234", "998877665544"])
def test_a_new_pin_travels_as_pyemv_sends_it(
    custody: MemoryCustody, scheme: CryptogramScheme, kind: type, pin: str
) -> None:
    keys = card(custody)
    block = custody.encrypt_pin(KeyRef("pek"), PinFormat.ISO3, Secret(pin.encode()), PAN)
    data = custody.pin_for_card(keys, scheme, ATC, ARQC, block)
    mac = custody.script_mac(keys, scheme, ATC, ARQC, HEADER + ATC + ARQC + data)
    assert HEADER + data + mac == issuer(kind).generate_pin_change_command(pin, ARQC, ATC)


@pytest.mark.parametrize(("scheme", "kind"), [(CVN10, cvn.VisaCVN10), (CVN18, cvn.VisaCVN18), (CVN22, cvn.VisaCVN22)])
@pytest.mark.parametrize("present", ["0000", "123456789012"])
def test_a_new_pin_that_asks_for_the_present_one_travels_as_pyemv_sends_it(
    custody: MemoryCustody, scheme: CryptogramScheme, kind: type, present: str
) -> None:
    keys = card(custody)
    new, old = (
        custody.encrypt_pin(KeyRef("pek"), PinFormat.ISO3, Secret(pin.encode()), PAN) for pin in ("918273", present)
    )
    data = custody.pin_for_card(keys, scheme, ATC, ARQC, new, old)
    expected = issuer(kind).generate_pin_change_command("918273", ARQC, ATC, current_pin=present)
    header = HEADER[:3] + b"\x01" + HEADER[4:]
    mac = custody.script_mac(keys, scheme, ATC, ARQC, header + ATC + ARQC + data)
    assert header + data + mac == expected


def test_emv_common_session_keys_are_as_pyemv_has_them(custody: MemoryCustody) -> None:
    keys = card(custody)
    session = kd.derive_common_sk(udk(Purpose.AC), ATC + bytes(6))
    arqc = generate_ac(session, transaction(CVR))
    assert custody.cryptogram(keys, EMV_CSK, ATC, transaction(CVR)) == arqc
    assert custody.arpc(keys, EMV_CSK, ATC, arqc, b"00", 1) == generate_arpc_1(session, arqc, b"00")
    assert custody.arpc(keys, EMV_CSK, ATC, arqc, bytes(4), 2) == generate_arpc_2(session, arqc, bytes(4))
    smi = kd.derive_common_sk(udk(Purpose.SMI), arqc)
    assert custody.script_mac(keys, EMV_CSK, ATC, arqc, b"message") == sm.generate_command_mac(smi, b"message")
    smc = kd.derive_common_sk(udk(Purpose.SMC), arqc)
    for length in (0, 7, 8, 9):
        expected = sm.encrypt_command_data(smc, bytes(length), sm.EncryptionType.EMV)
        assert custody.script_encrypt(keys, EMV_CSK, ATC, arqc, bytes(length)) == expected


def test_pboc_session_keys_are_the_encrypted_counter(custody: MemoryCustody) -> None:
    """Session keys by psec's triple DES, cryptograms by pyemv: JR/T 0025 joins the two."""
    keys = card(custody)
    inverted = xor(ATC, b"\xff\xff")
    ac, smi, smc = (
        encrypt_tdes_ecb(udk(p), bytes(6) + ATC) + encrypt_tdes_ecb(udk(p), bytes(6) + inverted) for p in MASTERS
    )
    arqc = generate_ac(ac, transaction(CVR))
    assert custody.cryptogram(keys, PBOC_DES, ATC, transaction(CVR)) == arqc
    assert custody.arpc(keys, PBOC_DES, ATC, arqc, b"00", 1) == generate_arpc_1(ac, arqc, b"00")
    assert custody.script_mac(keys, PBOC_DES, ATC, arqc, b"message") == sm.generate_command_mac(smi, b"message")
    whole = b"\x07" + bytes(7)
    assert custody.script_encrypt(keys, PBOC_DES, ATC, arqc, bytes(7)) == encrypt_tdes_ecb(smc, whole)
    padded = b"\x08" + bytes(8) + b"\x80" + bytes(6)
    assert custody.script_encrypt(keys, PBOC_DES, ATC, arqc, bytes(8)) == encrypt_tdes_ecb(smc, padded)


@pytest.mark.parametrize("fold", ["xor", "left"])
def test_sm4_computes_as_gmssl_does(custody: MemoryCustody, fold: str) -> None:
    scheme = dataclasses.replace(PBOC_SM4, fold=fold)
    keys = card(custody, sm4=True)
    y = bytes.fromhex(f"{PAN}{SEQUENCE:02d}"[-16:])
    udks = {p: sm4_ecb(key, y + xor(y, b"\xff" * 8)) for p, key in MASTERS.items()}
    assert keys.kcvs == tuple(sm4_ecb(key, bytes(16))[:3] for key in udks.values())
    counter = bytes(6) + ATC + bytes(6) + xor(ATC, b"\xff\xff")
    ac, smi, smc = (sm4_ecb(key, counter) for key in udks.values())

    def folded(block: bytes) -> bytes:
        return xor(block[:8], block[8:]) if fold == "xor" else block[:8]

    assert custody.cryptogram(keys, scheme, ATC, transaction(CVR)) == folded(sm4_mac(ac, transaction(CVR)))
    expected = folded(sm4_ecb(ac, xor(ARQC, b"00" + bytes(6)) + bytes(8)))
    assert custody.arpc(keys, scheme, ATC, ARQC, b"00", 1) == expected
    assert custody.arpc(keys, scheme, ATC, ARQC, bytes(4), 2) == folded(sm4_mac(ac, ARQC + bytes(4)))[:4]
    assert custody.script_mac(keys, scheme, ATC, ARQC, b"message") == folded(sm4_mac(smi, b"message"))
    padded = b"\x04data\x80" + bytes(10)
    assert custody.script_encrypt(keys, scheme, ATC, ARQC, b"data") == sm4_ecb(smc, padded)
    block = custody.encrypt_pin(KeyRef("pek"), PinFormat.ISO0, Secret(b"1234"), PAN)
    formed = xor(bytes.fromhex("041234FFFFFFFFFF"), bytes(4) + udks[Purpose.AC][4:8])
    expected = sm4_ecb(smc, b"\x08" + formed + b"\x80" + bytes(6))
    assert custody.pin_for_card(keys, scheme, ATC, ARQC, block) == expected


def test_emv_encryption_works_with_sm4_too(custody: MemoryCustody) -> None:
    scheme = dataclasses.replace(PBOC_SM4, encryption="emv")
    keys = card(custody, sm4=True)
    y = bytes.fromhex(f"{PAN}{SEQUENCE:02d}"[-16:])
    udk_smc = sm4_ecb(MASTERS[Purpose.SMC], y + xor(y, b"\xff" * 8))
    smc = sm4_ecb(udk_smc, bytes(6) + ATC + bytes(6) + xor(ATC, b"\xff\xff"))
    assert custody.script_encrypt(keys, scheme, ATC, ARQC, b"data") == sm4_mac(smc, b"data")


def test_every_transaction_has_its_own_keys(custody: MemoryCustody) -> None:
    for name, scheme in SCHEMES.items():
        keys = card(custody, sm4=scheme.mac == "sm4")
        one, other = (custody.cryptogram(keys, scheme, atc, b"same") for atc in (b"\x00\x01", b"\x00\x02"))
        assert (one == other) is (scheme.session == "none"), name


def test_keys_and_scheme_are_for_one_cipher(custody: MemoryCustody) -> None:
    with pytest.raises(KeyMisuse, match="imk-ac/1 is 3des, and the scheme computes with another cipher"):
        custody.cryptogram(card(custody), PBOC_SM4, ATC, b"x")
    with pytest.raises(KeyMisuse, match="imk-smi-sm4/1 is sm4"):
        custody.script_mac(card(custody, sm4=True), EMV_CSK, ATC, ARQC, b"x")
    with pytest.raises(KeyMisuse, match="not for one cipher"):
        custody.application_keys((KeyRef("imk-ac"), KeyRef("imk-smi-sm4"), KeyRef("imk-smc")), PAN, SEQUENCE)
    with pytest.raises(KeyMisuse, match="option B is for 3DES masters only"):
        card(custody, sm4=True, option="B")
    with pytest.raises(KeyMisuse, match="SM4 session keys come from the ATC"):
        dataclasses.replace(EMV_CSK, mac="sm4")


def test_card_keys_with_other_check_values_are_refused(custody: MemoryCustody) -> None:
    strange = dataclasses.replace(card(custody), kcvs=(bytes(3), bytes(3), bytes(3)))
    with pytest.raises(KeyRefused, match="the card key from imk-ac/1 has another check value"):
        custody.cryptogram(strange, EMV_CSK, ATC, b"x")
    other_option = dataclasses.replace(card(custody, "62258801123456789", option="A"), option="B")
    with pytest.raises(KeyRefused, match="another check value"):
        custody.script_mac(other_option, EMV_CSK, ATC, ARQC, b"x")


def test_data_of_the_wrong_length_are_refused(custody: MemoryCustody) -> None:
    keys = card(custody)
    with pytest.raises(KeyMisuse, match="computing a cryptogram: the ATC has 2 bytes, not 3"):
        custody.cryptogram(keys, CVN10, bytes(3), b"x")
    with pytest.raises(KeyMisuse, match="an ARQC has 8 bytes, not 7"):
        custody.arpc(keys, EMV_CSK, ATC, bytes(7), b"00", 1)
    with pytest.raises(KeyMisuse, match="an ARQC has 8 bytes, not 9"):
        custody.script_mac(keys, CVN18, ATC, bytes(9), b"x")
    with pytest.raises(KeyMisuse, match="the response code of method 1 has 2 bytes, not 4"):
        custody.arpc(keys, EMV_CSK, ATC, ARQC, bytes(4), 1)
    for length in (3, 13):
        with pytest.raises(KeyMisuse, match=f"not {length} in all"):
            custody.arpc(keys, EMV_CSK, ATC, ARQC, bytes(length), 2)
    with pytest.raises(KeyMisuse, match="by method 1 or 2, not 3"):
        custody.arpc(keys, EMV_CSK, ATC, ARQC, b"00", 3)
    with pytest.raises(KeyMisuse, match="256 bytes of script data have no length byte"):
        custody.script_encrypt(keys, PBOC_DES, ATC, ARQC, bytes(256))


@pytest.mark.parametrize("name", TDES_SCHEMES)
def test_a_cryptogram_covers_every_bit(custody: MemoryCustody, name: str) -> None:
    keys, data = card(custody), transaction(CVR)
    right = custody.cryptogram(keys, SCHEMES[name], ATC, data)
    for place in range(len(data)):
        bent = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        assert custody.cryptogram(keys, SCHEMES[name], ATC, bent) != right
