"""Processor time of short commands against importing the libraries that each of them cannot do without."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.table import Row, alternate
from membercard.command_table import TABLE

ROUNDS = 9
HELP_AT_MOST, GROUP_AT_MOST, READ_AT_MOST = 2.0, 4.0, 2.5
_HELP, _DATABASE = "import typer.rich_utils", "import typer.rich_utils, sqlalchemy, pydantic.main"
_READING = (("batch", "list"), ("stock", "show"), ("user", "list"), ("audit", "verify"))


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "MEMBERCARD_DATA_DIR": folder,
            "MEMBERCARD_SIMULATION": "true",
            "MEMBERCARD_PASSPHRASE": "Zwoelf-Baeume-vor-dem-Haus",
        }
        script = Path(sys.executable).with_name("membercard")
        _call([str(script), "keys", "init"], environment)
        _call([str(script), "batch", "list"], environment)  # creates the registry
        rows = [_row("membercard --help", ("--help",), environment, HELP_AT_MOST, _HELP)]
        groups = [
            _row(f"membercard {row.name} --help", (row.name, "--help"), environment, GROUP_AT_MOST, _HELP, rounds=3)
            for row in TABLE
        ]
        slowest = max(groups, key=lambda row: row.ratio)
        rows.append(Row(f"the slowest help of a group, {slowest.what}", *_figures(slowest)))
        for words in _READING:
            what = f"membercard {' '.join(words)}, keystore of a simulation opened"
            rows.append(_row(what, words, environment, READ_AT_MOST, _DATABASE))
    return rows


def _row(
    what: str, words: tuple[str, ...], environment: Mapping[str, str], most: float, least: str, *, rounds: int = ROUNDS
) -> Row:
    command = [str(Path(sys.executable).with_name("membercard")), *words]
    libraries = [sys.executable, "-c", least]
    ours, theirs, ratio = alternate(
        partial(_call, command, environment),
        partial(_call, libraries, environment),
        calls=1,
        rounds=rounds,
        clock=_processor_time,
    )
    measured = f"{ours:.2f} s of processor against {theirs:.2f} s for `{least}`"
    return Row(what, measured, ratio, f"≤ {most:g}", ratio <= most)


def _figures(row: Row) -> tuple[str, float, str, bool]:
    return row.measured, row.ratio, row.target, row.ok


def _call(command: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, env=dict(environment), stdout=subprocess.DEVNULL, check=True)


def _processor_time() -> float:
    """Seconds of processor of all processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
