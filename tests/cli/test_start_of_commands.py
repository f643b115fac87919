"""What a command imports before it does anything: a counter's verdict waits for no database driver."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.waiting import PATIENCE

HEAVY = {"sqlalchemy", "alembic", "matplotlib", "openpyxl"}
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
