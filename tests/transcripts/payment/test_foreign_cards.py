"""Whole transactions with recorded cards, most of them broken: the terminal comes to what EMV says, byte for byte."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from terminal.apdu.transcript import Transcript
from terminal.crypto.rsa import RsaPublic
from terminal.emv.cakeys import CaStore, ca_store
from terminal.emv.oda import CaKey
from tests.support.foreign_cards import CARDS, ForeignCard

HERE = Path(__file__).parent


@cache
def keys() -> CaStore:
    ca = json.loads((HERE / "ca.json").read_text())
    public = RsaPublic(int(ca["modulus"], 16), ca["exponent"])
    return ca_store([CaKey(bytes.fromhex(ca["rid"]), ca["index"], public)])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_transaction_ends_as_emv_says(card: ForeignCard) -> None:
    with Transcript.load(HERE / f"{card.name}.txt") as transcript:
        outcome = card.meet(transcript, keys())
    assert (outcome.result, f"{int(outcome.tvr):010X}") == (card.result, card.tvr), outcome.reason
    assert outcome.reason


def test_every_recording_has_its_card() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == {card.name for card in CARDS}
