"""Card profiles for tests that are not about activation: the shipped ones, whose cards are good once personalized."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from personalize.profiles.profile import Profile, load_profile, parse_profile
from tests.support.paths import ROOT

MEMBER: Final = "union-member"
BANK: Final = "union-member-bank"
FILE: Final = ROOT / "tests" / "data" / "profiles" / "union-member.yaml"
"""What commands under test use, unless they name a profile."""


def shipped_text(name: str = MEMBER) -> str:
    """A shipped profile, to be changed."""
    return (files("personalize") / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")


def text(name: str = MEMBER) -> str:
    """A shipped profile without activation, to be changed further."""
    shipped = shipped_text(name)
    assert shipped.count("activation: required") == 1
    return shipped.replace("activation: required", "activation: none")


@cache
def plain(name: str = MEMBER) -> Profile:
    """A shipped profile without activation."""
    return load_profile(FILE) if name == MEMBER else parse_profile(text(name), name)
