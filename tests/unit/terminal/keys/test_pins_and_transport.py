"""PINs and bank secrets pass through custody without being revealed."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable

import pytest
from psec import des as psec_des
from psec import pinblock as psec_pin
from psec import tr31 as psec_tr31

from terminal.crypto import des, padding
from terminal.errors import KeyMisuse, KeyRefused, MembercardError
from terminal.keys import (
    EMV_CSK,
    Algorithm,
    KeyRef,
    MemoryCustody,
    PinBlock,
    PinFormat,
    Purpose,
    Sealed,
)
from terminal.secret import Secret

# psec takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

PAN, PIN = "6225880112345678", Secret(b"918273")
PEK, PEK_AES, SEAL = KeyRef("pek"), KeyRef("pek-aes"), KeyRef("seal")
DES_KEY = bytes.fromhex("8C2F4A6D1B3E50798FA1C4D6E8FB0D12")
AES_KEY = bytes.fromhex("5C2F4A6D1B3E50798FA1C4D6E8FB0D13")
ZMK_BYTES = bytes.fromhex("3D5F7B9C1E3A5D6C8E0A2D4F6B8C0E1A")
TRANSPORTS = {Algorithm.TDES: "zmk", Algorithm.SM4: "zmk-sm4", Algorithm.AES128: "zmk-aes"}


@pytest.fixture
def bank(custody: MemoryCustody) -> MemoryCustody:
    custody.import_key("pek", Purpose.PIN, Algorithm.TDES, Secret(DES_KEY), by="Li Na")
    custody.import_key("pek-aes", Purpose.PIN, Algorithm.AES128, Secret(AES_KEY), by="Li Na")
    for algorithm, name in TRANSPORTS.items():
        custody.import_key(name, Purpose.TRANSPORT, algorithm, Secret(ZMK_BYTES), by="Li Na")
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
    for purpose in (Purpose.AC, Purpose.SMI, Purpose.SMC):
        custody.generate(purpose.value, purpose, Algorithm.TDES, by="Li Na")
        custody.generate(f"{purpose}-sm4", purpose, Algorithm.SM4, by="Li Na")
    return custody


def masters(suffix: str = "") -> tuple[KeyRef, KeyRef, KeyRef]:
    return KeyRef(f"imk-ac{suffix}"), KeyRef(f"imk-smi{suffix}"), KeyRef(f"imk-smc{suffix}")


def read(pin: PinBlock) -> str:
    """By psec, with the keys that were imported."""
    if pin.format is PinFormat.ISO4:
        return psec_pin.decipher_pinblock_iso_4(AES_KEY, pin.block, pin.pan)
    decode = {PinFormat.ISO0: psec_pin.decode_pinblock_iso_0, PinFormat.ISO3: psec_pin.decode_pinblock_iso_3}
    return decode[pin.format](psec_des.decrypt_tdes_ecb(DES_KEY, pin.block), pin.pan)


def clear(bank: MemoryCustody, sealed: Sealed) -> bytes:
    """The plaintext of a sealed secret, by the transport key that this test knows; written out as in the docs."""
    wrapped = bank.to_transport(KeyRef("zmk"), sealed).ciphertext
    encryption = b"".join(des.cmac(ZMK_BYTES, bytes((i,)) + b"MCDP ENC\x00\x00\x80") for i in (1, 2))
    return padding.unpad2(des.cbc_decrypt(encryption, wrapped[8:-8], wrapped[:8]), 8)


KEY_OF = {PinFormat.ISO0: PEK, PinFormat.ISO3: PEK, PinFormat.ISO4: PEK_AES}


@pytest.mark.parametrize("form", PinFormat)
def test_an_online_pin_reads_back_at_the_host(bank: MemoryCustody, form: PinFormat) -> None:
    pin = bank.encrypt_pin(KEY_OF[form], form, PIN, PAN)
    assert (pin.key, pin.format, pin.pan, len(pin.block)) == (KEY_OF[form], form, PAN, 16 if form == "4" else 8)
    assert read(pin) == "918273"


@pytest.mark.parametrize("source", PinFormat)
@pytest.mark.parametrize("target", PinFormat)
def test_a_pin_is_translated_between_formats_and_keys(
    bank: MemoryCustody, source: PinFormat, target: PinFormat
) -> None:
    pin = bank.encrypt_pin(KEY_OF[source], source, PIN, PAN)
    translated = bank.translate_pin(pin, KEY_OF[target], target)
    assert (translated.key, translated.format, translated.pan) == (KEY_OF[target], target, PAN)
    assert read(translated) == "918273"


def test_a_banks_pin_becomes_the_cards_block(bank: MemoryCustody) -> None:
    theirs = PinBlock(PEK_AES, PinFormat.ISO4, psec_pin.encipher_pinblock_iso_4(AES_KEY, "918273", PAN), PAN)
    sealed = bank.seal_pin(theirs, SEAL, "card 1")
    assert sealed.context == "custody/data/card 1"
    assert clear(bank, sealed) == psec_pin.encode_pinblock_iso_2("918273")


@pytest.mark.parametrize("digits", [4, 6, 12])
def test_a_new_pin_is_seen_by_nobody_but_the_card(bank: MemoryCustody, digits: int) -> None:
    sealed_pins = [bank.new_pin(digits, SEAL, "card 1") for _ in range(40)]
    assert {sealed.context for sealed in sealed_pins} == {"custody/data/card 1"}
    with pytest.raises(KeyMisuse, match="opened by custody alone"):
        bank.open(sealed_pins[0])
    pins = [psec_pin.decode_pinblock_iso_2(clear(bank, sealed)) for sealed in sealed_pins]
    assert {len(pin) for pin in pins} == {digits}
    assert len(set(pins)) > 30, "each is drawn anew"
    assert len({pin[0] for pin in pins}) > 3, "the first digit too"


def opened(bank: MemoryCustody, *pins: Sealed, by: str = "Li Na", second: str = "Wang Fang") -> list[str]:
    return [pin.reveal().decode() for pin in bank.open_pins(pins, "B20261122-001", by=by, second=second)]


def test_pins_are_opened_for_their_letters_by_two_people_and_audited(bank: MemoryCustody) -> None:
    sealed_pins = [bank.new_pin(digits, SEAL, f"dossier/{digits}/1/8010") for digits in (4, 6, 12)]
    before = len(bank.audit())
    pins = opened(bank, *sealed_pins)
    assert pins == [psec_pin.decode_pinblock_iso_2(clear(bank, sealed)) for sealed in sealed_pins]
    (entry,) = bank.audit()[before:]
    assert (entry.by, entry.action, entry.key) == ("Li Na", "open-pins", "seal/1")
    assert entry.detail == "3 PINs of B20261122-001, second person Wang Fang"
    assert not any(pin in repr(bank.audit()) for pin in pins)
    assert (bank.pins_opened("B20261122-001"), bank.pins_opened("B20261122-002")) == (3, 0)


def test_a_pin_is_opened_once(bank: MemoryCustody) -> None:
    first, second = (bank.new_pin(6, SEAL, f"dossier/{number}/1/payment/8010") for number in (1, 2))
    opened(bank, first)
    for again in ((first,), (second, first), (second, second)):
        with pytest.raises(KeyMisuse, match="one of these was opened before"):
            opened(bank, *again)
    assert len(opened(bank, second)) == 1, "a refusal opens none"


@pytest.mark.parametrize(("by", "second"), [("Li Na", "li na"), ("Li Na", ""), ("", "Li Na"), ("李娜", " 李娜 ")])
def test_one_person_opens_no_pin(bank: MemoryCustody, by: str, second: str) -> None:
    sealed, before = bank.new_pin(6, SEAL, "dossier/1/1/8010"), bank.audit()
    with pytest.raises(KeyMisuse, match="two different people"):
        opened(bank, sealed, by=by, second=second)
    assert bank.audit() == before


def test_nothing_but_a_pin_is_opened_for_a_letter(bank: MemoryCustody) -> None:
    block = psec_pin.encode_pinblock_iso_2("918273")
    theirs = PinBlock(PEK_AES, PinFormat.ISO4, psec_pin.encipher_pinblock_iso_4(AES_KEY, "918273", PAN), PAN)
    before = bank.audit()
    for other in (
        bank.seal(SEAL, block, "dossier/1/1/8010"),
        bank.new_pin(6, SEAL, "dossier/1/1/0501"),
        bank.data_from_transport(
            KeyRef("zmk"), bank.to_transport(KeyRef("zmk"), bank.seal(SEAL, bytes(8), "x")).ciphertext, SEAL, "x/8010"
        ),
    ):
        with pytest.raises(KeyMisuse):
            opened(bank, other)
    assert bank.audit() == before
    assert opened(bank, bank.seal_pin(theirs, SEAL, "bank/1/8010")) == ["918273"]


@pytest.mark.parametrize("digits", [3, 13, 0, -1])
def test_a_new_pin_has_4_to_12_digits(bank: MemoryCustody, digits: int) -> None:
    with pytest.raises(KeyMisuse, match="4 to 12 digits"):
        bank.new_pin(digits, SEAL, "card 1")


def test_pin_keys_take_the_formats_of_their_cipher(bank: MemoryCustody) -> None:
    with pytest.raises(KeyMisuse, match="pek/1 is 3des, and format 4 is for another cipher"):
        bank.encrypt_pin(PEK, PinFormat.ISO4, PIN, PAN)
    with pytest.raises(KeyMisuse, match="pek-aes/1 is aes128, and format 0 is for another cipher"):
        bank.encrypt_pin(PEK_AES, PinFormat.ISO0, PIN, PAN)


@pytest.mark.parametrize("form", PinFormat)
def test_a_block_that_does_not_open_is_refused(bank: MemoryCustody, form: PinFormat) -> None:
    pin = bank.encrypt_pin(KEY_OF[form], form, Secret(b"123456789012"), PAN)
    for strange in (
        dataclasses.replace(pin, pan="6225889998887776"),
        dataclasses.replace(pin, block=bytes(len(pin.block))),
        dataclasses.replace(pin, block=pin.block[:-1]),
    ):
        with pytest.raises(KeyMisuse, match=r"^deciphering a PIN: "):
            bank.translate_pin(strange, PEK, PinFormat.ISO0)


def test_a_pin_key_leaves_as_a_key_block_that_psec_reads(bank: MemoryCustody) -> None:
    block = bank.export_block(PEK, KeyRef("zmk"), by="Li Na")
    header, key = psec_tr31.unwrap(ZMK_BYTES, block)
    assert key == DES_KEY
    assert (header.version_id, header.key_usage, header.algorithm, header.mode_of_use) == ("B", "P0", "T", "B")
    entry = bank.audit()[-1]
    assert (entry.by, entry.action, entry.key) == ("Li Na", "export", "pek/1")
    assert entry.detail == f"under zmk/1, KCV {bank.info(PEK).kcv.hex().upper()}"


@pytest.mark.parametrize(
    ("purpose", "usage", "mode"),
    [
        (Purpose.AC, "E0", "X"),
        (Purpose.SMC, "E1", "X"),
        (Purpose.SMI, "E2", "X"),
        (Purpose.PIN, "P0", "B"),
        (Purpose.CVK, "C0", "C"),
        (Purpose.CVK, "C0", "G"),
    ],
)
def test_a_banks_key_block_becomes_a_key(bank: MemoryCustody, purpose: Purpose, usage: str, mode: str) -> None:
    block = psec_tr31.wrap(ZMK_BYTES, psec_tr31.Header("D", usage, "T", mode, "00", "N"), DES_KEY)
    info = bank.import_block("bank", purpose, Algorithm.TDES, block, KeyRef("zmk-aes"), by="Li Na")
    assert (info.purpose, info.algorithm) == (purpose, Algorithm.TDES)
    assert info.kcv == psec_des.generate_kcv(DES_KEY, 3)
    assert bank.audit()[-1].action == "import"
    again = bank.export_block(info.ref, KeyRef("zmk-aes"), by="Li Na")
    assert psec_tr31.unwrap(ZMK_BYTES, again)[0].key_usage == usage


def test_a_key_block_for_another_use_is_refused(bank: MemoryCustody) -> None:
    block = psec_tr31.wrap(ZMK_BYTES, psec_tr31.Header("B", "M3", "T", "C", "00", "N"), DES_KEY)
    zmk = KeyRef("zmk")
    with pytest.raises(KeyRefused, match="it says usage M3, algorithm T, mode C, which is no 3des key for pek"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, block, zmk, by="Li Na")
    only = psec_tr31.wrap(ZMK_BYTES, psec_tr31.Header("B", "P0", "T", "E", "00", "N"), DES_KEY)
    with pytest.raises(KeyRefused, match="usage P0, algorithm T, mode E, which is no 3des key for pek"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, only, zmk, by="Li Na")
    free = psec_tr31.wrap(ZMK_BYTES, psec_tr31.Header("B", "P0", "T", "N", "00", "N"), DES_KEY)
    assert bank.import_block("free", Purpose.PIN, Algorithm.TDES, free, zmk, by="Li Na").purpose is Purpose.PIN
    with pytest.raises(KeyRefused, match="not of version D, which goes with zmk-aes/1"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, block, KeyRef("zmk-aes"), by="Li Na")
    with pytest.raises(KeyRefused, match="not of version B, which goes with zmk-sm4/1"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, block, KeyRef("zmk-sm4"), by="Li Na")
    bent = block[:-1] + ("0" if block[-1] != "0" else "1")
    with pytest.raises(KeyRefused, match="wrong MAC"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, bent, zmk, by="Li Na")
    with pytest.raises(KeyMisuse, match="no aes256 key for seal comes as a TR-31 key block"):
        bank.import_block("bank", Purpose.SEAL, Algorithm.AES256, block, zmk, by="Li Na")
    single = psec_tr31.wrap(ZMK_BYTES, psec_tr31.Header("B", "P0", "T", "B", "00", "N"), DES_KEY[:8])
    with pytest.raises(KeyRefused, match="8 bytes is no 3des key"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, single, zmk, by="Li Na")


def test_a_published_key_does_not_come_in_by_a_block(bank: MemoryCustody) -> None:
    block = psec_tr31.wrap(ZMK_BYTES, psec_tr31.Header("B", "P0", "T", "B", "00", "N"), bytes(range(0x40, 0x50)))
    with pytest.raises(KeyRefused, match="published test key"):
        bank.import_block("bank", Purpose.PIN, Algorithm.TDES, block, KeyRef("zmk"), by="Li Na")


def test_only_working_keys_leave(bank: MemoryCustody) -> None:
    bank.generate("pek-strong", Purpose.PIN, Algorithm.AES256, by="Li Na")
    for ref, why in (
        (SEAL, "a key for seal is not exported"),
        (KeyRef("zmk-aes"), "a key for zmk is not exported"),
        (KeyRef("imk-ac-sm4"), "holds 3DES or AES keys, not sm4 under 3des"),
        (KeyRef("pek-strong"), "zmk/1 is 3des, weaker than the key"),
    ):
        with pytest.raises(KeyMisuse, match=why):
            bank.export_block(ref, KeyRef("zmk"), by="Li Na")
    with pytest.raises(KeyMisuse, match="pek/1 is a key for pek, not zmk"):
        bank.export_block(PEK, PEK, by="Li Na")
    assert not [entry for entry in bank.audit() if entry.action == "export"]


@pytest.mark.parametrize("purpose", Purpose)
def test_no_other_purpose_leaves_by_a_key_block(
    bank: MemoryCustody, full_custody: MemoryCustody, purpose: Purpose
) -> None:
    ref, zmk = KeyRef(purpose.value), KeyRef(Purpose.TRANSPORT.value)
    if purpose in (Purpose.AC, Purpose.SMI, Purpose.SMC, Purpose.PIN, Purpose.CVK):
        assert full_custody.export_block(ref, zmk, by="Li Na").startswith("B")
    else:
        with pytest.raises(KeyMisuse, match=f"a key for {purpose} is not exported"):
            full_custody.export_block(ref, zmk, by="Li Na")
        with pytest.raises(KeyMisuse, match="comes as a TR-31 key block"):
            bank.import_block("new", purpose, Algorithm.TDES, "B", KeyRef("zmk"), by="Li Na")


def test_no_fault_shows_a_pin_or_a_key(bank: MemoryCustody) -> None:
    pin = Secret(b"9182736455468")
    keys = bank.application_keys(masters(), PAN, 1)
    block = bank.encrypt_pin(PEK, PinFormat.ISO0, PIN, PAN)
    faults: list[Callable[[], object]] = [
        lambda: bank.encrypt_pin(PEK, PinFormat.ISO0, pin, PAN),
        lambda: bank.encrypt_pin(PEK, PinFormat.ISO0, PIN, "1"),
        lambda: bank.translate_pin(dataclasses.replace(block, pan=PAN[::-1]), PEK, PinFormat.ISO3),
        lambda: bank.pin_for_card(keys, EMV_CSK, b"", bytes(8), block),
        lambda: bank.import_block("b", Purpose.PIN, Algorithm.TDES, "B" + DES_KEY.hex(), KeyRef("zmk"), by="Li Na"),
    ]
    for fault in faults:
        with pytest.raises(MembercardError) as caught:
            fault()
        text = "".join(traceback.format_exception(caught.value)).upper()
        assert "918273" not in text
        assert DES_KEY.hex().upper() not in text
    assert "918273" not in repr(block)
