"""The line over stocks of other makers, as an operator runs it: what becomes of each chip, and of the accounts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cli import Cli, csv_form

MEMBERS = 3


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str]:
    """An issuer with one prepared batch."""
    root = tmp_path_factory.mktemp("issuer")
    cli = Cli(root / "data")
    cli.ok("keys", "init")
    form = csv_form(root / "form.csv", MEMBERS)
    batch = cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    return cli, str(batch)


def station(prepared: tuple[Cli, str], root: Path, *stock: str) -> tuple[Cli, str, Path]:
    """The issuer in a directory of its own, with a stock of as many chips as members."""
    issuer, batch = prepared
    shutil.copytree(issuer.data, root / "data")
    cli = replace(issuer, data=root / "data")
    cli.ok("sim", "stock", root / "chips", "--count", MEMBERS, *stock)
    cli.ok("stock", "receive", MEMBERS, "--supplier-batch", "L-1")
    return cli, batch, root / "chips"


def bins(chips: Path) -> dict[str, int]:
    return {name: len(list((chips / name).glob("*.card"))) for name in ("issued", "rejects", "aside")}


@pytest.mark.parametrize("production", ["00", "ff", "none"])
def test_blanks_that_do_not_identify_themselves_never_become_cards(
    prepared: tuple[Cli, str], tmp_path: Path, production: str
) -> None:
    cli, batch, chips = station(prepared, tmp_path, "--production", production)
    run = cli.run("perso", "run", batch, "--reader", f"sim:{chips}", "--json")
    assert run.status == 1
    assert bins(chips) == {"issued": 0, "rejects": 0, "aside": 3}
    accounts = run.json["accounts"]
    assert (accounts["chips_fed"], accounts["waiting"], accounts["balanced"]) == (0, 3, True)


@pytest.mark.parametrize(
    "stock",
    [
        pytest.param(("--beside", "70", "--beside", "71", "--beside", "73"), id="key-sets-beside"),
        pytest.param(("--scp", "02", "--key-version", "20"), id="scp02-with-our-version"),
        pytest.param(("--key-version", "31"), id="scp03-with-our-version"),
        pytest.param(("--scp", "02", "--option", "05", "--protocol", "t0"), id="scp02-option-05"),
        pytest.param(("--scp", "02", "--option", "65"), id="scp02-option-65"),
    ],
)
def test_chips_of_other_makers_become_cards(prepared: tuple[Cli, str], tmp_path: Path, stock: tuple[str, ...]) -> None:
    cli, batch, chips = station(prepared, tmp_path, *stock)
    run = cli.run("perso", "run", batch, "--reader", f"sim:{chips}", "--json")
    assert run.status == 0, run.err
    assert bins(chips) == {"issued": 3, "rejects": 0, "aside": 0}
    card = next((chips / "issued").glob("*.card"))
    assert cli.run("card", "verify", "--reader", f"sim:{card}").status == 0
