"""`membercard settlement` and `membercard merchant`: merchants, their rates, and statements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli

HEAD = "商户号,商户名称,合同起始日,合同终止日,权益类别,网点名称,终端号"
PARK = "PARK-EAST,东城公园,2020-01-01,2099-12-31,0101,东门,T0000001"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """An issuer with one merchant."""
    root: Path = tmp_path_factory.mktemp("settlements")
    cli = Cli(root / "data")
    cli.set_up()
    sheet = root / "merchants.csv"
    sheet.write_text(f"{HEAD}\n{PARK}\n", "utf-8")
    assert "nothing was stored" in cli.ok("merchant", "import", sheet, "--check").out
    assert cli.ok("merchant", "import", sheet, "--by", "clerk").out.strip() == "1 merchants recorded"
    return cli


def test_merchants_are_listed_and_shown(cli: Cli) -> None:
    (listed,) = cli.ok("merchant", "list", "--json").json
    assert (listed["number"], [one["terminals"] for one in listed["outlets"]]) == ("PARK-EAST", [["T0000001"]])
    assert "东城公园" in cli.ok("merchant", "show", "PARK-EAST").out
    assert cli.ok("merchant", "list", "--named", "nobody").out.strip() == "no merchant is on record"
    assert cli.run("merchant", "show", "NOBODY").complaint == "there is no merchant NOBODY"


def test_a_sheet_with_a_finding_stores_nothing(cli: Cli) -> None:
    sheet = cli.data.parent / "wrong.csv"
    sheet.write_text(f"{HEAD}\n{PARK.replace('0101', '1')}\n", "utf-8")
    done = cli.run("merchant", "import", sheet, "--json", "--by", "clerk")
    assert (done.status, done.json["stored"], [one["rule"] for one in done.json["findings"]]) == (
        1,
        False,
        ["merchant-benefit"],
    )


def test_two_people_close_the_statement_of_a_month(cli: Cli) -> None:
    rate = (
        "settlement",
        "rate",
        "PARK-EAST",
        "0101",
        "--from",
        "2026-01-01",
        "--per-unit",
        250,
        "--reason",
        "contract",
    )
    assert "waits for a second person" in cli.ok(*rate, "--by", "clerk").out
    (change,) = cli.ok("merchant", "changes", "--json").json
    assert cli.run("--lang", "zh", "merchant", "approve", change["number"], "--by", "clerk").complaint.endswith(
        "须由第二人处理"
    )
    assert "结算标准" in cli.ok("--lang", "zh", "merchant", "changes").out
    assert cli.ok("merchant", "approve", change["number"], "--by", "reviewer").out.strip().endswith("is in force")
    assert cli.ok("merchant", "changes").out.strip() == "no change of a merchant waits"
    assert "2.50" in cli.ok("settlement", "rates", "PARK-EAST").out
    statement = cli.ok("settlement", "draw-up", "PARK-EAST", "2026-01", "--by", "clerk", "--json").json["statement"]
    number, digest = statement["number"], statement["digest"]
    assert cli.run("settlement", "sign", number, "0" * 8, "--by", "clerk").complaint.endswith("before signing")
    assert "waits for a signature" in cli.ok("settlement", "sign", number, digest[:8], "--by", "clerk").out
    refused = cli.run("--lang", "zh", "settlement", "sign", number, digest[:8], "--by", "clerk")
    assert refused.complaint == "第二人签字须与第一人不同"
    assert cli.ok("settlement", "sign", number, digest, "--by", "reviewer").out.strip().endswith("is closed")
    paths = cli.data.parent / "one.pdf", cli.data.parent / "one.xlsx"
    cli.ok("settlement", "show", number, "--pdf", paths[0], "--xlsx", paths[1])
    assert [path.read_bytes()[:4] for path in paths] == [b"%PDF", b"PK\x03\x04"]
    assert "已结" in cli.ok("--lang", "zh", "settlement", "list").out
    payout = cli.run("--lang", "zh", "settlement", "payout", "2026-01", "--by", "clerk")
    assert payout.complaint == "2026-01 没有尚未列入清单的已签结算单"
    assert "needs a reason" in cli.run("settlement", "draw-up", "PARK-EAST", "2026-01", "--by", "clerk").complaint
    assert "not over yet" in cli.run("settlement", "draw-up", "PARK-EAST", "2098-01", "--by", "clerk").complaint


def test_a_dispute_of_nothing_has_its_sentence(cli: Cli) -> None:
    words = ("settlement", "dispute", 9, "--reason", "x", "--by", "clerk")
    assert cli.run("--lang", "zh", *words).complaint == "没有核销 9"
    assert cli.ok("settlement", "disputes").out.strip() == "no dispute"


def test_a_merchant_ends_and_an_outlet_closes_once_a_second_person_approves(cli: Cli) -> None:
    (outlet,) = cli.ok("merchant", "show", "PARK-EAST", "--json").json["outlets"]
    cli.ok("merchant", "close-outlet", outlet["id"], "--reason", "rebuilt", "--by", "clerk")
    cli.ok("merchant", "end", "PARK-EAST", "--reason", "moved away", "--by", "clerk")
    ended, closed = cli.ok("merchant", "changes", "--json").json
    assert (ended["kind"], closed["kind"]) == ("end", "outlet-close")
    assert "given up" not in cli.ok("merchant", "changes", "--all").out
    cli.ok("merchant", "cancel", ended["number"], "--reason", "a mistake", "--by", "clerk")
    cli.ok("merchant", "refuse", closed["number"], "--reason", "not yet", "--by", "reviewer")
    assert "given up" in " ".join(cli.ok("merchant", "changes", "--all").out.split())
    shown = cli.ok("merchant", "show", "PARK-EAST", "--json").json
    assert (shown["ended_at"], shown["outlets"][0]["closed_at"]) == (None, None)
