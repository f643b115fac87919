"""How much a test does: a little in the ordinary run, much more in the nightly ``make thorough``."""

from __future__ import annotations

from hypothesis import settings

THOROUGH = "thorough"
"""The name of the Hypothesis profile."""


def repeats(ordinary: int, thorough: int) -> int:
    """One of the two, by the run's profile."""
    return thorough if settings.get_current_profile_name() == THOROUGH else ordinary
