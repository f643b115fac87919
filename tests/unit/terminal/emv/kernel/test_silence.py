"""A card that falls silent, at every command of a transaction: aborted, and taken back where the issuer approved.

EMV 4.4 Book 4, 6.3.8 (reversal), 6.6.1 (a card removed) and 11.2 (message 0F: time-outs); Book 3, 10.10, 10.11.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.protocols import OnlineHost, Unable
from terminal.errors import CardGone, DeadlineExceeded, TransportError
from tests.support.cards.toys.emv_toy_card import ToyCard, ToyHost
from tests.support.cards.toys.emv_toy_terminal import OVER, UNDER, run
from tests.support.foreign.toy import script

SCRIPTS = (script("71", "8424000000"), script("72", "84DA9F790300000100"))
Meet = Callable[[ToyCard], Outcome]


def card() -> ToyCard:
    return ToyCard(script_status={"84240000": "9000", "84DA9F79": "9000"})


def silent_from(turn: int, fault: type[TransportError]) -> ToyCard:
    """From this command on there is no answer."""
    toy_card = card()

    def bend(now: int, _: bytes, answer: bytes) -> bytes:
        if now >= turn:
            raise fault("no answer")
        return answer

    toy_card.bend = bend
    return toy_card


def turns_of(meet: Meet) -> list[int]:
    """The instruction bytes of the undisturbed transaction."""
    toy_card = card()
    meet(toy_card)
    return [command[1] for command in toy_card.seen]


def offline(toy_card: ToyCard) -> Outcome:
    return run(toy_card, UNDER)


def online(toy_card: ToyCard, host: OnlineHost | None = None) -> Outcome:
    return run(toy_card, OVER, host=host or ToyHost(toy_card, scripts=SCRIPTS))


@pytest.mark.parametrize("fault", [DeadlineExceeded, CardGone])
def test_before_the_card_spoke_there_is_no_transaction(fault: type[TransportError]) -> None:
    with pytest.raises(fault):
        offline(silent_from(0, fault))


@pytest.mark.parametrize("first", ["6110", "6C10"])
def test_a_promise_of_an_answer_is_none(first: str) -> None:
    """The answer to the very first command comes with the next turn, and that one never comes."""
    toy_card = silent_from(1, DeadlineExceeded)
    toy_card.status = {"A4": first}
    with pytest.raises(DeadlineExceeded):
        offline(toy_card)


def test_a_directory_that_was_selected_is_an_answer() -> None:
    """Nothing is decided before its records are read, but the card has spoken: its silence is an outcome."""
    toy_card = silent_from(1, CardGone)
    toy_card.status = {"A4": "6F15840E315041592E5359532E4444463031A5038801019000"}
    outcome = offline(toy_card)
    assert [command[1] for command in toy_card.seen] == [0xA4, 0xB2]
    assert (outcome.result, outcome.interrupted) == (Result.TERMINATED, True)
    assert len(outcome.steps) == 1


@pytest.mark.parametrize("fault", [DeadlineExceeded, CardGone])
def test_offline_every_silence_aborts_and_nothing_is_taken_back(fault: type[TransportError]) -> None:
    for turn in range(1, len(turns_of(offline))):
        outcome = offline(silent_from(turn, fault))
        assert (outcome.result, outcome.message) == (Result.TERMINATED, "PROCESSING ERROR"), turn
        assert not outcome.reversal
        assert not outcome.advice
        assert outcome.response_code in ("", "Z1")


@pytest.mark.parametrize("fault", [DeadlineExceeded, CardGone])
def test_online_silence_between_the_issuers_yes_and_the_final_tc_is_taken_back(fault: type[TransportError]) -> None:
    turns = turns_of(online)
    first, last = turns.index(0xAE), len(turns) - 1 - turns[::-1].index(0xAE)
    assert turns[first + 1 :] == [0x82, 0x24, 0xAE, 0xDA]
    for turn in range(1, len(turns)):
        toy_card = silent_from(turn, fault)
        host = ToyHost(toy_card, scripts=SCRIPTS)
        outcome = online(toy_card, host)
        assert bool(host.requests) is (turn > first), turn
        assert outcome.reversal is (first < turn <= last), turn
        assert outcome.approved is (turn > last), turn
        assert (outcome.message == "PROCESSING ERROR") is (turn <= last)


def test_silence_after_the_issuers_no_or_without_the_issuer_takes_nothing_back() -> None:
    hosts: list[Callable[[ToyCard], ToyHost]] = [
        lambda toy_card: ToyHost(toy_card, code=b"05"),
        lambda toy_card: ToyHost(toy_card, unable=Unable("the line is down")),
    ]
    for host in hosts:
        turns = turns_of(lambda toy_card, host=host: online(toy_card, host(toy_card)))  # type: ignore[misc]
        for turn in range(1, len(turns)):
            toy_card = silent_from(turn, DeadlineExceeded)
            outcome = online(toy_card, host(toy_card))
            assert not outcome.reversal
            assert not outcome.approved


def test_silence_after_an_answer_of_the_issuer_that_never_came_is_taken_back() -> None:
    """Nobody knows whether the issuer approved. EMV 4.4 Book 4, 12.2.3."""
    turns = turns_of(lambda toy_card: online(toy_card, ToyHost(toy_card, fault=TimeoutError())))
    toy_card = silent_from(len(turns) - 1, DeadlineExceeded)
    outcome = online(toy_card, ToyHost(toy_card, fault=TimeoutError()))
    assert outcome.result is Result.TERMINATED
    assert outcome.reversal
