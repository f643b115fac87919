"""Waiting for what happens in another thread, process or reader, so that no test depends on the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds after which a wait gives up. A busy machine is slow; an event that was lost never comes."""


def eventually(condition: Callable[[], T], pause: float = 0.01) -> T:
    """Wait until ``condition`` is true, and return its last value: a false one when patience ran out."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return value
