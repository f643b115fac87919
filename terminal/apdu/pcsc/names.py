"""Stable names for PC/SC readers, and choosing one by what a person typed.

pcscd appends two numbers to a reader's name: in which order it was plugged in, and the slot. The first may change with
every re-plug, so it is no part of an identity; serial numbers in parentheses are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from terminal.errors import ReaderNotFound

DEADLINE = 30.0
"""The longest that one call to a reader may take, in seconds, where the URL says nothing."""
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_TAIL = re.compile(r"^(?P<base>.*\S)\s+(?P<order>[0-9A-F]{2})\s+(?P<slot>[0-9A-F]{2})$")


def base_name(system: str) -> str:
    """The name without plug order: ``ACS ACR122U 01 00`` is ``ACS ACR122U``; a further slot keeps its number."""
    match = _TAIL.match(system)
    if not match:
        return system.strip()
    slot = int(match["slot"], 16)
    return match["base"] + (f" slot {slot + 1}" if slot else "")


class ReaderNames:
    """Gives each present reader one stable name, distinct among them.

    Two equal readers without serial numbers are told apart as ``NAME`` and ``NAME #2``, in plug order; one that stays
    plugged in keeps its name while the other goes and comes. Hold one instance for as long as names must stay put.
    """

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def assign(self, systems: Iterable[str]) -> dict[str, str]:
        """From PC/SC names to stable names, for the readers present now."""
        present = list(systems)
        self._given = {system: name for system, name in self._given.items() if system in present}
        for system in sorted(set(present) - self._given.keys()):
            base, taken = base_name(system), set(self._given.values())
            number = 1
            while (name := base if number == 1 else f"{base} #{number}") in taken:
                number += 1
            self._given[system] = name
        return {system: self._given[system] for system in present}


def choose(wanted: str, names: Sequence[str]) -> str:
    """The one reader of ``names`` that ``wanted`` means: an index from 0, the exact name, or a unique part of one.

    Raises ReaderNotFound, which lists the candidates.
    """
    listed = "; ".join(f"{number}: {name}" for number, name in enumerate(names)) or "none"
    if wanted in names:
        return wanted
    if wanted.isascii() and wanted.isdigit():
        if int(wanted) < len(names):
            return names[int(wanted)]
        raise ReaderNotFound(f"there is no reader number {wanted}; present: {listed}")
    found = [name for name in names if wanted and wanted.casefold() in name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ReaderNotFound(f"{wanted!r} means more than one reader: {'; '.join(found)}")
    raise ReaderNotFound(f"there is no reader {wanted!r}; present: {listed}")


def reader_url(name: str, *, share: bool, deadline: float) -> str:
    """The ``pcsc:`` URL that opens this reader with these options; defaults are left out."""
    said = (["share=1"] if share else []) + ([f"deadline={deadline:g}"] if deadline != DEADLINE else [])
    return f"pcsc:{name}" + ("?" + "&".join(said) if said else "")


def options(rest: str) -> tuple[str, bool, float]:
    """Name, ``share`` and ``deadline`` (seconds) of ``NAME?share=1&deadline=10``. Raises ReaderNotFound."""
    name, mark, tail = rest.rpartition("?")
    if not mark:
        return rest, False, DEADLINE
    share, deadline = False, DEADLINE
    for key, value in parse_qsl(tail, keep_blank_values=True):
        if key == "share" and value in ("0", "1"):
            share = value == "1"
        elif key == "deadline" and _SECONDS.fullmatch(value) and float(value) > 0:
            deadline = float(value)
        else:
            raise ReaderNotFound(f"{key}={value} is not an option of pcsc: (share=0 or 1, deadline=SECONDS)")
    return name, share, deadline
