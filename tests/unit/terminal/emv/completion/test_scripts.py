"""Issuer scripts before and after the final cryptogram. EMV 4.4 Book 3, 10.10; Book 4, 12.2.4, Annex A5."""

from __future__ import annotations

import pytest

from terminal.emv.data.bits import TSI, TVR
from terminal.emv.transaction.outcome import Outcome, Result, ScriptResult
from tests.support.cards.toys.emv_toy_card import ToyCard, ToyHost, tlv
from tests.support.cards.toys.emv_toy_terminal import OVER, run

UNBLOCK, PUT, UPDATE = "8424000000", "84DA9F1400", "04DC010C00"
FINE = {command[:8]: "9000" for command in (UNBLOCK, PUT, UPDATE)}
BEFORE, AFTER = TVR.SCRIPT_FAILED_BEFORE_FINAL_AC, TVR.SCRIPT_FAILED_AFTER_FINAL_AC


def script(tag: str, *commands: str, identifier: str | None = "A1B2C3D4") -> bytes:
    head = tlv("9F18", identifier) if identifier is not None else b""
    return tlv(tag, head + b"".join(tlv("86", command) for command in commands))


def delivered(
    *scripts: bytes, status: dict[str, str] | None = None, code: bytes = b"00", gone: str | None = None
) -> tuple[Outcome, ToyCard]:
    card = ToyCard(script_status={**FINE, **(status or {})}, gone_at=gone)
    return run(card, OVER, host=ToyHost(card, code=code, scripts=scripts)), card


def order(card: ToyCard) -> list[str]:
    return [apdu[1:2].hex().upper() for apdu in card.seen if apdu[1] in (0xAE, 0x24, 0xDA, 0xDC, 0x82)]


def test_scripts_71_go_before_and_72_after_the_final_cryptogram() -> None:
    outcome, card = delivered(script("72", UPDATE), script("71", UNBLOCK, PUT))
    assert order(card) == ["AE", "82", "24", "DA", "AE", "DC"]
    assert outcome.result is Result.APPROVED_ONLINE
    assert outcome.tsi & TSI.SCRIPT_PERFORMED
    assert outcome.script_results.hex() == "20a1b2c3d420a1b2c3d4"
    assert [result.template for result in outcome.scripts] == [0x71, 0x72]


def test_a_script_ends_at_its_failed_command_and_the_next_goes_on() -> None:
    outcome, card = delivered(
        script("71", PUT, UNBLOCK, UPDATE), script("71", UPDATE, identifier=None), status={UNBLOCK[:8]: "6A80"}
    )
    assert order(card) == ["AE", "82", "DA", "24", "DC", "AE"]
    assert outcome.tvr & BEFORE
    assert outcome.script_results.hex() == "12a1b2c3d42000000000"
    assert outcome.result is Result.APPROVED_ONLINE


@pytest.mark.parametrize("status", ["9000", "6283", "6300", "63C2"])
def test_warnings_let_a_script_go_on(status: str) -> None:
    outcome, card = delivered(script("71", UNBLOCK, PUT), status={UNBLOCK[:8]: status})
    assert "DA" in order(card)
    assert not outcome.tvr & BEFORE


@pytest.mark.parametrize("refusal", ["6985", "6A82", "6700", "6D00"])
@pytest.mark.parametrize("command", [UNBLOCK, "84240000081122334455667788" + "00"])
def test_a_command_whose_response_is_lost_was_executed(command: str, refusal: str) -> None:
    """61xx, and then GET RESPONSE is refused: the status of GET RESPONSE is none of the command's."""

    def bend(_turn: int, apdu: bytes, answer: bytes) -> bytes:
        return bytes.fromhex(refusal) if apdu[1] == 0xC0 else answer

    card = ToyCard(script_status={**FINE, UNBLOCK[:8]: "6110"}, bend=bend)
    outcome = run(card, OVER, host=ToyHost(card, scripts=(script("71", command, PUT),)))
    assert order(card) == ["AE", "82", "24", "DA", "AE"]
    assert not outcome.tvr & BEFORE
    assert outcome.script_results.hex() == "20a1b2c3d4"
    assert outcome.result is Result.APPROVED_ONLINE


