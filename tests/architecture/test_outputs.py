"""Each kind of output has one place that makes text from people plain; nothing goes past it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("terminal", "registry", "personalize", "programme", "reader_service", "membercard")


def calls(name: str) -> dict[str, list[ast.Call]]:
    """Calls of a name or attribute, by file."""
    by_file: dict[str, list[ast.Call]] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if name not in source:
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and name in (
                    getattr(node.func, "id", ""),
                    getattr(node.func, "attr", ""),
                ):
                    by_file.setdefault(str(path.relative_to(ROOT)), []).append(node)
    return by_file


def test_consoles_come_from_one_place() -> None:
    """``output.console`` shows control characters; that of ``cli`` prints to a stream that does, without colours."""
    assert calls("Console").keys() == {"membercard/cli.py"}
    assert calls("_VisibleConsole").keys() == {"membercard/output.py"}


def test_every_template_escapes_and_shows_what_is_not_seen() -> None:
    by_file = calls("Environment")
    assert len(by_file) >= 2
    for path, environments in by_file.items():
        for call in environments:
            options = {keyword.arg: keyword.value for keyword in call.keywords}
            assert isinstance(options["autoescape"], ast.Constant), path
            assert options["autoescape"].value is True, path
            assert "finalize" in options, path


def test_text_reaches_a_workbook_by_one_function() -> None:
    """A cell's value is set in one module; headings and fills of our own need no such function."""
    setting = [
        str(path.relative_to(ROOT))
        for room in ("personalize", "reader_service")
        for path in sorted((ROOT / room).rglob("*.py"))
        if "openpyxl" in (source := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Attribute) and target.attr == "value" for target in node.targets)
    ]
    assert set(setting) == {"personalize/cells.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_no_template_declares_text_as_safe(room: str) -> None:
    for path in (ROOT / room).rglob("*.html*"):
        text = path.read_text(encoding="utf-8")
        assert not any(mark in text.replace("`|safe`", "") for mark in ("|safe", "| safe", "autoescape false")), path
