"""The language of the command line, and its messages in Chinese and English.

A message is named by its English text, with ``{fields}`` where values go. The Chinese stands beside it in
``texts/ROOM/*.json``.
JSON output and exit codes are the same in both languages.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import chain
from types import MappingProxyType
from typing import TypeAlias

_FIELD = re.compile(r"\{(\w+)[^{}]*\}")
_PARAGRAPH = re.compile(r"\n\s*\n")
_EXAMPLE = "Example: "
_CLAUSE = "; "
_PLACED = re.compile(r"(?P<place>[^\s:]+:[0-9]+: [\w.-]+): (?P<fault>.+)")
"""A fault of a YAML file, with its place (terminal.emv.transaction.yamlfile)."""
_ONLY = {"digits": "[0-9]+", "hex": "[0-9A-F]+", "count": "[0-9,]+", "quoted": '[^"]+'}
"""Names of fields that hold a number and nothing else, or no quotation mark, with its pattern."""
_PEOPLE = frozenset({"person", "other_person"})
"""Names of fields that hold what somebody is called, which is no word to translate."""
_HOW_NAMED = ")"
"""The end of a name with how it came, ``Li Na (unproven)`` (registry.db.actors)."""
_TYPED = frozenset({"typed"})
"""Names of fields that hold what somebody typed."""
_MARK = 5
"""Letters of a message by which it is looked for: a look at each of a thousand messages took most of the time."""
_Pattern: TypeAlias = tuple[str, str, tuple[str, ...], str]


class Language(StrEnum):
    CHINESE = "zh"
    ENGLISH = "en"


class _Command:
    """The language that the command was given, for all of its threads."""

    language: Language | None = None


def choose(language: Language | None) -> None:
    """Set the language of this command; None: the one of the environment."""
    _Command.language = language


def wanted() -> Language | None:
    """The language of ``--lang`` or MEMBERCARD_LANG; None where neither names one."""
    named = os.environ.get("MEMBERCARD_LANG", "")
    return _Command.language or (Language(named) if named in set(Language) else None)


def current() -> Language:
    """The language of this command; without ``--lang`` and MEMBERCARD_LANG, that of the locale."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return wanted() or (Language.CHINESE if locale.startswith("zh") else Language.ENGLISH)


@cache
def catalogue() -> Mapping[str, str]:
    """Chinese texts by their English ones, of all files."""
    texts: dict[str, str] = {}
    rooms = sorted((files("membercard") / "texts").iterdir(), key=lambda room: room.name)
    for path in (path for room in rooms for path in sorted(room.iterdir(), key=lambda path: path.name)):
        texts |= json.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(texts)


def text(english: str, /, **values: object) -> str:
    """The message of this English text in the current language, with the values in its fields."""
    template = catalogue().get(english, english) if current() is Language.CHINESE else english
    return template.format(**values) if values else template.replace("{{", "{").replace("}}", "}")


def sentence(english: str) -> str:
    """A finished English sentence in the current language, such as an error of another package.

    It is found by the message that it was composed with, then clause by clause between semicolons; a sentence that no
    message fits is returned as it is. Of several lines each is one; what stands before it in a list of faults, file,
    line and field, stays.
    """
    if current() is not Language.CHINESE or not english:
        return english
    if english in catalogue():
        return catalogue()[english]
    if "\n" in english:
        return "\n".join(map(sentence, english.split("\n")))
    if placed := _PLACED.fullmatch(english):
        return f"{placed['place']}: {sentence(placed['fault'])}"
    for part_of_all, pattern, fields, chinese in _candidates(english):
        if part_of_all in english and (match := _compiled(pattern).fullmatch(english)):
            parts = dict(zip(fields, match.groups(), strict=True))
            values = {name: _field(name, part) for name, part in parts.items()}
            return _FIELD.sub(lambda field: values[field[1]], chinese)  # noqa: B023  # it is used at once
    clauses = english.split(_CLAUSE)
    chinese_clauses = [sentence(clause) for clause in clauses] if len(clauses) > 1 else []
    return "；".join(chinese_clauses) if chinese_clauses != clauses and chinese_clauses else english


