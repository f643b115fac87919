"""`membercard rush`: announced, claimed at a window, returned to who waits, closed and cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT

BENEFIT = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
RUSH = """\
rush:
  fair:
    name: {{zh: 庙会, en: Fair}}
    opens: "{opens}"
    closes: "{closes}"
    limit: 1
    waiting: 1
    lots:
      ditan: {{name: {{zh: 地坛, en: Ditan}}, units: 1, days: {{from: {first}, through: {last}}}}}
"""


@pytest.fixture
def issuer(home: IssuerDirectory, tmp_path: Path) -> IssuerDirectory:
    """An issuer with a rush that is open since yesterday."""
    copy = home.copy(tmp_path / "home")
    now, day = datetime.now(UTC), timedelta(days=1)
    times = {"opens": f"{now - day:%Y-%m-%d %H:%M}", "closes": f"{now + 2 * day:%Y-%m-%d %H:%M}"}
    rush = RUSH.format(**times, first=f"{now:%Y-%m-%d}", last=f"{now + 9 * day:%Y-%m-%d}")
    head = HEAD.replace('division: "110000"', 'division: "130000"')
    (tmp_path / "own.yaml").write_text(head + BENEFIT + rush, "utf-8")
    copy.cli.publish_programme(tmp_path / "own.yaml")
    return copy


def cards(issuer: IssuerDirectory) -> list[str]:
    keystore = SoftwareKeystore.unlock(issuer.cli.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{issuer.cli.data}/membercard.db", keystore) as registry:
        return [card.card_number for card in registry.cards.of_batch(issuer.done)]


def test_who_comes_first_has_the_ticket_and_a_returned_one_goes_to_who_waits(issuer: IssuerDirectory) -> None:
    cli = issuer.cli
    first, second, third = cards(issuer)
    by = ("--by", "王芳")
    assert "fair is not announced: membercard rush announce fair" in cli.ok("rush", "list").out
    assert "there is no rush nothing in the programme" in cli.run("rush", "announce", "nothing", *by).complaint
    assert "fair, open" in cli.ok("rush", "announce", "fair", *by).out
    cli.ok("rush", "announce", "fair", *by)
    assert len(cli.ok("rush", "list", "--json").json) == 1
    claim = ("rush", "claim", "fair", "ditan")
    assert "ticket 1" in cli.ok(*claim, first, "--key", "my-first-claim", *by).out
    assert "ticket 1" in cli.ok(*claim, first, "--key", "my-first-claim", *by).out
    assert "waits at place 1" in cli.ok(*claim, second, *by).out
    assert "A key has 8 to 80 characters" in cli.run(*claim, third, "--key", "mine", *by).out
    full = cli.run("--lang", "zh", *claim, third, *by)
    assert (full.status, "候补名额已满" in full.out) == (1, True)
    assert second[-4:] in cli.ok("rush", "waiting", "fair").out
    assert "claim 1: returned" in cli.ok("rush", "return", 1, *by).out
    assert "nobody waits" in cli.ok("rush", "waiting", "fair").out
    listed = cli.ok("rush", "tickets", "fair", "--json").json
    assert sorted((one["number"], one["state"]) for one in listed) == [(1, "returned"), (2, "granted")]
    assert all(first not in str(one) for one in listed)
    assert "lot" in cli.ok("rush", "show", "fair").out


def test_a_closed_rush_gives_nothing_and_a_cancelled_one_is_void(issuer: IssuerDirectory) -> None:
    cli, by = issuer.cli, ("--by", "王芳")
    first, second, _ = cards(issuer)
    cli.ok("rush", "announce", "fair", *by)
    cli.ok("rush", "claim", "fair", "ditan", first, *by)
    assert "is closed" in cli.ok("rush", "close", "fair", "--reason", "下雨", *by).out
    closed = cli.run("rush", "claim", "fair", "ditan", second, *by)
    assert (closed.status, "This rush is closed" in closed.out) == (1, True)
    assert "its tickets are void" in cli.ok("rush", "cancel", "fair", "--reason", "取消", *by).out
    assert cli.ok("rush", "tickets", "fair", "--json").json[0]["state"] == "void"


def test_a_ticket_is_taken_once_at_each_counter_and_two_counters_are_a_finding(
    issuer: IssuerDirectory, tmp_path: Path
) -> None:
    cli, by = issuer.cli, ("--by", "王芳")
    holder, waits, _ = cards(issuer)
    cli.ok("rush", "announce", "fair", *by)
    cli.ok("rush", "claim", "fair", "ditan", holder, *by)
    cli.ok("rush", "claim", "fair", "ditan", waits, *by)
    assert "claim 2 has no valid ticket" in cli.run("rush", "ticket", 2).complaint
    code = cli.ok("rush", "ticket", 1).out.strip()
    for name, start in (("t.png", b"\x89PNG"), ("t.svg", b"<?xml"), ("t.pdf", b"%PDF")):
        cli.ok("rush", "ticket", 1, "-o", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    assert "ends in .png, .svg or .pdf" in cli.run("rush", "ticket", 1, "-o", tmp_path / "t.gif").complaint
    changed = code[:30] + ("A" if code[30] != "A" else "B") + code[31:]
    assert "was changed afterwards" in cli.run("rush", "check", changed).complaint
    assert f"accepted: ticket 1, lot ditan, card …{holder[-4:]}" in cli.ok("rush", "check", code).out
    again = cli.run("rush", "check", code)
    assert (again.status, "refused: ticket 1 was used" in again.out) == (1, True)
    assert "1 uses are new, 0 were on record" in cli.ok("rush", "upload", "east", *by).out
    assert "0 uses are new, 1 were on record" in cli.ok("rush", "upload", "east", *by).out
    assert "no ticket was taken twice" in cli.ok("rush", "findings").out
    cli.ok("rush", "upload", "west", "--from", cli.data / "used-tickets", *by)
    listed = cli.run("rush", "findings", "--json")
    assert (listed.status, [(one["number"], one["kind"], one["counters"]) for one in listed.json]) == (
        1,
        [(1, "twice", ["east", "west"])],
    )
