"""Every text is there in Chinese and in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from programme.lint.finding import ProgrammeFinding, finding
from programme.programme import Location, Programme
from programme.wording import Wording

_CHINESE: Final = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


def check(programme: Programme) -> Iterator[ProgrammeFinding]:
    """Texts that are missing, or stand in the other language."""
    for location, text in _texts(programme, ()):
        if not _CHINESE.search(text.zh):
            yield finding("translation", (*location, "zh"), "缺少中文", "the Chinese text is missing")
        if not text.en.strip() or _CHINESE.search(text.en):
            yield finding("translation", (*location, "en"), "缺少英文", "the English text is missing")


def _texts(node: object, location: Location) -> Iterator[tuple[Location, Wording]]:
    if isinstance(node, Wording):
        yield location, node
    elif isinstance(node, BaseModel):
        for name, field in type(node).model_fields.items():
            yield from _texts(getattr(node, name), (*location, field.alias or name))
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*location, key))
    elif isinstance(node, tuple):
        for place, value in enumerate(node):
            yield from _texts(value, (*location, place))
