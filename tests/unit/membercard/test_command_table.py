"""The table of commands says of each what the command itself says, and a mistyped name is answered with a near one."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from membercard.cli import app
from membercard.command_table import TABLE, HelpPanel, Listed, listed


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_commands_help_in_the_table_is_its_own(row: Listed) -> None:
    root: Any = typer.main.get_command(app)
    command = root.get_command(root.make_context("membercard", [], resilient_parsing=True), row.name)
    assert command.name == row.name
    first = inspect.cleandoc(command.help).split("\n\n")[0]
    assert " ".join(first.split()) == row.help


def test_every_command_has_a_panel_and_panels_stand_in_order() -> None:
    panels = [row.panel for row in listed()]
    assert panels == sorted(panels, key=list(HelpPanel).index)
    assert set(panels) == set(HelpPanel) - {HelpPanel.PLUGINS}


def test_the_roots_help_has_a_panel_for_each_job_in_both_languages() -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout
    panels = [line.strip("╭─╮ ") for line in text.splitlines() if line.startswith("╭")]
    assert panels == ["Options", *(panel.value for panel in HelpPanel if panel is not HelpPanel.PLUGINS)]
    at = {panel: text.index(f"─ {panel} ─") for panel in HelpPanel if panel is not HelpPanel.PLUGINS}
    assert (
        at[HelpPanel.INTAKE]
        < text.index("│ roster ")
        < at[HelpPanel.ISSUING]
        < text.index("│ perso ")
        < at[HelpPanel.COUNTER]
    )


def test_a_mistyped_command_is_answered_with_a_near_one() -> None:
    done = CliRunner().invoke(app, ["bach", "list"])
    assert done.exit_code == 2
    assert "No such command 'bach'. Did you mean 'batch'?" in done.stderr


def test_a_group_of_another_package_stands_in_the_help_with_its_own_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "library"

        def load(self) -> typer.Typer:
            return typer.Typer(help="Library cards.")

    monkeypatch.setattr("membercard.command_table._plugins", lambda name=None: iter([Entry()]))
    rows = list(listed())
    assert [(row.name, row.panel, row.help) for row in rows[-1:]] == [("library", HelpPanel.PLUGINS, "Library cards.")]
    assert "sim" not in {row.name for row in rows}
