"""What a finding says, in words: for the page and for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from programme.wording import yuan
from reader_service.pages.words import Words
from registry.programme.findings import Finding
from registry.programme.judgement import FindingKind

_TIMES: Final = ("at", "preceding", "complete")
_CODES: Final = ("code", "rule")
_LANGUAGES: Final = ("zh", "en")
"""Facts that are the whole sentence of a rule, in this language."""
_AMOUNTS: Final = ("amount", "expected")


def facts(words: Words, finding: Finding) -> str:
    """The facts of a finding as one text; empty where it has none."""
    return words("shell.comma").join(_facts(words, finding))


def _facts(words: Words, finding: Finding) -> Iterator[str]:
    for name, value in finding.facts.items():
        if name in _LANGUAGES:
            if name == words.language:
                yield str(value)
        elif name not in _CODES:
            yield f"{words.either(f'findings.fact-{name}', name)} {_value(words, finding, name, value)}"


def _value(words: Words, finding: Finding, name: str, value: str | int) -> str | int:
    if name in _TIMES:
        return words.moment(datetime.fromisoformat(str(value)))
    if name in _AMOUNTS and finding.kind == FindingKind.PRICE and isinstance(value, int):
        return yuan(value)
    return value


def effect(words: Words, finding: Finding) -> str:
    """Where a finding stands: decided, accepted by one of two, or open."""
    if finding.decision is not None:
        return words(f"findings.{finding.decision}")
    if finding.first_by is not None:
        return words("findings.half", person=words.actor(finding.first_by))
    return words("findings.holds" if finding.holds else "findings.note")
