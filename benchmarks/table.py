"""The result of a benchmark, and the comparison of two calls on a busy machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One result: what was measured, the figures with units, the ratio, the target and whether it is met."""

    what: str
    measured: str
    ratio: float
    target: str
    ok: bool


def alternate(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    calls: int,
    rounds: int = 31,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    """Seconds per call of both and the median ratio ours / theirs; ``clock`` may count processor time instead.

    The calls take turns, so that a slow moment of the machine affects both; each round gives one ratio, and the result
    is their median.
    """
    pairs = []
    for _ in range(rounds):
        pairs.append((_time(ours, calls, clock), _time(theirs, calls, clock)))
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return mine, other, statistics.median(a / b for a, b in pairs)


def _time(call: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        call()
    return (clock() - start) / calls
