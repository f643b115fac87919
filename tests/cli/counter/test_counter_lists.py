"""A counter with signed files: an older list is refused, and no list that cannot be relied on gives a plain ACTIVE."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from personalize.lists import own_trust, public_key
from personalize.profiles.profile import default_profile
from terminal.keys import SoftwareKeystore
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.signed import Issue
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, IssuerDirectory

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


class Counter:
    """A machine of its own with the issuer's signed files and no keystore."""

    def __init__(self, folder: Path, home: IssuerDirectory) -> None:
        self.cli = Cli(folder / "counter", passphrase=None)
        self.folder, self.card = self.cli.data, home.card
        self.folder.mkdir()
        self.keys = SoftwareKeystore.unlock(home.cli.data / "keystore", Secret(PASSPHRASE.encode()))
        home.cli.ok("lists", "publish", folder / "published")
        shutil.copy(folder / "published" / "list-key.json", self.folder)
        self.trust(1)
        self.number = self.cli_of(home)

    @staticmethod
    def cli_of(home: IssuerDirectory) -> str:
        rows = home.cli.ok("card", "read", "--reader", home.card, "--json").json["elements"]
        return next(row["value"] for row in rows if row["tag"] == "5A")

    def sign(self, message: bytes) -> bytes:
        return self.keys.sign(self.keys.latest("list-signer"), message)

    def trust(self, version: int, days: float = -1) -> None:
        key = public_key(self.keys.info(self.keys.latest("list-signer")))
        trust = own_trust(self.keys, default_profile().trust, NOW + days * DAY)
        trust = replace(trust, issue=replace(trust.issue, version=version))
        (self.folder / "trust.json").write_bytes(trust.write(key, self.sign))

    def hotlist(self, version: int, *cards: HotCard, issued: float = -0.1, expires: float = 20) -> None:
        key = public_key(self.keys.info(self.keys.latest("list-signer")))
        edition = Issue(version, NOW + issued * DAY, NOW + expires * DAY)
        (self.folder / "hotlist.json").write_bytes(Hotlist.of(cards, edition).write(key, self.sign))

    def verify(self, **env: str) -> tuple[int, str]:
        done = self.cli.run("card", "verify", "--reader", self.card, "--json", env=env)
        return done.status, done.json["verdict"] if done.out else done.complaint


@pytest.fixture
def counter(tmp_path: Path, home: IssuerDirectory) -> Counter:
    return Counter(tmp_path, home.copy(tmp_path / "home"))


def test_lists_that_cannot_be_relied_on_have_codes_and_an_exit_code_of_their_own(counter: Counter) -> None:
    assert counter.verify() == (4, "HOTLIST_MISSING")
    counter.hotlist(1, issued=-30, expires=-1)
    assert counter.verify() == (4, "HOTLIST_OUT_OF_DATE")
    counter.hotlist(2, issued=-10, expires=20)
    assert counter.verify() == (4, "HOTLIST_OUT_OF_DATE")
    assert counter.verify(MEMBERCARD_HOTLIST_DAYS="14") == (0, "ACTIVE")
    counter.hotlist(3, issued=1)
    assert counter.verify() == (4, "HOTLIST_NOT_YET_VALID")
    shown = counter.cli.run("card", "verify", "--reader", counter.card)
    assert shown.status == 4
    assert "? Hotlist is not in force yet  HOTLIST_NOT_YET_VALID" in shown.out
    assert "check the clock" in shown.out.lower()
    chinese = counter.cli.run("--lang", "zh", "card", "verify", "--reader", counter.card)
    assert "请核对本机时钟" in chinese.out
    assert "clock" not in chinese.out
    traced = counter.cli.run("card", "trace", "--reader", counter.card)
    assert traced.status == 4


def test_an_older_hotlist_is_refused_until_the_record_is_reset(counter: Counter) -> None:
    counter.hotlist(5, HotCard(counter.number, 1, HotlistReason.LOST, NOW.date()))
    assert counter.verify() == (1, "LOST")
    counter.hotlist(4)
    status, complaint = counter.verify()
    assert status == 1
    assert "the hotlist has version 4" in complaint
    assert "version 5" in complaint
    shown = counter.cli.run("lists", "show", "--json")
    assert shown.status == 1
    assert [(row["name"], row["version"], row["newest"]) for row in shown.json["lists"]] == [
        ("trust list", 1, 1),
        ("hotlist", 4, 5),
    ]
    assert counter.cli.run("lists", "reset").status == 1, "it asks first, and nobody answers"
    assert counter.verify()[0] == 1
    counter.cli.ok("lists", "reset", "--yes")
    assert counter.verify() == (0, "ACTIVE")


def test_lists_show_says_what_is_wrong_with_them(counter: Counter) -> None:
    assert counter.cli.run("lists", "show").status == 4
    counter.hotlist(5)
    assert counter.verify() == (0, "ACTIVE")
    good = counter.cli.ok("lists", "show")
    assert "current" in good.out
    counter.hotlist(6, issued=-9)
    late = counter.cli.run("lists", "show")
    assert late.status == 4
    assert "too old" in late.out


def test_a_record_that_somebody_removed_is_an_error_and_not_a_fresh_start(counter: Counter) -> None:
    counter.hotlist(5)
    assert counter.verify() == (0, "ACTIVE")
    (counter.folder / "lists-seen" / "record.json").unlink()
    counter.hotlist(4)
    status, complaint = counter.verify()
    assert status == 1
    assert "partly removed" in complaint


def test_each_publication_is_a_later_edition(tmp_path: Path, home: IssuerDirectory) -> None:
    versions, home = [], home.copy(tmp_path / "home")
    for name in ("one", "two", "three"):
        home.cli.ok("lists", "publish", tmp_path / name)
        read = {file: (tmp_path / name / f"{file}.json").read_text() for file in ("trust", "hotlist")}
        versions.append([int(text.partition('"version":')[2].partition("}")[0]) for text in read.values()])
    hotlists = [hotlist for _, hotlist in versions]
    assert hotlists == sorted(set(hotlists))
    assert [trust for trust, _ in versions] == sorted(trust for trust, _ in versions)


@pytest.mark.parametrize(
    ("lang", "answer", "status"),
    [("en", "yes\n", 0), ("zh", "是\n", 0), ("en", "perhaps\nY\n", 0), ("zh", "否\n", 1), ("en", "\n", 1)],
)
def test_a_question_is_answered_in_either_language(tmp_path: Path, lang: str, answer: str, status: int) -> None:
    ran = Cli(tmp_path, passphrase=None).run("--lang", lang, "lists", "reset", input=answer)
    assert ran.status == status
    assert ("[y/N，是/否]" if lang == "zh" else "[y/N]") in ran.out
    assert ran.err.count("answer y for yes") == answer.count("perhaps")
