"""The card profile of the settings, in a module of its own: most commands need it, and few the line's wiring."""

from __future__ import annotations

from membercard import settings
from personalize.profiles.profile import Profile, default_profile, load_profile


def profile_in_use() -> Profile:
    """The profile that the settings name, or the shipped one. Raises ProfileError."""
    path = settings.load().profile
    return load_profile(path) if path else default_profile()
