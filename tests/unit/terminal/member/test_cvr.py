"""The issuer application data of a redemption, decoded and explained."""

from __future__ import annotations

import pytest

from terminal.emv.data.explain import explain_readable
from terminal.errors import CodecError
from terminal.member.cvr import REASONS, CvrFlag, RedemptionData
from terminal.member.elements import MEMBER_AID, dictionary
from terminal.member.redemption.presentation import REFUSALS, RESULTS, UPDATES
from terminal.member.redemption.redeem import RedemptionStatus
from terminal.member.scripts import UpdateStatus


def explained(data: str) -> list[str]:
    trees, fault = explain_readable(bytes.fromhex(data), MEMBER_AID, dictionary=dictionary())
    assert fault is None
    return [line for tree in trees for line in tree.lines()]


def test_a_tc_in_words() -> None:
    assert explained("9F100E07 010003628083 00 05040C260101") == [
        "9F10 issuer application data [070100036280830005040C260101]: CVN 0 (00)",
        "├─ derivation key index: 01",
        "├─ card verification results: 03628083",
        "├─ cryptogram: TC",
        "├─ byte 2 bit 6: The PIN was verified since SELECT",
        "├─ byte 2 bit 2: A script command was executed since the last TC",
        "├─ byte 3 bit 8: The benefit class is not on the card",
        "├─ byte 4 bit 8: A new period began",
        "├─ script commands since issue, modulo 16: 3",
        "├─ algorithm: 00",
        "├─ used after this redemption: 4 of 12",
        "└─ period start: 2026-01-01",
    ]


def test_an_aac_without_an_entitlement_in_words() -> None:
    lines = explained("9F100E07 010003008000 00 050000000000")
    assert "├─ cryptogram: AAC" in lines
    assert lines[-1] == "└─ period start: none"


def test_the_data_of_a_card_before_its_first_redemption_are_shown_in_hex() -> None:
    assert explained("9F10080701000000000000") == ["9F10 issuer application data: 0701000000000000"]


def test_the_elements_of_a_redemption_in_words() -> None:
    assert explained("DF2D03000000 DF2D03261122 DF2E020010 DF2F03261122".replace(" ", "")) == [
        "DF2D activated on [000000]: not yet",
        "DF2D activated on [261122]: 2026-11-22",
        "DF2E script counter [0010]: 16",
        "DF2F last date of a redemption [261122]: 2026-11-22",
    ]


def test_every_flag_is_decoded_by_itself() -> None:
    for flag in CvrFlag:
        results = (int(flag) | 0x0300_0000).to_bytes(4, "big")
        data = RedemptionData.decode(b"\x07\x01\x00" + results + bytes.fromhex("0005040C260101"))
        assert (data.flags, data.approved, data.scripts) == (flag, False, 0)
        assert data.reasons == ((flag,) if flag in REASONS else ())


@pytest.mark.parametrize("results", ["03800000", "03C00000", "03000010", "02400000", "04400000"])
def test_results_without_meaning_are_no_results(results: str) -> None:
    with pytest.raises(CodecError):
        RedemptionData.decode(bytes.fromhex(f"070100{results}0005040C260101"))


@pytest.mark.parametrize("data", ["", "07010003400000000504 0C2601", "070100034000000006040C260101"])
def test_data_in_another_form_are_refused(data: str) -> None:
    with pytest.raises(CodecError):
        RedemptionData.decode(bytes.fromhex(data))


def test_every_result_and_every_reason_has_words_in_both_languages() -> None:
    assert set(RESULTS) == set(RedemptionStatus)
    assert set(REFUSALS) == set(REASONS)
    assert set(UPDATES) == set(UpdateStatus)
    rows = [*RESULTS.values(), *REFUSALS.values(), *UPDATES.values()]
    assert all((row.tone.sign, row.word.zh, row.word.en, row.next.zh, row.next.en) for row in rows)
    assert len({row.word.zh for row in rows}) == len({row.word.en for row in rows}) == len(rows)
