"""Card keys and other secrets between a bank and an issuer: what is transported, what is refused, what stays secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st
from psec import tr31 as psec_tr31

from terminal.crypto import aes, des, sm4
from terminal.errors import IntegrityError, KeyMisuse, KeyRefused
from terminal.keys import (
    EMV_CSK,
    PBOC_SM4,
    Algorithm,
    ApplicationKeys,
    KeyRef,
    MemoryCustody,
    PinFormat,
    Purpose,
    Sealed,
    SealedKeys,
    WrappedSecret,
)
from terminal.secret import Secret
from tests.support.unsealed import hidden

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

PAN, SEAL = "6225880112345678", KeyRef("seal")
ATC, ARQC = bytes(2), bytes(8)
ZMK = bytes.fromhex("3D5F7B9C1E3A5D6C8E0A2D4F6B8C0E1A")
LONG = ZMK + ZMK[::-1]
TRANSPORTS = {
    Algorithm.TDES: KeyRef("zmk"),
    Algorithm.SM4: KeyRef("zmk-sm4"),
    Algorithm.AES128: KeyRef("zmk-aes"),
    Algorithm.AES256: KeyRef("zmk-long"),
}
CIPHERS: dict[Algorithm, Callable[[bytes], BlockCipherAlgorithm]] = {
    Algorithm.TDES: TripleDES,
    Algorithm.SM4: algorithms.SM4,
    Algorithm.AES128: algorithms.AES,
    Algorithm.AES256: algorithms.AES,
}


def party() -> MemoryCustody:
    custody = MemoryCustody(simulation=False)
    for algorithm, ref in TRANSPORTS.items():
        key = Secret(LONG if algorithm is Algorithm.AES256 else ZMK)
        custody.import_key(ref.name, Purpose.TRANSPORT, algorithm, key, by="Li Na")
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
    for purpose in (Purpose.AC, Purpose.SMI, Purpose.SMC):
        custody.generate(purpose.value, purpose, Algorithm.TDES, by="Li Na")
        custody.generate(f"{purpose}-sm4", purpose, Algorithm.SM4, by="Li Na")
    return custody


BANK, ISSUER = party(), party()


def keys(suffix: str = "", custody: MemoryCustody = BANK) -> ApplicationKeys:
    ac, smi, smc = (KeyRef(f"{purpose}{suffix}") for purpose in (Purpose.AC, Purpose.SMI, Purpose.SMC))
    return custody.application_keys((ac, smi, smc), PAN, 1)


def cipher_of(suffix: str) -> Algorithm:
    return Algorithm.SM4 if suffix else Algorithm.TDES


def over(algorithm: Algorithm = Algorithm.TDES, suffix: str = "") -> SealedKeys:
    """The bank's card keys, as the issuer holds them."""
    wrapped = BANK.to_transport(TRANSPORTS[algorithm], keys(suffix))
    return ISSUER.keys_from_transport(TRANSPORTS[algorithm], wrapped, cipher_of(suffix), SEAL, "card 1")


def derived(algorithm: Algorithm, label: bytes, context: bytes = b"") -> bytes:
    """As in docs/bank-file.md."""
    key = LONG if algorithm is Algorithm.AES256 else ZMK
    rest = label + b"\x00" + context + (8 * len(key)).to_bytes(2, "big")
    return b"".join(cmac(algorithm, key, bytes((i,)) + rest) for i in (1, 2))[: len(key)]


