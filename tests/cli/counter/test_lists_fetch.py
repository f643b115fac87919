"""`membercard lists fetch`: a counter's lists from its office on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from membercard.wiring.seen_lists import fingerprint
from reader_service.redemptions.journal import FOLDER, RedemptionJournal
from reader_service.services.counter.fetched_lists import ListKind
from tests.support.cards.rsa_signer import key
from tests.support.cli import Cli, Done
from tests.support.service.list_publisher import ListPublisher, key_file, list_publisher, public, signed

NOW, DAY = datetime.now(UTC), timedelta(days=1)
OTHER = key("other list", 1152)
MARK = fingerprint(public())


class Counter:
    """A merchant's counter with a token of its office, and no lists yet."""

    def __init__(self, folder: Path, publisher: ListPublisher) -> None:
        self.cli = Cli(folder / "counter", passphrase=None)
        self.cli.data.mkdir()
        self.token = folder / "office.token"
        self.token.write_text("mc-counter-secret\n")
        self.token.chmod(0o600)
        self.env = {
            "MEMBERCARD_UPLOAD_URL": publisher.url,
            "MEMBERCARD_UPLOAD_TOKEN_FILE": str(self.token),
            "MEMBERCARD_MERCHANT": "PARK-EAST",
            "MEMBERCARD_MERCHANT_TERMINAL": "T0000001",
            "MEMBERCARD_MERCHANT_KINDS": "park",
            "COLUMNS": "300",
        }

    def run(self, *args: object, lang: str = "en", **options: object) -> Done:
        return self.cli.run("--lang", lang, *args, env=self.env, **options)

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.cli.data.glob("*.json")}


@pytest.fixture
def publisher() -> Iterator[ListPublisher]:
    with list_publisher() as publisher:
        publisher.lists = {
            "key": key_file(),
            "trust": signed(ListKind.TRUST, 5, NOW - DAY),
            "hotlist": signed(ListKind.HOTLIST, 41, NOW - DAY),
            "programme": signed(ListKind.PROGRAMME, 7, NOW - DAY),
        }
        yield publisher


@pytest.fixture
def counter(tmp_path: Path, publisher: ListPublisher) -> Counter:
    return Counter(tmp_path, publisher)


def test_the_first_time_a_person_compares_the_key(counter: Counter) -> None:
    wrong = counter.run("lists", "fetch", "--key", "00" * 8)
    assert (wrong.status, counter.files) == (2, set())
    assert f"the list key of the office has the fingerprint {MARK}, and not {'00' * 8}" in " ".join(wrong.err.split())
    refused = counter.run("lists", "fetch", input="n\n")
    assert (refused.status, counter.files) == (1, set())
    requests = counter.run("lists", "fetch", input="y\n", lang="zh")
    assert requests.status == 0, requests.err
    assert f"发卡方的名单密钥指纹为 {MARK}" in requests.out
    assert "黑名单：已更新到版本 41" in requests.out
    assert counter.files >= {"list-key.json", "trust.json", "hotlist.json", "programme.json"}


def test_fetched_lists_are_shown_with_their_age_and_warned_of(counter: Counter, publisher: ListPublisher) -> None:
    first = counter.run("lists", "fetch", "--key", MARK[:16], "--json")
    assert first.status == 0, first.err
    assert [(one["kind"], one["version"], one["new"]) for one in first.json["lists"]] == [
        ("trust", 5, True),
        ("hotlist", 41, True),
        ("programme", 7, True),
    ]
    publisher.lists["hotlist"] = signed(ListKind.HOTLIST, 42, NOW - 6 * DAY)
    again = counter.run("lists", "fetch")
    assert again.out.splitlines() == [
        "trust list: version 5 is the newest",
        "hotlist: version 42 is new",
        "programme edition: version 7 is the newest",
    ]
    status = counter.run("redemptions", "status", "--json").json
    assert [(one["kind"], one["state"]) for one in status["lists"]] == [
        ("trust", "current"),
        ("hotlist", "ending"),
        ("programme", "current"),
    ]
    assert (status["lists_fetched_at"] is not None, status["lists_fault"]) == (True, None)
    shown = counter.run("redemptions", "status", lang="zh").out
    assert "黑名单将于" in shown
    assert "请取得最新的" in shown
    assert "hotlist ends at" in counter.run("lists", "show").out


def test_the_age_of_the_lists_is_shown_while_a_service_has_the_journal(
    counter: Counter, publisher: ListPublisher
) -> None:
    publisher.lists["hotlist"] = signed(ListKind.HOTLIST, 42, NOW - 6 * DAY)
    counter.run("lists", "fetch", "--key", MARK)
    with RedemptionJournal.open(counter.cli.data / FOLDER, NOW):
        shown = counter.run("redemptions", "status", lang="zh")
        status = counter.run("redemptions", "status", "--json").json
    assert (shown.status, status["busy"], status["waiting"]) == (0, True, None)
    assert "一个柜台同一时间只能运行一个服务" in shown.out
    assert "黑名单将于" in shown.out
    assert [one["version"] for one in status["lists"]] == [5, 42, 7]


def test_a_refused_list_and_an_issuer_that_is_away_have_their_sentences(
    counter: Counter, publisher: ListPublisher
) -> None:
    counter.run("lists", "fetch", "--key", MARK)
    publisher.lists["hotlist"] = signed(ListKind.HOTLIST, 99, NOW - DAY, signer=OTHER)
    forged = counter.run("lists", "fetch", lang="zh")
    assert forged.status == 1
    assert "黑名单：发卡方送来的不是本柜台名单密钥签名的，或途中被改动；继续使用现有的" in forged.err
    assert json.loads((counter.cli.data / "hotlist.json").read_bytes())["list"]["version"] == 41
    publisher.says = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
    away = counter.run("lists", "fetch", "--json")
    assert (away.status, away.json["faults"][0]["fault"]) == (3, "office-away")
    assert "the office cannot be reached" in away.err
    shown = counter.run("lists", "show")
    assert "the office cannot be reached; this counter goes on with the lists that it has" in shown.out
    assert counter.run("lists", "show", "--json").json["fault"] == "office-away"


def test_another_key_is_refused_once_lists_were_used(counter: Counter, publisher: ListPublisher) -> None:
    counter.run("lists", "fetch", "--key", MARK)
    counter.run("programme", "show")
    publisher.lists["key"] = key_file(OTHER)
    changed = counter.run("lists", "fetch", "--key", fingerprint(public(OTHER)))
    assert changed.status == 1
    assert "the list key of this counter is another than before" in changed.err
    assert json.loads((counter.cli.data / "list-key.json").read_bytes()) == json.loads(key_file())


def test_an_issuer_has_nobody_to_fetch_from(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "office", passphrase=None)
    cli.data.mkdir()
    assert "set upload_url and upload_token_file" in cli.run("lists", "fetch").complaint
    assert "请设置 upload_url 和 upload_token_file" in cli.run("--lang", "zh", "lists", "fetch").complaint
