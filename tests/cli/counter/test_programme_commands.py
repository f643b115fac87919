"""`membercard programme`: checked, shown, published, and read at a counter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli import Cli, IssuerDirectory
from tests.support.paths import ROOT

EXAMPLES = ROOT / "programme" / "examples"
BEIJING = EXAMPLES / "beijing.yaml"
PRICE = next(n for n, line in enumerate(BEIJING.read_text("utf-8").splitlines(), 1) if "percent: 80}" in line)
"""The line of the price that the tests change."""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    (tmp_path / "data").mkdir()
    return Cli(tmp_path / "data", passphrase=None)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_the_examples_are_sound(cli: Cli, name: str) -> None:
    assert "the programme is sound" in cli.ok("programme", "check", EXAMPLES / name).out
    assert cli.ok("programme", "check", EXAMPLES / name, "--json").json["findings"] == []


def test_faults_and_findings_are_lines_with_their_place_in_both_languages(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(BEIJING.read_text("utf-8").replace("percent: 80}", "percent: 80, fixed: 3}"), "utf-8")
    fault = cli.run("programme", "check", path)
    assert (fault.status, fault.complaint.endswith("price: a price is one of percent, fixed or off")) == (1, True)
    assert f"{path}:{PRICE}: benefits.check-up.products.package.price" in fault.complaint
    chinese = cli.run("--lang", "zh", "programme", "check", path)
    assert chinese.complaint.endswith("price: 价格须且只能是 percent、fixed、off 之一")

    path.write_text(BEIJING.read_text("utf-8").replace("percent: 80}", "percent: 180}"), "utf-8")
    finding = cli.run("programme", "check", path)
    assert finding.status == 1
    assert (
        finding.complaint
        == f"{path}:{PRICE}: benefits.check-up.products.package.price.percent: more than the list price"
    )
    chinese = cli.run("--lang", "zh", "programme", "check", path)
    assert chinese.complaint.endswith("price.percent: 高于原价")
    data = cli.run("programme", "check", path, "--json")
    assert data.status == 1
    assert [(row["line"], row["rule"]) for row in data.json["findings"]] == [(PRICE, "price")]


def test_the_rules_are_shown_in_words_on_eighty_columns(cli: Cli) -> None:
    english = cli.ok("programme", "show", BEIJING, env={"COLUMNS": "80"}).out
    assert "new pass: 50% of the list price of 200.00" in english
    assert max(map(len, english.splitlines())) <= 80
    assert "每个销售期每人限 1 次" in cli.ok("--lang", "zh", "programme", "show", BEIJING).out


def test_what_a_member_can_have_on_a_day(cli: Cli) -> None:
    facts = ("--member", "category=in-hardship", "--member", "issued=2026-08-01", "--on", "2026-12-20")
    rows = cli.ok("programme", "show", BEIJING, *facts, "--json").json["benefits"]
    by_product = {(row["benefit"], row["product"]): row for row in rows}
    assert by_product["park-pass", "new"]["price"] == 10300
    assert by_product["gold-membership", "binding"]["allowed"] is True
    assert by_product["legal-aid", "aid"]["allowed"] is True
    assert by_product["gym", "pass"]["code"] == "phase-not-reached"
    later = cli.ok("programme", "show", BEIJING, "--member", "category=retired", "--on", "2027-03-01", "--json")
    (aid,) = [row for row in later.json["benefits"] if row["benefit"] == "legal-aid"]
    assert (aid["allowed"], aid["code"]) == (False, "not-in-hardship")
    (new, _) = [row for row in later.json["benefits"] if row["benefit"] == "park-pass"]
    assert (new["again_on"], new["sentence"]["zh"]) == (
        "2027-12-15",
        "公园年票（新办）：不在销售期内；2027-12-15 起可以办理",
    )
    table = cli.ok("programme", "show", BEIJING, "--member", "category=retired", "--on", "2027-03-01").out
    assert "for members in hardship only" in table


@pytest.mark.parametrize("fact", ["category=king", "height=3", "birth", "birth=1980-13-01", "hardship=maybe"])
def test_a_fact_that_is_none_is_a_usage_error(cli: Cli, fact: str) -> None:
    done = cli.run("programme", "show", BEIJING, "--member", fact)
    assert done.status == 2
    assert fact in done.err


def test_a_counter_takes_what_was_published_and_nothing_older(home: IssuerDirectory, tmp_path: Path) -> None:
    issuer = home.copy(tmp_path / "home").cli
    assert "No edition yet" in issuer.ok("programme", "editions").out
    first, second = tmp_path / "first", tmp_path / "second"
    issuer.publish_programme(BEIJING, first)
    issuer.publish_programme(EXAMPLES / "hebei.yaml", second, 30)
    editions = issuer.ok("programme", "editions", "--json").json["editions"]
    assert [edition["programme"] for edition in editions] == ["hebei", "beijing"]
    assert editions[0]["version"] > editions[1]["version"]
    assert "beijing" in issuer.ok("--lang", "zh", "programme", "editions").out
    row = issuer.ok("audit", "list", "--action", "programme.publish", "--json").json[0]["deed"]
    assert row["subject"] == f"programme:{editions[0]['version']}"

    counter = Cli(tmp_path / "counter", passphrase=None)
    assert "membercard programme export" in counter.run("programme", "show").complaint
    counter.data.mkdir(exist_ok=True)
    shutil.copytree(second, counter.data, dirs_exist_ok=True)
    shown = counter.ok("programme", "show", "--json").json
    assert (shown["programme"], shown["edition"]["version"]) == ("hebei", editions[0]["version"])
    shutil.copytree(first, counter.data, dirs_exist_ok=True)
    older = counter.run("programme", "show")
    assert older.status == 1
    assert "was used before, so this one is refused" in older.complaint
    chinese = counter.run("--lang", "zh", "programme", "show").complaint
    assert "服务方案版本" in chinese
    file = counter.data / "programme.json"
    forged = json.loads((second / "programme.json").read_bytes())
    forged["list"]["version"] += 1
    file.write_text(json.dumps(forged))
    complaint = counter.run("programme", "show").complaint
    assert complaint == "the programme edition is not signed by the list key, or was changed after signing"


def test_a_file_with_findings_is_not_published(home: IssuerDirectory, tmp_path: Path) -> None:
    issuer = home.copy(tmp_path / "home").cli
    path = tmp_path / "own.yaml"
    path.write_text(BEIJING.read_text("utf-8").replace("percent: 80}", "percent: 180}"), "utf-8")
    done = issuer.run("--lang", "zh", "programme", "publish", path)
    assert (done.status, "高于原价" in done.complaint) == (1, True)
    assert issuer.ok("programme", "proposals", "--json").json["proposals"] == []
    assert issuer.ok("programme", "editions", "--json").json["editions"] == []


def test_the_lists_of_a_counter_show_its_programme(home: IssuerDirectory, tmp_path: Path) -> None:
    issuer = home.copy(tmp_path / "home").cli
    counter = Cli(tmp_path / "counter", passphrase=None)
    assert "programme.json" not in issuer.ok("lists", "publish", counter.data).out
    issuer.publish_programme(BEIJING)
    assert f"{counter.data}/programme.json" in issuer.ok("lists", "publish", counter.data).out
    rows = counter.ok("lists", "show", "--json").json["lists"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("trust list", "current"),
        ("hotlist", "current"),
        ("programme edition", "current"),
    ]


def test_one_person_hands_in_and_another_publishes(home: IssuerDirectory, tmp_path: Path) -> None:
    issuer = home.copy(tmp_path / "home").cli
    handed = issuer.ok("programme", "publish", BEIJING, "--by", "王芳").out
    assert "proposal 1 waits for a second person: membercard programme confirm 1 --by NAME" in handed
    assert "park-pass" in handed, "what it changes"
    (listed,) = issuer.ok("programme", "proposals", "--json").json["proposals"]
    assert listed["source"] == "beijing.yaml", "without its folder"
    assert "publish a programme" in issuer.ok("waiting").out
    own = issuer.run("programme", "confirm", 1, "--by", "王芳")
    assert (own.status, "another person publishes it" in own.complaint) == (1, True)
    assert issuer.ok("programme", "editions", "--json").json["editions"] == []
    again = issuer.run("--lang", "zh", "programme", "publish", BEIJING, "--by", "王芳").complaint
    assert again == "同一方案的第 1 号提交已在等待确认"
    issuer.ok("programme", "refuse", 1, "--reason", "last year's price", "--by", "李娜")
    over = issuer.run("programme", "confirm", 1, "--by", "李娜").complaint
    assert over == "proposal 1 is refused and does not wait any more"
    issuer.publish_programme(BEIJING)
    (edition,) = issuer.ok("programme", "editions", "--json").json["editions"]
    cheaper = tmp_path / "cheaper.yaml"
    cheaper.write_text(BEIJING.read_text("utf-8").replace("percent: 50}", "percent: 40}"), "utf-8")
    changed = issuer.ok("programme", "publish", cheaper, "--by", "王芳").out
    assert "park-pass" in changed
    assert "gym" not in changed
    compared = issuer.ok("programme", "compare", edition["version"], "--json").json["differences"]
    assert compared == []
    written = issuer.ok("programme", "export", tmp_path / "out").out
    assert "programme.json" in written


def test_a_demo_that_is_not_there_is_refused_with_those_that_are(cli: Cli, tmp_path: Path) -> None:
    refused = cli.run("programme", "demo", "nowhere", "-o", tmp_path / "year.html")
    assert refused.status == 1
    assert "there is no demo nowhere; there are beijing" in refused.complaint
    assert not (tmp_path / "year.html").exists()
