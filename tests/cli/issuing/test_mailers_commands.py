"""`membercard mailers`: PIN letters through a printer's queue and a pipe, each once, by two people."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pypdfium2
import pytest

from tests.support.cli import SCRIPT, Cli, csv_form

PEOPLE = ("--by", "Li Na", "--second", "Wang Fang")


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str]:
    """An issuer with a batch of three finished cards."""
    root: Path = tmp_path_factory.mktemp("issued")
    cli = Cli(root / "data")
    cli.set_up()
    form = csv_form(root / "form.csv", 3)
    batch = cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", 3)
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    return cli, batch


def queue(folder: Path, status: int = 0) -> dict[str, str]:
    """A PATH with the commands of CUPS, which print into this folder."""
    for name, ends in (("lpstat", 0), ("lp", status)):
        (folder / name).write_text(f"#!/bin/sh\n/bin/cat > {folder}/{name}.out\nexit {ends}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_letters_are_printed_once_and_what_broke_off_ends_with_a_new_card(
    issued: tuple[Cli, str], tmp_path: Path
) -> None:
    cli, batch = issued
    pin = ("mailers", "pin", batch, "--to", "lp:letters")
    alike = cli.run(*pin, "--by", "Li Na", "--second", "li na", env=queue(tmp_path))
    assert (alike.status, "two different people" in alike.err) == (1, True)
    first = cli.ok(*pin, *PEOPLE, "--most", 1, env=queue(tmp_path))
    assert (first.out, "1 PIN letters printed, 2 left" in first.err) == ("", True)
    text = pypdfium2.PdfDocument(tmp_path / "lp.out")[0].get_textpage().get_text_range()
    assert "PIN of the member card" in text
    broken = cli.run(*pin, *PEOPLE, "--most", 1, env=queue(tmp_path, status=1))
    assert (broken.status, "1 PIN letters of batch" in broken.err, "status 1" in broken.err) == (1, True, True)
    arguments = [SCRIPT, "mailers", "pin", batch, "--to", "-", *PEOPLE]
    ran = subprocess.run(arguments, capture_output=True, env=cli.env(), check=True)
    assert len(pypdfium2.PdfDocument(ran.stdout)) == 1
    assert cli.run("batch", "close", batch, *PEOPLE).complaint.startswith(f"batch {batch} has 1 PIN letters")
    (unknown,) = cli.ok("mailers", "list", batch, "--unknown", "--json").json
    listed = cli.ok("--lang", "zh", "mailers", "list", batch).out
    assert ("去向不明" in listed, "会员密码" in listed, "已打印" in listed) == (True, True, True)
    settled = cli.ok("mailers", "spoilt", unknown["card_number"], "--reason", "paper jam", *PEOPLE, "--json").json
    assert (settled["letter"]["state"], settled["batch"].startswith("B2")) == ("spoilt", True)
    cli.ok("batch", "close", batch, *PEOPLE)


def test_with_users_two_people_prove_themselves(issued: tuple[Cli, str], tmp_path: Path) -> None:
    cli, batch = issued
    for name, role in (("li.na", "registrar"), ("wang.fang", "reviewer")):
        cli.ok("user", "add", name, "--role", role)
    people = ("--by", "li.na", "--second", "wang.fang")
    refused = cli.run("mailers", "pin", batch, "--to", "lp:letters", *people, env=queue(tmp_path))
    assert (refused.status, "has to give a password" in refused.err) == (1, True)
