"""The help of every command in both languages, on 80 columns."""

from __future__ import annotations

import json
import os
import re

import pytest
from rich.cells import cell_len

from tests.support.cli import Cli, zygote_for
from tests.support.paths import ROOT

HELP = """
import contextlib, io, json, typer
from membercard.cli import app
root = typer.main.get_command(app)
context = root.make_context("membercard", [], resilient_parsing=True)

def below(words, command):
    yield words
    for name, child in getattr(command, "commands", {}).items():
        yield from below([*words, name], child)

pages = {}
for name in ["", *root.list_commands(context)]:
    command = root.get_command(context, name) if name else None
    for words in below([name] if name else [], command):
        with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
            app([*words, "--help"])
        pages[" ".join(words)] = shown.getvalue()
print(json.dumps(pages))
"""
ENGLISH = re.compile(
    r"\[OPTIONS\]|COMMAND|ARGS|<(?:str|int|float|bool|path|list)\b|Usage|Options|Arguments|default:|required"
)
EXAMPLES = "王芳 李娜 司马相如 石家庄铁道大学工会 河北省教育工会"
"""Names that examples type."""
OPTION = re.compile(r"--[a-z-]+…")


@pytest.fixture(scope="module", params=["zh", "en"])
def pages(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """A language, and what each command shows for --help in it."""
    environment = dict(os.environ) | {"MEMBERCARD_LANG": request.param, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    with zygote_for(Cli(ROOT).env()).begin([], ROOT, environment, code=HELP) as command:
        out, err = command.communicate()
    assert err == ""
    return request.param, json.loads(out)


def test_help_fits_80_columns_and_cuts_no_name(pages: tuple[str, dict[str, str]]) -> None:
    assert len(pages[1]) > 60
    for words, page in pages[1].items():
        assert max(map(cell_len, page.splitlines())) <= 80, words
        assert OPTION.findall(page) == [], words
        assert "…" not in page, words


def test_placeholders_and_panels_are_in_the_language_of_the_command(pages: tuple[str, dict[str, str]]) -> None:
    language, shown = pages
    for words, page in shown.items():
        assert bool(ENGLISH.search(page)) == (language == "en"), (words, page)
    usage = {"zh": ("batch approve [选项] {批次}", "命令 [参数]..."), "en": ("[OPTIONS] {batch}", "COMMAND [ARGS]...")}
    assert usage[language][0] in shown["batch approve"]
    assert usage[language][1] in shown["batch"]
    assert {"zh": "─ 柜台 ─", "en": "─ Counter ─"}[language] in shown[""]
    assert "MEMBERCARD_GP_KEY" in shown["gp put-key"]
    assert "--max-consecutive-failures" in shown["perso run"]


def test_english_help_has_no_chinese_but_names_in_examples(pages: tuple[str, dict[str, str]]) -> None:
    language, shown = pages
    if language == "en":
        chinese = {words: re.findall("[\u4e00-\u9fff]+", page) for words, page in shown.items()}
        assert {words: [run for run in runs if run not in EXAMPLES] for words, runs in chinese.items() if runs} == {
            words: [] for words, runs in chinese.items() if runs
        }
