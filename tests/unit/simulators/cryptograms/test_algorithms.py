"""Card keys, cryptograms and script commands against foreign implementations: pyemv, psec, gmssl."""

from __future__ import annotations

from dataclasses import replace

import psec
import pyemv
import pytest
from gmssl.sm4 import SM4_ENCRYPT, CryptSM4
from hypothesis import given
from hypothesis import strategies as st

from simulators.cryptograms import algorithms as crypto
from simulators.cryptograms.schemes import (
    CVN10,
    CVN18,
    CVN22,
    EMV,
    PBOC,
    PBOC_SM4,
    Cipher,
    CoveredIssuerData,
    Fold,
    IssuerScheme,
)
from simulators.issuer.pin import read_pin
from simulators.issuer.scripts import ScriptContext, ScriptInstruction, pin_change, pin_unblock, put_data, update_record
from terminal.errors import CodecError, CryptoError
from terminal.secret import Secret
from tests.support.cards.issuer_requests import AC, IAD, PAN, SMC, SMI, covered, purchase

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

ARQC = bytes.fromhex("769577B5ABE9FE62")
PANS = st.text("0123456789", min_size=8, max_size=19)
SEQUENCES = st.integers(0, 99)
ATCS = st.binary(min_size=2, max_size=2)
EIGHT = st.binary(min_size=8, max_size=8)
PINS = st.text("0123456789", min_size=4, max_size=12)
VISA = {
    "cvn10": (CVN10, pyemv.cvn.VisaCVN10, "A"),
    "cvn18": (CVN18, pyemv.cvn.VisaCVN18, "B"),
    "cvn22": (CVN22, pyemv.cvn.VisaCVN22, "B"),
}


def masters(option: str | None = None) -> crypto.IssuerMasters:
    return crypto.IssuerMasters(Secret(AC), Secret(SMI), Secret(SMC), option)


def sm4(key: bytes, data: bytes) -> bytes:
    """SM4 in ECB by gmssl's pure Python."""
    cipher = CryptSM4()
    cipher.set_key(key, SM4_ENCRYPT)
    rounds = (cipher.one_round(cipher.sk, list(data[at : at + 16])) for at in range(0, len(data), 16))
    return b"".join(bytes(block) for block in rounds)


def sm4_mac(key: bytes, data: bytes) -> bytes:
    padded = data + b"\x80"
    padded += bytes(-len(padded) % 16)
    state = bytes(16)
    for at in range(0, len(padded), 16):
        state = sm4(key, bytes(a ^ b for a, b in zip(state, padded[at : at + 16], strict=True)))
    return state


@given(PANS, SEQUENCES)
def test_card_keys_by_option_a_and_b_are_pyemvs(pan: str, sequence: int) -> None:
    a = crypto.card_keys(masters("A"), Cipher.TDES, pan, sequence)
    b = crypto.card_keys(masters("B"), Cipher.TDES, pan, sequence)
    psn = f"{sequence:02d}"
    assert a == tuple(pyemv.kd.derive_icc_mk_a(key, pan, psn) for key in (AC, SMI, SMC))
    assert b == tuple(pyemv.kd.derive_icc_mk_b(key, pan, psn) for key in (AC, SMI, SMC))
    assert crypto.card_keys(masters(), Cipher.TDES, pan, sequence) == b


@given(SEQUENCES)
def test_sm4_card_keys_are_one_block_of_number_and_inverse(sequence: int) -> None:
    y = bytes.fromhex(f"{PAN}{sequence:02d}"[-16:])
    block = y + bytes(b ^ 0xFF for b in y)
    assert crypto.card_keys(masters(), Cipher.SM4, PAN, sequence) == tuple(sm4(key, block) for key in (AC, SMI, SMC))


@pytest.mark.parametrize(("pan", "sequence"), [("", 0), ("62170A", 0), ("6" * 20, 0), (PAN, 100), (PAN, -1)])
def test_no_card_keys_for_what_is_no_card(pan: str, sequence: int) -> None:
    with pytest.raises(CryptoError, match="card number of digits"):
        crypto.card_keys(masters(), Cipher.TDES, pan, sequence)


@pytest.mark.parametrize("name", VISA)
@given(pan=PANS, sequence=SEQUENCES, atc=ATCS)
def test_cryptograms_of_visas_versions_are_pyemvs(name: str, pan: str, sequence: int, atc: bytes) -> None:
    scheme, make, option = VISA[name]
    values = purchase(IAD[name]) | {0x9F36: atc}
    keys = crypto.card_keys(masters(option), Cipher.TDES, pan, sequence)
    whole = scheme.covered_data is CoveredIssuerData.WHOLE
    own = values[0x9F10] if whole else values[0x9F10][3:7]
    card = make(AC, SMI, SMC, pan, f"{sequence:02d}")
    fields = {f"tag_{tag:02x}": value for tag, value in values.items() if tag not in (0x9F10, 0x9F27)}
    last = {"tag_9f10": own} if whole else {"cvr": own}
    assert crypto.cryptogram(scheme, keys, atc, covered(values, own)) == card.generate_ac(**fields, **last)


