"""The report of a scripted year: one self-contained HTML page that a chairman reads and prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from membercard import language
from terminal.visible import visible


@dataclass(frozen=True, slots=True)
class HeadFigure:
    """One figure at the head of the report."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table; the columns from ``numbers`` on are figures. ``total``: the last row is the sum."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 1
    total: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a plot, ``value`` of the longest; ``shown`` is printed beside it, and ``target`` marked on it."""

    label: str
    value: float
    shown: str
    target: float | None = None


@dataclass(frozen=True, slots=True)
class BarPlot:
    """Bars one below the other. ``full``: the value of a whole bar, that of the longest where it is None."""

    title: str
    bars: Sequence[Bar]
    full: float | None = None

    @property
    def scale(self) -> float:
        """Percent of the width for a value of one."""
        most = self.full or max((bar.value for bar in self.bars), default=0)
        return 100 / most if most else 0


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong, how it was noticed, and what came of it."""

    day: str
    what: str
    noticed: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the report: what happened in a few sentences, then tables and plots."""

    title: str
    lead: str
    tables: Sequence[ReportTable] = ()
    plots: Sequence[BarPlot] = ()
    points: Sequence[str] = ()


@dataclass
class YearReport:
    """The report as the script writes it."""

    title: str = ""
    subtitle: str = ""
    figures: list[HeadFigure] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    """What did not come out as the script expects."""

    def expect(self, what: str, came: object, expected: object) -> None:
        """Note where a figure is not the one that the script comes to."""
        if came != expected:
            self.unlike.append(f"{what}: {came} != {expected}")

    def page(self, words: Mapping[str, str]) -> str:
        """The page; ``words`` are the headings of the parts that every report has."""
        return _template().render(report=self, words=words, lang=language.current().value)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    text = (files("membercard.demo") / "data" / "programme-year.html").read_text(encoding="utf-8")
    return environment.from_string(text)


def _shown(value: object) -> object:
    """Control characters are seen, so that no text hides another."""
    return visible(value, keep="\n") if type(value) is str else value
