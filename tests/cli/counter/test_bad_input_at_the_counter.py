"""What goes wrong at a merchant's counter: each has its sentence in both languages, and loses nothing."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.redemptions.journal import FOLDER, RedemptionJournal
from terminal.member.presentation import PRESENTATIONS
from tests.support.cli import Cli, Done, IssuerDirectory
from tests.support.misbehaving_server import Behaviour, misbehaving, says
from tests.support.service.merchant import PROGRAMME
from tests.support.service.receiver import filled

TAKE = ("redeem", "park-pass", "--yes")


@dataclass
class Counter:
    """A merchant's counter with the issuer's lists and programme, and a card."""

    cli: Cli
    card: Path
    home: IssuerDirectory

    @property
    def env(self) -> dict[str, str]:
        merchant = {"": "PARK-EAST", "_TERMINAL": "T0000001", "_KINDS": "park"}
        return {f"MEMBERCARD_MERCHANT{name}": value for name, value in merchant.items()} | {"COLUMNS": "200"}

    def publish(self, programme: str = PROGRAMME) -> None:
        path = self.cli.data.parent / "programme.yaml"
        path.write_text(programme, encoding="utf-8")
        self.home.cli.publish_programme(path, self.cli.data)

    def redeem(self, lang: str, **options: object) -> Done:
        reader = ("--reader", f"sim:{self.card}")
        return self.cli.run("--lang", lang, *TAKE, *reader, env=self.env, **options)

    def both(self, wanted: dict[str, str], status: int, **options: object) -> None:
        """The refusal of a redemption in both languages; the card has counted nothing."""
        before = self.left
        for lang, sentence in wanted.items():
            done = self.redeem(lang, **options)
            assert done.status == status, done
            assert sentence in " ".join((done.out + done.err).split()), done
        assert self.left == before

    @property
    def left(self) -> list[int]:
        shown = self.cli.run("card", "verify", "--reader", f"sim:{self.card}", "--json").json
        return [one["left"] for one in shown["entitlements"]]

    def journal(self, at: datetime | None = None) -> RedemptionJournal:
        return RedemptionJournal.open(self.cli.data / FOLDER, at or datetime.now(UTC))


@pytest.fixture
def counter(tmp_path: Path, home: IssuerDirectory) -> Counter:
    own = home.copy(tmp_path / "home")
    cli = Cli(tmp_path / "counter", passphrase=None)
    cli.data.mkdir()
    own.cli.ok("lists", "publish", cli.data)
    card = tmp_path / "member.card"
    shutil.copy(own.card.removeprefix("sim:"), card)
    built = Counter(cli, card, own)
    built.publish()
    return built


def test_two_programs_on_one_journal(counter: Counter) -> None:
    with counter.journal():
        counter.both({"en": "a counter has one service at a time", "zh": "一个柜台同一时间只能运行一个服务"}, status=1)
    assert counter.redeem("en").status == 0


def test_a_full_disk_at_the_moment_of_a_redemption(counter: Counter) -> None:
    assert counter.redeem("en").status == 0
    room = "reader_service.redemptions"
    full = {f"{room}.sealed_log._CHUNK": 2**62, f"{room}.journal._ROWS_OF_INTENT": 4000}
    counter.both({"en": "the disk is full; make room and try again", "zh": "磁盘已满"}, status=1, limits=full)
    with counter.journal() as journal:
        assert journal.open_intents == ()
    assert counter.redeem("en").status == 0


def test_a_clock_that_was_set_back(counter: Counter) -> None:
    with counter.journal() as journal:
        filled(journal, 1, datetime.now(UTC) + timedelta(hours=5))
    counter.both({"en": "set the clock right", "zh": "请校准时钟"}, status=1)
    acknowledged = counter.cli.run("redemptions", "acknowledge", "--reason", "the clock was ahead", env=counter.env)
    assert acknowledged.status == 0, acknowledged.err
    assert counter.redeem("en").status == 0


def test_a_card_of_another_programme(counter: Counter, other_home: IssuerDirectory) -> None:
    counter.publish(PROGRAMME.replace('division: "130000"', 'division: "110000"'))
    counter.both({"en": "not for members of this federation", "zh": "不是本工会的会员"}, status=1)
    counter.card.write_bytes(Path(other_home.card.removeprefix("sim:")).read_bytes())
    word = PRESENTATIONS["NOT_GENUINE"].word
    for lang, sentence in {"en": word.en, "zh": word.zh}.items():
        done = counter.redeem(lang)
        assert (done.status, sentence in done.out) == (1, True), done


def test_a_card_that_a_script_has_blocked(counter: Counter) -> None:
    issuer, reader = counter.home.cli, f"sim:{counter.card}"
    rows = issuer.ok("card", "read", "--reader", reader, "--json").json["elements"]
    number = next(row["value"] for row in rows if row["tag"] == "5A")
    issuer.ok("card", "change", number, "--block", "--reason", "reported", "--by", "clerk")
    issuer.run("card", "updates", "--reader", reader, "--by", "clerk")
    counter.both({"en": "The member application on this card is blocked.", "zh": "此卡的会员应用已锁定。"}, status=1)
    with counter.journal() as journal:
        assert (journal.open_intents, journal.last) == ((), 1)


def cut(connection: socket.socket, _over: threading.Event) -> None:
    """Takes a part of the upload and breaks the line."""
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def another_outlet() -> Behaviour:
    body = json.dumps({"type": "/problems/conflict", "status": 409, "params": {"reason": "journal-outlet"}}).encode()
    return says(b"HTTP/1.1 409 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.parametrize(
    ("behaviour", "read", "status", "english", "chinese"),
    [
        (lambda: cut, False, 3, "the office cannot be reached; the upload goes on by itself", "恢复后自动继续上传"),
        (
            another_outlet,
            True,
            1,
            "the office has this journal under another outlet",
            "发卡方已将此日志记在另一网点名下",
        ),
    ],
    ids=["an upload cut in half", "the token of an outlet at another outlet"],
)
def test_uploads_that_are_not_taken(
    tmp_path: Path, behaviour: Callable[[], Behaviour], read: bool, status: int, english: str, chinese: str
) -> None:
    cli, token = Cli(tmp_path / "counter", passphrase=None), tmp_path / "token"
    cli.data.mkdir()
    token.write_text("mc-counter-secret")
    token.chmod(0o600)
    with RedemptionJournal.open(cli.data / FOLDER, datetime.now(UTC)) as journal:
        filled(journal, 1, datetime.now(UTC))
    with misbehaving(behaviour(), read=read) as server:
        env = {
            "MEMBERCARD_MERCHANT": "PARK-EAST",
            "MEMBERCARD_MERCHANT_TERMINAL": "T0000001",
            "MEMBERCARD_MERCHANT_KINDS": "park",
            "MEMBERCARD_UPLOAD_URL": server.url(path=""),
            "MEMBERCARD_UPLOAD_TOKEN_FILE": str(token),
        }
        for lang, sentence in (("en", english), ("zh", chinese)):
            done = cli.run("--lang", lang, "redemptions", "upload", env=env)
            assert (done.status, sentence in " ".join(done.err.split())) == (status, True), done
    with RedemptionJournal.open(cli.data / FOLDER, datetime.now(UTC)) as journal:
        assert journal.waiting == 3
