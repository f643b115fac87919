"""`membercard amendment`: requested by one person, decided by another, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, csv_form


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """An issuer with one member who has a card."""
    root: Path = tmp_path_factory.mktemp("amendments")
    cli = Cli(root / "data")
    cli.set_up()
    batch = cli.ok("roster", "import", csv_form(root / "form.csv", 1), "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", 1)
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    return cli


MEMBER = "130000000001"


def test_a_second_person_approves_and_the_new_card_is_ready_to_be_prepared(cli: Cli) -> None:
    change = ("amendment", "request", MEMBER, "--name", "司马相如", "--reason", "x", "--by", "clerk")
    assert cli.run("amendment", "request", MEMBER, "--reason", "x").complaint.startswith("this name or mobile number")
    done = cli.ok(*change, "--new-card")
    assert "amendment 1 waits for a second person" in done.out
    assert "decide on amended data" in cli.ok("waiting").out
    assert cli.run(*change).complaint.startswith("amendment 1 of this member waits already")
    assert "clerk" in cli.run("amendment", "approve", 1, "--by", "clerk").complaint
    approved = cli.ok("amendment", "approve", 1, "--by", "reviewer")
    assert "Next: membercard batch prepare B" in approved.out
    assert cli.run("--lang", "zh", "amendment", "refuse", 1, "--reason", "x").complaint == "更正申请 1 已处理"
    listed = cli.ok("--lang", "zh", "amendment", "list")
    assert "司***" in listed.out
    assert "已更正" in listed.out
    assert cli.ok("amendment", "list", "--waiting").out.strip() == "no amendment was requested"


def test_a_member_that_is_not_there_has_its_sentence(cli: Cli) -> None:
    words = ("amendment", "request", "130000000999", "--name", "司马相如", "--reason", "x")
    assert cli.run(*words).complaint == "there is no member with the number 130000000999"
    assert cli.run("--lang", "zh", "amendment", "cancel", 9, "--reason", "x").complaint == "没有编号为 9 的更正申请"