def _field(name: str, part: str) -> str:
    """The value of a field in the current language."""
    if name in _PEOPLE:
        return person(part) if part.endswith(_HOW_NAMED) else part
    return part if name in _TYPED else sentence(part)


@cache
def _patterns() -> tuple[_Pattern, ...]:
    """Messages with fields as their longest fixed part and a regular expression, those with the most text of their own
    first. A look for the part is a tenth of the work of the expression."""
    patterns = []
    for english, chinese in catalogue().items():
        if fields := _FIELD.findall(english):
            fixed = _FIELD.split(english)[::2]
            first = dict.fromkeys(fields)
            pattern = "".join(
                re.escape(part) + (_group(place, fields) if place < len(fields) else "")
                for place, part in enumerate(fixed)
            )
            row = (max(fixed, key=len), pattern, tuple(first), chinese)
            patterns.append((len("".join(fixed)), row))
    return tuple(row for _, row in sorted(patterns, key=lambda one: -one[0]))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Once it is looked for: to compile those of all messages takes longer than a short command."""
    return re.compile(pattern, re.DOTALL)


def _candidates(english: str) -> Iterator[_Pattern]:
    """The messages with fields whose mark is in this text, in their order."""
    patterns, marks = _patterns(), _marks()
    present = marks.keys() & {english[at : at + _MARK] for at in range(len(english) - _MARK + 1)}
    return (patterns[number] for number in sorted(chain(marks[""], *(marks[mark] for mark in present))))


@cache
def _marks() -> Mapping[str, list[int]]:
    """The places of the messages with fields by a few letters of each, those that are in the fewest of them; "" for
    what is too short to have any."""
    pieces = [[part[at : at + _MARK] for at in range(len(part) - _MARK + 1)] or [""] for part, *_ in _patterns()]
    frequency = Counter(chain.from_iterable(pieces))
    marks: dict[str, list[int]] = {"": []}
    for number, its_pieces in enumerate(pieces):
        marks.setdefault(min(its_pieces, key=lambda piece: frequency[piece]), []).append(number)
    return MappingProxyType(marks)


def _group(place: int, fields: list[str]) -> str:
    """A group for the field, or a reference where the same field came before."""
    before = fields[:place]
    if fields[place] in before:
        return f"(?P={fields[place]})"
    return f"(?P<{fields[place]}>{_ONLY.get(fields[place], '.+?')})"


def reason(code: str, params: Mapping[str, object], english: str) -> str:
    """Why a chip was refused or a lane waits (personalize.reasons): by its code, in the words of the pages."""
    if current() is not Language.CHINESE:
        return english
    from reader_service.pages.words import Words  # needed for a refusal only, and slow to import

    return Words(Language.CHINESE).reason(code, {name: str(value) for name, value in params.items()}, sentence(english))


def person(recorded: str) -> str:
    """Who did something, as the registry records it: a name as it is, a lane and how the name came in words."""
    if current() is not Language.CHINESE or not recorded:
        return recorded
    from reader_service.pages.words import Words  # slow to import

    return Words(Language.CHINESE).actor(recorded)


def refusal(rule: str, params: Mapping[str, object], english: str) -> str:
    """Why the registry refused: its sentence where a message fits, else by its rule in the words of the pages. Where
    they have none for the rule, the sentence as it is."""
    translated = sentence(english)
    if translated != english:
        return translated
    by_rule = reason("record", {"reason": rule, **params}, english)
    return english if by_rule == reason("record", {}, english) else by_rule


def prose(english: str | None) -> str:
    """The help of a command, paragraph by paragraph, each on one line that the terminal wraps."""
    paragraphs = (" ".join(part.split()) for part in _PARAGRAPH.split(english or "") if part.strip())
    return "\n\n".join(map(_paragraph, paragraphs))


def _paragraph(english: str) -> str:
    if english.startswith(_EXAMPLE):
        return text(_EXAMPLE) + english.removeprefix(_EXAMPLE)
    return text(english) if current() is Language.CHINESE else english
