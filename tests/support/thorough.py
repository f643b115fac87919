"""How much a test does: a little in the ordinary run, much more in the nightly ``make thorough``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

One = TypeVar("One")

THOROUGH = "thorough"
"""The name of the Hypothesis profile."""


def repeats(ordinary: int, thorough: int) -> int:
    """One of the two, by the run's profile."""
    return thorough if settings.get_current_profile_name() == THOROUGH else ordinary


def in_turn(names: Sequence[str], variants: Sequence[tuple[One, ...]]) -> list[tuple[str | One, ...]]:
    """Each name with one of the variants, in turn; with all of them in the thorough run."""
    shown = repeats(1, len(variants))
    return [
        (name, *variants[(place + more) % len(variants)]) for place, name in enumerate(names) for more in range(shown)
    ]
