"""`membercard card`: activation with the member present, ordered changes, and what they leave on the card."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from personalize.updates import encoded
from reader_service.access.authenticator import key_of, new_token
from registry.members.wanted import UpdateKind
from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, csv_form
from tests.support.registry.redeemed import PARK


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str, str]:
    """An issuer with the shipped profile, the reader with its one card, and the card's number."""
    root: Path = tmp_path_factory.mktemp("updates")
    cli = Cli(root / "data", profile=None)
    cli.set_up()
    batch = cli.ok("roster", "import", csv_form(root / "form.csv", 1), "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", 1)
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    (card,) = (root / "stock" / "issued").iterdir()
    with contextlib.closing(sqlite3.connect(cli.data / "membercard.db")) as database:
        ((number,),) = database.execute("SELECT card_number FROM cards")
    return cli, f"sim:{card}", number


def test_a_card_goes_from_its_box_to_its_member_and_gets_what_was_ordered(issued: tuple[Cli, str, str]) -> None:
    cli, reader, number = issued
    refused = cli.run("card", "verify", "--reader", reader)
    assert refused.status == 1
    assert "NOT_ACTIVATED" in refused.out
    activate = ("card", "activate", "--reader", reader, "--shown", "ID card", "--by", "clerk")
    assert cli.run(*activate).complaint == f"card {number} is verified; only a delivered card is activated"
    with contextlib.closing(sqlite3.connect(cli.data / "membercard.db")) as database:
        database.execute("UPDATE cards SET state = 'delivered'")
        database.commit()
    done = cli.ok(*activate)
    assert "ACTIVE" in done.out
    assert "changed on the card: activation" in done.out
    assert "was activated on 20" in cli.run(*activate).complaint
    ordered = cli.ok(
        "card", "change", number, "--valid-through", "2036-12-31", "--category", "retired",
        "--entitlement", "0101:20:year:2026-01-01", "--reason", "renewed", "--by", "clerk",
    )  # fmt: skip
    assert f"card {number}: validity, category, entitlements at its next insertion" in ordered.out
    assert cli.ok("card", "changes", number).out.count("waits for the card") == 3
    updated = cli.ok("card", "updates", "--reader", reader, "--by", "clerk", "--json").json
    assert updated["updates"] == ["validity", "category", "entitlements"]
    assert (updated["member"]["valid_through"], updated["member"]["category"]) == ("2036-12-31", "retired")
    assert [one["limit"] for one in updated["entitlements"]] == [20]
    chinese = cli.ok("--lang", "zh", "card", "updates", "--reader", reader, "--by", "clerk").out
    assert "卡内已更新：无" in chinese


def test_the_cards_of_a_batch_get_what_a_new_year_brings(issued: tuple[Cli, str, str]) -> None:
    cli, reader, _ = issued
    batch = cli.ok("batch", "list", "--json").json[0]["id"]
    wanted = ("--cover-ends", "2030-06-30", "--reason", "new year", "--by", "clerk")
    assert "1 cards: cover at their next insertions" in cli.ok("card", "change", "--batch", batch, *wanted).out
    assert cli.ok("card", "updates", "--reader", reader, "--by", "clerk", "--json").json["updates"] == ["cover"]
    assert "B20000101-001" in cli.run("card", "change", "--batch", "B20000101-001", *wanted).complaint
    assert cli.run("card", "change", *wanted).status == 2


def test_a_change_is_taken_back_before_its_card_comes(issued: tuple[Cli, str, str]) -> None:
    cli, _, number = issued
    cli.ok("card", "change", number, "--block", "--reason", "lost?", "--by", "clerk")
    newest = cli.ok("card", "changes", "--json").json[0]
    cli.ok("card", "withdraw-change", newest["id"], "--reason", "found", "--by", "clerk")
    assert cli.ok("card", "changes", "--json").json[0]["state"] == "withdrawn"
    assert cli.run("card", "change", number, "--reason", "x").status == 2
    assert cli.run("card", "change", number, "--entitlement", "0101:12", "--reason", "x").status == 2
    assert cli.run("card", "change", number, "--category", "boss", "--reason", "x").status == 2