@given(ATCS, EIGHT, st.binary(min_size=2, max_size=2))
def test_response_cryptograms_of_method_1_are_pyemvs(atc: bytes, arqc: bytes, code: bytes) -> None:
    keys = crypto.card_keys(masters(), Cipher.TDES, PAN, 1)
    card = pyemv.cvn.VisaCVN10(AC, SMI, SMC, PAN, "01")
    assert crypto.arpc(CVN10, keys, atc, arqc, code) == card.generate_arpc(arqc, code)
    common = pyemv.kd.derive_common_sk(keys.ac, atc + bytes(6))
    assert crypto.arpc(EMV, keys, atc, arqc, code) == pyemv.ac.generate_arpc_1(common, arqc, code)


@given(ATCS, EIGHT, st.binary(min_size=4, max_size=4), st.binary(max_size=8))
def test_response_cryptograms_of_method_2_are_pyemvs(atc: bytes, arqc: bytes, csu: bytes, more: bytes) -> None:
    keys = crypto.card_keys(masters(), Cipher.TDES, PAN, 1)
    card = pyemv.cvn.VisaCVN18(AC, SMI, SMC, PAN, "01")
    assert crypto.arpc(CVN18, keys, atc, arqc, csu + more) == card.generate_arpc(arqc, atc, csu, more)


@given(ATCS, EIGHT)
def test_pboc_session_keys_encipher_the_counter_and_its_complement(atc: bytes, arqc: bytes) -> None:
    keys = crypto.card_keys(masters(), Cipher.TDES, PAN, 1)
    block = bytes(6) + atc + bytes(6) + bytes(b ^ 0xFF for b in atc)
    session = pyemv.tools.adjust_key_parity(pyemv.tools.encrypt_tdes_ecb(keys.ac, block))
    data = covered(purchase(IAD["pboc-des"]), b"\x03\xa0\x00\x00")
    assert crypto.cryptogram(PBOC, keys, atc, data) == pyemv.ac.generate_ac(session, data)
    assert crypto.arpc(PBOC, keys, atc, arqc, b"00") == pyemv.ac.generate_arpc_1(session, arqc, b"00")


@pytest.mark.parametrize("fold", list(Fold))
def test_sm4_cryptograms_are_those_of_another_sm4(fold: Fold) -> None:
    scheme = replace(PBOC_SM4, fold=fold)
    keys = crypto.card_keys(masters(), Cipher.SM4, PAN, 1)
    atc, data = b"\x01\x02", covered(purchase(IAD["pboc-sm4"]), b"\x03\xa0\x00\x00")

    def short(block: bytes) -> bytes:
        return block[:8] if fold is Fold.LEFT else bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True))

    ac, smi, smc = (sm4(key, bytes.fromhex("000000000000 0102 000000000000 FEFD")) for key in keys)
    assert crypto.cryptogram(scheme, keys, atc, data) == short(sm4_mac(ac, data))
    mixed = bytes(a ^ b for a, b in zip(ARQC, b"00" + bytes(6), strict=True))
    assert crypto.arpc(scheme, keys, atc, ARQC, b"00") == short(sm4(ac, mixed + bytes(8)))
    header = bytes.fromhex("8424000214")
    assert (
        crypto.script_mac(scheme, keys, atc, ARQC, header, data) == short(sm4_mac(smi, header + atc + ARQC + data))[:4]
    )
    assert crypto.script_encrypt(scheme, keys, atc, ARQC, b"12345678") == sm4(smc, b"\x0812345678\x80" + bytes(6))


@given(st.binary(max_size=40), ATCS, EIGHT)
def test_emvs_own_encryption_is_pyemvs(data: bytes, atc: bytes, arqc: bytes) -> None:
    keys = crypto.card_keys(masters(), Cipher.TDES, PAN, 1)
    session = pyemv.kd.derive_common_sk(keys.smc, arqc)
    expected = pyemv.sm.encrypt_command_data(session, data, pyemv.sm.EncryptionType.EMV)
    assert crypto.script_encrypt(EMV, keys, atc, arqc, data) == expected


@pytest.mark.parametrize(("data", "plain"), [(b"1234567", b"\x071234567"), (b"123456", b"\x06123456\x80")])
def test_pboc_pads_script_data_only_where_a_block_is_not_whole(data: bytes, plain: bytes) -> None:
    keys = crypto.card_keys(masters(), Cipher.TDES, PAN, 1)
    sealed = crypto.script_encrypt(PBOC, keys, b"\x00\x01", ARQC, data)
    session = crypto.session_key(PBOC.sm_session, Cipher.TDES, keys.smc, b"\x00\x01", ARQC)
    assert pyemv.tools.encrypt_tdes_ecb(session, plain) == sealed


