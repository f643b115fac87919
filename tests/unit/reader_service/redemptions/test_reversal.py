"""A redemption is taken back on its day, at its merchant, once, with its card in the reader; all else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.errors import ReversalFault, ReversalRefused
from reader_service.redemptions.intents import IntentResult
from reader_service.redemptions.receipt import receipt_text
from terminal.member.hotlist import HotCard, HotlistReason
from terminal.member.journal_rows import RowKind
from terminal.member.outcome import Verdict
from tests.support.cards.member_issuer import NOW, NUMBER
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import counter
from tests.unit.reader_service.redemptions.test_counter import kinds, redeemed, torn, verdict_on

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def card() -> RedeemingCard:
    return RedeemingCard()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[CounterRedemptions]:
    opened = counter(tmp_path / "redemptions", NOW)
    yield opened
    opened.journal.close()


def why(till: CounterRedemptions, verdict: Verdict, receipt: str, days: int = 0) -> ReversalFault:
    """Why it is refused; then nothing was written."""
    before = kinds(till)
    with pytest.raises(ReversalRefused) as refused:
        till.reverse(verdict, receipt, LATER + timedelta(days=days), by="王芳", reason="买错")
    assert kinds(till) == before
    return refused.value.fault


def test_a_redemption_is_taken_back_once_and_may_be_had_again(till: CounterRedemptions, card: RedeemingCard) -> None:
    record = redeemed(till, card, quantity=9)
    taken = till.reverse(verdict_on(card), record.receipt, LATER, by="王芳", reason="买错")
    assert (taken.number, taken.reversed) == (record.number, True)
    row = till.journal.row(till.journal.last)
    assert dict(row.data) == {"redemption": record.number, "by": "王芳", "reason": "买错"}
    assert why(till, verdict_on(card), record.receipt) is ReversalFault.TWICE
    assert till.journal.counted_of(NUMBER, 1) == []


def test_a_receipt_that_was_taken_back_says_so_and_what_is_paid_back(
    till: CounterRedemptions, card: RedeemingCard
) -> None:
    record = redeemed(till, card)
    taken = till.reverse(verdict_on(card), record.receipt, LATER, by="王芳", reason="买错")
    text = " ".join(receipt_text(taken, "东公园", "zh").split())
    assert "已撤销" in text
    assert "退还 100.00 元" in text
    assert "剩余" not in text, "what was left then is not what is left now"


def test_the_next_day_is_too_late(till: CounterRedemptions, card: RedeemingCard) -> None:
    assert why(till, verdict_on(card), redeemed(till, card).receipt, days=1) is ReversalFault.DAY


@pytest.mark.parametrize(
    "receipt", ["", "T0000001", "T0000001-", "T0000001-x", "T0000001-99", "T0000001-1", "T0000001-2"]
)
def test_a_number_of_no_redemption_is_refused(till: CounterRedemptions, card: RedeemingCard, receipt: str) -> None:
    redeemed(till, card)
    assert why(till, verdict_on(card), receipt) is ReversalFault.RECEIPT


def test_a_receipt_of_another_counter_is_refused(till: CounterRedemptions, card: RedeemingCard) -> None:
    record = redeemed(till, card)
    assert why(till, verdict_on(card), f"T0000002-{record.number}") is ReversalFault.RECEIPT


def test_a_receipt_of_another_merchant_is_refused(till: CounterRedemptions, card: RedeemingCard) -> None:
    record = redeemed(till, card)
    moved = CounterRedemptions(till.journal, replace(till.place, merchant="PARK-WEST"), till.zone)
    assert why(moved, verdict_on(card), record.receipt) is ReversalFault.MERCHANT


def test_another_card_or_none_takes_nothing_back(till: CounterRedemptions, card: RedeemingCard) -> None:
    mine = redeemed(till, card)
    done = till.journal.row(mine.number)
    request = till.journal.row(mine.intent).octets("request")
    intent = till.journal.begin("6212345000000000009", 1, request, NOW)
    other = till.journal.finish(intent, IntentResult(RowKind.REDEEMED, 1, done.octets("evidence")), NOW)
    assert why(till, verdict_on(card), f"T0000001-{other.number}") is ReversalFault.CARD
    assert why(till, replace(verdict_on(card), card=None), mine.receipt) is ReversalFault.CARD


def test_a_card_that_was_reported_lost_since_takes_nothing_back(till: CounterRedemptions, card: RedeemingCard) -> None:
    record = redeemed(till, card)
    lost = verdict_on(card, NOW, HotCard(NUMBER, 1, HotlistReason.LOST, NOW.date()))
    assert why(till, lost, record.receipt) is ReversalFault.REFUSED_CARD


def test_a_torn_redemption_is_no_redemption_to_take_back(till: CounterRedemptions, card: RedeemingCard) -> None:
    record = torn(till, card, counted=True)
    assert why(till, verdict_on(card), record.receipt) is ReversalFault.RECEIPT
