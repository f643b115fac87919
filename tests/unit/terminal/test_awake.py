"""The clock of deadlines, on which a pause of the machine is no time."""

from __future__ import annotations

import time

from terminal.awake import AwakeClock


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_steps_shorter_than_the_longest_count_as_they_are() -> None:
    ticks = Ticks()
    clock = AwakeClock(1.0, ticks)
    for _ in range(50):
        ticks.now += 0.5
        clock()
    assert clock() == 125.0
    assert clock.left_out == 0


def test_a_pause_counts_as_the_longest_step() -> None:
    ticks = Ticks()
    clock = AwakeClock(1.0, ticks)
    ticks.now += 0.5
    before = clock()
    ticks.now += 3600
    assert clock() - before == 1.0
    assert clock.left_out == 3599
    ticks.now += 0.5
    assert clock() - before == 1.5


def test_it_reads_the_monotonic_clock_of_the_machine() -> None:
    clock = AwakeClock(float("inf"))
    before = time.monotonic()
    assert before <= clock() <= time.monotonic()
