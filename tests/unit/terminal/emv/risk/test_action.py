"""Terminal action analysis: denial before online before default. EMV 4.4 Book 3, 10.7."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from terminal.emv.data.bits import TVR
from terminal.emv.risk.action import analyse, when_offline
from terminal.emv.transaction.outcome import CryptogramType
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from tests.support.cards.toys.emv_toy_terminal import config_with

AAC, TC, ARQC = CryptogramType.AAC, CryptogramType.TC, CryptogramType.ARQC
NO_CODES = {0x9F0D: "0000000000", 0x9F0E: "0000000000", 0x9F0F: "0000000000"}
NO_TACS = ("tac_default: '0000000000'", "tac_denial: '0000000000'", "tac_online: '0000000000'")
EXPIRED, FLOOR = TVR.EXPIRED, TVR.FLOOR_LIMIT_EXCEEDED


def state_of(tvr: TVR, codes: Mapping[int, str]) -> TransactionState:
    state = TransactionState({})
    state.card = {tag: bytes.fromhex(value) for tag, value in codes.items()}
    state.note(KernelStage.RISK, "given", "test", tvr=tvr)
    return state


def hexa(bits: TVR) -> str:
    return bits.encode().hex()


def decide(
    tvr: TVR, codes: Mapping[int, str] = NO_CODES, tacs: tuple[str, ...] = NO_TACS, kind: str = "22"
) -> CryptogramType:
    config = config_with(*tacs, f'type: "{kind}"')
    return analyse(state_of(tvr, codes), config, config.applications[0])


def test_no_code_no_bit_is_an_approval() -> None:
    assert decide(TVR(0)) is TC
    assert decide(EXPIRED) is TC


@pytest.mark.parametrize(
    ("tag", "name", "kind", "requested"),
    [
        (0x9F0E, "tac_denial", "22", AAC),
        (0x9F0F, "tac_online", "22", ARQC),
        (0x9F0D, "tac_default", "23", AAC),
        (0x9F0E, "tac_denial", "23", AAC),
        (0x9F0E, "tac_denial", "21", AAC),
    ],
)
def test_each_code_works_from_the_issuer_and_from_the_terminal(
    tag: int, name: str, kind: str, requested: CryptogramType
) -> None:
    assert decide(EXPIRED, {**NO_CODES, tag: hexa(EXPIRED)}, kind=kind) is requested
    tacs = tuple(line if not line.startswith(name) else f"{name}: '{hexa(EXPIRED)}'" for line in NO_TACS)
    assert decide(EXPIRED, tacs=tacs, kind=kind) is requested
    assert decide(FLOOR, tacs=tacs, kind=kind) is (ARQC if kind == "21" else TC)


def test_denial_comes_before_online() -> None:
    assert decide(EXPIRED | FLOOR, {**NO_CODES, 0x9F0E: hexa(EXPIRED), 0x9F0F: hexa(FLOOR)}) is AAC


def test_an_online_only_terminal_always_asks_the_issuer() -> None:
    assert decide(TVR(0), kind="21") is ARQC
    assert decide(TVR(0), kind="24") is ARQC


def test_default_codes_do_not_count_while_the_terminal_can_go_online() -> None:
    assert decide(EXPIRED, {**NO_CODES, 0x9F0D: hexa(EXPIRED)}) is TC


def test_online_codes_do_not_count_for_an_offline_terminal() -> None:
    assert decide(EXPIRED, {**NO_CODES, 0x9F0F: hexa(EXPIRED)}, kind="23") is TC


def test_a_card_without_codes_denies_nothing_and_goes_online_for_anything() -> None:
    assert decide(EXPIRED, {}) is ARQC
    assert decide(TVR(0), {}) is TC
    assert decide(EXPIRED, {}, kind="23") is AAC


def test_a_code_of_a_wrong_length_counts_as_one_that_forbids() -> None:
    assert decide(EXPIRED, {**NO_CODES, 0x9F0E: "00000000"}) is AAC


def test_unable_to_go_online_falls_back_on_the_default_codes() -> None:
    config = config_with(*NO_TACS)
    codes = {**NO_CODES, 0x9F0D: hexa(FLOOR)}
    assert when_offline(state_of(FLOOR, codes), config.applications[0]) is AAC
    assert when_offline(state_of(EXPIRED, codes), config.applications[0]) is TC


def test_the_step_names_the_bits_that_decided() -> None:
    config = config_with(*NO_TACS)
    state = state_of(EXPIRED, {**NO_CODES, 0x9F0E: hexa(EXPIRED)})
    analyse(state, config, config.applications[0])
    assert "Expired application" in state.steps[-1].text
    assert state.steps[-1].stage is KernelStage.TERMINAL_ACTION
