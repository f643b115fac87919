"""Text of people never moves the cursor of a terminal, whatever a command prints it in."""

from __future__ import annotations

import json

import pytest

from tests.support.cli import Cli, Done

HOSTILE = "L-1\x1b[2J\x1b]0;x\x07\u202e\x9b31m\r"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("hostile") / "data")
    cli.set_up()
    return cli


def is_plain(done: Done) -> bool:
    """Nothing but line feeds and what can be seen."""
    return all(char.isprintable() or char == "\n" for char in done.out + done.err)


@pytest.mark.parametrize(
    "words",
    [
        ("stock", "receive", 1, "--supplier-batch", HOSTILE),
        ("batch", "show", HOSTILE),
        ("roster", "check", f"/nowhere/{HOSTILE}.xlsx"),
        ("profile", "check", f"/nowhere/{HOSTILE}.yaml"),
        ("perso", "run", HOSTILE, "--reader", f"sim:/nowhere/{HOSTILE}"),
        ("card", "verify", "--reader", f"pcsc:{HOSTILE}"),
        ("user", "disable", HOSTILE, "--reason", HOSTILE),
        ("audit", "list"),
        ("stock", "list"),
        ("--profile", f"/nowhere/{HOSTILE}", "batch", "list"),
        (HOSTILE,),
    ],
    ids=lambda words: " ".join(map(str, words))[:16].split("\x1b")[0],
)
def test_no_command_prints_a_control_character(cli: Cli, words: tuple[object, ...]) -> None:
    done = cli.run(*words)
    assert is_plain(done), (done.out, done.err)


def test_json_has_the_value_itself(cli: Cli) -> None:
    """Escapes of JSON, so that another program reads what was stored."""
    cli.run("stock", "receive", 1, "--supplier-batch", "L\u202e2")
    done = cli.ok("audit", "list", "--json")
    assert is_plain(done)
    assert any("L\u202e2" in json.dumps(row, ensure_ascii=False) for row in done.json)


LITERAL = "=cmd|'/C calc'!A0 [red]$x^2$ {{7*7}} %s {0} <b>"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_formulas_templates_and_markup_are_printed_as_they_are(cli: Cli, language: str) -> None:
    done = cli.ok("--lang", language, "stock", "receive", 1, "--supplier-batch", LITERAL)
    assert LITERAL in done.out
    listed = cli.ok("--lang", language, "audit", "list", "--limit", 1, env={"COLUMNS": "400"}).out
    assert LITERAL in listed
