"""`membercard cover`: from the day on which a list is due to the workbook for the insurer."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.support.cli import Cli, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.covered import COVER


@pytest.fixture
def cli(home: IssuerDirectory, tmp_path: Path) -> Cli:
    """An issuer with three cards, whose programme has a cover by the month."""
    issuer = home.copy(tmp_path / "home").cli
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    section = COVER % "months: 1\n    on_card: true"
    head = HEAD.replace("benefits:\n", f"{section}benefits:\n").replace('"110000"', '"130000"')
    (tmp_path / "own.yaml").write_text(head + benefit, "utf-8")
    issuer.publish_programme(tmp_path / "own.yaml")
    return issuer


def test_from_the_list_that_is_due_to_the_file_for_the_insurer(cli: Cli, tmp_path: Path) -> None:
    assert "is due on" in cli.ok("cover", "list").out
    drawn = cli.ok("cover", "draw-up", "accident", "--by", "王芳", "--json").json
    assert (drawn["before"], drawn["added"], drawn["leaving"], drawn["covered"]) == (0, 3, 0, 3)
    early = cli.run("cover", "file", 1, "-o", tmp_path / "early.xlsx", "--by", "王芳")
    assert "once two people have signed it" in early.complaint
    digest = drawn["digest"][:8]
    assert "a second person signs it next" in cli.ok("cover", "sign", 1, "--digest", digest, "--by", "王芳").out
    assert "two people" in cli.run("cover", "sign", 1, "--digest", digest, "--by", "王芳").complaint
    signed = cli.ok("cover", "sign", 1, "--digest", digest, "--by", "李娜").out
    assert "3 members are covered from" in signed
    cli.ok("cover", "file", 1, "-o", tmp_path / "list.xlsx", "--by", "王芳")
    sheet = load_workbook(io.BytesIO((tmp_path / "list.xlsx").read_bytes()))["互助保障增减名单"]
    rows = list(sheet.iter_rows(min_row=12, values_only=True))
    assert [row[0] for row in rows] == [1, 2, 3]
    assert all(len(str(row[5])) == 18 and "*" not in str(row[4]) for row in rows)
    cli.ok("cover", "file", 1, "-o", tmp_path / "list.pdf", "--by", "王芳")
    assert (tmp_path / "list.pdf").read_bytes().startswith(b"%PDF")
    shown = cli.ok("cover", "show", 1, "--entries").out
    assert not any(str(row[5]) in shown for row in rows)
    assert "is sent" in cli.ok("cover", "send", 1, "--reason", "快递", "--by", "王芳").out
    again = cli.run("cover", "draw-up", "accident", "--supplement", "--by", "王芳")
    assert "nothing has changed" in again.complaint or "no list opened the term" in again.complaint
    card = cli.ok("cover", "show", 1, "--entries", "--json").json["entries"][0]["card_number"]
    assert "accident: covered on" in cli.ok("cover", "member", card).out
    assert "no list opened a term with this day" in cli.ok("cover", "member", card, "--on", "2025-12-31").out


def test_a_draft_is_discarded_and_a_file_has_a_known_form(cli: Cli, tmp_path: Path) -> None:
    cli.ok("cover", "draw-up", "accident", "--by", "王芳")
    assert "is discarded" in cli.ok("cover", "discard", 1, "--reason", "重做", "--by", "王芳").out
    refused = cli.run("cover", "file", 1, "-o", tmp_path / "list.doc", "--by", "王芳")
    assert "a .pdf or an .xlsx" in refused.err
    assert "no cover fire in the programme" in cli.run("cover", "draw-up", "fire", "--by", "王芳").complaint
