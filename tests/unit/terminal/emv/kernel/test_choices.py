"""Where the books leave room: what this kernel decided, as docs/emv-kernel.md says it."""

from __future__ import annotations

import pytest

from terminal.emv.data.bits import TSI, TVR
from terminal.emv.transaction.config import parse_config
from terminal.emv.transaction.outcome import CryptogramType, Outcome, Result
from terminal.errors import CodecError
from tests.support.cards.toys.emv_toy_card import AID, DATA, ToyCard, ToyHost, objects, tlv
from tests.support.cards.toys.emv_toy_terminal import OVER, SHIPPED, config_with, run

SIGNATURE_OR_NOTHING = {**DATA, "8E": "00000000000000005E031F00"}


def first_command(card: ToyCard) -> bytes:
    return next(apdu for apdu in card.seen if apdu[1] == 0xAE)


def test_an_aac_is_requested_without_a_signature() -> None:
    """CDA was chosen: its certificates passed, nothing was signed and nothing failed."""
    card = ToyCard(data={**DATA, "5F24": "201231", "9F0E": "0040000000"})
    outcome = run(card)
    assert first_command(card)[2] == 0x00
    assert outcome.tvr == TVR.EXPIRED
    assert not outcome.tsi & TSI.ODA_PERFORMED


def test_a_signed_record_of_sfi_1_to_10_without_its_template_ends_the_transaction() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        return b"\x71" + answer[1:] if command[1:4] == b"\xb2\x01\x0c" else answer

    outcome = run(ToyCard(bend=bend))
    assert outcome.result is Result.TERMINATED
    assert "not one 70 template" in outcome.reason


@pytest.mark.parametrize("fill", ["FF", "FFFFFF", "00", "FF00"])
def test_bytes_ff_between_the_objects_of_a_card_are_padding(fill: str) -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xA4 or answer[-2:] != b"\x90\x00":
            return answer
        inside = bytes.fromhex(fill) + tlv("50", b"UNIONPAY") + bytes.fromhex(fill)
        return tlv("6F", tlv("84", AID) + tlv("A5", inside + tlv("9F38", "9F37049F0206"))) + b"\x90\x00"

    assert run(ToyCard(bend=bend)).result is Result.APPROVED_OFFLINE


@pytest.mark.parametrize("foreign", ["FF810605 DF12029F02", "FF810100", "FF810605 9F0E020000"])
def test_a_tag_that_begins_with_ff81_is_unknown_and_ignored(foreign: str) -> None:
    """A template of Book C-2 in a record is no padding before an amount (81)."""
    card = ToyCard()
    card.records[2, 1] = tlv("70", card.records[2, 1][3:] + bytes.fromhex(foreign) + tlv("DF7A", "01"))
    outcome = run(card)
    assert (outcome.result, int(outcome.tvr)) == (Result.APPROVED_OFFLINE, 0)


@pytest.mark.parametrize("pse", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_aids_of_the_terminal_that_match_one_name_the_longer_counts(pse: bool, order: int) -> None:
    """By the directory and by the list of AIDs alike, in whatever order the terminal has them."""
    config = config_with()
    short = config.applications[0].model_copy(update={"aid": "A000000333", "tac_denial": "FFFFFFFFFF"})
    long = short.model_copy(update={"aid": "A000000333010101", "version": "0077", "tac_denial": "0000000000"})
    config = config.model_copy(update={"applications": (short, long)[::order]})
    config = config.model_copy(update={"terminal": config.terminal.model_copy(update={"pse": pse})})
    outcome = run(ToyCard(data={**DATA, "9F0F": "0000000000"}), config=config)
    assert outcome.tvr == TVR.VERSIONS_DIFFER, "the version of the longer entry"


@pytest.mark.parametrize("kind", ["31", "32", "33", "30", "37", "41", "2", "220"])
def test_a_terminal_type_that_the_book_does_not_have_is_refused(kind: str) -> None:
    """A terminal that the cardholder operates is unattended. EMV 4.4 Book 4, Annex A1, table 24."""
    with pytest.raises(CodecError, match="type"):
        parse_config(SHIPPED.replace('type: "22"', f'type: "{kind}"'))


@pytest.mark.parametrize(("kind", "signs"), [("22", True), ("21", True), ("25", False), ("34", False), ("14", False)])
def test_where_nobody_attends_no_signature_is_taken(kind: str, signs: bool) -> None:
    card = ToyCard(data=SIGNATURE_OR_NOTHING)
    outcome = run(card, config=config_with(f'type: "{kind}"'), host=ToyHost(card))
    assert outcome.cvm_results.hex() == ("5e0300" if signs else "1f0002")
    assert outcome.signature is signs


@pytest.mark.parametrize("aip", ["BD00", "BC00", "9C00"])
def test_the_bit_for_xda_is_ignored(aip: str) -> None:
    """EMV 4.4 Book 3, Annex C1: byte 1, b8."""

    def end(profile: str) -> tuple[object, ...]:
        outcome = run(ToyCard(aip=profile))
        return outcome.result, outcome.tvr, outcome.tsi

    assert end(aip) == end(f"{int(aip, 16) & 0x7FFF:04X}")


@pytest.mark.parametrize("method", range(0x06, 0x10))
def test_biometric_methods_are_not_recognised(method: int) -> None:
    card = ToyCard(data={**DATA, "8E": f"0000000000000000{method | 0x40:02X}001F00"})
    outcome = run(card)
    assert outcome.tvr == TVR.CVM_UNRECOGNISED
    assert outcome.cvm_results.hex() == "1f0002"


def test_a_script_that_is_empty_is_reported_like_one_out_of_form() -> None:
    card = ToyCard()
    outcome = run(card, OVER, host=ToyHost(card, scripts=(tlv("72", ""), tlv("71", objects({"9F18": "A1B2C3D4"})))))
    assert outcome.script_results.hex() == "00a1b2c3d4" + "0000000000"
    assert outcome.tvr & TVR.SCRIPT_FAILED_BEFORE_FINAL_AC
    assert outcome.tvr & TVR.SCRIPT_FAILED_AFTER_FINAL_AC


def kinds(outcome: Outcome) -> list[CryptogramType]:
    return [cryptogram.kind for cryptogram in (outcome.first, outcome.second) if cryptogram is not None]


@pytest.mark.parametrize("code", [b"08", b"10"])
def test_a_conditional_approval_is_no_approval(code: bytes) -> None:
    card = ToyCard()
    outcome = run(card, OVER, host=ToyHost(card, code=code))
    assert kinds(outcome) == [CryptogramType.ARQC, CryptogramType.AAC]
    assert (outcome.result, outcome.reversal) == (Result.DECLINED_ONLINE, True)
