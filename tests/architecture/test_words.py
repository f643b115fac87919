"""Names in the program are words of the field: a newcomer who knows cards and HTTP needs no second dictionary."""

from __future__ import annotations

import functools
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

PROGRAM = (
    "membercard",
    "personalize",
    "programme",
    "reader_service",
    "registry",
    "simulators",
    "terminal",
    "benchmarks",
    "scripts",
)
PRIVATE = frozenset(
    "alone asked deed deeds desk desks door doors drawer drawers found furniture gate gates ground grounds hopper "
    "hoppers house houses hub hubs keeper keepers kept made office offices reasoned said seams seat seats told twin "
    "whom".split()
)
"""Words that once stood for a service, a reader's session, a stored answer and the like."""
STANDARD = re.compile("NotFound|not_found")
"""What HTTP and Python call a missing thing."""

PUBLISHED = {
    "connection_made": "asyncio.Protocol",
    "drawer": "a field of readers in the API",
    "made": "a field of preparations in the API",
    "made_at": "a field of users and tokens in the API",
    "made_by": "a field of tokens in the API",
    "said": "a field of exchanges in the API",
}
"""Names that others rely on, each with whose it is. Tests use them of others' objects and have none of their own."""


@functools.cache
def private_words(name: str) -> set[str]:
    """The private words in a name, which is divided at underscores and capitals."""
    parts = re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])", STANDARD.sub("", name))
    return {part.lower() for part in parts} & PRIVATE


@pytest.mark.parametrize("room", [*PROGRAM, "tests"])
def test_names_have_no_private_words(room: str) -> None:
    hits = []
    for path in sorted((ROOT / room).rglob("*.py")):
        if "versions" in path.parts:
            continue  # migrations keep the names of their day
        hits += [
            f"{path.relative_to(ROOT)}" for part in path.relative_to(ROOT).with_suffix("").parts if private_words(part)
        ]
        text = path.read_text(encoding="utf-8")
        if not any(map(private_words, set(re.findall(r"\w+", text)))):
            continue  # without looking at each of its tokens
        hits += [
            f"{path.relative_to(ROOT)}:{line} {name}"
            for line, name, used in names(text)
            if private_words(name) and not (name in PUBLISHED and (used or room in PROGRAM))
        ]
    assert hits == []


def names(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each name with its line, and whether it is an attribute or a keyword argument: a name of somebody else's."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for before, token, after in zip([tokens[0], *tokens], tokens, [*tokens[1:], tokens[-1]], strict=False):
        if token.type == tokenize.NAME:
            keyword = after.string == "=" and after.start == token.end
            yield token.start[0], token.string, before.string == "." or keyword


def test_a_name_is_divided_at_underscores_and_capitals() -> None:
    assert private_words("ReaderHub") == {"hub"}
    assert private_words("told_at_once") == {"told"}
    assert private_words("KeyNotFound") == private_words("not_found_status") == private_words("founder") == set()


def test_a_test_may_use_a_published_name_and_not_take_it() -> None:
    assert [used for _, name, used in names("made = view.made(said=drawer)") if name in PUBLISHED] == [
        False,
        True,
        True,
        False,
    ]
