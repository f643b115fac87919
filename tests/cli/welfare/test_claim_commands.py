"""`membercard claim`: a fire and an accident, from filing to the payment that waits for a bank."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.claiming import KINDS
from tests.support.registry.covered import COVER

TODAY = date.today().isoformat()  # the commands take the day from the clock of this machine


@pytest.fixture
def issuer(home: IssuerDirectory, tmp_path: Path) -> IssuerDirectory:
    """An issuer with three members who are covered by the month."""
    own = home.copy(tmp_path / "home")
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    section = COVER % "months: 1" + KINDS
    head = HEAD.replace("benefits:\n", f"{section}benefits:\n").replace('"110000"', '"130000"')
    (tmp_path / "own.yaml").write_text(head + benefit, "utf-8")
    own.cli.publish_programme(tmp_path / "own.yaml")
    digest = own.cli.ok("cover", "draw-up", "accident", "--by", "王芳", "--json").json["digest"]
    for person in ("王芳", "李娜"):
        own.cli.ok("cover", "sign", 1, "--digest", digest[:8], "--by", person)
    return own


def card_of(issuer: IssuerDirectory) -> str:
    keystore = SoftwareKeystore.unlock(issuer.cli.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{issuer.cli.data}/membercard.db", keystore) as registry:
        return registry.cards.of_batch(issuer.done)[0].card_number


def test_a_claim_goes_from_level_to_level_to_its_payment(issuer: IssuerDirectory, tmp_path: Path) -> None:
    cli, card = issuer.cli, card_of(issuer)
    (tmp_path / "words.txt").write_text("右手骨折", "utf-8")
    filing = ("claim", "file", "disability", card, "--on", TODAY, "--words", tmp_path / "words.txt", "--by", "王芳")
    assert "choose one of grade-1, grade-10" in cli.run(*filing).err
    filed = cli.ok(*filing, "--choice", "grade-10").out
    assert "membercard claim tick 1 DOCUMENT: id-card" in filed
    assert "disability" not in filed
    assert "same event" in cli.run(*filing, "--choice", "grade-1").complaint
    assert "lacks id-card" in cli.run("claim", "approve", 1, "--level", "station", "--by", "李娜").complaint
    assert "has all its documents" in cli.ok("claim", "tick", 1, "id-card", "--by", "王芳").out
    assert "goes to the district" in cli.ok("claim", "approve", 1, "--level", "station", "--by", "李娜").out
    back = ("claim", "return", 1, "--level", "district", "--reason", "等级不符", "--by", "赵敏")
    assert "is returned to its filer" in cli.ok(*back).out
    cli.ok("claim", "refile", 1, "disability", "--on", TODAY, "--choice", "grade-1", "--by", "王芳")
    for level, person in (("station", "李娜"), ("district", "赵敏"), ("city", "钱进")):
        done = cli.ok("claim", "approve", 1, "--level", level, "--by", person).out
    assert "its payment waits for a bank batch" in done
    opened = cli.ok("claim", "open", 1, "--reason", "复核", "--by", "李娜", env={"COLUMNS": "200"}).out
    assert "disability: 5000.00 yuan" in opened
    assert "等级不符" in opened
    assert "waiting: 1 instructions, 5,000.00 yuan" in cli.ok("payout", "list").out
    figures = cli.ok("claim", "figures", "--from", TODAY, "--to", TODAY, "--json").json
    assert [(one["kind"], one["approved"], one["approved_amount"]) for one in figures] == [("disability", 1, 500_000)]


def test_a_fire_is_decided_by_the_city_at_once(issuer: IssuerDirectory, tmp_path: Path) -> None:
    cli, card = issuer.cli, card_of(issuer)
    kinds = cli.ok("claim", "kinds", env={"COLUMNS": "200"}).out
    assert "10% ≤ 3000.00" in kinds
    fire = ("claim", "file", "fire", card, "--on", TODAY, "--by", "王芳")
    assert "is an amount in yuan" in cli.run(*fire, "--loss", "much").err
    assert cli.ok(*fire, "--loss", "25000", "--json").json["amount"] == 250_000
    (tmp_path / "heir.json").write_text('{"name": "李"}', "utf-8")
    refused = cli.run(*fire, "--loss", "1", "--heir", tmp_path / "heir.json")
    words = " ".join(refused.err.replace("│", " ").split())
    assert "is no JSON file with name, id_number, relation and account" in words
    assert "is refused" in cli.ok("claim", "refuse", 1, "--level", "city", "--reason", "不实", "--by", "李娜").out
    cli.ok(*fire, "--loss", "25000")
    assert "is taken back" in cli.ok("claim", "withdraw", 2, "--reason", "误报", "--by", "王芳").out
    listed = cli.ok("claim", "list", "--stage", "refused", "--json").json
    assert listed["number"] == 1
