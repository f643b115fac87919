"""`membercard batch show` and `batch report` of a batch in which two chips have one serial."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.support.cli import Cli, issue_batch

TITLES = {"en": "Serials that two chips have: keep both apart", "zh": "两个芯片使用同一序列号：请单独存放"}


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str, str]:
    """The commands of an issuer, its batch, and the serial that two chips have."""
    home = issue_batch(tmp_path_factory.mktemp("issuer"), 1)
    with sqlite3.connect(home.cli.data / "membercard.db") as registry:
        (serial,) = registry.execute("SELECT serial FROM chips WHERE state = 'verified'").fetchone()
        registry.execute(
            "UPDATE chips SET doubled_at = '2026-11-22 08:00:00.000000', doubled_by = 'east, lane 2' WHERE serial = ?",
            (serial,),
        )
    registry.close()
    return home.cli, home.done, serial


@pytest.mark.parametrize("language", TITLES)
def test_a_batch_names_the_serials_that_two_chips_have(doubled: tuple[Cli, str, str], language: str) -> None:
    cli, batch, serial = doubled
    shown = cli.ok("--lang", language, "batch", "show", batch, env={"COLUMNS": "80"}).out
    table = shown[shown.index(TITLES[language]) :]
    assert serial in table
    assert max(map(cell_len, table.splitlines())) <= 80, table


def test_json_has_the_proof(doubled: tuple[Cli, str, str]) -> None:
    cli, batch, serial = doubled
    (chip,) = cli.ok("batch", "show", batch, "--json").json["doubled"]
    assert (chip["chip_serial"], chip["state"], chip["sequence"]) == (serial, "verified", 1)
    assert (chip["by"], chip["at"]) == ("east, lane 2", "2026-11-22T16:00:00+08:00")


def test_the_report_has_them(doubled: tuple[Cli, str, str], tmp_path: Path) -> None:
    cli, batch, serial = doubled
    cli.ok("batch", "report", batch, "--html", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f"<td><code>{serial}</code></td>" in page[page.index("Serials that two chips have") :]