def cmac(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    mac = CMAC(CIPHERS[algorithm](key))
    mac.update(data)
    return mac.finalize()


@pytest.mark.parametrize("algorithm", TRANSPORTS)
@pytest.mark.parametrize("suffix", ["", "-sm4"])
def test_card_keys_travel_with_their_check_values(algorithm: Algorithm, suffix: str) -> None:
    transport, sent = TRANSPORTS[algorithm], keys(suffix)
    wrapped = BANK.to_transport(transport, sent)
    assert wrapped.kcvs == sent.kcvs
    decrypt = {Algorithm.TDES: des.ecb_decrypt, Algorithm.SM4: sm4.ecb_decrypt}.get(algorithm, aes.cbc_decrypt)
    plain = decrypt(LONG if algorithm is Algorithm.AES256 else ZMK, wrapped.ciphertext)
    kcv = (lambda k: sm4.ecb_encrypt(k, bytes(16))) if suffix else (lambda k: des.ecb_encrypt(k, bytes(8)))
    assert tuple(kcv(plain[i : i + 16])[:3] for i in (0, 16, 32)) == sent.kcvs
    got = over(algorithm, suffix)
    assert (got.kcvs, got.algorithm) == (sent.kcvs, cipher_of(suffix))
    assert ISSUER.to_transport(transport, got) == wrapped


@pytest.mark.parametrize("algorithm", TRANSPORTS)
def test_keys_with_other_check_values_are_refused(algorithm: Algorithm) -> None:
    transport = TRANSPORTS[algorithm]
    wrapped = BANK.to_transport(transport, keys())

    def take(bent: WrappedSecret, cipher: Algorithm = Algorithm.TDES) -> None:
        ISSUER.keys_from_transport(transport, bent, cipher, SEAL, "card 1")

    with pytest.raises(KeyRefused, match="another check value than expected"):
        take(dataclasses.replace(wrapped, kcvs=(*wrapped.kcvs[:2], bytes(3))))
    with pytest.raises(KeyRefused, match="48 bytes are not 2"):
        take(dataclasses.replace(wrapped, kcvs=wrapped.kcvs[:2]))
    with pytest.raises(KeyRefused, match="48 bytes are not 0"):
        take(dataclasses.replace(wrapped, kcvs=()))
    with pytest.raises(KeyRefused, match="another check value"):
        take(wrapped, Algorithm.SM4)
    with pytest.raises(KeyRefused, match="are not 3 rsa keys"):
        take(wrapped, Algorithm.RSA)
    for strange in (b"", wrapped.ciphertext[:-1]):
        with pytest.raises(KeyRefused, match="no whole number of"):
            take(dataclasses.replace(wrapped, ciphertext=strange))
    two = dataclasses.replace(wrapped, ciphertext=wrapped.ciphertext[:32], kcvs=wrapped.kcvs[:2])
    with pytest.raises(KeyRefused, match="2 keys are not AC, SMI and SMC"):
        take(two)


def test_a_key_put_together_of_one_half_twice_is_refused() -> None:
    """ECB blocks can be rearranged: with the check value of the result, a 3DES key would become single DES."""
    wrapped = BANK.to_transport(KeyRef("zmk"), keys())
    half = wrapped.ciphertext[:8]
    weak = des.ecb_decrypt(ZMK, half * 2)
    kcvs = (des.ecb_encrypt(weak, bytes(8))[:3], *wrapped.kcvs[1:])
    bent = WrappedSecret(half * 2 + wrapped.ciphertext[16:], kcvs)
    with pytest.raises(KeyRefused, match="two equal halves"):
        ISSUER.keys_from_transport(KeyRef("zmk"), bent, Algorithm.TDES, SEAL, "card 1")


@pytest.mark.parametrize("suffix", ["", "-sm4"])
def test_a_banks_keys_compute_what_the_bank_computes(suffix: str) -> None:
    scheme = PBOC_SM4 if suffix else EMV_CSK
    mine, theirs = over(suffix=suffix), keys(suffix)
    assert ISSUER.cryptogram(mine, scheme, ATC, b"data") == BANK.cryptogram(theirs, scheme, ATC, b"data")
    assert ISSUER.arpc(mine, scheme, ATC, ARQC, b"00", 1) == BANK.arpc(theirs, scheme, ATC, ARQC, b"00", 1)
    assert ISSUER.script_mac(mine, scheme, ATC, ARQC, b"x") == BANK.script_mac(theirs, scheme, ATC, ARQC, b"x")
    assert ISSUER.script_encrypt(mine, scheme, ATC, ARQC, b"x") == BANK.script_encrypt(theirs, scheme, ATC, ARQC, b"x")
    with pytest.raises(KeyMisuse, match="computes with another cipher"):
        ISSUER.cryptogram(mine, EMV_CSK if suffix else PBOC_SM4, ATC, b"data")


def test_sealed_keys_are_for_one_cipher_and_one_card() -> None:
    mine = over()
    with pytest.raises(KeyMisuse, match="not sealed as card keys for sm4"):
        ISSUER.cryptogram(dataclasses.replace(mine, algorithm=Algorithm.SM4), PBOC_SM4, ATC, b"")
    renamed = dataclasses.replace(mine.sealed, context="custody/keys/3des/card 2")
    with pytest.raises(IntegrityError, match="belong elsewhere"):
        ISSUER.cryptogram(dataclasses.replace(mine, sealed=renamed), EMV_CSK, ATC, b"")
    with pytest.raises(KeyRefused, match="from a bank has another check value"):
        ISSUER.cryptogram(dataclasses.replace(mine, kcvs=(bytes(3),) * 3), EMV_CSK, ATC, b"")
    with pytest.raises(KeyMisuse, match="not sealed as card keys"):
        ISSUER.to_transport(KeyRef("zmk"), dataclasses.replace(mine, sealed=ISSUER.seal(SEAL, bytes(48), "mine")))


def test_custody_is_no_way_to_read_what_a_bank_sent() -> None:
    """Neither by opening it, nor under another context, nor by sealing bytes under such a context."""
    data = ISSUER.data_from_transport(
        KeyRef("zmk"), BANK.to_transport(KeyRef("zmk"), BANK.seal(SEAL, b"secret", "c")).ciphertext, SEAL, "card 1"
    )
    for sealed in (data, over().sealed):
        with pytest.raises(KeyMisuse, match="opened by custody alone"):
            ISSUER.open(sealed)
        with pytest.raises(IntegrityError):
            ISSUER.open(dataclasses.replace(sealed, context="card 1"))
        with pytest.raises(KeyMisuse, match="by custody alone"):
            ISSUER.seal(SEAL, bytes(48), sealed.context)
    wrapped = BANK.to_transport(KeyRef("zmk"), keys())
    with pytest.raises(KeyRefused, match="MAC is wrong"):
        ISSUER.data_from_transport(KeyRef("zmk"), wrapped.ciphertext, SEAL, "keys that are called data")


@pytest.mark.parametrize("algorithm", TRANSPORTS)
@pytest.mark.parametrize("data", [b"x", bytes(8), bytes(16), bytes(range(71))])
def test_other_secrets_travel_in_cbc_with_a_mac(algorithm: Algorithm, data: bytes) -> None:
    transport = TRANSPORTS[algorithm]
    one, two = (BANK.to_transport(transport, BANK.seal(SEAL, data, "here")) for _ in range(2))
    assert (one.kcvs, one.ciphertext == two.ciphertext) == ((), False), "the same secret twice looks different"
    size = 8 if algorithm is Algorithm.TDES else 16
    body, mac = one.ciphertext[:-size], one.ciphertext[-size:]
    assert cmac(algorithm, derived(algorithm, b"MCDP MAC"), body) == mac
    decrypt = {Algorithm.TDES: des.cbc_decrypt, Algorithm.SM4: sm4.cbc_decrypt}.get(algorithm, aes.cbc_decrypt)
    padded = decrypt(derived(algorithm, b"MCDP ENC"), body[size:], body[:size])
    assert padded == data + b"\x80" + bytes(-(len(data) + 1) % size)
    got = [ISSUER.data_from_transport(transport, w.ciphertext, SEAL, f"there {n}") for n, w in enumerate((one, two))]
    assert got[0].context == "custody/data/there 0"
    assert [hidden(ISSUER, sealed) for sealed in got] == [data, data]


def test_secrets_are_compared_unless_they_could_be_guessed() -> None:
    def sealed(data: bytes) -> Sealed:
        return ISSUER.seal(SEAL, data, "here")

    assert ISSUER.same_secret(sealed(bytes(16)), sealed(bytes(16)))
    assert not ISSUER.same_secret(sealed(bytes(16)), sealed(bytes(17)))
    pin = ISSUER.new_pin(4, SEAL, "card 1")
    assert ISSUER.same_secret(pin, pin), "both are custody's own"
    assert ISSUER.same_secret(sealed(b"x"), sealed(b"x")), "both may be opened anyway"
    for one, other in ((pin, sealed(bytes(16))), (sealed(bytes(16)), pin), (sealed(b"24"), pin)):
        with pytest.raises(KeyMisuse, match="could be guessed"):
            ISSUER.same_secret(one, other)


@given(st.sampled_from(list(TRANSPORTS)), st.data())
def test_a_changed_secret_is_refused_before_it_is_opened(algorithm: Algorithm, data: st.DataObject) -> None:
    transport = TRANSPORTS[algorithm]
    whole = BANK.to_transport(transport, BANK.seal(SEAL, bytes(30), "c")).ciphertext
    at = data.draw(st.integers(0, 8 * len(whole) - 1))
    bent = bytearray(whole)
    bent[at // 8] ^= 1 << at % 8
    with pytest.raises(KeyRefused, match="the MAC is wrong"):
        ISSUER.data_from_transport(transport, bytes(bent), SEAL, "c")
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(KeyRefused, match=r"the MAC is wrong|no IV, blocks of"):
        ISSUER.data_from_transport(transport, whole[:cut], SEAL, "c")


def test_another_padding_is_refused_as_such() -> None:
    body = bytes(8) + des.cbc_encrypt(derived(Algorithm.TDES, b"MCDP ENC"), bytes(16))
    wrapped = body + cmac(Algorithm.TDES, derived(Algorithm.TDES, b"MCDP MAC"), body)
    with pytest.raises(KeyRefused, match="the padding is wrong"):
        ISSUER.data_from_transport(KeyRef("zmk"), wrapped, SEAL, "c")


@pytest.mark.parametrize("algorithm", TRANSPORTS)
def test_a_file_key_is_for_one_file(algorithm: Algorithm) -> None:
    transport = TRANSPORTS[algorithm]
    for context, data in ((b"head", b""), (b"head", b"record"), (b"", bytes(100))):
        expected = cmac(algorithm, derived(algorithm, b"MCDP FILE", context), data)
        assert (
            BANK.transport_mac(transport, context, data) == expected == ISSUER.transport_mac(transport, context, data)
        )
    assert BANK.transport_mac(transport, b"one", b"x") != BANK.transport_mac(transport, b"two", b"x")


@pytest.mark.parametrize("algorithm", [Algorithm.TDES, Algorithm.AES128, Algorithm.AES256])
def test_card_keys_travel_as_key_blocks_that_psec_reads(algorithm: Algorithm) -> None:
    transport, sent = TRANSPORTS[algorithm], keys()
    blocks = BANK.key_blocks(transport, sent)
    read = [psec_tr31.unwrap(LONG if algorithm is Algorithm.AES256 else ZMK, block) for block in blocks]
    assert [(h.key_usage, h.algorithm, h.mode_of_use) for h, _ in read] == [
        ("E0", "T", "X"),
        ("E2", "T", "X"),
        ("E1", "T", "X"),
    ]
    assert tuple(des.ecb_encrypt(key, bytes(8))[:3] for _, key in read) == sent.kcvs
    got = ISSUER.keys_from_blocks(transport, blocks, sent.kcvs, SEAL, "card 1")
    assert ISSUER.cryptogram(got, EMV_CSK, ATC, b"data") == BANK.cryptogram(sent, EMV_CSK, ATC, b"data")
    again = ISSUER.key_blocks(transport, got)
    assert psec_tr31.unwrap(LONG if algorithm is Algorithm.AES256 else ZMK, again[0])[1] == read[0][1]


def test_other_key_blocks_are_refused() -> None:
    zmk, kcvs = KeyRef("zmk"), keys().kcvs
    ac, smi, smc = BANK.key_blocks(zmk, keys())

    def take(blocks: tuple[str, ...], expected: tuple[bytes, ...] = kcvs) -> None:
        ISSUER.keys_from_blocks(zmk, blocks, expected, SEAL, "c")

    with pytest.raises(KeyRefused, match="it says usage E1"):
        take((ac, smc, smi))
    with pytest.raises(KeyRefused, match="2 key blocks are not those of AC, SMI and SMC"):
        take((ac, smi))
    with pytest.raises(KeyRefused, match="wrong MAC"):
        take((ac[:-1] + ("0" if ac[-1] != "0" else "1"), smi, smc))
    with pytest.raises(KeyRefused, match="another check value"):
        take((ac, smi, smc), (kcvs[1], kcvs[0], kcvs[2]))
    with pytest.raises(KeyMisuse, match="holds 3DES or AES keys, not 3des under sm4"):
        BANK.key_blocks(KeyRef("zmk-sm4"), keys())
    with pytest.raises(KeyMisuse, match="holds 3DES or AES keys, not sm4 under 3des"):
        BANK.key_blocks(zmk, keys("-sm4"))


def test_what_left_custody_sealed_prints_no_secret() -> None:
    wrapped = BANK.to_transport(KeyRef("zmk"), keys())
    plain = des.ecb_decrypt(ZMK, wrapped.ciphertext)
    for thing in (over(), over().sealed, ISSUER, wrapped):
        for at in (0, 16, 32):
            for form in (plain[at : at + 16].hex(), plain[at : at + 16].hex().upper(), str(plain[at : at + 16])[2:-1]):
                assert form not in repr(thing)


def test_changed_references_do_not_leave() -> None:
    bent = dataclasses.replace(keys(), sequence=2)
    for leave in (BANK.to_transport, BANK.key_blocks):
        with pytest.raises(KeyRefused, match="other check values"):
            leave(KeyRef("zmk"), bent)
    with pytest.raises(IntegrityError):
        ISSUER.to_transport(KeyRef("zmk"), Sealed(SEAL, bytes(40), "c"))


def test_a_pin_travels_under_sm4_too() -> None:
    custody = party()
    custody.generate("pek-sm4", Purpose.PIN, Algorithm.SM4, by="Li Na")
    custody.generate("pek", Purpose.PIN, Algorithm.TDES, by="Li Na")
    pin = custody.encrypt_pin(KeyRef("pek-sm4"), PinFormat.ISO4, Secret(b"918273"), PAN)
    three = custody.translate_pin(pin, KeyRef("pek"), PinFormat.ISO3)
    assert (len(pin.block), len(three.block)) == (16, 8)
    again = custody.translate_pin(three, KeyRef("pek-sm4"), PinFormat.ISO4)
    blocks = [hidden(custody, custody.seal_pin(one, SEAL, "a")) for one in (pin, again)]
    assert blocks == [bytes.fromhex("26918273FFFFFFFF")] * 2
    with pytest.raises(KeyMisuse, match="pek-sm4/1 is sm4, and format 0 is for another cipher"):
        custody.encrypt_pin(KeyRef("pek-sm4"), PinFormat.ISO0, Secret(b"918273"), PAN)
    with pytest.raises(KeyMisuse, match=r"^deciphering a PIN: "):
        custody.translate_pin(dataclasses.replace(pin, block=bytes(16)), KeyRef("pek"), PinFormat.ISO3)
