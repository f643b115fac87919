"""A counter's clock that is wrong redeems nothing: against the journal, the edition, and the office's own time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reader_service.redemptions.clock import CLOCK_LIMIT, REST_LIMIT, IssuerTime
from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.errors import ClockAhead, ClockSetBack, ClockWrong
from terminal.member.signed import Issue
from tests.support.cards.member_issuer import NOW
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import Edition, counter
from tests.unit.reader_service.redemptions.test_counter import kinds, redeemed, verdict_on

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
EDITION = Edition(issue=Issue(7, NOW - timedelta(days=200), NOW + timedelta(days=200)))


@pytest.fixture
def card() -> RedeemingCard:
    return RedeemingCard()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[CounterRedemptions]:
    opened = counter(tmp_path / "redemptions", NOW, EDITION)
    yield opened
    opened.journal.close()


def with_issuer(till: CounterRedemptions, at: datetime) -> CounterRedemptions:
    return CounterRedemptions(till.journal, replace(till.place, issuer_clock=lambda: at), till.zone)


def test_the_issuer_time_goes_on_by_a_clock_that_nobody_sets() -> None:
    ticks = [100.0]
    issuer = IssuerTime(lambda: ticks[0])
    assert issuer.now() is None
    issuer.heard(NOW)
    ticks[0] += 3600
    assert issuer.now() == NOW + timedelta(hours=1)


@pytest.mark.parametrize("off", [CLOCK_LIMIT + SECOND, -CLOCK_LIMIT - SECOND, timedelta(days=30), -timedelta(days=30)])
def test_a_clock_that_differs_from_the_issuers_asks_no_card(
    till: CounterRedemptions, card: RedeemingCard, off: timedelta
) -> None:
    online = with_issuer(till, NOW - off)
    with pytest.raises(ClockWrong, match="set the clock right"):
        redeemed(online, card)
    with pytest.raises(ClockWrong):
        online.offers(verdict_on(card), NOW)
    assert kinds(online) == []


@pytest.mark.parametrize("off", [CLOCK_LIMIT, -CLOCK_LIMIT])
def test_clocks_may_differ_a_little(till: CounterRedemptions, card: RedeemingCard, off: timedelta) -> None:
    assert redeemed(with_issuer(till, NOW - off), card).outcome.proven


def test_a_clock_set_back_within_the_days_of_the_edition_asks_no_card(
    till: CounterRedemptions, card: RedeemingCard
) -> None:
    redeemed(till, card)
    back = NOW - timedelta(minutes=5)
    for refused in (lambda: redeemed(till, card, back), lambda: till.offers(verdict_on(card, back), back)):
        with pytest.raises(ClockSetBack, match="set the clock right"):
            refused()
    assert kinds(till) == ["intent", "redeemed"]


def test_a_clock_long_after_the_last_redemption_needs_the_issuer_or_a_person(
    till: CounterRedemptions, card: RedeemingCard
) -> None:
    redeemed(till, card)
    ahead = NOW + REST_LIMIT + timedelta(days=2)
    till.journal.uploaded(till.journal.last, ahead)  # what a program does by itself confirms nothing
    with pytest.raises(ClockAhead, match="33 days after this counter was last used"):
        till.offers(verdict_on(card, NOW), ahead)
    assert with_issuer(till, ahead).offers(verdict_on(card, NOW), ahead)
    till.journal.acknowledge(ahead, by="王芳", reason="休园")
    assert till.offers(verdict_on(card, NOW), ahead)
