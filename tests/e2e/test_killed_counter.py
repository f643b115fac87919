"""`kill -9` of the service of a busy counter at random moments: nothing is lost, and nothing twice."""

from __future__ import annotations

import pytest

from tests.support.cards.card_bench import fast_directory
from tests.support.service.busy_counter import VirtualSlot, busy_counter
from tests.support.thorough import repeats

KILLS, CARDS = repeats(3, 200), repeats(2, 10)
WORK = 1.5
"""Seconds of work before a kill, at most."""

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def test_redemptions_on_chips_are_those_of_the_journal_and_of_the_receiver() -> None:
    with fast_directory() as directory:
        counter = busy_counter(directory / "counter", CARDS, VirtualSlot(), seed=11)
        for _ in range(KILLS):
            counter.killed_at_work(WORK)
        counter.settled()
        on_chips, in_journal, booked = counter.accounts()
    assert on_chips == in_journal == booked
