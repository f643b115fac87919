"""The scripts by the name of their programme, and the command that plays them."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import typer

from membercard import output
from membercard.demo.programmes.beijing import beijing
from membercard.demo.programmes.beijing_centre import beijing_centre
from membercard.demo.programmes.hebei import hebei
from membercard.demo.programmes.licheng import licheng
from membercard.demo.programmes.report import YearReport
from membercard.demo.programmes.shijiazhuang import shijiazhuang
from membercard.demo.programmes.year import DemoYear, demo_year
from membercard.errors import SettingsError
from membercard.language import text


@dataclass(frozen=True, slots=True)
class YearScript:
    """A script, and the year that it tells."""

    play: Callable[[DemoYear], None]
    year: int


SCRIPTS: Final[Mapping[str, YearScript]] = {
    "beijing": YearScript(beijing, 2027),
    "shijiazhuang": YearScript(shijiazhuang, 2026),
    "hebei": YearScript(hebei, 2026),
    "beijing-centre": YearScript(beijing_centre, 2026),
    "licheng": YearScript(licheng, 2026),
}


def run(name: str, home: Path, *, part: int = 1) -> YearReport:
    """Play the year of a programme in a directory: its report. ``part``: of how many members one takes part. Raises
    SettingsError for a directory that no demo created."""
    report = YearReport()
    script = SCRIPTS[name]
    with demo_year(name, home, report, script.year, part=part) as year:
        script.play(year)
    return report


def play(name: str, out: Path, data: Path | None, *, show: bool) -> None:
    """Play a year, and write its report; the exit code is 1 where something was not as the script expects. Raises
    SettingsError."""
    if name not in SCRIPTS:
        raise SettingsError(f"there is no demo {name}; there are {', '.join(SCRIPTS)}")
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="membercard-demo-") as folder:
        report = run(name, Path(folder) if data is None else data)
    output.write_file(out, report.page(words()).encode(), public=True)
    output.say(
        "{name}: {seconds} seconds; report: {path}   (open it in a browser)",
        name=report.title,
        seconds=round(monotonic() - began),
        path=out.resolve(),
    )
    if show:
        webbrowser.open(out.resolve().as_uri())
    if report.unlike:
        output.say("Not as the script expects: {lines}", lines="; ".join(report.unlike))
        raise typer.Exit(1)


def words() -> dict[str, str]:
    """The headings that every report has."""
    return {
        "incidents": text("What went wrong, and how it was noticed"),
        "unlike": text("Not as the script expects"),
        "day": text("day"),
        "what": text("what happened"),
        "noticed": text("how it was noticed"),
        "outcome": text("what came of it"),
        "footer": text("Members, cards and figures of this report are made up; the chips, checks and books are real."),
    }