@pytest.mark.parametrize("name", VISA)
@given(pin=PINS, atc=ATCS, arqc=EIGHT)
def test_pin_change_is_pyemvs(name: str, pin: str, atc: bytes, arqc: bytes) -> None:
    scheme, make, option = VISA[name]
    turn = _turn(replace(scheme, mac_length=8), option, atc, arqc)
    card = make(AC, SMI, SMC, PAN, "01")
    known = {"tag_9f26": arqc, "tag_9f36": atc}
    assert pin_change(Secret(pin.encode())).encode(turn) == card.generate_pin_change_command(pin, **known)
    checked = pin_change(Secret(pin.encode()), Secret(b"4321")).encode(turn)
    assert checked == card.generate_pin_change_command(pin, current_pin="4321", **known)


@pytest.mark.parametrize("name", VISA)
@pytest.mark.parametrize("length", [4, 8])
def test_macs_of_other_commands_are_pyemvs(name: str, length: int) -> None:
    scheme, make, option = VISA[name]
    atc = b"\x00\x07"
    turn = _turn(replace(scheme, mac_length=length), option, atc, ARQC)
    card = make(AC, SMI, SMC, PAN, "01")
    for command, header, data in (
        (pin_unblock(), "84240000", b""),
        (put_data(0x9F58, b"\x05"), "04DA9F58", b"\x05"),
        (update_record(1, 2, b"\x70\x03\x01\x02\x03"), "04DC020C", b"\x70\x03\x01\x02\x03"),
    ):
        head = bytes.fromhex(header) + bytes((len(data) + length,))
        mac = card.generate_command_mac(command_header=head, tag_9f26=ARQC, tag_9f36=atc, command_data=data)
        assert command.encode(turn) == head + data + mac[:length]


def _turn(scheme: IssuerScheme, option: str, atc: bytes, arqc: bytes) -> ScriptContext:
    return ScriptContext(scheme, crypto.card_keys(masters(option), Cipher.TDES, PAN, 1), atc, arqc)


def test_a_pin_change_shows_no_pin() -> None:
    command = pin_change(Secret(b"271828"))
    assert command.ins is ScriptInstruction.PIN_CHANGE
    assert "271828" not in repr(command)


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4", "１２３４"])
def test_what_is_no_pin_is_not_sent(pin: str) -> None:
    with pytest.raises(CodecError, match="4 to 12 digits"):
        crypto.new_pin_block(CVN22, crypto.card_keys(masters(), Cipher.TDES, PAN, 1), pin)


@pytest.mark.parametrize("call", [put_data, lambda tag, value: update_record(tag, 1, value)])
@pytest.mark.parametrize("wrong", [0, 0x10000])
def test_what_no_command_names(call: object, wrong: int) -> None:
    with pytest.raises(CodecError):
        call(wrong, b"")  # type: ignore[operator]


@given(PINS, st.text("0123456789", min_size=13, max_size=19))
def test_pin_blocks_of_psec_are_read(pin: str, pan: str) -> None:
    tdes, aes = SMI, bytes(range(16))
    keys = {"tdes": Secret(tdes), "aes_key": Secret(aes)}
    for clear in (psec.pinblock.encode_pinblock_iso_0(pin, pan), psec.pinblock.encode_pinblock_iso_3(pin, pan)):
        assert read_pin(psec.des.encrypt_tdes_ecb(tdes, clear), pan, **keys) == Secret(pin.encode())
    assert read_pin(psec.pinblock.encipher_pinblock_iso_4(aes, pin, pan), pan, **keys) == Secret(pin.encode())


@given(st.binary(max_size=24).filter(lambda block: len(block) not in (8, 16)))
def test_a_block_of_another_length_is_refused_by_its_length_only(block: bytes) -> None:
    with pytest.raises(CodecError, match=f"^a PIN block of {len(block)} bytes, for which this issuer has no key$"):
        read_pin(block, PAN, tdes=Secret(SMI), aes_key=Secret(AC))


@pytest.mark.parametrize("field", ["041234FFFFFFFF0F", "031234FFFFFFFFFF", "0D12345678901234", "141234FFFFFFFFFF"])
def test_a_field_that_is_not_filled_as_its_format_says_is_no_pin(field: str) -> None:
    part = bytes.fromhex("0000" + PAN[-13:-1])
    clear = bytes(a ^ b for a, b in zip(bytes.fromhex(field), part, strict=True))
    with pytest.raises(CodecError, match="does not decipher"):
        read_pin(psec.des.encrypt_tdes_ecb(SMI, clear), PAN, tdes=Secret(SMI), aes_key=None)


def test_a_pin_block_of_another_card_is_no_pin() -> None:
    clear = psec.pinblock.encode_pinblock_iso_0("1234", PAN)
    block = psec.des.encrypt_tdes_ecb(SMI, clear)
    with pytest.raises(CodecError, match="does not decipher"):
        read_pin(block, "6217009999999999", tdes=Secret(SMI), aes_key=None)
    with pytest.raises(CodecError, match="no key"):
        read_pin(block, PAN, tdes=None, aes_key=Secret(AC))
