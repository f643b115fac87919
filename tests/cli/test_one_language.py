"""Each language alone, in the real output of every command: no English word in Chinese output but those that stay Latin
on purpose (docs/glossary.md), and no Chinese in English output but what somebody typed."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest
import typer

from membercard.cli import app
from terminal.globalplatform.lifecycle import ApplicationState, CardLifeCycleState, LoadFileState
from terminal.member.outcome import VerdictCode
from tests.support import bank_issuer
from tests.support.bank_issuer import BankIssuer
from tests.support.cli import IssuerDirectory
from tests.support.every_command import DATA, MERCHANT, every_command
from tests.support.issuer import NAMES
from tests.support.paths import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]+")
WORD = re.compile(r"[A-Za-z]{2,}")
LONG_RUNNING = {
    "demo",
    "programme demo",
    "sim attach",
    "sim issuer",
    "sim machine crt571",
    "sim machine evolis",
    "sim machine msr605",
}
"""Commands that last."""
HEADING = "## What stays Latin"
NOT_WORDS = (
    r"membercard(?::| [^；。，、）：│\n]*)",  # the program in front of an error, or a command to type
    r"`[^`]*`|'[^']*'",
    r"systemctl start [a-z.]+|apt-get install \w+|\bpcscd\b",
    r"\b(?:https?|sqlite|sim|pcsc|serial|postgresql):\S+",
    r"(?<![A-Za-z])[/.][A-Za-z0-9_.-]*/\S+",  # a path
    r"(?<![A-Za-z0-9])--?[a-z][a-z-]*",  # an option
    r"[A-Za-z0-9_-]+\.(?:xlsx|csv|yaml|json|toml|card|html|db|pdf|dp|cap)\b",
    r"\b[a-z][a-z0-9-]*(?:\.[a-z0-9*-]+)+",  # an action, a field of a file, a user
    r"\b[a-z]+:[A-Z0-9\u4e00-\u9fff]\S*",  # what an entry of the audit is about
    r"\b(?:[a-z2-9]{4}-){3}[a-z2-9]{4}\b",  # a password
    r"[A-Za-z0-9_-]*[0-9_][A-Za-z0-9_-]*",  # numbers, serials, codes with an underscore
    r"\b(?:[0-9A-F]{2})+\b",
    r"（[0-9 ]+，[A-Z]{2,3}）",  # a country or a currency
    r"\b[A-Za-z]+(?:-[A-Za-z]+)+(?:/[a-z-]+)?\b",  # a key, a benefit, a value of a file
)
VALUES = {
    "machine list": {"evolis", "cups", "manual"},
    "machine test": {"kbit"},
    "claim file": {"fire", "x"},
    "claim list": {"nothing"},
    "claim refile": {"fire"},
    "claim tick": {"id", "card"},
    "cover draw-up": {"accident"},
    "figures year": {"all", "beijing", "centre"},
    "grant draw-up": {"opening"},
    "grant take-in": {"opening"},
    "matter down": {"hall", "station"},
    "matter open": {"hall", "legal"},
    "matter up": {"hall"},
    "payout draw-up": {"icbc"},
    "payout list": {"nothing"},
    "payout return": {"icbc"},
    "roster form": {"seq", "name", "gender", "mobile", "unit", "hebei"},
    "profile check": {"unknown"},
    "dossier import": {"payment"},
    "user add": {"nothing", "operator", "registrar", "counter", "developer", "auditor", "administrator"},
    "emv run": {"SYS"},
    "nothing": {"nothing"},
    "emv log": {"CN"},
}
"""Fields of files, values of options and codes that a command prints beside words."""
NAMES_OF_STATES = {
    word
    for kind in (ApplicationState, CardLifeCycleState, LoadFileState, VerdictCode)
    for state in kind.__members__
    for word in state.split("_")
}


def latin() -> set[str]:
    """The words of the glossary's table of what stays Latin."""
    section = (ROOT / "docs" / "glossary.md").read_text("utf-8").partition(HEADING)[2].partition("\n## ")[0]
    cells = [row.split("|")[2] for row in section.splitlines() if row.startswith("| ")]
    return {word for cell in cells for word in WORD.findall(cell)}


def english_words(command: str, text: str) -> set[str]:
    """What is left of a command's Chinese output."""
    for pattern in NOT_WORDS:
        text = re.sub(pattern, " ", text)
    return set(WORD.findall(text)) - latin() - NAMES_OF_STATES - DATA - VALUES.get(command, set()) - {platform.node()}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> BankIssuer:
    return bank_issuer.issue_bank_card(tmp_path_factory.mktemp("paying"))


def leaves() -> set[str]:
    """Every command with its groups, such as ``batch list``."""
    root = typer.main.get_command(app)
    context = root.make_context("membercard", [], resilient_parsing=True)

    def below(words: str, command: object) -> set[str]:
        children = getattr(command, "commands", {})
        return set().union(*(below(f"{words} {name}", child) for name, child in children.items())) or {words}

    names = root.list_commands(context)  # type: ignore[attr-defined]
    return set().union(*(below(name, root.get_command(context, name)) for name in names))  # type: ignore[attr-defined]


def test_chinese_output_of_every_command_has_no_english_word(
    home: IssuerDirectory, bank: BankIssuer, tmp_path: Path
) -> None:
    done = every_command(home, bank, tmp_path, "zh")
    left = {
        " ".join(one.args): words
        for one in done
        if (words := english_words(" ".join(one.args[2:4]), one.out + one.err))
    }
    assert left == {}
    ran = {" ".join(one.args[2 : 2 + count]) for one in done for count in (1, 2, 3)}
    assert leaves() - ran == LONG_RUNNING


def test_english_output_of_every_command_has_no_chinese_but_what_was_typed(
    home: IssuerDirectory, bank: BankIssuer, tmp_path: Path
) -> None:
    done = every_command(home, bank, tmp_path, "en")
    files = [
        path.read_text("utf-8")
        for path in (*tmp_path.glob("*.yaml"), *tmp_path.glob("*.csv"), *home.root.glob("*.csv"))
    ]
    shipped = (*(ROOT / "programme" / "examples").glob("*.yaml"), *(ROOT / "personalize" / "forms").rglob("*.yaml"))
    files += [path.read_text("utf-8") for path in shipped]
    typed = "\n".join([*files, *NAMES, *MERCHANT.values(), *(word for one in done for word in one.args)])
    left = {
        " ".join(one.args[2:5]): words
        for one in done
        if (words := sorted({run for run in CHINESE.findall(one.out + one.err) if run not in typed}))
    }
    assert left == {}
