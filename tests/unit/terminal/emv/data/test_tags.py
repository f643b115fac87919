"""Tags have their number in their name, once, and product code names them so."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from terminal.emv.data import tags
from terminal.emv.data.dictionary import STANDARD
from terminal.tlv import Tag
from tests.support.paths import ROOT

TAGS = {name: value for name, value in vars(tags).items() if name.startswith("TAG_")}
ROOMS = ("terminal/emv", "terminal/member", "personalize", "membercard", "reader_service", "registry")
TABLES = ("terminal/emv/data/elements/", "terminal/emv/data/tags.py", "terminal/member/elements.py")
CODE_POINTS = "personalize/intake/names.py"
NUMBER = re.compile(r"0x(9F|5F)[0-9A-F]{2}")


def sources() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TAGS)
def test_a_tag_has_its_number_in_its_name_and_is_in_the_table(name: str) -> None:
    assert name.split("_")[1] == str(Tag(TAGS[name]))
    assert STANDARD.elsewhere(TAGS[name])


def test_no_tag_has_two_names() -> None:
    assert len(set(TAGS.values())) == len(TAGS)


def test_every_name_is_used() -> None:
    words = {word for path, text in sources() if not path.endswith("tags.py") for word in re.findall(r"TAG_\w+", text)}
    assert set(TAGS) <= words


def test_tags_are_bare_numbers_in_the_element_tables_only() -> None:
    bare = [
        f"{path}:{token.start[0]}: {token.string}"
        for path, text in sources()
        if NUMBER.search(text) and not path.startswith((*TABLES, CODE_POINTS))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NUMBER and NUMBER.fullmatch(token.string)
    ]
    assert bare == []
