"""Whatever comes back in a redemption or a recovery: only the proof of the card counts."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.apdu import stack
from terminal.errors import CardError
from terminal.member.proven import ProvenCard
from terminal.member.redemption.recovery import recover
from terminal.member.redemption.redeem import redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.verdict import verify
from tests.support.cards.member_issuer import NOW, TRUST, hotlist
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.thorough import repeats

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

REQUEST = RedemptionRequest(
    "0101", 1, 0, date(2026, 11, 22), time(10, 30), "PARK-EAST", "T0000001", bytes.fromhex("0BADF00D")
)
STATUS = st.sampled_from((b"\x90\x00", b"\x62\x83", b"\x63\xc1", b"\x69\x85", b"\x6a\x83", b"\x6a\x88"))


def proven(card: RedeemingCard) -> ProvenCard:
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    assert verdict.card is not None
    return verdict.card


def garble(data: st.DataObject, genuine: bytes) -> bytes:
    """Other bytes, a part of the genuine ones, or these with some replaced."""
    at, stop = (data.draw(st.integers(0, len(genuine))) for _ in range(2))
    body = data.draw(st.sampled_from((genuine[:at], genuine[:at] + genuine[stop:], b"")))
    return body + data.draw(st.binary(max_size=8))


class Garbled:
    """Changes the answers to one command; ``changed`` once it has."""

    def __init__(self, data: st.DataObject, instruction: int) -> None:
        self._data, self._instruction = data, instruction
        self.changed = False

    def __call__(self, command: bytes, answer: bytes) -> bytes:
        if command[1] != self._instruction:
            return answer
        bent = garble(self._data, answer[:-2]) + self._data.draw(STATUS)
        self.changed |= bent != answer
        return bent


@settings(max_examples=repeats(60, 3_000))
@given(st.data())
def test_a_garbled_answer_to_generate_ac_is_never_a_redemption(data: st.DataObject) -> None:
    card = RedeemingCard()
    chip, garbled = proven(card), Garbled(data, 0xAE)
    card.tamper = garbled
    try:
        redemption = redeem(stack(card), chip, REQUEST)
    except CardError:
        return
    assert redemption.done is not garbled.changed


@settings(max_examples=repeats(60, 3_000))
@given(st.data(), st.sampled_from((0xAE, 0xCA, 0xB2)))
def test_a_garbled_recovery_counts_nothing_twice(data: st.DataObject, instruction: int) -> None:
    card = RedeemingCard()
    assert redeem(stack(card), proven(card), REQUEST).done
    chip, used, garbled = proven(card), card.used, Garbled(data, instruction)
    card.tamper = garbled
    try:
        redemption = recover(stack(card), chip, REQUEST)
    except CardError:
        redemption = None
    assert card.used == used
    if redemption is not None and redemption.done:
        assert instruction != 0xAE or not garbled.changed
