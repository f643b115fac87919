"""The ribbon of a printer: a roll of panels, wound on one by one, which ends somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulators.machines.evolis.panels import LINES

KINDS: Final = ("k", "ko", "ymcko", "ymckok", "o")
PRINTS: Final = {"k": 1000, "ko": 500, "ymcko": 200, "ymckok": 170, "o": 350}
"""Prints of a new roll."""


@dataclass(slots=True)
class Ribbon:
    """A roll: its panels in their order, how many lines are left, and the panel that comes next.

    Lines are those of a panel (1016); a panel that is not printed is wound past.
    """

    kind: str
    lines_left: int
    place: int = 0

    @classmethod
    def new(cls, kind: str, prints: int | None = None) -> Ribbon:
        """A new roll. Raises ValueError for a kind that there is not."""
        if kind not in KINDS:
            raise ValueError(f"there is no ribbon {kind}; known: {', '.join(KINDS)}")
        return cls(kind, (PRINTS[kind] if prints is None else prints) * len(kind) * LINES)

    @property
    def prints_left(self) -> int:
        """Whole sides that can be printed."""
        return self.lines_left // (len(self.kind) * LINES)

    def begin(self) -> None:
        """Wind to the first panel, as each side begins with it."""
        if self.place:
            self._wind((len(self.kind) - self.place) * LINES)
            self.place = 0

    def pull(self, panel: str) -> int:
        """Wind to a panel and past it: how many of its lines could be printed. Zero where the roll has none."""
        place = self.kind.find(panel, self.place)
        if place < 0:
            return 0
        self._wind((place - self.place) * LINES)
        self.place = (place + 1) % len(self.kind)
        return self._wind(LINES)

    def _wind(self, lines: int) -> int:
        passed = min(lines, self.lines_left)
        self.lines_left -= passed
        return passed
