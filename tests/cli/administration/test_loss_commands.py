"""`membercard loss`: from the report to the bank's file, and back while the new card is not being made."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

import pytest

from tests.support.cli import Cli, csv_form


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, list[str]]:
    """An issuer with two cards, and their numbers."""
    root: Path = tmp_path_factory.mktemp("losses")
    cli = Cli(root / "data")
    cli.set_up()
    batch = cli.ok("roster", "import", csv_form(root / "form.csv", 2), "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", 2)
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    with contextlib.closing(sqlite3.connect(cli.data / "membercard.db")) as database:
        return cli, [number for (number,) in database.execute("SELECT card_number FROM cards ORDER BY member_id")]


def test_a_loss_is_reported_replaced_unlisted_again_and_reported_to_the_bank(
    issued: tuple[Cli, list[str]], tmp_path: Path
) -> None:
    cli, (card, other) = issued
    done = cli.ok("loss", "report", card, "--reason", "lost", "--collect-at", "window 3", "--by", "clerk")
    assert f"loss 1: card {card}-01 is on the hotlist, edition " in done.out
    assert "A second person approves it with: membercard batch approve B" in done.out
    shown = cli.ok("loss", "show", 1).out
    assert "window 3" in shown
    assert re.search(r"collected from +20\d\d-\d\d-\d\d", shown)
    assert f"{card}-01" in cli.ok("loss", "list", "--listed").out
    noted = cli.ok("loss", "unlist", 1, "--reason", "found", "--by", "clerk")
    assert "loss 1: the card was found; another person unlists it: membercard loss unlist 1" in noted.out
    assert "unlist a card that was found" in cli.ok("waiting").out
    assert "the card stays on the hotlist" in cli.ok("loss", "still-lost", 1, "--reason", "no", "--by", "clerk").out
    cli.ok("loss", "unlist", 1, "--reason", "found", "--by", "clerk")
    assert "another unlists it" in cli.run("loss", "unlist", 1, "--reason", "x", "--by", "clerk").complaint
    unlisted = cli.ok("loss", "unlist", 1, "--reason", "found", "--by", "wang")
    assert "it is verified again" in unlisted.out
    assert cli.ok("loss", "list", "--listed").out.strip() == "no card was reported lost"
    later = cli.ok("loss", "report", other, "--reason", "lost", "--by", "clerk")
    assert "membercard loss order 2 --collect-at PLACE" in later.out
    cli.ok("loss", "order", 2, "--reason", "came", "--collect-at", "window 3", "--by", "clerk")
    file = tmp_path / "bank.csv"  # these cards have no application of a bank
    assert cli.run("loss", "bank", file, "--by", "clerk").complaint == "no loss is new since the last report"
    assert cli.run("--lang", "zh", "loss", "bank", file).complaint == "上次清单之后没有新的挂失或解挂"
    assert cli.run("loss", "bank", file, "--again", 1).complaint == "there is no report 1 for the bank"
    assert f"0 lines written to {file}" in cli.ok("loss", "bank", file, "--since", "2020-01-01", "--by", "clerk").out
    assert file.read_text("utf-8-sig").startswith("挂失编号 loss,")


def test_a_caller_is_identified_on_the_command_line_too(issued: tuple[Cli, list[str]]) -> None:
    cli, (card, _) = issued
    call = ("loss", "report", card, "--reason", "call", "--by", "clerk", "--caller", "member")
    assert "0 right answers, and 3 are needed" in cli.run(*call).complaint
    assert cli.run(*call, "--answer", "shoe=42").status == 2
    answers = [word for answer in ("id-end=0000", "name=x", "unit=y") for word in ("--answer", answer)]
    assert "0 right answers" in cli.run(*call, *answers).complaint


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("bank", "losses.txt"), "ends in .xlsx or .csv"),
        (("bank", "x.csv", "--since", "2026-01-01", "--again", "1"), "give either --since or --again"),
        (("order", "1", "--reason", "x", "--collect-at", " "), "name the place"),
        (
            ("report", "62", "--reason", "x", "--collect-at", "w", "--collect-on", "2020-01-01"),
            "a day that is not over",
        ),
        (("report", "62", "--reason", "x", "--answer", "name=x"), "answers go with --caller"),
    ],
)
def test_bad_options_are_usage_errors(issued: tuple[Cli, list[str]], words: tuple[str, ...], sentence: str) -> None:
    done = issued[0].run("loss", *words, env={"COLUMNS": "200"})
    assert done.status == 2
    assert sentence in " ".join(done.err.split())


def test_a_loss_that_is_not_there_has_its_sentence_in_both_languages(issued: tuple[Cli, list[str]]) -> None:
    cli, _ = issued
    assert cli.run("loss", "show", 99).complaint == "there is no loss with the number 99"
    assert cli.run("--lang", "zh", "loss", "show", 99).complaint == "没有编号为 99 的挂失记录"
