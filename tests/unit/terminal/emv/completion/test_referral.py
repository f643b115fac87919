"""Voice referrals: the issuer wants to be called, and what it says then counts. EMV 4.4 Book 4, 6.5.2."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from terminal.emv.transaction.outcome import Result
from tests.support.cards.toys.emv_toy_card import AAC, TC, ToyCard, ToyHost
from tests.support.cards.toys.emv_toy_terminal import OVER, run


@dataclass
class Clerk:
    """An attendant who called the issuer."""

    approved: bool
    referrals: list[bytes] = field(default_factory=list)

    def referral(self, response_code: bytes) -> bool:
        self.referrals.append(response_code)
        return self.approved


@pytest.mark.parametrize("code", [b"01", b"02"])
@pytest.mark.parametrize("approved", [True, False])
def test_a_referral_is_decided_by_whoever_calls_the_issuer(code: bytes, approved: bool) -> None:
    card, clerk = ToyCard(), Clerk(approved)
    outcome = run(card, OVER, host=ToyHost(card, code=code), attendant=clerk)
    assert outcome.result is (Result.APPROVED_ONLINE if approved else Result.DECLINED_ONLINE)
    assert (outcome.response_code, outcome.reversal) == (code.decode(), False)
    assert [apdu[2] & 0xC0 for apdu in card.seen if apdu[1] == 0xAE][1] == (TC if approved else AAC)
    assert clerk.referrals == [code]


def test_a_card_that_declines_an_approved_referral_needs_a_reversal() -> None:
    card = ToyCard(second=lambda _: AAC)
    outcome = run(card, OVER, host=ToyHost(card, code=b"01"), attendant=Clerk(approved=True))
    assert (outcome.result, outcome.reversal) == (Result.DECLINED_ONLINE, True)


def test_no_other_answer_is_a_referral() -> None:
    for code in (b"00", b"05"):
        card, clerk = ToyCard(), Clerk(approved=True)
        outcome = run(card, OVER, host=ToyHost(card, code=code), attendant=clerk)
        assert outcome.approved is (code == b"00")
        assert not clerk.referrals


def test_without_an_attendant_a_referral_declines() -> None:
    card = ToyCard()
    outcome = run(card, OVER, host=ToyHost(card, code=b"01"))
    assert (outcome.result, outcome.reversal) == (Result.DECLINED_ONLINE, False)
    assert "there is no attendant to call the issuer" in " ".join(step.text for step in outcome.steps)


def test_a_call_that_fails_declines() -> None:
    class Cut:
        def referral(self, response_code: bytes) -> bool:
            raise OSError("1234")

    card = ToyCard()
    outcome = run(card, OVER, host=ToyHost(card, code=b"01"), attendant=Cut())
    assert (outcome.result, outcome.response_code) == (Result.DECLINED_ONLINE, "01")
    assert "could not call the issuer (OSError): declined" in " ".join(step.text for step in outcome.steps)
