"""An older backup in the place of the database: work stops until a check; no number is used twice."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cards.card_bench import fast_directory
from tests.support.cli import Cli, Done, csv_form


@dataclass(frozen=True)
class Issuer:
    """An issuer whose backup was made after its first batch was prepared."""

    cli: Cli
    root: Path
    first: str

    @property
    def database(self) -> Path:
        return self.cli.data / "membercard.db"

    @property
    def issued(self) -> Path:
        return self.root / "stock" / "issued"

    def back_up(self) -> None:
        with closing(sqlite3.connect(self.database)) as source, closing(sqlite3.connect(self.root / "backup")) as copy:
            source.backup(copy)

    def restore(self) -> None:
        for path in self.cli.data.glob("membercard.db*"):
            path.unlink()
        shutil.copy(self.root / "backup", self.database)
        self.database.chmod(0o600)

    def batch(self, start: int, count: int) -> str:
        """A batch, approved and prepared."""
        form = csv_form(self.root / f"form-{start}.csv", count, start=start)
        batch = self.cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
        self.cli.ok("batch", "approve", batch, "--by", "reviewer")
        self.cli.ok("batch", "prepare", batch)
        return str(batch)

    def run(self, batch: str, *more: object) -> Done:
        return self.cli.run("perso", "run", batch, "--reader", f"sim:{self.root / 'stock'}", "--idle", "0", *more)

    def check(self, *more: object) -> Done:
        return self.cli.run("restore", "check", "--json", *more)

    def numbers(self, card: Path) -> tuple[str, str]:
        """Card number and sequence, member number of a card."""
        member = self.cli.run("card", "read", "--reader", f"sim:{card}", "--json").json["elements"]
        value = {row["tag"]: row["value"] for row in member}
        return f"{value['5A']}-{value['5F34']}", value["DF21"]

    def accounts(self, batch: str) -> dict[str, int]:
        shown = self.cli.ok("batch", "show", batch, "--json").json
        return {name: shown["accounts"][name] for name in ("members", "verified", "claimed", "waiting")}


@pytest.fixture(scope="module")
def prepared() -> Iterator[Issuer]:
    """Nothing is done with its batch yet."""
    with fast_directory() as root:
        cli = Cli(root / "data")
        cli.ok("keys", "init")
        issuer = Issuer(cli, root, "")
        issuer = Issuer(cli, root, issuer.batch(1, 3))
        cli.ok("sim", "stock", root / "stock", "--count", 12)
        cli.ok("stock", "receive", 12, "--supplier-batch", "L-1")
        yield issuer


@pytest.fixture(scope="module")
def restored(prepared: Issuer) -> Iterator[Issuer]:
    """Backup; then all cards of the first batch and of a second one; then the backup in its place."""
    with fast_directory() as directory:
        issuer = copied(prepared, directory / "issuer")
        issuer.back_up()
        assert issuer.run(issuer.first).status == 0
        second = issuer.batch(100, 2)
        assert issuer.run(second).status == 0
        issuer.cli.ok("card", "verify", "--reader", f"sim:{sorted(issuer.issued.glob('*.card'))[0]}")
        issuer.restore()
        yield issuer


def copied(issuer: Issuer, root: Path) -> Issuer:
    shutil.copytree(issuer.root, root)
    record = (root / "data" / "registry-record.json").read_text()
    assert str(issuer.root) in record, "the record names the database; in another place it is known by its first row"
    return Issuer(Cli(root / "data"), root, issuer.first)


def test_nothing_is_given_out_and_no_lane_starts_before_the_check(restored: Issuer, tmp_path: Path) -> None:
    issuer = copied(restored, tmp_path / "issuer")
    form = csv_form(tmp_path / "form.csv", 1, start=900)
    for command in (
        ["perso", "run", issuer.first, "--reader", f"sim:{issuer.root / 'stock'}"],
        ["roster", "import", form, "--by", "clerk"],
        ["lists", "publish", tmp_path / "lists"],
        ["card", "verify", "--reader", f"sim:{sorted(issuer.issued.glob('*.card'))[0]}"],
    ):
        done = issuer.cli.run(*command)
        assert (done.status, "restored from an older backup" in done.complaint) == (1, True), done
        assert "membercard restore check" in done.complaint
    issuer.cli.ok("batch", "list")
    issuer.cli.ok("audit", "verify")


def test_without_the_cards_every_one_is_refused_and_its_member_gets_another(restored: Issuer, tmp_path: Path) -> None:
    issuer = copied(restored, tmp_path / "issuer")
    before = [issuer.numbers(card) for card in issuer.issued.glob("*.card")]
    done = issuer.check()
    assert done.status == 0, done
    report = done.json["report"]
    moved = {row["name"]: (row["before"], row["after"]) for row in report["moved"]}
    assert moved["member/13000"] == (3, 5)
    assert [values for name, values in moved.items() if name.startswith("card/")] == [(3, 5)]
    assert (len(report["set_aside"]), report["bound"], report["hotlisted"]) == (3, [], 2)
    old_cards = sorted(issuer.issued.glob("*.card"))
    for card in old_cards:
        verdict = issuer.cli.run("card", "verify", "--reader", f"sim:{card}", "--json")
        assert (verdict.status, verdict.json["verdict"]) == (1, "REPLACED")
    issuer.cli.ok("batch", "prepare", issuer.first)
    assert issuer.run(issuer.first).status == 0
    second = issuer.batch(100, 2)
    assert issuer.run(second).status == 0
    fresh = [issuer.numbers(card) for card in issuer.issued.glob("*.card") if card not in old_cards]
    assert len(fresh) == 5
    assert not {number for number, _ in before} & {number for number, _ in fresh}
    assert sorted(member for _, member in fresh) == [f"130000{n:06d}" for n in (1, 2, 3, 6, 7)]
    assert issuer.check().json == {"restored": False, "report": None}


def test_cards_at_hand_are_finished_by_the_line_and_stay_good(restored: Issuer, tmp_path: Path) -> None:
    issuer = copied(restored, tmp_path / "issuer")
    cards = sorted(issuer.issued.glob("*.card"))
    done = issuer.check("--reader", f"sim:{issuer.issued}")
    report = done.json["report"]
    assert (done.status, len(report["bound"]), len(report["unknown"]), report["set_aside"]) == (1, 3, 2, [])
    assert issuer.accounts(issuer.first) == {"members": 3, "verified": 0, "claimed": 3, "waiting": 0}
    own = [card for card in cards if issuer.numbers(card)[1] <= "130000000003"]
    for card in own:
        issuer.cli.run("perso", "run", issuer.first, "--reader", f"sim:{card}", "--idle", "0")
    assert issuer.accounts(issuer.first) == {"members": 3, "verified": 3, "claimed": 0, "waiting": 0}
    verdicts = [issuer.cli.run("card", "verify", "--reader", f"sim:{card}", "--json").json["verdict"] for card in cards]
    assert sorted(verdicts) == ["ACTIVE"] * 3 + ["REPLACED"] * 2


def test_a_machine_restored_as_a_whole_is_checked_by_a_noted_end_or_by_word(restored: Issuer, tmp_path: Path) -> None:
    issuer = copied(restored, tmp_path / "issuer")
    (issuer.cli.data / "registry-record.json").unlink()
    issuer.restore()
    assert issuer.check().json == {"restored": False, "report": None}
    noted = issuer.check("--noted", f"999:{'ab' * 32}")
    assert noted.json["noted_end_matches"] is False
    assert len(noted.json["report"]["set_aside"]) == 3, "nobody knows whether lanes ran"
    end = issuer.cli.ok("audit", "verify", "--json").json
    again = issuer.check("--noted", f"{end['last_number']}:{end['last_hash']}")
    assert again.json == {"restored": False, "report": None}
    assert issuer.check("--restored").json["restored"] is True


def test_whoever_is_named_proves_it_where_there_are_users(restored: Issuer, tmp_path: Path) -> None:
    issuer = copied(restored, tmp_path / "issuer")
    issuer.cli.ok("user", "add", "boss", "--role", "administrator")
    done = issuer.cli.run("restore", "check", "--restored", "--by", "boss")
    assert (done.status, "boss has to give a password" in done.complaint) == (1, True)


def test_a_record_that_was_changed_stops_the_work_too(prepared: Issuer, tmp_path: Path) -> None:
    issuer = copied(prepared, tmp_path / "issuer")
    record = issuer.cli.data / "registry-record.json"
    assert record.stat().st_mode & 0o777 == 0o600
    content = json.loads(record.read_text())
    content["record"][0]["number"] = 1
    record.write_text(json.dumps(content))
    assert "restored from an older backup" in issuer.run(issuer.first).complaint
    done = issuer.check()
    assert "was changed" in done.err
    assert len(done.json["report"]["set_aside"]) == 3
    issuer.cli.ok("batch", "prepare", issuer.first)
    assert issuer.run(issuer.first).status == 0


def test_what_the_line_does_between_two_commands_needs_no_check(prepared: Issuer, tmp_path: Path) -> None:
    issuer = copied(prepared, tmp_path / "issuer")
    (issuer.cli.data / "registry-record.json").unlink()
    assert issuer.run(issuer.first).status == 0
    assert issuer.check().json == {"restored": False, "report": None}