@pytest.mark.parametrize("status", ["6400", "6985", "6700", "6F00"])
def test_errors_do_not(status: str) -> None:
    outcome, card = delivered(script("72", UNBLOCK, PUT), status={UNBLOCK[:8]: status})
    assert "DA" not in order(card)
    assert outcome.tvr & AFTER
    assert not outcome.tvr & BEFORE
    assert outcome.result is Result.APPROVED_ONLINE


@pytest.mark.parametrize(
    "broken",
    [
        tlv("71", b"\x86\x05\x84"[:2] + b"\x84"),
        tlv("71", tlv("86", "8424")),
        tlv("71", b""),
        tlv("71", tlv("9F18", "A1B2") + tlv("86", UNBLOCK)),
        script("71", UNBLOCK)[:-1],
        tlv("73", tlv("86", UNBLOCK)),
        b"",
    ],
)
def test_a_script_out_of_form_is_not_performed(broken: bytes) -> None:
    outcome, card = delivered(broken)
    assert "24" not in order(card)
    assert outcome.tvr & BEFORE
    assert outcome.tsi & TSI.SCRIPT_PERFORMED  # EMV 4.4 Book 3, Annex E1, scenario 3
    assert outcome.script_results[0] == 0
    assert len(outcome.script_results) == 5
    assert outcome.result is Result.APPROVED_ONLINE


@pytest.mark.parametrize("broken", [script("72", UNBLOCK)[:-1], tlv("72", tlv("86", "8424"))])
def test_a_script_72_out_of_form_fails_after_the_final_cryptogram(broken: bytes) -> None:
    outcome, card = delivered(broken, script("72", PUT))
    assert order(card) == ["AE", "82", "AE", "DA"]
    assert outcome.tvr & (BEFORE | AFTER) == AFTER
    assert [result.performed for result in outcome.scripts] == [False, True]


def test_scripts_are_delivered_when_the_issuer_declines_too() -> None:
    outcome, card = delivered(script("72", UNBLOCK), code=b"05")
    assert outcome.result is Result.DECLINED_ONLINE
    assert order(card)[-1] == "24"


def test_a_card_pulled_after_its_final_approval_fails_the_script_and_not_the_payment() -> None:
    outcome, _ = delivered(script("72", UNBLOCK), gone="24")
    assert outcome.result is Result.APPROVED_ONLINE
    assert outcome.tvr & AFTER
    assert outcome.script_results.hex() == "11a1b2c3d4"


def test_a_failed_command_beyond_the_fourteenth_is_coded_as_f() -> None:
    assert ScriptResult(0x71, bytes(4), 20, True, 17).encode().hex() == "1f00000000"


@pytest.mark.parametrize("tag", ["71", "72"])
def test_every_script_is_delivered_however_many_and_long_they_are(tag: str) -> None:
    """EMV 4.4 Book 3, Annex E2: a terminal may take more than 128 bytes, and drops none in silence."""
    scripts = [script(tag, UNBLOCK, PUT[:8] + "C8" + "00" * 200, identifier=f"{number:08X}") for number in range(40)]
    outcome, card = delivered(*scripts)
    assert order(card).count("24") == order(card).count("DA") == len(outcome.scripts) == 40
    assert outcome.script_results == b"".join(b"\x20" + number.to_bytes(4, "big") for number in range(40))


def test_an_empty_command_is_absent() -> None:
    outcome, card = delivered(tlv("72", tlv("9F18", "A1B2C3D4") + tlv("86", "") + tlv("86", UNBLOCK)))
    assert order(card)[-1] == "24"
    assert outcome.script_results.hex() == "20a1b2c3d4"


def test_a_script_whose_length_has_more_bytes_than_it_needs_is_delivered() -> None:
    outcome, card = delivered(b"\x72\x81\x07" + tlv("86", UNBLOCK))
    assert order(card)[-1] == "24"
    assert outcome.script_results.hex() == "2000000000"


def test_a_script_without_commands_is_reported_as_not_performed() -> None:
    outcome, _ = delivered(script("72"))
    assert outcome.tvr & AFTER
    assert outcome.script_results.hex() == "00a1b2c3d4"
