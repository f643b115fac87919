"""`membercard matter`: what a window sees of a member, and a matter from a station to the city."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT

MATTERS = "matters:\n  legal: {name: {zh: 法律援助, en: Legal aid}, days: 30}\n"
WINDOWS = (
    "windows: {city: {level: city, name: {zh: 市, en: C}}, east: {level: district, under: city, name: {zh: 东, en: E}}}"
)


@pytest.fixture
def cli(home: IssuerDirectory, tmp_path: Path) -> Cli:
    issuer = home.copy(tmp_path / "home").cli
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    head = HEAD.replace("benefits:\n", f"{MATTERS}benefits:\n").replace('"110000"', '"130000"')
    head = head.replace("en: Beijing}}", f"en: Beijing}}, {WINDOWS}}}")
    (tmp_path / "own.yaml").write_text(head + benefit, "utf-8")
    issuer.publish_programme(tmp_path / "own.yaml")
    return issuer


def first_card(cli: Cli) -> tuple[str, str]:
    """The number of a card, and its member's name."""
    keystore = SoftwareKeystore.unlock(cli.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{cli.data}/membercard.db", keystore) as registry:
        card = registry.cards.of_member(1)[0].card_number
        return card, registry.members.unmask(1, by="王芳", reason="测试").name


def test_a_matter_of_a_member_goes_to_the_city_and_ends(cli: Cli) -> None:
    card, name = first_card(cli)
    seen = cli.ok("matter", "find", card).out
    assert (name in seen, "claims: 0, payments: 0" in seen) == (False, True)
    assert "no member has this number" in cli.ok("matter", "find", "6212269999999999").out
    cli.ok("matter", "open", "legal", "--window", "east", "--card", card, "--words", "拖欠工资", "--by", "王芳")
    assert "拖欠" not in cli.ok("matter", "list").out
    held = cli.ok("matter", "up", 1, "--window", "east", "--reason", "需要律师", "--by", "王芳").out
    assert "window city has matter 1 now" in held
    again = cli.run("matter", "up", 1, "--window", "east", "--reason", "x", "--by", "王芳")
    assert "window city holds matter 1, not east" in again.complaint
    assert "no window is above city" in cli.run("matter", "up", 1, "--window", "city", "--reason", "x").complaint
    assert "has a note more" in cli.ok("matter", "note", 1, "--words", "已约谈", "--by", "李娜").out
    down = ("matter", "down", 1, "--window", "city", "--to", "east", "--reason", "就近", "--by", "李娜")
    assert "window east has matter 1 now" in cli.ok(*down).out
    assert "is closed" in cli.ok("matter", "close", 1, "--result", "已补发", "--by", "王芳").out
    assert "is open again" in cli.ok("matter", "reopen", 1, "--reason", "未到账", "--by", "王芳").out
    shown = cli.ok("matter", "show", 1, "--by", "李娜", "--json").json
    assert [step["kind"] for step in shown["steps"]] == ["open", "up", "note", "down", "close", "reopen"]
    assert shown["steps"][0]["words"] == "拖欠工资"
    figures = cli.ok("matter", "figures", "--from", "2020-01-01", "--to", "2099-12-31", "--json").json
    assert [(one["kind"], one["window"], one["opened"], one["handed"]) for one in figures] == [("legal", "east", 1, 2)]
