"""A card profile with a member AID of its own: the commands read and judge the card under it."""

from __future__ import annotations

from pathlib import Path

from membercard.wiring.counter_lists import LIST_KEY
from tests.support import profiles
from tests.support.cli import Cli, csv_form

OWN = "F04D454D4245520177"


def test_a_card_under_an_aid_of_the_profile_is_issued_read_and_verified(tmp_path: Path) -> None:
    profile = tmp_path / "own.yaml"
    profile.write_text(profiles.text().replace("  aid: F04D454D4245520101 ", f"  aid: {OWN} "), "utf-8")
    cli = Cli(tmp_path / "data")
    own = ("--profile", profile)
    cli.set_up()
    batch = cli.ok(*own, "roster", "import", csv_form(tmp_path / "f.csv", 1), "--by", "clerk", "--json").json["batch"]
    cli.ok(*own, "batch", "approve", batch, "--by", "reviewer")
    cli.ok(*own, "batch", "prepare", batch)
    cli.ok(*own, "sim", "stock", tmp_path / "stock", "--count", 1)
    cli.ok(*own, "stock", "receive", 1, "--supplier-batch", "L-1")
    cli.ok(*own, "perso", "run", batch, "--reader", f"sim:{tmp_path / 'stock'}")
    cli.ok(*own, "lists", "publish", tmp_path / "lists")
    (card,) = (tmp_path / "stock" / "issued").glob("*.card")
    reader, (key,) = ("--reader", f"sim:{card}"), ((tmp_path / "lists" / LIST_KEY),)
    lists = ("--trust", tmp_path / "lists" / "trust.json", "--hotlist", tmp_path / "lists" / "hotlist.json")
    lists += ("--list-key", key)
    assert OWN in cli.ok(*own, "card", "info", *reader).out
    assert OWN in cli.ok(*own, "card", "read", *reader).out
    assert cli.run(*own, "card", "verify", *reader, *lists, "--json").json["verdict"] == "ACTIVE"
    assert cli.run("card", "verify", *reader, *lists, "--json").json["verdict"] != "ACTIVE"
    listed = cli.ok(*own, "gp", "list", *reader, "--json").json
    assert OWN in {entry["aid"] for entry in listed}
