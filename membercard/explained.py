"""Explained card data in the current language: each element by its name in PBOC (JR/T 0025), beside its tag."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from membercard.exchanges import command
from membercard.language import Language, catalogue, current, sentence

if TYPE_CHECKING:
    from terminal.emv.data.explain import Explained

_TAGGED = re.compile(r"((?:[0-9A-F]{2}){1,4}) (.+)")
"""A tag and the name of its element, as in the lines of a data object list."""
_NEXT_TAG = re.compile(r", (?=(?:[0-9A-F]{2}){1,4}(?: [A-Za-z]|,|$))")
_PLACE = re.compile(r"(?:, )?(.+?) \(([0-9]{3}), ([A-Z]{2,3})\)")
"""A country or a currency with its codes."""
_COMMAND = re.compile(r"((?:[A-Z][A-Z/ -]+|INS [0-9A-F]{2})(?: \(.+\))?): ([0-9A-F]+)")
"""A command in words, and its bytes."""
_PART = re.compile(r", (?![A-Z]{2,3}\))")


def localized(explained: Explained) -> Explained:
    """The same tree with names, meanings and faults in the current language; texts of the card stay as they are."""
    if current() is not Language.CHINESE:
        return explained
    return replace(
        explained,
        name=_name(explained.name),
        text=explained.text if explained.verbatim else _in_place(explained) or _meaning(explained.text),
        fault=sentence(explained.fault),
        children=tuple(map(localized, explained.children)),
    )


def _in_place(explained: Explained) -> str:
    """The meaning of a word that means something else in other texts, by the name of its part; else empty."""
    return catalogue().get(f"{explained.name}: {explained.text}", "")


def _name(english: str) -> str:
    """The name of an element or a part, also behind its tag."""
    tagged = _TAGGED.fullmatch(english)
    return f"{tagged[1]} {sentence(tagged[2])}" if tagged else sentence(english)


def _meaning(english: str) -> str:
    """A meaning as a whole, else part by part between commas."""
    chinese = sentence(english)
    if chinese != english or not english:
        return chinese
    listed = _NEXT_TAG.split(english)
    if _TAGGED.fullmatch(listed[0]) and _name(listed[0]) != listed[0]:
        return "，".join(map(_name, listed))
    if english.endswith(")") and (places := _places(english)):
        return places
    if encoded := _COMMAND.fullmatch(english):
        return f"{command(encoded[1])}：{encoded[2]}"
    parts = _PART.split(english)
    return "，".join(map(_meaning, parts)) if len(parts) > 1 else english


def _places(english: str) -> str:
    """Countries or currencies with their codes; empty for other texts."""
    places = list(_PLACE.finditer(english))
    if "".join(one[0] for one in places) != english:
        return ""
    from membercard.places import place  # slow to import

    return "，".join(f"{place(one[1], one[3])}（{one[2]}，{one[3]}）" for one in places)
