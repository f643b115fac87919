"""Bit fields against the specification's tables, written here as bytes."""

from __future__ import annotations

import pytest

from terminal.emv.data.bits import (
    AIP,
    AUC,
    TSI,
    TVR,
    AdditionalCapabilities,
    BiometricCapabilities,
    BitField,
    TerminalCapabilities,
)
from terminal.emv.data.cvm_list import CvmCode, CvmCondition, CvmList, CvmResult, CvmResults, CvmRule, method_text
from terminal.errors import CodecError

FIELDS: tuple[type[BitField], ...] = (
    *(TVR, TSI, AIP, AUC),
    *(TerminalCapabilities, AdditionalCapabilities, BiometricCapabilities),
)


@pytest.mark.parametrize(
    ("flag", "hexes"),
    [
        (TVR.ODA_NOT_PERFORMED, "8000000000"),
        (TVR.CDA_FAILED, "0400000000"),
        (TVR.NEW_CARD, "0008000000"),
        (TVR.ONLINE_CVM_CAPTURED, "0000040000"),
        (TVR.FLOOR_LIMIT_EXCEEDED, "0000008000"),
        (TVR.SCRIPT_FAILED_AFTER_FINAL_AC, "0000000010"),
        (TSI.ODA_PERFORMED, "8000"),
        (TSI.SCRIPT_PERFORMED, "0400"),
        (AIP.SDA | AIP.DDA | AIP.CARDHOLDER_VERIFICATION | AIP.TERMINAL_RISK_MANAGEMENT | AIP.CDA, "7900"),
        (AUC.AT_OTHER_TERMINALS | AUC.DOMESTIC_CASHBACK, "0180"),
        (
            TerminalCapabilities.MAGNETIC_STRIPE | TerminalCapabilities.CONTACTS | TerminalCapabilities.PLAINTEXT_PIN,
            "608000",
        ),
        (TerminalCapabilities.CDA, "000008"),
        (AdditionalCapabilities.GOODS | AdditionalCapabilities.CODE_TABLE_1, "4000000001"),
    ],
)
def test_a_flag_is_at_its_place(flag: BitField, hexes: str) -> None:
    assert flag.encode().hex() == hexes
    assert type(flag).decode(bytes.fromhex(hexes)) == flag


@pytest.mark.parametrize("field", FIELDS)
def test_no_two_flags_share_a_bit_or_their_words(field: type[BitField]) -> None:
    flags = list(field)
    assert len(field.__members__) == len(flags) == len({flag.text for flag in flags})
    assert all(flag.text and flag.value.bit_count() == 1 for flag in flags)


@pytest.mark.parametrize("field", FIELDS)
def test_another_length_is_refused(field: type[BitField]) -> None:
    with pytest.raises(CodecError, match=f"{field.__name__} has {field.size()}"):
        field.decode(bytes(field.size() + 1))


def test_places_are_listed_first_byte_first_and_rfu_bits_survive() -> None:
    flags = TVR.decode(bytes.fromhex("8004000001"))
    assert list(flags.places()) == [(1, 8, TVR.ODA_NOT_PERFORMED.text), (2, 3, ""), (5, 1, "")]
    assert flags.unnamed == 0x0004000001
    assert flags.encode() == bytes.fromhex("8004000001")
    assert (flags & ~TVR.ODA_NOT_PERFORMED).encode() == bytes.fromhex("0004000001")


def test_a_cvm_list_as_cards_have_it() -> None:
    data = bytes.fromhex("0000000000000000410342031E031F00")
    cvm_list = CvmList.decode(data)
    assert [rule.method for rule in cvm_list.rules] == [
        *(CvmCode.PLAINTEXT_PIN, CvmCode.ONLINE_PIN, CvmCode.SIGNATURE, CvmCode.NO_CVM)
    ]
    assert [rule.apply_next for rule in cvm_list.rules] == [True, True, False, False]
    assert [rule.condition for rule in cvm_list.rules] == [CvmCondition.TERMINAL_SUPPORTS] * 3 + [CvmCondition.ALWAYS]
    assert cvm_list.encode() == data
    assert CvmRule.of(CvmCode.ONLINE_PIN, CvmCondition.UNDER_X, apply_next=True).encode() == b"\x42\x06"


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(9)])
def test_a_cvm_list_of_an_odd_length_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="CVM list"):
        CvmList.decode(data)


def test_an_amount_that_a_cvm_list_cannot_hold_is_refused() -> None:
    with pytest.raises(CodecError, match="four bytes"):
        CvmList(1 << 32, 0, ()).encode()


def test_reserved_methods_and_conditions_are_named_and_not_guessed() -> None:
    rule = CvmRule(0x2A, 0x80)
    assert rule.method is None
    assert rule.condition is None
    assert str(rule) == "CVM 2A, reserved for the payment system: under a reserved condition, else fail"
    assert method_text(0x15).endswith("this specification")
    assert method_text(0x71).endswith("the issuer")


def test_cvm_results() -> None:
    results = CvmResults.decode(b"\x1e\x03\x00")
    assert (results.rule.method, results.result) == (CvmCode.SIGNATURE, CvmResult.UNKNOWN)
    assert CvmResults.decode(b"\x3f\x00\x07").result is None
    with pytest.raises(CodecError, match="3 are needed"):
        CvmResults.decode(b"\x1e\x03")
