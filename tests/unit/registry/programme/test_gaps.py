"""Gaps of transaction counters: found by the counters that are there, and gone with those that arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.programme.gaps import CounterGaps


def test_a_counter_above_the_next_one_leaves_a_gap() -> None:
    gaps = CounterGaps(0)
    gaps.take(3)
    assert (gaps.new, gaps.last) == ({(1, 2)}, 3)


def test_a_gap_on_record_is_resolved_and_its_rest_is_new() -> None:
    gaps = CounterGaps(9, {(2, 6): 41, (8, 8): 42})
    gaps.take(4)
    assert (gaps.resolved, gaps.new, gaps.known) == ([41], {(2, 3), (5, 6)}, {(8, 8): 42})
    gaps.take(8)
    assert gaps.resolved == [41, 42]


def test_a_counter_in_a_gap_that_a_person_closed_opens_nothing() -> None:
    gaps = CounterGaps(9)
    gaps.take(4)
    assert (gaps.resolved, gaps.new) == ([], set())


@given(st.permutations(range(1, 15)), st.integers(1, 14))
def test_in_any_order_the_gaps_are_what_is_missing(order: list[int], taken: int) -> None:
    gaps = CounterGaps(0)
    for counter in order[:taken]:
        gaps.take(counter)
    missing = {counter for first, last in gaps.new for counter in range(first, last + 1)}
    assert missing == set(range(1, max(order[:taken]))) - set(order[:taken])
    assert sum(last - first + 1 for first, last in gaps.new) == len(missing)
