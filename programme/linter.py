"""The linter: what a programme file says that nobody can want, with the place of each.

A file without findings is one that counters, chips and the office can carry out as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from programme.errors import ProgrammeUnfit
from programme.lint import chip, conditions, days, prices, steps, translations
from programme.lint.finding import ProgrammeFinding
from programme.programme import LineOf, Location, Programme, ProgrammeFile
from programme.wording import Sentence

_RULES: Final[tuple[Callable[[Programme], Iterator[ProgrammeFinding]], ...]] = (
    translations.check,
    days.check,
    steps.check,
    chip.check,
    prices.check,
    conditions.check,
)


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding with file and line."""

    file: str
    line: int
    field: str
    rule: str
    text: Sentence

    @property
    def place(self) -> str:
        """File, line and field, as faults of the file have them."""
        return f"{self.file}:{self.line}: {self.field}"


def findings(programme: Programme) -> list[ProgrammeFinding]:
    """Every finding, in the order of the rules; empty for a sound programme."""
    return [finding for rule in _RULES for finding in rule(programme)]


def placed(file: ProgrammeFile) -> list[PlacedFinding]:
    """Every finding with its line, in the order of the lines."""
    listed = [_placed(file.name, file.line, finding) for finding in findings(file.programme)]
    return sorted(listed, key=lambda finding: finding.line)


def refuse_unfit(file: ProgrammeFile) -> None:
    """Raises ProgrammeUnfit with one line for each finding."""
    if faults := placed(file):
        raise ProgrammeUnfit(
            "\n".join(f"{fault.place}: {fault.text.en}" for fault in faults),
            "\n".join(f"{fault.place}: {fault.text.zh}" for fault in faults),
        )


def _placed(name: str, line: LineOf, finding: ProgrammeFinding) -> PlacedFinding:
    location: Location = finding.location
    return PlacedFinding(name, line(location), ".".join(map(str, location)), finding.rule, finding.text)
