"""People and the audit on the command line, as the owner of the machine uses them."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from reader_service.access.passwords import Passwords
from tests.support.cli import Cli, csv_form

PASSWORD = re.compile(r"([a-z2-9]{4}-){3}[a-z2-9]{4}")


@pytest.fixture(scope="module")
def issuing(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    root = tmp_path_factory.mktemp("issuing")
    cli = Cli(root / "data")
    cli.set_up()
    return cli


def rows(cli: Cli, statement: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(cli.data / "membercard.db") as connection:
        result = connection.execute(statement).fetchall()
    connection.close()
    return result


def password_in(text: str) -> str:
    matches = PASSWORD.search(text)
    assert matches is not None, text
    return matches[0]


def test_users_are_added_listed_disabled_and_enabled_again(issuing: Cli) -> None:
    printed = issuing.ok("user", "add", "root", "--role", "administrator").out
    first = password_in(printed)
    issuing.ok("user", "add", "li.na", "--role", "registrar", "--role", "counter", "--display", "李娜", "--lang", "en")
    people = issuing.ok("user", "list", "--json").json
    assert all("made_at" in person for person in people)
    assert [(person["name"], person["roles"], person["must_change"]) for person in people] == [
        ("li.na", ["counter", "registrar"], True),
        ("root", ["administrator"], True),
    ]
    ((stored,),) = rows(issuing, "SELECT password_hash FROM users WHERE name = 'root'")
    assert Passwords().matches(stored, first)
    assert issuing.run("user", "disable", "root", "--reason", "x").complaint.startswith(
        "root is the last administrator"
    )
    issuing.ok("user", "disable", "li.na", "--reason", "离职")
    assert "disabled" in issuing.ok("user", "list").out
    again = issuing.ok("user", "reset", "LI.NA", "--reason", "回来", "--enable").out
    ((stored,),) = rows(issuing, "SELECT password_hash FROM users WHERE name = 'li.na'")
    assert Passwords().matches(stored, password_in(again))
    assert issuing.ok("user", "list", "--json").json[0]["disabled"] is False
    issuing.ok("--lang", "zh", "user", "reset", "root")
    ((reason,),) = rows(issuing, "SELECT reason FROM audit ORDER BY number DESC LIMIT 1")
    assert reason == "密码遗失"


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("user", "add", "x", "--role", "king"), 2, "there is no role king"),
        (("user", "add", "a  b", "--role", "counter"), 1, "a user's name is letters"),
        (("user", "reset", "nobody"), 1, "there is no user of that name"),
        (("audit", "verify", "--noted", "12"), 2, "the 64 hex digits of its hash"),
    ],
)
def test_what_is_refused(issuing: Cli, words: tuple[str, ...], status: int, sentence: str) -> None:
    done = issuing.run(*words)
    assert done.status == status
    assert sentence in re.sub(r"[\s│]+", " ", done.err)


def test_the_audit_tells_what_was_done_and_shows_what_was_changed(tmp_path: Path, issuing: Cli) -> None:
    cli = Cli(tmp_path / "data")
    cli.data.mkdir()
    shutil.copy(issuing.data / "keystore", cli.data)
    assert cli.ok("audit", "verify").out == "0 rows; the chain is whole\n"
    form = csv_form(tmp_path / "form.csv", 2)
    batch = cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "discard", batch, "--reason", "电话 13931177777 有误")
    entries = cli.ok("audit", "list", "--json").json
    assert [(row["number"], row["deed"]["actor"], row["deed"]["action"]) for row in entries][1] == (
        1,
        "clerk (unproven)",
        "roster.import",
    )
    assert entries[0]["deed"]["reason"] == "电话 ****7777 有误"
    assert [row["number"] for row in cli.ok("audit", "list", "--action", "roster.", "--json").json] == [1]
    assert "batch.discard" in cli.ok("audit", "list", "--limit", 1).out
    end = cli.ok("audit", "verify", "--json").json
    noted = f"{end['last_number']}:{end['last_hash']}"
    assert noted in cli.ok("audit", "verify", "--noted", noted).out
    with sqlite3.connect(cli.data / "membercard.db") as connection:
        with pytest.raises(sqlite3.IntegrityError, match="audit_unchanged"):
            connection.execute("UPDATE audit SET actor = 'nobody' WHERE number = 1")
        connection.execute("DROP TRIGGER audit_unchanged")
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE number = 1")
    connection.close()
    done = cli.run("audit", "verify")
    assert done.status == 1
    assert done.out.startswith("row 1 was changed after it was written\n2 rows; the chain is broken\n")
