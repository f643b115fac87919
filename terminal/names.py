"""Names of people as they look: which two names a reader cannot tell apart, and which characters cannot be seen.

The method is the skeleton of Unicode Technical Standard 39, 4, on the table of confusable characters that the library
``confusable_homoglyphs`` carries; hidden characters are those of Default_Ignorable_Code_Point (UAX 44) and the blanks
that are no white space.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final

_HIDDEN_RANGES: Final = (
    *((0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""Default_Ignorable_Code_Point, DerivedCoreProperties.txt of Unicode 16."""
_BLANK: Final = frozenset("\u2800\u303f\ufffc\U00013441\U00013442\U00016fe4\U0001d159")
"""Characters with a glyph of nothing, which have no property that says so."""
_HIDDEN: Final = _BLANK | {chr(code) for first, last in _HIDDEN_RANGES for code in range(first, last + 1)}
_CATEGORIES: Final = ("Cc", "Cf", "Cn", "Co", "Cs")


def method() -> str:
    """Names the method and the edition of its table: stored forms are computed anew where it changes."""
    return f"2 {version('confusable-homoglyphs')}"


def hidden(character: str) -> bool:
    """Whether a character cannot be seen, white space apart: ignorable, a control, unassigned or private."""
    return character in _HIDDEN or unicodedata.category(character) in _CATEGORIES


def all_visible(text: str) -> bool:
    """Whether a text is not empty and every character of it can be seen, or is a blank between others."""
    return bool(text.strip()) and text.isprintable() and not any(map(hidden, text))


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """The comparable form of a name: without blanks, hidden characters, capitals and wide letters, and with one
    character for all that look alike. Empty where nothing can be seen."""
    return _folded(_nfkc(_nfkc(name).casefold()))


def same_name(one: str, other: str) -> bool:
    """Whether a reader would take two names for one, with capitals or without."""
    return fold(one) == fold(other) or _as_written(one) == _as_written(other)


@lru_cache(maxsize=4096)
def _as_written(name: str) -> str:
    """As ``fold``, with the capitals compared as they look: a Greek ``Ν`` is an N here, and a v in lower case."""
    return _folded(_skeleton(_nfkc(name)).casefold())


def _folded(text: str) -> str:
    while True:
        # Without capitals ``i`` is among those that look like ``l``, as ``I`` is.
        folded = _nfkc(_skeleton(_nfkc(_skeleton(text)).casefold())).replace("i", "l")
        if folded == text:
            return folded
        text = folded


def _skeleton(text: str) -> str:
    """UTS 39, 4: decomposed, without what cannot be seen, each character by its prototype."""
    shown = (c for c in unicodedata.normalize("NFD", text) if not c.isspace() and not hidden(c))
    return unicodedata.normalize("NFD", "".join(map(_prototype, shown)))


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


@cache
def _lookalikes() -> Mapping[str, Sequence[Mapping[str, str]]]:
    """The library's table: the pairs of forms that look alike, in both directions."""
    # As the library reads it, without its second table of a megabyte.
    path = files("confusable_homoglyphs") / "confusables.json"
    table: dict[str, list[dict[str, str]]] = json.loads(path.read_text("utf-8"))
    return table


@cache
def _bare_forms() -> Mapping[str, Sequence[str]]:
    """The forms of the table that have direction marks around them, by what is left without these."""
    forms: dict[str, list[str]] = {}
    for form in _lookalikes():
        if (bare := _bare(form)) != form:
            forms.setdefault(bare, []).append(form)
    return forms


@cache
def _prototype(character: str) -> str:
    """The prototype of a character, or itself. The library lists the pairs in both directions, so the prototype of all
    that look alike, directly or by others, is the one form that is several characters, or else a letter before a digit
    before a sign."""
    table, marked = _lookalikes(), _bare_forms()
    alike, unseen = {character}, [character]
    while unseen:
        form = unseen.pop()
        for listed in (form, *marked.get(form, ())):
            for pair in table.get(listed, ()):
                lookalike = _bare(pair["c"])
                if lookalike not in alike:
                    alike.add(lookalike)
                    unseen.append(lookalike)
    return min(alike, key=_rank)


def _rank(form: str) -> tuple[object, ...]:
    return -len(form), not (form.isascii() and form.islower()), not (form.isascii() and form.isalpha()), form


def _bare(form: str) -> str:
    """A form of the table without the direction marks around it."""
    return "".join(c for c in form if c not in _HIDDEN) or form
