"""What a terminal, a pipe and a locale do to a command: Ctrl-C, a reader that goes away, Chinese without UTF-8."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cli import SCRIPT, Cli, IssuerDirectory, csv_form
from tests.support.waiting import PATIENCE, eventually
from tests.support.zygote import ForkedCommand

MEMBERS = 6


def approved(root: Path, count: int) -> tuple[Cli, str]:
    """An issuer with one approved batch of ``count``."""
    cli = Cli(root / "data")
    cli.set_up()
    batch = cli.ok("roster", "import", csv_form(root / "form.csv", count), "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    return cli, batch


def interrupt(process: ForkedCommand, ready: Callable[[], bool], number: int = signal.SIGINT) -> str:
    """Signal the whole process group, as a terminal does, once ``ready``; the process's standard error."""
    assert eventually(lambda: ready() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    with contextlib.suppress(ProcessLookupError):  # it may have ended since
        os.killpg(process.pid, number)
    _, err = process.communicate(timeout=PATIENCE)
    return err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_ctrl_c_ends_a_run_after_the_card_in_hand_and_a_second_run_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    cli, batch = approved(tmp_path, MEMBERS)
    cli.ok("batch", "prepare", batch)
    stock = tmp_path / "stock"
    cli.ok("sim", "stock", stock, "--count", MEMBERS)
    run = cli.start("perso", "run", batch, "--reader", f"sim:{stock}?timing=real")
    err = interrupt(run, lambda: (stock / "issued").is_dir(), number)
    assert run.returncode == 130, err
    assert err.strip().splitlines()[-1] == (
        "membercard: stopped after the cards in hand; the same command goes on with the rest"
    )
    assert "stopping after the cards in hand" in err
    assert "Traceback" not in err
    accounts = cli.ok("batch", "show", batch, "--json").json["accounts"]
    verified = accounts["verified"]
    assert 1 <= verified < MEMBERS
    assert (accounts["claimed"], accounts["chips_in_reader"], accounts["balanced"]) == (0, 0, True)
    # No card was left half-written: every chip is either issued or still blank.
    chips = {path: cli.ok("sim", "show", path, "--json").json["life_cycle"] for path in stock.rglob("*.card")}
    assert (
        sorted(chips.values()) == ["OP_READY"] * (MEMBERS - accounts["verified"]) + ["SECURED"] * accounts["verified"]
    )
    cli.ok("perso", "run", batch, "--reader", f"sim:{stock}")
    accounts = cli.ok("batch", "show", batch, "--json").json["accounts"]
    assert (accounts["verified"], accounts["chips_fed"], accounts["balanced"]) == (MEMBERS, MEMBERS, True)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_a_preparation_and_a_second_one_makes_the_rest(tmp_path: Path, workers: int) -> None:
    cli, batch = approved(tmp_path, 60)
    pool = tmp_path / "data" / "keypool"
    prepare = cli.start("batch", "prepare", batch, "--workers", workers)
    err = interrupt(prepare, lambda: len(list(pool.rglob("*.key"))) >= 2)
    assert prepare.returncode == 130, err
    assert err.strip().splitlines()[-1] == "membercard: interrupted; what was done so far is kept"
    assert "Traceback" not in err
    key_count = len(list(pool.rglob("*.key")))
    assert key_count < 60, "it went on making keys"
    assert not [path for path in pool.rglob("*") if path.is_file() and path.suffix != ".key"]
    cli.ok("batch", "prepare", batch, "--workers", workers)
    assert cli.ok("batch", "show", batch, "--json").json["accounts"]["waiting"] == 60


def test_ctrl_c_while_worker_processes_prepare_dossiers(tmp_path: Path) -> None:
    """Workers are in the terminal's process group too; none of them may cry out."""
    cli, batch = approved(tmp_path, 20)
    pool = tmp_path / "data" / "keypool"
    prepare = cli.start("batch", "prepare", batch, "--workers", 2)
    err = interrupt(prepare, lambda: len(list(pool.rglob("*.key"))) >= 15)
    assert prepare.returncode in (0, 130), err
    assert "Traceback" not in err
    cli.ok("batch", "prepare", batch)
    accounts = cli.ok("batch", "show", batch, "--json").json["accounts"]
    assert (accounts["dossiers"], accounts["waiting"], accounts["to_prepare"]) == (20, 20, 0)


@pytest.mark.parametrize(
    "words", ["--help", "keys list --json", "roster check {form} --json", "card trace --reader {card}"]
)
def test_a_reader_that_goes_away_is_no_fault(home: IssuerDirectory, words: str) -> None:
    args = words.format(form=home.form, card=home.card).split()
    process = subprocess.Popen(  # the installed script: what an interpreter prints at its end is a fault too
        [SCRIPT, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=home.cli.env()
    )
    assert process.stdout is not None
    process.stdout.close()  # before the first byte: `membercard … | true`
    _, err = process.communicate(timeout=PATIENCE)
    assert err == ""
    assert process.returncode in (0, 1)


def test_much_output_into_head(home: IssuerDirectory, tmp_path: Path) -> None:
    form = csv_form(tmp_path / "large.csv", 999)
    command = f"'{SCRIPT}' roster check '{form}' --json | head -2"
    completed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=home.cli.env(), check=True)
    assert completed.stdout.startswith('{\n "file": ')
    assert completed.stderr == ""


@pytest.mark.parametrize(
    "env",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=lambda env: " ".join(f"{k}={v}" for k, v in env.items()),
)
def test_chinese_on_a_terminal_without_it(home: IssuerDirectory, env: dict[str, str]) -> None:
    groups = ("counter.card", "intake.batch", "intake.roster", "start.doctor")
    enough = tuple(f"membercard.commands.{group}" for group in groups) if "LC_ALL" in env else ()
    cli = replace(home.cli, preloaded=enough)
    for args, status in (
        (("--help",), 0),
        (("roster", "check", home.form), 1),
        (("batch", "list"), 0),
        (("card", "verify", "--reader", home.card), 0),
        (("card", "read", "--reader", home.card), 0),
        (("doctor",), 0),
    ):
        done = cli.run(*args, env=env)
        assert done.status == status, (args, done.err)
        assert "Traceback" not in done.err
    failed = cli.run("roster", "check", home.root / "no-such-form.xlsx", env=env)
    assert "does not exist" in failed.complaint


def test_json_in_ascii_says_the_same(home: IssuerDirectory) -> None:
    plain = home.cli.run("roster", "check", home.form, "--json").json
    ascii_only = home.cli.run("roster", "check", home.form, "--json", env={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.out.isascii()
    assert ascii_only.json == plain
    assert plain["unit"] == "测试工会"


def test_batch_numbers_are_whole_in_a_narrow_terminal(home: IssuerDirectory) -> None:
    shown = home.cli.ok("batch", "list", env={"COLUMNS": "60"}).out
    assert re.search(rf"\b{re.escape(home.done)}\b", shown)


def test_a_fault_of_the_program_tells_its_place_and_not_what_it_held(home: IssuerDirectory) -> None:
    """A stand-in for a bug: the profile module's loader breaks with personal data in the exception's text."""
    code = (
        "import sys, personalize.profiles.profile as m, membercard.cli as c\n"
        "def broken(path): raise LookupError('130102197605153974')\n"
        "m.load_profile = broken\n"
        "sys.argv = ['membercard', 'profile', 'check', 'x.yaml']\n"
        "c.main()\n"
    )
    python = SCRIPT.with_name("python")
    completed = subprocess.run([python, "-c", code], capture_output=True, text=True, env=home.cli.env(), check=False)
    assert completed.returncode == 1
    assert re.fullmatch(
        r"membercard: this is a fault of the program \(LookupError at profile\.py, line \d+\); "
        r"MEMBERCARD_TRACEBACK=1 in the environment shows more\n",
        completed.stderr,
    )
    env = home.cli.env({"MEMBERCARD_TRACEBACK": "1"})
    shown = subprocess.run([python, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert "Traceback" in shown.stderr
