"""A cache for parsed lists: cards of one issue carry the same ones, and a terminal meets the same issues all day."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

MAX_LENGTH: Final = 255
"""Longest input cached, in bytes: a record holds no more. Longer input, which could fill the memory, is not cached."""
MAX_ENTRIES: Final = 256
"""Results cached for one parser; the least recently used is dropped first."""

T = TypeVar("T")


def cached_parse(parse: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """``parse`` with a cache of its last results, which callers must not modify.

    Only for data that an issue has in common and that no check depends on: never for data of one card, never for the
    result of a verification.
    """
    cached = lru_cache(maxsize=MAX_ENTRIES)(parse)

    def cached_or_parsed(data: bytes) -> T:
        return cached(data) if len(data) <= MAX_LENGTH else parse(data)

    return cached_or_parsed
