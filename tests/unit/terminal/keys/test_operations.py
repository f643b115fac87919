from __future__ import annotations

import dataclasses
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from terminal.crypto import aes, des, kdf, padding, rsa
from terminal.errors import IntegrityError, KeyMisuse, KeyNotFound, KeyRefused
from terminal.keys import (
    Algorithm,
    CardKeys,
    Diversification,
    KeyRef,
    MemoryCustody,
    Purpose,
    Scp,
    Sealed,
    SessionRequest,
    application_data,
)
from terminal.secret import Secret

KDD = bytes.fromhex("00001122334455667788")
TDES_KEY = bytes.fromhex("8C2F4A6D1B3E50798FA1C4D6E8FB0D12")
AES_KEY = bytes.fromhex("5C2F4A6D1B3E50798FA1C4D6E8FB0D13")
SCP02 = SessionRequest(Scp.SCP02, 0x55, bytes(range(8)), bytes(range(8, 14)), b"\x00\x2a")
SCP03 = SessionRequest(Scp.SCP03, 0x70, bytes(range(8)), bytes(range(8, 16)), bytes(3))


def imported(custody: MemoryCustody, purpose: Purpose, algorithm: Algorithm, key: bytes) -> KeyRef:
    return custody.import_key(purpose.value, purpose, algorithm, Secret(key), by="test").ref


@pytest.fixture
def scp02_card(custody: MemoryCustody) -> CardKeys:
    ref = imported(custody, Purpose.KMC, Algorithm.TDES, TDES_KEY)
    return custody.card_keys(ref, Diversification.NONE, b"", 0xFF)


@pytest.fixture
def scp03_card(custody: MemoryCustody) -> CardKeys:
    ref = custody.import_key("kmc-aes", Purpose.KMC, Algorithm.AES128, Secret(AES_KEY), by="test").ref
    return custody.card_keys(ref, Diversification.NONE, b"", 0x30)


