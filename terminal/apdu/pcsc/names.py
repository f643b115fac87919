"""Stable names for PC/SC readers, and the reader that a typed name means.

pcscd appends two numbers to a reader's name: its plug order and the slot. The first may change with every re-plug, so
it is not part of the stable name; serial numbers in parentheses are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from terminal.errors import ReaderNotFound

_TAIL = re.compile(r"^(?P<base>.*\S)\s+(?P<order>[0-9A-F]{2})\s+(?P<slot>[0-9A-F]{2})$")


def printable(system: str) -> str:
    """The name as people see it: a device may have any bytes in its name. Bytes that are not UTF-8 and characters that
    do not print are escapes (``\\xfc``)."""
    text = system.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = (" " if c.isspace() else c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown).strip() or "reader"


def base_name(system: str) -> str:
    """The name without plug order: ``ACS ACR122U 01 00`` is ``ACS ACR122U``; a further slot keeps its number."""
    system = printable(system)
    match = _TAIL.match(system)
    if not match:
        return system
    slot = int(match["slot"], 16)
    return match["base"] + (f" slot {slot + 1}" if slot else "")


class ReaderNames:
    """Gives each present reader one stable name, distinct among them.

    Two readers of one model without serial numbers are named ``NAME`` and ``NAME #2``, in plug order; a reader that
    stays plugged in keeps its name while the other is re-plugged. Names are stable for the lifetime of one instance.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def assign(self, systems: Iterable[str]) -> dict[str, str]:
        """From PC/SC names to stable names, for the readers present now."""
        present = list(systems)
        self._names = {system: name for system, name in self._names.items() if system in present}
        for system in sorted(set(present) - self._names.keys()):
            base, taken = base_name(system), set(self._names.values())
            number = 1
            while (name := base if number == 1 else f"{base} #{number}") in taken:
                number += 1
            self._names[system] = name
        return {system: self._names[system] for system in present}


def choose(wanted: str, names: Sequence[str]) -> str:
    """The reader of ``names`` that ``wanted`` means: an index from 0, the exact name, or a unique part of a name.

    Raises ReaderNotFound, whose message lists the candidates.
    """
    listed = "; ".join(f"{number}: {name}" for number, name in enumerate(names)) or "none"
    if wanted in names:
        return wanted
    if wanted.isascii() and wanted.isdigit():
        if int(wanted) < len(names):
            return names[int(wanted)]
        raise ReaderNotFound(f"there is no reader number {wanted}; present: {listed}")
    matches = [name for name in names if wanted and wanted.casefold() in name.casefold()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ReaderNotFound(f"{wanted!r} means more than one reader: {'; '.join(matches)}")
    raise ReaderNotFound(f"there is no reader {wanted!r}; present: {listed}")
