"""What a command imports before it does anything: a verdict waits for no database driver, and help for nothing.

Each command is forked from a process that has imported `membercard.cli`, which every command imports, and no more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from membercard.command_table import TABLE
from tests.support import paths
from tests.support.cli import IssuerDirectory, zygote_for
from tests.support.waiting import PATIENCE

ROOMS = {
    "personalize",
    "programme",
    "reader_service",
    "registry",
    "simulators",
    "membercard.commands",
    "membercard.settings",
}
ROOT = """
import json, sys
from membercard import cli
sys.argv = ["membercard", *sys.argv[1:]]
try:
    cli.main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
COMPLETION = {"_MEMBERCARD_COMPLETE": "complete_zsh"}
HEAVY = {"sqlalchemy", "alembic", "matplotlib", "openpyxl"}
NEVER_FOR_HELP = HEAVY | {"psycopg", "fastapi", "uvicorn", "jinja2", "numpy", "pydantic_settings", "registry.store"}
READING = [
    "batch list",
    "batch show {done}",
    "stock show",
    "user list",
    "audit verify",
    "dossier show {done}",
]
NEVER_TO_READ = {"alembic", "psycopg", "matplotlib", "openpyxl", "fastapi", "uvicorn", "jinja2", "numpy"} | {
    "personalize.profiles.profile", "personalize.line.execute", "reader_service.access.accounts",
}  # fmt: skip
SCRIPT = """
import contextlib, io, json, sys
from membercard.cli import app
loaded = {}
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        app(words)
    loaded[" ".join(words)] = ["Usage" in shown.getvalue(), sorted(set(json.loads(sys.argv[2])) & set(sys.modules))]
print(json.dumps(loaded))
"""
COMMANDS = [
    ["card", "read", "--help"],
    ["card", "verify", "--help"],
    ["emv", "run", "--help"],
    ["emv", "log", "--help"],
    ["tlv", "decode", "--help"],
]


def loaded_by(words: list[str], environment: dict[str, str]) -> tuple[str, set[str]]:
    """What a command prints, and the modules that it leaves behind."""
    environment = environment | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    zygote = zygote_for(environment, "membercard.cli")
    with zygote.begin(words, paths.ROOT, environment, code=ROOT) as command:
        out, err = command.communicate()
    return out, set(json.loads(err.splitlines()[-1]))


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[object]]:
    arguments = [sys.executable, "-c", SCRIPT, json.dumps(COMMANDS), json.dumps(sorted(HEAVY))]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=True)
    measured: dict[str, list[object]] = json.loads(done.stdout)
    return measured


@pytest.mark.parametrize("words", [" ".join(command) for command in COMMANDS])
def test_a_card_or_payment_command_starts_without_database_or_sheets(
    loaded: dict[str, list[object]], words: str
) -> None:
    assert loaded[words] == [True, []]


@pytest.mark.parametrize(
    ("words", "environment", "shown"),
    [
        (["--help"], {}, "personalized and read back"),
        (["-h"], {}, "Personalize cards over one or many readers"),
        ([], {}, "Virtual cards"),
        (["--version"], {}, "membercard "),
        ([], COMPLETION | {"_TYPER_COMPLETE_ARGS": "membercard "}, '"batch":"Approve, prepare'),
        ([], COMPLETION | {"_TYPER_COMPLETE_ARGS": "membercard pe"}, '"perso":"Personalize'),
    ],
    ids=["--help", "-h", "no words", "--version", "completion of nothing", "completion of a letter"],
)
def test_the_roots_help_and_completion_import_no_command(
    words: list[str], environment: dict[str, str], shown: str
) -> None:
    printed, modules = loaded_by(words, dict(os.environ) | environment)
    assert shown in printed
    assert ROOMS & modules == set()


@pytest.mark.parametrize("name", [row.name for row in TABLE])
def test_help_of_a_command_or_group_imports_nothing_of_its_work(name: str) -> None:
    printed, modules = loaded_by([name, "--help"], dict(os.environ))
    assert f"membercard {name}" in printed
    assert NEVER_FOR_HELP & modules == set()


@pytest.mark.parametrize("command", READING)
def test_reading_the_registry_imports_neither_migrations_nor_the_line(home: IssuerDirectory, command: str) -> None:
    printed, modules = loaded_by(command.format(done=home.done).split(), home.cli.env())
    assert printed
    assert "registry.store" in modules
    assert NEVER_TO_READ & modules == set()
