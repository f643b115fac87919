"""Names of units: a unit may have departments, and one name below two units is two units.

A whole name has all levels, the highest first: ``铁道大学工会 / 后勤处``. It is unique; its last level, which goes onto
the card, is not.
"""

from __future__ import annotations

import re
from typing import Final

BETWEEN: Final = " / "
_LEVELS = re.compile(r"\s+[/／]\s+")
_BRACKETS: Final = str.maketrans("（）", "()")
_UNION = re.compile(r"(?:基层)?工会(?:委员会)?$")


def levels(name: str) -> tuple[str, ...]:
    """The levels of a whole name, the highest first."""
    return tuple(level for level in (part.strip() for part in _LEVELS.split(name.strip())) if level)


def whole_name(name: str, above: str) -> str:
    """The whole name of a unit that a form names ``name`` and whose title names ``above``; either may be empty.

    A form whose title names a union (石家庄铁道大学工会) may name the same in its rows without 工会.
    """
    if not name or not above:
        return BETWEEN.join(levels(name or above))
    over, own = levels(above), levels(name)
    if [*map(spelling, own[: len(over)])] == [*map(spelling, over)] or same_organisation(name, over[-1]):
        return BETWEEN.join(own if len(own) > len(over) else over)
    return BETWEEN.join((*over, *own))


def same_organisation(one: str, other: str) -> bool:
    """Whether two names are those of one organisation and its union."""
    stems = [_UNION.sub("", spelling(name)) for name in (one, other)]
    return one == other or (stems[0] == stems[1] != "")


def spelling(name: str) -> str:
    """A whole name as names are compared: without blanks within a level, with brackets in half width."""
    return BETWEEN.join(re.sub(r"\s", "", level).translate(_BRACKETS) for level in levels(name))


def own_name(name: str) -> str:
    """The last level of a whole name."""
    return (levels(name) or ("",))[-1]


def names_above(name: str) -> list[str]:
    """The whole names of the units above one, the nearest first."""
    parts = levels(name)
    return [BETWEEN.join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]
