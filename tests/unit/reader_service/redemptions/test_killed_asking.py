"""A counter that is killed at any moment while the issuer counts: each granted use is given, and given once."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.receiver import ReceiverAway
from reader_service.redemptions.record import CounterRecord
from terminal.apdu import stack
from terminal.member.journal_rows import RowKind
from terminal.member.verdict import verify
from tests.support.cards.member_issuer import NOW, TRUST, hotlist
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.thorough import repeats
from tests.unit.reader_service.redemptions.test_asking import TICKET, Issuer, till_of
from tests.unit.reader_service.redemptions.test_killed_counter import Killed, Moments

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
KILLS = 8


@pytest.mark.parametrize("seed", range(repeats(2, 10)))
def test_uses_that_were_granted_are_those_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice, moments, at = random.Random(seed), Moments(), NOW
    for name in ("fsync", "pwrite"):
        monkeypatch.setattr(os, name, moments.around(getattr(os, name)))
    issuer, card = Issuer(most=500), RedeemingCard()
    issuer.ask = moments.around(issuer.ask)  # type: ignore[method-assign]
    kills, shown = 0, 0
    while kills < KILLS:
        moments.left = -1
        till = till_of(tmp_path / "redemptions", issuer)
        moments.left = dice.randrange(1, 60)
        try:
            while True:
                at += timedelta(seconds=1)
                if dice.random() < 0.2:
                    (issuer.lost if dice.random() < 0.5 else issuer.early_faults).append(ReceiverAway("cut"))
                shown += inserted(till, card, at)
        except Killed:
            kills += 1
        till.journal.close()
    moments.left = -1
    issuer.lost, issuer.early_faults = [], []
    till = till_of(tmp_path / "redemptions", issuer)
    inserted(till, card, at + timedelta(seconds=1))
    rows = list(till.journal.rows())
    given = Counter(row.amount("intent") for row in rows if row.kind is RowKind.GIVEN)
    assert given == Counter(intent for _, intent in issuer.counted)
    assert set(given.values()) == {1}
    assert till.journal.open_intents == ()
    assert 0 < shown <= len(given)
    till.journal.close()


def inserted(till: CounterRedemptions, card: RedeemingCard, at: datetime) -> int:
    """One insertion: what is open is settled, then a seat is taken. How many results were shown."""
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=at)
    before = till.recover(stack(card), verdict, at)
    if before is not None and not before.outcome.proven:
        return 0
    result = till.redeem(stack(card), verdict, TICKET, at, cashier="")
    done = isinstance(result, CounterRecord) and result.outcome.proven
    return int(before is not None) + int(done)
