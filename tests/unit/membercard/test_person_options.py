"""Options that record who did something, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from membercard.cli import app
from tests.support.paths import ROOT


def parameters() -> Iterator[tuple[str, Any]]:
    """Every option of every command, with the command's name."""
    root = typer.main.get_command(app)
    context = root.make_context("membercard", [], resilient_parsing=True)
    context.resilient_parsing = False

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield from ((name, parameter) for parameter in command.get_params(context))
        for inner, one in getattr(command, "commands", {}).items():
            yield from below(f"{name} {inner}", one)

    for name in root.list_commands(context):  # type: ignore[attr-defined]
        yield from below(name, root.resolve_command(context, [name])[1])  # type: ignore[attr-defined]


def test_no_reason_is_in_one_language_by_default() -> None:
    defaults = {name: one.default for name, one in parameters() if one.name == "reason" and one.default}
    assert defaults == {}


def test_the_option_of_who_does_it_stands_in_one_place() -> None:
    written = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "membercard").rglob("*.py"))
        if "Who does this" in path.read_text("utf-8")
    ]
    assert written == ["membercard/commands/person_options.py"]
