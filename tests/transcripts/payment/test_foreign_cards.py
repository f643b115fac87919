"""Whole transactions with recorded cards, most of them broken: the terminal comes to what EMV says, byte for byte."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from terminal.apdu import Transport
from terminal.apdu.transcript import Transcript
from terminal.emv.authentication.cakeys import CaStore, load_ca_store
from terminal.emv.transaction.outcome import Result
from tests.support.foreign.cards import CARDS, INDEX, heading, index
from tests.support.foreign.kit import NONE, ForeignCard

HERE = Path(__file__).parent
BY_NAME = {card.name: card for card in CARDS}


@cache
def keys() -> CaStore:
    return load_ca_store(HERE / "ca.json")


def recording(card: ForeignCard) -> str:
    return (HERE / f"{card.name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_transaction_ends_as_emv_says(card: ForeignCard) -> None:
    text = recording(card)
    with Transcript.parse(text) as transcript:
        meeting = card.meet(transcript, keys())
    outcome = meeting.outcome
    if outcome is None:
        assert card.result == NONE
        return
    actual = (outcome.result, f"{int(outcome.tvr):010X}", outcome.reversal, outcome.script_results.hex().upper())
    assert actual == (card.result, card.tvr, card.reversal, card.scripts), outcome.reason
    assert outcome.reason
    if card.cvm is not None:
        assert outcome.cvm_results.hex().upper() == card.cvm
    if card.pin_requests is not None:
        assert meeting.person is not None
        assert meeting.person.pin_requests == list(card.pin_requests)
    if card.goes_online is not None:
        assert meeting.bank is not None
        assert bool(meeting.bank.requests) is card.goes_online
    broken_off = outcome.result is Result.TERMINATED and text.rstrip().endswith(("TIMEOUT", "GONE"))
    assert (outcome.message == "PROCESSING ERROR") is broken_off


def test_every_recording_has_its_card_and_says_what_it_is() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == set(BY_NAME)
    assert len(BY_NAME) == len(CARDS)
    for card in CARDS:
        assert recording(card).startswith(heading(card)), card.name


def test_the_index_is_complete() -> None:
    """Made by ``python -m tests.support.foreign.cards``; a name, a rule or an outcome that differs shows here."""
    assert (HERE / INDEX).read_text(encoding="utf-8") == index()


@pytest.mark.parametrize("name", ["sound", "sound-t0", "dda", "sm-online", "enciphered-right", "script-both"])
def test_a_card_that_takes_its_time_is_waited_for(name: str) -> None:
    """A card asks for more time with S(WTX) or byte 60, which the reader grants; the kernel sets no time of its own.

    EMV Contact Interface Specification (formerly Book 1, 9.2): only an extension that runs out counts.
    """
    card, waited = BY_NAME[name], []

    class Late:
        """Every answer comes after five minutes, of which the transport tells nobody."""

        def __init__(self, inner: Transport) -> None:
            self.atr, self.protocol, self.extended_length = inner.atr, inner.protocol, inner.extended_length
            self.exchange = lambda apdu: (waited.append(300), inner.exchange(apdu))[1]
            self.reset, self.close = inner.reset, inner.close

    with Transcript.parse(recording(card)) as transcript:
        outcome = card.meet(Late(transcript), keys()).outcome
    assert outcome is not None
    assert (outcome.result, f"{int(outcome.tvr):010X}") == (card.result, card.tvr)
    assert sum(waited) >= 300 * 7
