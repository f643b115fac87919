"""What the command line creates is its owner's only; what was open to others is mended with a word, or refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.cli import Cli, IssuerDirectory, issue_batch

PUBLIC = {"trust.json", "hotlist.json", "list-key.json"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> IssuerDirectory:
    return issue_batch(tmp_path_factory.mktemp("private"), 1, own_keys=True)


def open_to_others(folder: Path) -> list[tuple[str, str]]:
    present = [(path, stat.S_IMODE(path.lstat().st_mode)) for path in [folder, *folder.rglob("*")]]
    return [(str(path), f"{mode:04o}") for path, mode in present if mode & 0o077]


def test_what_keys_init_and_the_first_registry_leave_is_private(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    cli.ok("keys", "init")
    cli.ok("batch", "list")
    assert {"keystore", "membercard.db"} <= {path.name for path in cli.data.iterdir()}
    assert open_to_others(cli.data) == []


def test_everything_in_the_data_directory_and_every_report_is_private(home: IssuerDirectory) -> None:
    cli, out = home.cli, home.root / "out"
    cli.ok("batch", "report", home.done, "--html", out / "report.html")
    cli.run("roster", "check", home.form, "--annotate", home.root / "checked.xlsx")
    assert open_to_others(cli.data) == []
    assert open_to_others(home.stock) == []
    assert open_to_others(out) == []
    assert stat.S_IMODE((home.root / "checked.xlsx").stat().st_mode) == 0o600


def test_lists_for_counters_are_public(home: IssuerDirectory) -> None:
    home.cli.ok("lists", "publish", home.root / "lists")
    present = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.root / "lists").iterdir()}
    assert present == dict.fromkeys(PUBLIC, 0o644)


@pytest.mark.parametrize(("name", "what"), [("keystore", "the keystore"), ("membercard.db", "the database")])
def test_an_open_file_is_mended_with_a_word(home: IssuerDirectory, name: str, what: str) -> None:
    file = home.cli.data / name
    file.chmod(0o644)
    done = home.cli.ok("batch", "list")
    assert f"{what} {file} was open to other users of this machine (mode 0644)" in done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert home.cli.ok("batch", "list").err == ""


def test_an_open_passphrase_file_is_mended(home: IssuerDirectory, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(home.cli.passphrase or "")
    file.chmod(0o644)
    cli = Cli(home.cli.data, passphrase=None)
    assert "the passphrase file" in cli.ok("keys", "list", env={"MEMBERCARD_PASSPHRASE_FILE": str(file)}).err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("simulation", [True, False])
def test_a_weak_passphrase_makes_no_keystore(tmp_path: Path, simulation: bool) -> None:
    cli = Cli(tmp_path / "data", passphrase="a", simulation=simulation)
    done = cli.run("keys", "init")
    assert done.status == 1
    assert "too easy to guess" in done.complaint
    assert not (tmp_path / "data" / "keystore").exists()
