"""The installed script in an interpreter of its own, for each command group: what other tests fork, it says as well."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from membercard.cli import app
from tests.support.cli import Done, IssuerDirectory
from tests.support.paths import ROOT
from tests.support.thorough import repeats

COMMANDS = [
    "demo --help",
    "doctor --json",
    "serve --help",
    "profile check {profile}",
    "roster check {form}",
    "batch report {done} --json",
    "perso run --help",
    "redemptions list --json",
    "cashiers list --json",
    "findings list --json",
    "claim list --json",
    "cover list --json",
    "figures year --from 2026-01-01 --to 2026-12-31 --json",
    "grant list --json",
    "matter list --json",
    "payout list --json",
    "ecard list --json",
    "rush list --json",
    "rush findings --json",
    "redeem --help",
    "amendment list --json",
    "loss list --json",
    "merchant list --json",
    "settlement list --json",
    "box list --json",
    "card read --reader {card}",
    "dossier show --help",
    "emv log --reader {blank}",
    "tlv decode 9F0206000000010000",
    "readers list --help",
    "gp list --reader {blank} --json",
    "face list",
    "keys list --json",
    "lists publish {out}",
    "machine list",
    "mailers list {done}",
    "programme check {programme}",
    "queue list --json",
    "restore check --help",
    "stock show --json",
    "unit list --json",
    "waiting --json",
    "user list --json",
    "audit verify --json",
    "sim show {chip} --json",
]


@pytest.mark.parametrize("command", COMMANDS[:: repeats(2, 1)])
def test_the_script_says_what_a_forked_command_says(home: IssuerDirectory, tmp_path: Path, command: str) -> None:
    profile = ROOT / "personalize" / "profiles" / "union-member.yaml"
    programme = ROOT / "programme" / "examples" / "beijing.yaml"
    chip = home.card.removeprefix("sim:")
    names = {"form": home.form, "done": home.done, "card": home.card, "blank": home.blank, "chip": chip}
    names |= {"profile": profile, "programme": programme, "out": tmp_path / "lists"}
    words = command.format(**names).split()
    script = replace(home.cli, fresh=True).run(*words)
    assert "Traceback" not in script.err
    assert script.out + script.err
    assert _without_free_space(script) == _without_free_space(home.cli.run(*words))


def _without_free_space(done: Done) -> Done:
    """What a command said, without the figure of the disk that other processes write to meanwhile."""
    return replace(done, out=re.sub(r"[\d.]+ GiB free", "GiB free", done.out))


def test_no_group_is_left_out() -> None:
    root = typer.main.get_command(app)
    groups = root.list_commands(root.make_context("membercard", [], resilient_parsing=True))  # type: ignore[attr-defined]
    assert {command.split()[0] for command in COMMANDS} == set(groups)
