"""What the linter finds: a place in the programme, and a sentence in both languages."""

from __future__ import annotations

from dataclasses import dataclass

from programme.programme import Location
from programme.wording import Sentence


@dataclass(frozen=True, slots=True)
class ProgrammeFinding:
    """``rule`` is the rule's name, ``location`` the path of the field, as in the file."""

    rule: str
    location: Location
    text: Sentence


def finding(rule: str, location: Location, zh: str, en: str) -> ProgrammeFinding:
    """A finding from its sentence in both languages."""
    return ProgrammeFinding(rule, location, Sentence(zh, en))
