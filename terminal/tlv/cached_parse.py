"""Parsed forms that are kept: cards of one issue carry the same lists, and a terminal meets the same issues all day."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

LONGEST: Final = 255
"""Bytes of a list that a record can hold. A longer one is parsed each time, so that no card can fill the memory."""
MOST: Final = 256
"""Lists kept by one parser; the one that was not met for the longest time goes first."""

T = TypeVar("T")


def cached_parse(parse: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """``parse`` with its last results kept. Only for what an issue has in common and what no check depends on: never
    for a card's own data, and never for the result of a verification. What ``parse`` gives must not be changed."""
    known = lru_cache(maxsize=MOST)(parse)

    def recall(data: bytes) -> T:
        return known(data) if len(data) <= LONGEST else parse(data)

    return recall