def test_what_lifts_a_block_is_ordered_by_two_people(issued: tuple[Cli, str, str]) -> None:
    cli, reader, number = issued
    lift = (
        "card",
        "change",
        number,
        "--unblock-pin",
        "--last-date",
        "2026-01-01",
        "--reason",
        "forgot",
        "--by",
        "clerk",
    )
    ordered = cli.ok(*lift)
    newest = cli.ok("card", "changes", "--json").json[:2]
    assert sorted(one["kind"] for one in newest) == ["last-date", "pin-unblock"]
    for one in newest:
        assert f"change {one['id']} waits for a second person: membercard card consent {one['id']}" in ordered.out
        assert "a second person does" in cli.run("card", "consent", one["id"], "--by", "clerk").complaint
    assert cli.ok("card", "changes").out.count("waits for a second person") == 2
    assert cli.ok("card", "updates", "--reader", reader, "--by", "clerk", "--json").json["updates"] == []
    for one in newest:
        assert "at its next insertion" in cli.ok("card", "consent", one["id"], "--by", "reviewer").out
    done = cli.ok("card", "updates", "--reader", reader, "--by", "clerk", "--json").json
    assert sorted(done["updates"]) == ["last-date", "pin-unblock"]
    assert cli.run("card", "change", number, "--last-date", "2049-01-01", "--reason", "x").status == 2


def test_a_counter_elsewhere_gets_what_waits_from_the_service_of_its_issuer(
    issued: tuple[Cli, str, str], tmp_path: Path
) -> None:
    """Over HTTP, with the token of an outlet; without a line nothing runs, and the command says so."""
    cli, reader, number = issued
    token = tmp_path / "token"
    keystore = SoftwareKeystore.unlock(cli.data / "keystore", Secret(PASSPHRASE.encode()))
    url, record = f"sqlite:///{cli.data / 'membercard.db'}", cli.data / "registry-record.json"
    with Registry.open(url, keystore, record=record) as registry:
        registry.users.add("maker", "maker", "x", ["administrator"], by="tests", must_change=False)
        (park,) = registry.merchants.put(PARK, by="tests")
        secret, until = new_token(), datetime.now(UTC) + timedelta(days=1)
        outlet = park.outlets[0].id
        registry.tokens.make("till", key_of(secret), ["counter"], until=until, by="maker", outlet=outlet)
        token.write_text(secret)
        token.chmod(0o600)
        wanted = {UpdateKind.COVER: encoded(UpdateKind.COVER, date(2031, 6, 30))}
        registry.updates.want(number, wanted, by="clerk", reason="new year")
    away = {"MEMBERCARD_UPLOAD_URL": "http://127.0.0.1:9", "MEMBERCARD_UPLOAD_TOKEN_FILE": str(token)}
    updates = ("card", "updates", "--reader", reader)
    lineless = cli.ok("--lang", "zh", *updates, env=away)
    assert "卡内已更新：无" in lineless.out
    assert "发卡方未及时应答" in lineless.err
    with cli.start("serve", "--port", "0", "--no-pcsc") as service:
        address = next(line for line in service.stdout if "http://127." in line)
        there = away | {"MEMBERCARD_UPLOAD_URL": re.search(r"http://127[0-9.:]+[0-9]", address)[0]}  # type: ignore[index]
        done = cli.ok(*updates, "--json", env=there).json
        again = cli.ok(*updates, "--json", env=there).json
        service.send_signal(signal.SIGTERM)
    assert (done["updates"], done["update_unfinished"], again["updates"]) == (["cover"], False, [])
    newest = cli.ok("card", "changes", "--json").json[0]
    assert (newest["state"], newest["place"]) == ("done", f"east gate ({outlet})")
