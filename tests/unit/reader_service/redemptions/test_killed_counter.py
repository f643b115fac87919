"""A counter that is killed at any moment: redemptions on chips are those of the journal, none lost and none twice."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.record import CounterRecord
from terminal.apdu import stack
from terminal.member.journal_rows import COUNTED
from terminal.member.verdict import verify
from tests.support.cards.member_issuer import NOW, TRUST, hotlist
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import choice, counter
from tests.support.thorough import repeats

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

KILLS = 20
"""Of one counter; ten counters in the nightly run."""


class Killed(BaseException):
    """The process ends here: nothing catches it."""


class Moments:
    """Counts the moments at which a process may be killed, and ends it at the one that was chosen."""

    def __init__(self) -> None:
        self.left = -1

    def passed(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any) -> Any:
            self.passed()
            result = call(*args)
            self.passed()
            return result

        return watched


@pytest.mark.parametrize("seed", range(repeats(2, 10)))
def test_redemptions_on_chips_are_those_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice, moments, at = random.Random(seed), Moments(), NOW
    for name in ("fsync", "pwrite"):
        monkeypatch.setattr(os, name, moments.around(getattr(os, name)))
    card = RedeemingCard(limit=250, used=0)
    card.exchange = moments.around(card.exchange)  # type: ignore[method-assign]
    kills, shown = 0, 0
    while kills < KILLS:
        moments.left = -1
        till = counter(tmp_path / "redemptions", at)
        moments.left = dice.randrange(1, 120)
        try:
            while True:
                at += timedelta(seconds=1)
                shown += redeemed(till, card, at)
        except Killed:
            kills += 1
        till.journal.close()
    moments.left = -1
    till = counter(tmp_path / "redemptions", at)
    redeemed(till, card, at)
    counted = [row.amount("counter") for row in till.journal.rows() if row.kind in COUNTED]
    assert till.journal.open_intents == ()
    assert sorted(counted) == list(range(0x42, 0x42 + card.used))
    assert len(counted) >= shown > KILLS / 4
    till.journal.close()


def redeemed(till: CounterRedemptions, card: RedeemingCard, at: datetime) -> int:
    """One insertion: what is open is settled first. The number of redemptions that were shown."""
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=at)
    recovered = till.recover(stack(card), verdict, at)
    if recovered is not None and recovered.outcome.proven:
        return 1
    record = till.redeem(stack(card), verdict, choice(), at, cashier="")
    return int(isinstance(record, CounterRecord) and record.outcome.proven)
