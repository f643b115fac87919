"""The kernel as a whole: the order of the functions, and every way it can end early. EMV 4.4 Book 3, 8.2; 7.5."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from terminal.apdu import stack
from terminal.emv.authentication.cakeys import ca_store
from terminal.emv.data.bits import TVR
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.protocols import Choice, Pin
from terminal.emv.transaction.step import KernelStage
from terminal.emv.transaction.transaction import Transaction
from terminal.errors import CardGone
from tests.support.cards.toys.emv_toy_card import DATA, ToyCard, ToyHost
from tests.support.cards.toys.emv_toy_terminal import AT, OVER, config_with, run


class Nobody:
    """A cardholder who wants nothing of this."""

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        return None

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        return None


def test_the_stages_come_in_the_order_of_the_book() -> None:
    card = ToyCard()
    outcome = run(card, OVER, host=ToyHost(card))
    stages = [step.stage for step in outcome.steps]
    firsts = sorted(set(stages), key=stages.index)
    assert firsts == [stage for stage in KernelStage if stage is not KernelStage.SCRIPTS]
    assert all(step.source.startswith(("EMV 4.4 Book", "JR/T")) for step in outcome.steps)


def test_the_bits_of_all_steps_are_the_bits_of_the_outcome() -> None:
    outcome = run(ToyCard(data={**DATA, "9F08": "0031"}), OVER)
    tvr = TVR(0)
    for step in outcome.steps:
        assert not tvr & step.tvr
        tvr |= step.tvr
    assert tvr == outcome.tvr
    assert tvr & TVR.VERSIONS_DIFFER


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ({"A4": "6A81"}, Result.TERMINATED),
        ({"A4": "6A82"}, Result.TRY_ANOTHER_INTERFACE),
        ({"A8": "6985"}, Result.TERMINATED),
        ({"A8": "6F00"}, Result.TERMINATED),
        ({"B2": "6A83"}, Result.TERMINATED),
        ({"AE": "6985"}, Result.TERMINATED),
        ({"AE": "60"}, Result.TERMINATED),
        ({"A4": "6110", "C0": "6A82"}, Result.TERMINATED),
        ({"A8": "6110", "C0": "6985"}, Result.TERMINATED),
        ({"B2": "6110", "C0": "6A83"}, Result.TERMINATED),
        ({"AE": "6110", "C0": "6985"}, Result.TERMINATED),
    ],
)
def test_a_refusal_ends_the_transaction_without_a_decision(status: dict[str, str], result: Result) -> None:
    outcome = run(ToyCard(status=status))
    assert outcome.result is result
    assert outcome.response_code in ("", "Z1")
    assert not outcome.approved
    assert outcome.steps


def test_a_cardholder_who_wants_none_cancels() -> None:
    card = ToyCard(fci={"87": "81"})
    outcome = run_transaction(
        stack(card), config_with(), Transaction(100, AT), keys=ca_store([]), cardholder=Nobody(), host=None
    )
    assert outcome.result is Result.CANCELLED


def test_without_the_scheme_key_the_card_is_not_proven_and_the_codes_decide() -> None:
    outcome = run_transaction(stack(ToyCard()), config_with(), Transaction(100, AT), keys=ca_store([]))
    assert outcome.tvr & TVR.CDA_FAILED
    assert outcome.result is Result.DECLINED_OFFLINE


def test_a_card_that_never_answered_is_a_fault_of_the_way() -> None:
    with pytest.raises(CardGone):
        run(ToyCard(gone_at="A4"))


@pytest.mark.parametrize("step", ["A8", "B2", "AE"])
def test_a_card_pulled_on_the_way_ends_the_transaction(step: str) -> None:
    outcome = run(ToyCard(gone_at=step))
    assert outcome.result is Result.TERMINATED
    assert "pulled" in outcome.reason
    assert not outcome.reversal


def test_the_cards_records_cannot_bring_terminal_data() -> None:
    """A record with an amount of its own: the cryptogram is asked for over the terminal's."""
    card = ToyCard(data={**DATA, "9F02": "000000000001", "9F37": "00000000"})
    run(card)
    first = next(apdu for apdu in card.seen if apdu[1] == 0xAE)
    assert first[5:11].hex() == "000000001234"


def test_a_terminal_that_only_works_offline_declines_what_it_may_not_approve() -> None:
    outcome = run(ToyCard(), OVER, config=config_with('type: "23"'))
    assert outcome.result is Result.DECLINED_OFFLINE
    assert outcome.response_code == "Z1"


def test_a_terminal_that_only_works_online_asks_for_everything() -> None:
    card = ToyCard()
    outcome = run(card, 100, config=config_with('type: "21"'), host=ToyHost(card))
    assert outcome.result is Result.APPROVED_ONLINE
