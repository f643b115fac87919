"""Contents of fields: fixed text with texts of the dossier in braces.

``{card_number:4}`` has its digits in groups of four, ``{valid_until:MM/YY}`` is a date with YYYY, YY, MM and DD, and
``{name}`` is the text as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from personalize.profiles.face import FaceText

_REFERENCE: Final = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_DATES: Final = frozenset({FaceText.VALID_FROM, FaceText.VALID_UNTIL})
_NUMBERS: Final = frozenset({FaceText.MEMBER_NUMBER, FaceText.CARD_NUMBER, FaceText.PAN})
_PART: Final = re.compile("YYYY|YY|MM|DD")


class ContentReference(NamedTuple):
    """A text of the dossier in a content, and how it is written."""

    text: FaceText
    form: str


@cache
def references(content: str) -> tuple[ContentReference, ...]:
    """Raises ValueError for a reference to what no dossier has, or in a form that this text does not have."""
    listed = []
    for match in _REFERENCE.finditer(content):
        name, form = match[1], match[2] or ""
        if name not in set(FaceText):
            raise ValueError(f"a content names no text of a dossier in braces; there are {', '.join(FaceText)}")
        text = FaceText(name)
        if form and not ((text in _NUMBERS and re.fullmatch("[1-9]", form)) or (text in _DATES and _PART.search(form))):
            raise ValueError("after a colon, a number has the size of its groups, and a date its form, such as MM/YY")
        listed.append(ContentReference(text, form))
    if {"{", "}"} & set(_REFERENCE.sub("", content)):
        raise ValueError("a brace of a content has no other one")
    return tuple(listed)


def filled(content: str, texts: Mapping[str, str]) -> str | None:
    """The content with texts of a dossier; None where the dossier lacks one of them."""
    if any(not texts.get(reference.text) for reference in references(content)):
        return None
    return _REFERENCE.sub(lambda match: _written(FaceText(match[1]), match[2] or "", texts[match[1]]), content)


def _written(text: FaceText, form: str, value: str) -> str:
    if not form:
        return value
    if text in _NUMBERS:
        size = int(form)
        return " ".join(value[at : at + size] for at in range(0, len(value), size))
    year, month, day = value.split("-")
    parts = {"YYYY": year, "YY": year[2:], "MM": month, "DD": day}
    return _PART.sub(lambda match: parts[match[0]], form)