def test_card_keys_follow_the_key_data(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    one = custody.card_keys(scp02_card.master, Diversification.EMV_CPS, KDD, 0x20)
    other = custody.card_keys(scp02_card.master, Diversification.EMV_CPS, KDD[::-1], 0x20)
    assert len({*one.kcvs, *other.kcvs}) == 6
    assert str(one).startswith("key set 20 from kmc/1 (KCV ENC ")


@pytest.mark.parametrize("method", [Diversification.VISA2, Diversification.EMV_CPS])
def test_des_diversification_needs_a_des_master_and_key_data(
    custody: MemoryCustody, scp02_card: CardKeys, scp03_card: CardKeys, method: Diversification
) -> None:
    with pytest.raises(KeyMisuse, match="does not work with a master of aes128"):
        custody.card_keys(scp03_card.master, method, KDD, 1)
    with pytest.raises(KeyMisuse, match="10 bytes of key data, not 9"):
        custody.card_keys(scp02_card.master, method, KDD[1:], 1)


def test_kdf3_needs_an_aes_master(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    with pytest.raises(KeyMisuse, match="kdf3 diversification does not work with a master of 3des"):
        custody.card_keys(scp02_card.master, Diversification.KDF3, KDD, 1)


@pytest.mark.parametrize("version", [-1, 256])
def test_a_key_version_is_one_byte(custody: MemoryCustody, scp02_card: CardKeys, version: int) -> None:
    with pytest.raises(KeyMisuse, match="one byte"):
        custody.card_keys(scp02_card.master, Diversification.NONE, b"", version)


def test_card_keys_with_other_check_values_are_refused(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    strange = dataclasses.replace(scp02_card, kcvs=(bytes(3), *scp02_card.kcvs[1:]))
    with pytest.raises(KeyRefused, match="other check values"):
        custody.open_session(strange, SCP02)


def test_protocol_and_keys_must_fit(custody: MemoryCustody, scp02_card: CardKeys, scp03_card: CardKeys) -> None:
    with pytest.raises(KeyMisuse, match="SCP03 does not work with keys of 3des"):
        custody.open_session(scp02_card, SCP03)
    with pytest.raises(KeyMisuse, match="SCP02 does not work with keys of aes128"):
        custody.open_session(scp03_card, SCP02)


@pytest.mark.parametrize("change", [{"host_challenge": bytes(7)}, {"card_challenge": bytes(8)}, {"sequence": bytes(3)}])
def test_scp02_challenges_have_their_lengths(
    custody: MemoryCustody, scp02_card: CardKeys, change: dict[str, bytes]
) -> None:
    with pytest.raises(KeyMisuse, match="8 and 6 bytes and a counter of 2"):
        custody.open_session(scp02_card, dataclasses.replace(SCP02, **change))


@pytest.mark.parametrize(("i", "size"), [(0x71, 8), (0x70, 16)])
def test_scp03_challenges_have_the_lengths_that_i_says(
    custody: MemoryCustody, scp03_card: CardKeys, i: int, size: int
) -> None:
    request = SessionRequest(Scp.SCP03, i, bytes(size), bytes(size), b"")
    with pytest.raises(KeyMisuse, match=f"i={i:02X} has challenges of {24 - size} bytes"):
        custody.open_session(scp03_card, request)


def kbkdf(key: bytes, constant: int, context: bytes, size: int) -> bytes:
    """The SCP03 derivation by another implementation."""
    before = bytes(11) + bytes((constant, 0)) + (8 * size).to_bytes(2, "big")
    oracle = KBKDFCMAC(
        algorithm=AES,
        mode=Mode.CounterMode,
        length=size,
        rlen=1,
        llen=None,
        location=CounterLocation.MiddleFixed,
        break_location=len(before),
        label=None,
        context=None,
        fixed=before + context,
    )
    return oracle.derive(key)


def test_s16_has_cryptograms_of_sixteen_bytes(custody: MemoryCustody, scp03_card: CardKeys) -> None:
    request = SessionRequest(Scp.SCP03, 0x71, bytes(range(16)), bytes(range(16, 32)), bytes(3))
    session = custody.open_session(scp03_card, request)
    context = bytes(range(32))
    mac = kbkdf(AES_KEY, 0x06, context, 16)
    assert session.mac == Secret(mac)
    assert session.enc == Secret(kbkdf(AES_KEY, 0x04, context, 16))
    assert session.rmac == Secret(kbkdf(AES_KEY, 0x07, context, 16))
    assert session.card_cryptogram == kbkdf(mac, 0x00, context, 16)
    assert session.host_cryptogram == kbkdf(mac, 0x01, context, 16)


def scp02_dek() -> bytes:
    return des.cbc_encrypt(TDES_KEY, b"\x01\x81\x00\x2a" + bytes(12))


def test_put_key_in_scp02_is_ecb_under_the_session_dek(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    session = custody.open_session(scp02_card, SCP02)
    assert session.dek.block == 8
    new = custody.card_keys(
        imported(custody, Purpose.CARD, Algorithm.TDES, TDES_KEY[::-1]), Diversification.EMV_CPS, KDD, 0x20
    )
    six = KDD[4:]
    for constant, wrapped, check in zip((1, 2, 3), custody.wrap_card_keys(session.dek, new), new.kcvs, strict=True):
        plain = des.ecb_encrypt(TDES_KEY[::-1], six + bytes((0xF0, constant)) + six + bytes((0x0F, constant)))
        assert des.ecb_decrypt(scp02_dek(), wrapped.ciphertext) == plain
        assert wrapped.kcvs == (check,)
        assert des.ecb_encrypt(plain, bytes(8))[:3] == check


@pytest.mark.parametrize(
    ("algorithm", "size"), [(Algorithm.AES128, 16), (Algorithm.AES192, 24), (Algorithm.AES256, 32)]
)
def test_put_key_in_scp03_is_cbc_under_the_static_dek(
    custody: MemoryCustody, scp03_card: CardKeys, algorithm: Algorithm, size: int
) -> None:
    session = custody.open_session(scp03_card, SCP03)
    assert session.dek.block == 16
    master = bytes(range(7, 7 + size))[::-1]
    new = custody.card_keys(imported(custody, Purpose.CARD, algorithm, master), Diversification.KDF3, KDD, 0x31)
    for constant, wrapped, check in zip((1, 2, 3), custody.wrap_card_keys(session.dek, new), new.kcvs, strict=True):
        key = kdf.kdf3(master, constant, KDD, 8 * size)
        plain = aes.cbc_decrypt(AES_KEY, wrapped.ciphertext)
        assert plain == key + bytes(-size % 16)
        assert aes.ecb_encrypt(key, b"\x01" * 16)[:3] == check


def test_application_keys_are_wrapped_joined(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    masters = tuple(bytes([n]) + TDES_KEY[1:] for n in (1, 2, 3))
    ac, smi, smc = (
        imported(custody, purpose, Algorithm.TDES, key)
        for purpose, key in zip((Purpose.AC, Purpose.SMI, Purpose.SMC), masters, strict=True)
    )
    keys = custody.application_keys((ac, smi, smc), "6200001234567890123", 2)
    wrapped = custody.wrap_for_card(custody.open_session(scp02_card, SCP02).dek, keys, pad=False)
    plain = des.ecb_decrypt(scp02_dek(), wrapped.ciphertext)
    assert plain == b"".join(kdf.udks(masters, "6200001234567890123", 2))
    assert wrapped.kcvs == keys.kcvs


def test_changed_application_keys_are_refused(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    refs = tuple(imported(custody, p, Algorithm.TDES, TDES_KEY) for p in (Purpose.AC, Purpose.SMI, Purpose.SMC))
    keys = custody.application_keys((refs[0], refs[1], refs[2]), "6200001234567890", 0)
    dek = custody.open_session(scp02_card, SCP02).dek
    with pytest.raises(KeyRefused, match="the application keys: the keys in custody have other check values"):
        custody.wrap_for_card(dek, dataclasses.replace(keys, sequence=1), pad=False)


def test_a_read_key_set_is_wrapped_joined(custody: MemoryCustody, scp03_card: CardKeys) -> None:
    ref = imported(custody, Purpose.READ, Algorithm.AES128, AES_KEY[::-1])
    data = application_data("6200001234567890123", 0)
    keys = custody.card_keys(ref, Diversification.KDF3, data, 0x40)
    wrapped = custody.wrap_for_card(custody.open_session(scp03_card, SCP03).dek, keys, pad=False)
    expected = b"".join(kdf.kdf3(AES_KEY[::-1], c, data, 128) for c in (1, 2, 3))
    assert aes.cbc_decrypt(AES_KEY, wrapped.ciphertext) == expected
    assert wrapped.kcvs == keys.kcvs


def test_sealed_data_are_wrapped_padded(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    dek = custody.open_session(scp02_card, SCP02).dek
    wrapped = custody.wrap_for_card(dek, custody.seal(seal, b"12345678", "DGI 8010"), pad=True)
    assert padding.unpad2(des.ecb_decrypt(scp02_dek(), wrapped.ciphertext), 8) == b"12345678"
    assert wrapped.kcvs == ()
    with pytest.raises(KeyMisuse, match="5 bytes to wrap are no whole number of 8-byte blocks"):
        custody.wrap_for_card(dek, custody.seal(seal, b"12345", ""), pad=False)


def test_a_session_dek_is_good_only_where_it_was_opened(custody: MemoryCustody, scp02_card: CardKeys) -> None:
    other = MemoryCustody(simulation=False)
    seal = other.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    dek = custody.open_session(scp02_card, SCP02).dek
    with pytest.raises(KeyMisuse, match="not of a security domain session opened here"):
        other.wrap_for_card(dek, other.seal(seal, b"", ""), pad=True)


def test_a_session_under_read_keys_wraps_nothing(custody: MemoryCustody) -> None:
    ref = imported(custody, Purpose.READ, Algorithm.AES128, AES_KEY)
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    session = custody.open_session(custody.card_keys(ref, Diversification.KDF3, b"", 0x40), SCP03)
    with pytest.raises(KeyMisuse, match="does not wrap data"):
        custody.wrap_for_card(session.dek, custody.seal(seal, b"", ""), pad=True)


def test_sealing_round_trips_with_fresh_nonces(custody: MemoryCustody) -> None:
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    one, two = custody.seal(seal, b"secret", "member 7"), custody.seal(seal, b"secret", "member 7")
    assert one.blob != two.blob
    assert custody.open(one) == custody.open(two) == Secret(b"secret")
    assert len(one.blob) == 12 + 6 + 16


def test_every_changed_bit_of_sealed_data_is_noticed(custody: MemoryCustody) -> None:
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    sealed = custody.seal(seal, b"secret", "member 7")
    for bit in range(8 * len(sealed.blob)):
        blob = bytearray(sealed.blob)
        blob[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError, match="were changed"):
            custody.open(Sealed(seal, bytes(blob), sealed.context))


@pytest.mark.parametrize("blob", [b"", bytes(12), bytes(27)])
def test_cut_sealed_data_are_noticed(custody: MemoryCustody, blob: bytes) -> None:
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    with pytest.raises(IntegrityError, match="cut short"):
        custody.open(Sealed(seal, blob, ""))


def test_another_context_does_not_open(custody: MemoryCustody) -> None:
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    sealed = custody.seal(seal, b"secret", "member 7")
    with pytest.raises(IntegrityError, match="belong elsewhere"):
        custody.open(dataclasses.replace(sealed, context="member 8"))


def test_the_blind_index_is_hmac_sha_256(custody: MemoryCustody) -> None:
    key = bytes(range(40, 72))
    ref = imported(custody, Purpose.INDEX, Algorithm.HMAC, key)
    assert custody.index(ref, b"110101199003070011") == hmac.new(key, b"110101199003070011", hashlib.sha256).digest()


def test_signatures_open_with_the_public_part(custody: MemoryCustody) -> None:
    info = custody.generate("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, by="test", bits=1024)
    assert info.modulus is not None
    assert info.exponent == 3
    message = b"\x6a" + bytes(126) + b"\xbc"
    message = (int.from_bytes(message, "big") % info.modulus).to_bytes(128, "big")
    assert rsa.public(rsa.RsaPublic(info.modulus, 3), custody.sign(info.ref, message)) == message
    with pytest.raises(KeyMisuse, match=r"signing with issuer/1: an RSA message for this key has 128 bytes"):
        custody.sign(info.ref, bytes(127))


def test_an_unknown_key_is_named(custody: MemoryCustody) -> None:
    with pytest.raises(KeyNotFound, match="the key seal/3 is not in this custody"):
        custody.seal(KeyRef("seal", 3), b"", "")
    with pytest.raises(KeyNotFound, match="no key named seal"):
        custody.latest("seal")


@pytest.mark.parametrize(("pan", "sequence"), [("62a", 0), ("", 0), ("62", 100), ("62", -1)])
def test_application_data_are_digits_and_a_sequence(pan: str, sequence: int) -> None:
    with pytest.raises(KeyMisuse, match="decimal digits"):
        application_data(pan, sequence)


def test_application_data_are_packed() -> None:
    assert application_data("62000", 7).hex() == "62000f07"
    assert application_data("6200", 12).hex() == "620012"
