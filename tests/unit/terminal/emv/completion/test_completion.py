"""From GENERATE AC to the outcome. EMV 4.4 Book 3, 10.8, 10.9, 10.11; Book 2, 6.6; Book 4, 6.3.6-6.3.9, Annex A6."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from terminal.emv.data.bits import TSI, TVR
from terminal.emv.transaction.outcome import CryptogramType, Outcome, Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.emv.transaction.step import KernelStage
from terminal.errors import ReaderFault
from tests.support.cards.toys.emv_toy_card import AAC, ARQC, DATA, PAN, TC, ToyCard, ToyHost, tlv
from tests.support.cards.toys.emv_toy_terminal import OVER, UNDER, config_with, run

OFFLINE, ONLINE = Result.APPROVED_OFFLINE, Result.APPROVED_ONLINE
NO, NO_ONLINE = Result.DECLINED_OFFLINE, Result.DECLINED_ONLINE


def online(card: ToyCard, amount: int = OVER, **how: object) -> tuple[Outcome, ToyHost]:
    host = ToyHost(card, **how)  # type: ignore[arg-type]
    return run(card, amount, host=host), host


def generated(card: ToyCard) -> list[bytes]:
    return [apdu for apdu in card.seen if apdu[1] == 0xAE]


def stage_text(outcome: Outcome, stage: KernelStage) -> str:
    return " | ".join(step.text for step in outcome.steps if step.stage is stage)


def test_approved_offline_with_a_signed_cryptogram() -> None:
    outcome = run(card := ToyCard())
    assert (outcome.result, outcome.response_code, outcome.message) == (OFFLINE, "Y1", "APPROVED")
    assert outcome.approved
    assert outcome.first is not None
    assert outcome.first.kind is CryptogramType.TC
    assert outcome.first.verified
    assert outcome.first.ac == card.arqc
    assert outcome.tsi & (TSI.ODA_PERFORMED | TSI.CARD_RISK_MANAGEMENT_PERFORMED) == (
        TSI.ODA_PERFORMED | TSI.CARD_RISK_MANAGEMENT_PERFORMED
    )
    assert not outcome.reversal


def test_the_first_list_is_filled_in_order_and_by_format() -> None:
    run(card := ToyCard())
    assert generated(card)[0].hex() == (
        "80ae500020" + "000000001234" + "000000000000" + "0156" + "0000000000" + "0156" + "261122" + "00"
        "a0a1a2a3" + "103000" + "00"
    )


@pytest.mark.parametrize("requested", [TC, ARQC])
def test_a_card_may_decline_a_request(requested: int) -> None:
    card = ToyCard(first=lambda _: AAC)
    outcome = run(card, UNDER if requested == TC else OVER)
    assert (outcome.result, outcome.response_code) == (NO, "Y1" if requested == TC else "Z1")
    assert len(generated(card)) == 1
    assert not outcome.tsi & TSI.ODA_PERFORMED, "the card signed nothing"
    assert not outcome.tvr & TVR.CDA_FAILED


def test_a_card_may_go_online_where_the_terminal_would_approve() -> None:
    card = ToyCard(first=lambda _: ARQC)
    outcome, host = online(card, UNDER)
    assert outcome.result is ONLINE
    assert host.requests[0].data[0x9F27] == b"\x80"


def test_a_cryptogram_of_a_higher_kind_ends_the_transaction() -> None:
    outcome = run(ToyCard(first=lambda _: TC), OVER)
    assert outcome.result is Result.TERMINATED
    assert "TC, which is more" in outcome.reason
    declined = ToyCard(data={**DATA, "9F0E": "FFFFFFFFFF", "5F24": "200101"}, first=lambda _: ARQC)
    assert run(declined).result is Result.TERMINATED


def test_the_denial_codes_ask_for_an_aac() -> None:
    card = ToyCard(data={**DATA, "9F0E": "0040000000", "5F24": "201231"})
    outcome = run(card)
    assert (outcome.result, outcome.response_code) == (NO, "Z1")
    assert generated(card)[0][2] == 0x00


def test_service_not_allowed_ends_the_transaction() -> None:
    assert run(ToyCard(first=lambda _: AAC, cid_extra=0x01)).result is Result.TERMINATED


def test_an_advice_that_the_card_wants_is_flagged() -> None:
    outcome = run(ToyCard(first=lambda _: AAC, cid_extra=0x08))
    assert outcome.advice
    assert "an advice is to be sent" in outcome.steps[-1].text
    assert not run(ToyCard(first=lambda _: AAC)).advice


def test_what_is_captured_needs_no_advice() -> None:
    """EMV 4.4 Book 4, 6.3.7, table 3."""
    outcome = run(ToyCard(cid_extra=0x08))
    assert outcome.approved
    assert not outcome.advice


@pytest.mark.parametrize(
    ("code", "second", "advice", "reversal"),
    [(b"05", AAC, True, False), (b"00", AAC, False, True), (b"00", TC, False, False)],
)
def test_script_results_go_into_a_reversal_or_an_advice(code: bytes, second: int, advice: bool, reversal: bool) -> None:
    """EMV 4.4 Book 4, 6.3.9: the issuer hears of its scripts also where nothing was paid."""
    scripts = (tlv("72", tlv("86", "8424000000")),)
    outcome, _ = online(ToyCard(second=lambda _: second), code=code, scripts=scripts)
    assert outcome.scripts
    assert (outcome.advice, outcome.reversal) == (advice, reversal)


def test_a_request_without_an_answer_is_reversed_although_card_and_terminal_then_approve() -> None:
    """EMV 4.4 Book 4, 12.2.3."""
    card = ToyCard(data={**DATA, "9F0D": "0000000000"})
    host = ToyHost(card, unable=Unable("no answer in time", sent=True))
    outcome = run(card, OVER, config=config_with("tac_default: '0000000000'"), host=host)
    assert (outcome.result, outcome.reversal) == (OFFLINE, True)
    assert "is to be reversed" in outcome.steps[-1].text
    assert "nothing was paid" not in outcome.steps[-1].text


@pytest.mark.parametrize(
    ("status", "reason"),
    [("6985", "6985"), ("9000", "not one data object"), ("80039000", "not one data object"), ("7000" + "9000", "70")],
)
def test_an_answer_out_of_form_ends_the_transaction(status: str, reason: str) -> None:
    outcome = run(ToyCard(status={"AE": status}))
    assert outcome.result is Result.TERMINATED
    assert reason in outcome.reason


UNPROVEN = {"aip": "1C00", "data": {**DATA, "9F0F": "0000000000"}}
"""A card without offline data authentication, which its issuer does not mind."""
NO_MATTER = "tac_online: '0000000000'"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (tlv("80", "4000070102030405060708")[:-1], "not one data object"),
        (tlv("80", "40000701020304050607"), "format 1 of 10 bytes"),
        (tlv("80", b"\x40" + bytes(43)), "format 1 of 44 bytes"),
        (tlv("77", tlv("9F27", "40") + tlv("9F36", "0007")), "9F26 is missing"),
        (tlv("77", tlv("9F27", "40") + tlv("9F26", bytes(8))), "9F36 is missing"),
        (tlv("77", tlv("9F36", "0007") + tlv("9F26", bytes(8))), "9F27 is missing"),
        (tlv("77", tlv("9F27", "4000") + tlv("9F36", "0007") + tlv("9F26", bytes(8))), "9F27 has 2 bytes"),
        (tlv("77", tlv("9F27", "40") * 2 + tlv("9F36", "0007") + tlv("9F26", bytes(8))), "occurs twice"),
        (tlv("77", tlv("9F27", "C0") + tlv("9F36", "0007") + tlv("9F26", bytes(8))), "no kind of cryptogram"),
        (tlv("77", tlv("9F27", "40") + tlv("9F36", "0007") + tlv("9F26", bytes(7))), "9F26 has 7 bytes"),
        (
            tlv("77", tlv("9F27", "40") + tlv("9F36", "0007") + tlv("9F26", bytes(8)) + tlv("9F10", bytes(33))),
            "9F10 has 33 bytes",
        ),
        (tlv("77", tlv("9F27", "40") + tlv("9F36", "0007") + tlv("9F4B", bytes(128))), "nobody asked for"),
    ],
)
def test_data_of_the_answer_that_are_missing_double_or_of_a_wrong_length_end_it(answer: bytes, reason: str) -> None:
    card = ToyCard(**UNPROVEN, status={"AE": answer.hex() + "9000"})  # type: ignore[arg-type]
    outcome = run(card, config=config_with(NO_MATTER))
    assert outcome.result is Result.TERMINATED
    assert reason in outcome.reason


def test_format_1_serves_a_card_without_cda() -> None:
    card = ToyCard(**UNPROVEN, format_1=True)  # type: ignore[arg-type]
    outcome = run(card, config=config_with(NO_MATTER))
    assert outcome.result is OFFLINE
    assert outcome.first is not None
    assert not outcome.first.verified
    assert outcome.first.issuer_data.hex() == "07010103a00000"


def test_a_card_that_leaves_out_the_signature_is_declined() -> None:
    outcome = run(ToyCard(format_1=True))
    assert outcome.result is NO
    assert outcome.tvr & TVR.CDA_FAILED
    assert outcome.response_code == "Y1"


def test_a_wrong_signature_over_a_tc_declines() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        return answer.replace(b"\x9f\x36\x02\x00\x07", b"\x9f\x36\x02\x00\x08") if command[1] == 0xAE else answer

    outcome = run(ToyCard(bend=bend))
    assert (outcome.result, outcome.response_code) == (NO, "Y1")
    assert outcome.tvr & TVR.CDA_FAILED


def test_a_wrong_signature_over_an_arqc_never_reaches_the_issuer() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        return answer.replace(bytes.fromhex("07010103"), bytes.fromhex("07010104")) if command[1] == 0xAE else answer

    card = ToyCard(bend=bend)
    outcome, host = online(card)
    assert outcome.result is NO
    assert host.requests == []
    assert [apdu[2] for apdu in generated(card)] == [0x90, 0x00]


def test_approved_online_with_issuer_authentication_by_command() -> None:
    card = ToyCard()
    outcome, host = online(card)
    assert (outcome.result, outcome.response_code) == (ONLINE, "00")
    assert card.issuer_known
    assert outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED
    assert outcome.second is not None
    assert outcome.second.kind is CryptogramType.TC
    assert outcome.second.verified
    assert not outcome.reversal
    request = host.requests[0]
    assert (request.card_number, request.sequence) == (PAN, 1)
    assert request.data[0x9F26] == card.arqc
    assert request.data[0x95].hex() == "0000008000"
    assert PAN not in repr(request)


def test_authentication_data_reach_a_card_without_the_command_through_cdol2() -> None:
    card = ToyCard(aip="3900")
    outcome, _ = online(card)
    assert outcome.result is ONLINE
    assert not [apdu for apdu in card.seen if apdu[1] == 0x82]
    assert not outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED
    body = generated(card)[1][5:]
    assert body[:2] == b"00"
    assert body[10:12] == b"00"


def test_a_failed_issuer_authentication_is_a_tvr_bit_that_the_card_sees() -> None:
    card = ToyCard()
    outcome, _ = online(card, data=bytes(10))
    assert outcome.tvr & TVR.ISSUER_AUTHENTICATION_FAILED
    assert generated(card)[1][17:22].hex() == "0000008040"
    assert outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED


def test_no_authentication_data_no_command() -> None:
    card = ToyCard()
    outcome, _ = online(card, authenticate=False)
    assert outcome.result is ONLINE
    assert not [apdu for apdu in card.seen if apdu[1] == 0x82]


@pytest.mark.parametrize("code", [b"00", b"11"])
def test_response_codes_that_approve(code: bytes) -> None:
    assert online(ToyCard(), code=code)[0].result is ONLINE


@pytest.mark.parametrize("code", [b"05", b"51", b"01", b"02", b"Z1", b"Y1"])
def test_every_other_response_code_declines_with_an_aac(code: bytes) -> None:
    card = ToyCard()
    outcome, _ = online(card, code=code)
    assert outcome.result is NO_ONLINE
    assert generated(card)[1][2] == 0x00
    assert not outcome.reversal


@pytest.mark.parametrize(("code", "condition"), [(b"08", "identification"), (b"10", "a part of the amount")])
def test_an_approval_on_a_condition_is_declined_and_reversed(code: bytes, condition: str) -> None:
    card = ToyCard()
    outcome, _ = online(card, code=code)
    assert (outcome.result, outcome.response_code, outcome.reversal) == (NO_ONLINE, code.decode(), True)
    assert generated(card)[1][2] == 0x00
    assert condition in stage_text(outcome, KernelStage.ONLINE)


@pytest.mark.parametrize("code", [b"Y1", b"Y3", b"05"])
def test_the_response_code_of_the_issuer_is_never_rewritten(code: bytes) -> None:
    """EMV 4.4 Book 4, Annex A6."""
    card = ToyCard()
    outcome, _ = online(card, code=code)
    assert (outcome.result, outcome.response_code) == (NO_ONLINE, code.decode())
    assert generated(card)[1][5:7] == code


def test_the_response_code_of_the_terminal_is_not_rewritten_where_the_card_decides_otherwise() -> None:
    """Its decision is the kind of its cryptogram. EMV 4.4 Book 4, Annex A6."""
    data = {**DATA, "8C": "8A029F02069F3704", "9F0D": "0000000000"}
    card = ToyCard(data=data, first=lambda _: AAC)
    outcome = run(card)
    assert (outcome.result, outcome.response_code) == (NO, "Y1")
    assert generated(card)[0][5:7] == b"Y1"
    card = ToyCard(data=data, second=lambda _: AAC)
    outcome = run(card, OVER, config=config_with("tac_default: '0000000000'"))
    assert (outcome.result, outcome.response_code) == (NO, "Y3")
    assert outcome.receipt is not None
    assert outcome.receipt.response_code == "Y3"


def test_an_offline_only_terminal_never_asks_a_host() -> None:
    """Also where the card wants to go online. EMV 4.4 Book 4, Annex A1."""
    for kind in ("23", "26", "36"):
        card = ToyCard(data={**DATA, "9F0D": "0000000000"}, first=lambda _: ARQC)
        host = ToyHost(card)
        outcome = run(card, config=config_with(f'type: "{kind}"', "tac_default: '0000000000'"), host=host)
        assert host.requests == []
        assert (outcome.result, outcome.response_code, outcome.reversal) == (OFFLINE, "Y3", False)
        forced = run(card := ToyCard(), config=config_with(f'type: "{kind}"'), host=host, force_online=True)
        assert host.requests == []
        assert forced.result is NO


def changing_cid(clear: int) -> Callable[[int, bytes, bytes], bytes]:
    """The first answer with another CID in clear."""

    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        at = answer.find(b"\x9f\x27\x01")
        first = command[1] == 0xAE and command[2] != 0x00
        return answer[: at + 3] + bytes((clear,)) + answer[at + 4 :] if first and at >= 0 else answer

    return bend


@pytest.mark.parametrize("clear", [TC, AAC, 0xC0, ARQC | 0x08])
def test_the_signed_kind_of_the_cryptogram_decides_for_a_request(clear: int) -> None:
    """EMV 4.4 Book 4, 6.3.2.1: the card waits for its second command, whatever its answer says in clear."""
    card = ToyCard(bend=changing_cid(clear))
    outcome, host = online(card)
    assert (outcome.result, host.requests) == (NO, [])
    assert [apdu[2] for apdu in generated(card)] == [0x90, 0x00]
    assert outcome.tvr & TVR.CDA_FAILED
    assert outcome.first is not None
    assert outcome.first.kind is CryptogramType.ARQC


@pytest.mark.parametrize("clear", [ARQC, AAC, 0xC0])
def test_the_signed_kind_of_the_cryptogram_decides_for_an_approval(clear: int) -> None:
    card = ToyCard(bend=changing_cid(clear))
    outcome, host = online(card, UNDER)
    assert (outcome.result, host.requests) == (NO, [])
    assert [apdu[2] for apdu in generated(card)] == [0x50], "the card has ended the transaction itself"
    assert outcome.tvr & TVR.CDA_FAILED


def test_a_signature_of_no_card_proves_no_kind() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xAE:
            return answer
        at = answer.find(b"\x9f\x4b\x81\x80")
        return answer[: at + 4] + bytes(128) + answer[at + 132 :]

    outcome = run(ToyCard(bend=bend))
    assert outcome.result is NO
    assert outcome.tvr & TVR.CDA_FAILED
    assert outcome.first is not None
    assert outcome.first.kind is CryptogramType.TC


def test_unknown_objects_of_an_answer_are_not_the_terminals_business() -> None:
    """EMV 4.4 Book 3, 7.5; an empty one is absent (5.2)."""
    more = tlv("DF7A", "01") * 2 + tlv("BF4A", tlv("82", "01") * 2) + tlv("9F10", "")
    answer = tlv("77", more + tlv("9F27", "40") + tlv("9F36", "0007") + tlv("9F26", bytes(8)) + tlv("9F4B", ""))
    card = ToyCard(**UNPROVEN, status={"AE": answer.hex() + "9000"})  # type: ignore[arg-type]
    assert run(card, config=config_with(NO_MATTER)).result is OFFLINE


def test_a_card_that_declines_what_the_issuer_approved_needs_a_reversal() -> None:
    outcome, _ = online(ToyCard(second=lambda _: AAC))
    assert outcome.result is NO_ONLINE
    assert outcome.reversal
    assert "reversal" in outcome.steps[-1].text


def test_a_card_pulled_after_the_issuer_approved_needs_a_reversal() -> None:
    outcome, _ = online(ToyCard(gone_at="AE1"))
    assert outcome.result is Result.TERMINATED
    assert outcome.message == "PROCESSING ERROR"
    assert outcome.reversal
    assert outcome.first is not None
    assert outcome.second is None


def test_a_card_pulled_before_the_online_request_needs_no_reversal() -> None:
    outcome, host = online(ToyCard(gone_at="AE0"))
    assert outcome.result is Result.TERMINATED
    assert not outcome.reversal
    assert host.requests == []
    assert outcome.response_code == ""


@pytest.mark.parametrize(("answer", "aip"), [(ARQC, "1C00"), (ARQC, "3D00"), (0xC0, "1C00"), (0xC0, "3D00")])
def test_a_second_cryptogram_of_a_kind_that_cannot_be_counts_as_an_aac(answer: int, aip: str) -> None:
    """EMV 4.4 Book 3, 9.3."""
    outcome, _ = online(ToyCard(aip=aip, second=lambda _: answer))
    assert outcome.result is NO_ONLINE
    assert outcome.reversal
    assert outcome.second is not None
    assert outcome.second.kind is CryptogramType.AAC


@pytest.mark.parametrize("aip", ["3D00", "1C00"])
def test_a_card_that_changes_its_counter_ends_the_transaction_with_a_reversal(aip: str) -> None:
    outcome, _ = online(ToyCard(aip=aip, second_atc=8))
    assert outcome.result is Result.TERMINATED
    assert outcome.reversal
    assert not outcome.approved


def test_a_wrong_signature_over_the_final_tc_declines_with_a_reversal() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        last = command[1] == 0xAE and command[2] == 0x50
        return answer.replace(bytes.fromhex("07010103"), bytes.fromhex("07010104")) if last else answer

    outcome, _ = online(ToyCard(bend=bend))
    assert outcome.result is NO_ONLINE
    assert outcome.reversal
    assert outcome.tvr & TVR.CDA_FAILED


@pytest.mark.parametrize(
    ("mode", "first", "second"), [(1, 0x90, 0x50), (2, 0x90, 0x40), (3, 0x80, 0x40), (4, 0x80, 0x50)]
)
def test_the_modes_of_cda_say_where_a_signature_is_requested(mode: int, first: int, second: int) -> None:
    card = ToyCard()
    config = config_with(more=f"cda_mode: {mode}\n")
    outcome = run(card, OVER, config=config, host=ToyHost(card))
    assert outcome.result is ONLINE
    assert [apdu[2] for apdu in generated(card)] == [first, second]


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
def test_an_approval_without_the_issuer_is_signed_in_every_mode(mode: int) -> None:
    data = {**DATA, "9F0D": "0000000000"}
    card = ToyCard(data=data)
    config = config_with("tac_default: '0000000000'", more=f"cda_mode: {mode}\n")
    outcome = run(card, OVER, config=config)
    assert (outcome.result, outcome.response_code) == (OFFLINE, "Y3")
    assert generated(card)[1][2] == 0x50
    assert generated(card)[1][5:7] == b"Y3"


def test_an_approval_without_the_issuer_whose_signature_is_wrong_is_none() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        last = command[1] == 0xAE and command[2] == 0x50
        return answer.replace(bytes.fromhex("07010103"), bytes.fromhex("07010104")) if last else answer

    card = ToyCard(data={**DATA, "9F0D": "0000000000"}, bend=bend)
    outcome = run(card, OVER, config=config_with("tac_default: '0000000000'"))
    assert (outcome.result, outcome.response_code) == (NO, "Y3")
    assert outcome.second is not None
    assert outcome.second.kind is CryptogramType.TC
    assert outcome.tvr & TVR.CDA_FAILED


def test_unable_to_go_online_declines_by_the_default_codes() -> None:
    card = ToyCard()
    outcome, _ = online(card, unable=Unable("the line is down"))
    assert (outcome.result, outcome.response_code) == (NO, "Z3")
    assert generated(card)[1][5:7] == b"Z3"
    assert "the line is down" in stage_text(outcome, KernelStage.ONLINE)
    assert not outcome.reversal


@pytest.mark.parametrize("fault", [ReaderFault("pin 1234"), OSError("refused"), TimeoutError(), ValueError("1234")])
def test_a_fault_of_the_way_to_the_issuer_is_unable_and_may_have_reached_it(fault: Exception) -> None:
    outcome, _ = online(ToyCard(), fault=fault)
    assert outcome.result is NO
    assert outcome.reversal
    assert "1234" not in stage_text(outcome, KernelStage.ONLINE)


@pytest.mark.parametrize(("code", "data"), [(b"0", None), (b"000", None), (b"\x000", None), (b"00", bytes(7))])
def test_an_answer_of_the_issuer_out_of_form_is_none(code: bytes, data: bytes | None) -> None:
    outcome, _ = online(ToyCard(), code=code, data=data)
    assert outcome.result is NO
    assert outcome.reversal


def test_an_approval_of_the_card_after_the_issuer_declined_does_not_count() -> None:
    outcome, _ = online(ToyCard(second=lambda _: TC), code=b"05")
    assert outcome.result is NO_ONLINE
    assert not outcome.reversal
    assert "counts as an AAC" in stage_text(outcome, KernelStage.COMPLETION)


@pytest.mark.parametrize(
    ("mode", "first"), [(1, "0000008000"), (2, "0000008000"), (3, "8000008000"), (4, "8000008000")]
)
def test_a_request_without_a_signature_tells_that_no_authentication_was_done_until_the_issuer_has_answered(
    mode: int, first: str
) -> None:
    """EMV 4.4 Book 2, 6.6: the bit goes with the ARQC and is cleared before the second cryptogram."""
    card = ToyCard()
    host = ToyHost(card)
    outcome = run(card, OVER, config=config_with(more=f"cda_mode: {mode}\n"), host=host)
    assert host.requests[0].data[0x95].hex() == first
    assert generated(card)[0][19:24].hex() == first
    assert generated(card)[1][17:22].hex() == "0000008000"
    assert f"{int(outcome.tvr):010X}" == "0000008000"


def test_a_tc_hash_is_over_the_lists_data_and_the_default_tdol_sets_its_bit() -> None:
    card = ToyCard(data={**DATA, "8C": "98149505"})
    outcome = run(card, config=config_with())
    assert not outcome.tvr & TVR.DEFAULT_TDOL_USED  # the terminal has none to use. EMV 4.4 Book 3, 9.2.2
    empty = hashlib.sha1(b"").hexdigest()  # noqa: S324
    assert generated(card)[0][5:25].hex() == empty
    card = ToyCard(data={**DATA, "8C": "98149505"})
    outcome = run(card, config=config_with("sm: true\n    default_tdol: 9F02069A03"))
    assert outcome.tvr & TVR.DEFAULT_TDOL_USED
    assert generated(card)[0][5:25].hex() == hashlib.sha1(bytes.fromhex("000000001234261122")).hexdigest()  # noqa: S324
    assert generated(card)[0][25:30].hex() == "0000000080"
    own = ToyCard(data={**DATA, "8C": "98149505", "97": "9F02069A03"})
    outcome = run(own)
    assert not outcome.tvr & TVR.DEFAULT_TDOL_USED
    hashed = hashlib.sha1(bytes.fromhex("000000001234261122")).hexdigest()  # noqa: S324
    assert generated(own)[0][5:25].hex() == hashed


@pytest.mark.parametrize("dol", ["9F02FF9F03FF", "9F"])
def test_a_list_that_no_command_carries_ends_the_transaction(dol: str) -> None:
    assert run(ToyCard(data={**DATA, "8C": dol})).result is Result.TERMINATED


def test_a_receipt_says_what_the_book_wants_and_no_card_number() -> None:
    receipt = run(ToyCard()).receipt
    assert receipt is not None
    assert receipt.card_number == "************0006"
    assert (receipt.amount, receipt.currency, receipt.date, receipt.time) == (UNDER, "0156", "2026-11-22", "10:30:00")
    assert receipt.aid == "A000000333010101"
    assert receipt.application == "UNIONPAY DEBIT"
    assert receipt.cryptogram.startswith("TC ")


def test_a_signature_is_requested_where_the_list_says_so() -> None:
    outcome = run(ToyCard(data={**DATA, "8E": "00000000000000001E00"}))
    assert outcome.signature
    assert outcome.receipt is not None
    assert outcome.receipt.signature_line
    assert outcome.cvm_results.hex() == "1e0000"


def test_a_declined_transaction_has_no_line_for_a_signature() -> None:
    outcome = run(ToyCard(data={**DATA, "8E": "00000000000000001E00"}, first=lambda _: AAC))
    assert outcome.receipt is not None
    assert not outcome.receipt.signature_line


def test_an_outcome_for_machines_has_no_card_number_and_every_step() -> None:
    outcome, _ = online(ToyCard())
    document = outcome.to_json()
    assert document["result"] == "approved online"
    assert [cryptogram["kind"] for cryptogram in document["cryptograms"]] == ["ARQC", "TC"]
    assert len(document["steps"]) == len(outcome.steps)
    assert PAN not in str(document)
    assert replace(outcome, steps=()).to_json()["steps"] == []


@pytest.mark.parametrize("scripts", [None, (None,), "72"])
def test_an_answer_of_other_types_is_none(scripts: object) -> None:
    class Host:
        def authorize(self, request: OnlineRequest) -> OnlineResponse:
            return OnlineResponse(b"00", None, scripts)  # type: ignore[arg-type]

    outcome = run(ToyCard(), OVER, host=Host())
    assert (outcome.result, outcome.response_code, outcome.reversal) == (NO, "Z3", True)
