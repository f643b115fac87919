"""Commands of a card and recorded exchanges in the current language: the standard's name of a command, its Chinese, and
the meaning of P1, P2 and the class byte."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from membercard.language import Language, current, sentence

if TYPE_CHECKING:
    from terminal.apdu import TraceEntry

_OF_THE_CLASS = re.compile(r"(?:^|, )(secured|chained|channel [0-9]+)$")
_INSTALLED_FOR = "for "
_FULL = {"open": "open channel"}
"""Parameters of one word that means something else in other texts."""


def command(english: str) -> str:
    """A command in words as terminal.apdu.describe has it, such as ``READ RECORD (SFI 1, record 2)``."""
    if current() is not Language.CHINESE:
        return english
    name, _, details = english.removesuffix(")").partition(" (")
    remarks: list[str] = []
    while remark := _OF_THE_CLASS.search(details):
        remarks.insert(0, sentence(remark[1]))
        details = details[: remark.start()]
    meaning = "，".join(filter(None, (_parameters(details), *remarks)))
    return f"{sentence(name)}（{meaning}）" if meaning else sentence(name)


def _parameters(english: str) -> str:
    """The meaning of P1 and P2 as a whole, else part by part between commas."""
    if english.startswith(_INSTALLED_FOR):
        uses = english.removeprefix(_INSTALLED_FOR).split(" and ")
        return "、".join(sentence(f"{_INSTALLED_FOR}{use}") for use in uses)
    english = _FULL.get(english, english)
    chinese = sentence(english)
    return chinese if chinese != english else "，".join(map(sentence, english.split(", ")))


def line(entry: TraceEntry) -> str:
    """A recorded exchange on one line."""
    return entry.line(command=command, words=sentence)
