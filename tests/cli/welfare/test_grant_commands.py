"""`membercard grant`: from a workbook with a wrong row to payments within the budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT

KINDS = """\
grants:
  medical: {name: {zh: 医疗二次补助, en: Medical}, most: 500, once: year, budget: {2026: 600}}
  opening: {name: {zh: 开卡补贴, en: Opening grant}, amount: 20, once: lifetime, on_activation: true}
"""


@pytest.fixture
def cli(home: IssuerDirectory, tmp_path: Path) -> Cli:
    issuer = home.copy(tmp_path / "home").cli
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    head = HEAD.replace("benefits:\n", f"{KINDS}benefits:\n").replace('"110000"', '"130000"')
    (tmp_path / "own.yaml").write_text(head + benefit, "utf-8")
    issuer.publish_programme(tmp_path / "own.yaml")
    return issuer


def workbook(path: Path, *rows: tuple[str, str, str]) -> Path:
    book = Workbook()
    book.active.append(["补助名单"])
    for row in (("证件号码", "姓名", "金额（元）"), *rows):
        book.active.append(row)
    book.save(path)
    return path


def people_of(issuer: Cli) -> list[tuple[str, str]]:
    """Identity numbers and names of the three members with cards."""
    keystore = SoftwareKeystore.unlock(issuer.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{issuer.data}/membercard.db", keystore) as registry:
        shown = [registry.members.unmask(one, by="王芳", reason="测试") for one in (1, 2, 3)]
    return [(one.id_number, one.name) for one in shown]


def test_a_list_is_taken_in_approved_and_paid_within_the_budget(cli: Cli, tmp_path: Path) -> None:
    first, second, third = people_of(cli)
    wrong = workbook(tmp_path / "wrong.xlsx", ("110105194912310021", "无此人", "500"))
    nobody = cli.run("grant", "take-in", "medical", wrong, "--year", 2026, "--by", "王芳")
    assert (nobody.status, "there is no such member" in nobody.out) == (1, True)
    path = workbook(tmp_path / "list.xlsx", (*first, "500"), (second[0], third[1], "100"), (*third, "500.01"))
    taken = cli.ok("grant", "take-in", "medical", path, "--year", 2026, "--by", "王芳").out
    assert "the name is not that of the member" in taken
    assert "more than the rule allows" in taken
    assert first[1] not in taken
    assert "is list 1 already" in cli.run("grant", "take-in", "medical", path, "--year", 2026).complaint
    assert "a second person does" in cli.run("grant", "approve", 1, "--by", "王芳").complaint
    assert "1 payments of 500.00 yuan" in cli.ok("grant", "approve", 1, "--by", "李娜").out
    more = workbook(tmp_path / "more.xlsx", (*second, "100.01"))
    cli.ok("grant", "take-in", "medical", more, "--year", 2026, "--by", "王芳")
    assert "has 10000 fen left" in cli.run("grant", "approve", 2, "--by", "李娜").complaint
    assert "is discarded" in cli.ok("grant", "discard", 2, "--reason", "超预算", "--by", "王芳").out
    assert "medical 2026: 500.00 of 600.00 yuan granted" in cli.ok("grant", "list").out
    assert "waiting: 1 instructions, 500.00 yuan" in cli.ok("payout", "list").out
    shown = cli.ok("grant", "show", 1, "--json").json
    assert [one["rule"] for one in shown["findings"]] == ["name", "most"]


def test_nobody_waits_for_the_opening_grant_before_a_card_is_activated(cli: Cli) -> None:
    assert "nobody waits" in cli.ok("grant", "draw-up", "opening", "--by", "王芳").out
    refused = cli.run("grant", "draw-up", "medical", "--by", "王芳")
    assert "is not granted on activation" in " ".join(refused.err.replace("│", " ").split())
