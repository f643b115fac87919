"""A dossier and the chip that was made from it, as the command line compares them."""

from __future__ import annotations

from tests.support.cli import IssuerDirectory


def number_on(house: IssuerDirectory, reader: str) -> str:
    shown = house.cli.ok("card", "read", "--reader", reader, "--json").json
    return str(next(item["value"] for item in shown["elements"] if item["tag"] == "5A")).rstrip("F")


def test_a_verified_chip_is_what_its_dossier_says(house: IssuerDirectory) -> None:
    mine, other, *_ = (f"sim:{path}" for path in sorted((house.stock / "issued").glob("*.card")))
    number = number_on(house, mine)
    same = house.cli.ok("dossier", "diff", house.done, number, "--reader", mine)
    assert same.out == "no difference\n"
    differs = house.cli.run("dossier", "diff", house.done, number_on(house, other), "--reader", mine)
    assert differs.status == 1
    assert "70/5A Application Primary Account Number" in differs.out
    assert number not in differs.out


def test_a_blank_chip_has_none_of_it(house: IssuerDirectory) -> None:
    number = number_on(house, house.card)
    differs = house.cli.run("dossier", "diff", house.done, number, "--reader", house.blank)
    assert differs.status == 1
    assert "selecting the application: card answered 6A82" in differs.out
