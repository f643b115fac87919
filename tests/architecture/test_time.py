"""Nothing reads the machine's time zone: instants are aware, and days come from the zone of the settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("terminal", "registry", "personalize", "programme", "reader_service", "membercard", "simulators")
_NEVER = {
    ("date", "today"),
    ("date", "fromtimestamp"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("datetime", "utcfromtimestamp"),
    ("time", "localtime"),
    ("time", "ctime"),
    ("time", "asctime"),
    ("time", "mktime"),
    ("time", "strftime"),
}
_LEAST = {"now": 1, "fromtimestamp": 2, "astimezone": 1}
"""Methods of datetime, and with how many arguments they name their zone."""


def naive_calls(source: str) -> Iterator[int]:
    """Lines that take the zone of the machine, or none."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        holder = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        given = len(node.args) + len(node.keywords)
        of_datetime = node.func.attr == "astimezone" or holder == "datetime"
        if (holder, node.func.attr) in _NEVER or (of_datetime and given < _LEAST.get(node.func.attr, 0)):
            yield node.lineno


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_reads_the_zone_of_the_machine(room: str) -> None:
    lines = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line in naive_calls(path.read_text(encoding="utf-8"))
    ]
    assert lines == []


@pytest.mark.parametrize(
    ("call", "naive"),
    [
        ("datetime.now()", True),
        ("datetime.now(UTC)", False),
        ("datetime.now(tz=UTC)", False),
        ("date.today()", True),
        ("at.astimezone()", True),
        ("moment().astimezone()", True),
        ("at.astimezone(zone)", False),
        ("datetime.fromtimestamp(0)", True),
        ("datetime.fromtimestamp(0, UTC)", False),
        ("time.localtime()", True),
        ("clock.now()", False),
    ],
)
def test_the_rule_finds_what_takes_no_zone(call: str, naive: bool) -> None:
    assert bool(list(naive_calls(call))) is naive
