"""Names in the program are words of the field: a newcomer who knows cards and HTTP needs no second dictionary."""

from __future__ import annotations

import io
import re
import tokenize

import pytest

from tests.support.paths import ROOT

ROOMS = ("membercard", "personalize", "reader_service", "registry", "simulators", "terminal", "benchmarks", "scripts")
PRIVATE = frozenset(
    "alone asked deed desk desks door drawer found furniture gate ground hopper house hub keeper kept made office "
    "reasoned said seams seat seats told twin whom".split()
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
"""Names that others rely on, each with whose it is."""


def private_words(name: str) -> set[str]:
    """The private words in a name, which is divided at underscores and capitals."""
    parts = re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])", STANDARD.sub("", name))
    return {part.lower() for part in parts} & PRIVATE


@pytest.mark.parametrize("room", ROOMS)
def test_names_have_no_private_words(room: str) -> None:
    hits = []
    for path in sorted((ROOT / room).rglob("*.py")):
        if "versions" in path.parts:
            continue  # migrations keep the names of their day
        hits += [
            f"{path.relative_to(ROOT)}" for part in path.relative_to(ROOT).with_suffix("").parts if private_words(part)
        ]
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type == tokenize.NAME and token.string not in PUBLISHED and private_words(token.string):
                hits.append(f"{path.relative_to(ROOT)}:{token.start[0]} {token.string}")
    assert hits == []


def test_a_name_is_divided_at_underscores_and_capitals() -> None:
    assert private_words("ReaderHub") == {"hub"}
    assert private_words("told_at_once") == {"told"}
    assert private_words("KeyNotFound") == private_words("not_found_status") == private_words("founder") == set()
