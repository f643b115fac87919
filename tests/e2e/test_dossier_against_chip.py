"""A dossier and the chip that was made from it, as the command line compares them."""

from __future__ import annotations

from tests.support.cli import IssuerDirectory


def number_on(home: IssuerDirectory, reader: str) -> str:
    shown = home.cli.ok("card", "read", "--reader", reader, "--json").json
    return str(next(item["value"] for item in shown["elements"] if item["tag"] == "5A")).rstrip("F")


def test_a_verified_chip_is_what_its_dossier_says(home: IssuerDirectory) -> None:
    mine, other, *_ = (f"sim:{path}" for path in sorted((home.stock / "issued").glob("*.card")))
    number = number_on(home, mine)
    same = home.cli.ok("dossier", "diff", home.done, number, "--reader", mine)
    assert same.out == "no difference\n"
    differs = home.cli.run("dossier", "diff", home.done, number_on(home, other), "--reader", mine)
    assert differs.status == 1
    assert "70/5A Application Primary Account Number" in differs.out
    assert number not in differs.out


def test_a_blank_chip_has_none_of_it(home: IssuerDirectory) -> None:
    number = number_on(home, home.card)
    differs = home.cli.run("dossier", "diff", home.done, number, "--reader", home.blank)
    assert differs.status == 1
    assert "selecting the application: card answered 6A82" in differs.out
