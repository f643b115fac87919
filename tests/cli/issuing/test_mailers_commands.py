"""`membercard mailers`: PIN letters through a printer's queue and a pipe, each once, by two people."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pypdfium2
import pytest

from reader_service.access.passwords import CHEAP, Passwords
from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, SCRIPT, Cli, IssuerDirectory

PASSWORD = "Neun-Ziegen-am-Hang"
PEOPLE = ("--by", "Li Na", "--second", "Wang Fang")


@pytest.fixture(scope="module")
def issued(home: IssuerDirectory, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str]:
    """An issuer with a batch of finished cards."""
    copied = home.copy(tmp_path_factory.mktemp("letters") / "home")
    return copied.cli, copied.done


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


def test_with_users_two_people_prove_themselves(home: IssuerDirectory, tmp_path: Path) -> None:
    copied = home.copy(tmp_path / "home")
    cli, stored = copied.cli, Passwords(CHEAP).hash(PASSWORD)
    keystore = SoftwareKeystore.unlock(cli.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{cli.data / 'membercard.db'}", keystore) as registry:
        for name, roles in (("li.na", ["registrar"]), ("wang.fang", ["reviewer"]), ("zhao", ["counter"])):
            registry.users.add(name, name, stored, roles, by="tests", must_change=False)
    pin = ("mailers", "pin", copied.done, "--to", "lp:letters", "--by", "li.na", "--most", 1, "--second")
    folder = tmp_path / "queue"
    folder.mkdir()
    env = queue(folder) | {"PYTHONWARNINGS": "ignore"}
    assert "has to give a password" in cli.run(*pin, "wang.fang", env=env, input=f"{PASSWORD}\n").err
    assert "name or password is wrong" in cli.run(*pin, "wang.fang", env=env, input=f"{PASSWORD}\nguess\n").err
    both = f"{PASSWORD}\n{PASSWORD}\n"
    assert cli.run(*pin, "zhao", env=env, input=both).status != 0, "a counter closes no batch"
    assert cli.run(*pin, "li.na", env=env, input=both).status != 0, "one person alone prints nothing"
    assert not (folder / "lp.out").exists()
    cli.ok(*pin, "wang.fang", env=env, input=both)
    (letter,) = cli.ok("mailers", "list", copied.done, "--json").json
    assert (letter["by"], letter["second"], letter["state"]) == ("li.na", "wang.fang", "printed")
