"""Messages of the command line in both languages."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import typer

from membercard import language
from membercard.cli import app
from membercard.language import Language, catalogue, choose, current, sentence
from reader_service.errors import Invalid
from reader_service.listen import Listen
from tests.support.paths import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]")
FIELD = re.compile(r"\{(\w+)")
WORDS = re.compile("[A-Za-z]{3}")
SAME = {"SFI", "--reader", "{fault}", "Value error, {fault}", "  membercard keys import {name}    ({algorithm})"}
"""Texts that are the same in both languages."""


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("MEMBERCARD_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    yield
    language.choose(None)


def shape(text: str) -> str:
    """A message without the names of its fields."""
    return re.sub(r"\{[^{}]*\}", "{}", text)


def template(node: ast.expr) -> str | None:
    """The shape of a text or a formatted text in the source."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return shape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def messages() -> Iterator[tuple[str, str]]:
    """Every message that the commands print or refuse with: its place and its shape."""
    for path in sorted((ROOT / "membercard").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            parts: list[ast.expr] = []
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("output.say", "text", "language.text", "typer.BadParameter") and node.args:
                    first = node.args[0]
                    parts = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                elif name == "_done":
                    parts = node.args[2:3]
                elif name == "output.table":
                    parts = [one for part in node.args[:2] for one in ast.walk(part) if isinstance(one, ast.Constant)]
            elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                parts = node.exc.args[:1]
            for one in parts:
                text = template(one)
                if text and WORDS.search(text) and text.strip("{}"):
                    yield f"{path.relative_to(ROOT)}:{one.lineno}", text


def test_every_message_of_the_commands_has_its_chinese() -> None:
    known = {shape(english) for english in catalogue()}
    missing = [f"{place} {text}" for place, text in messages() if text not in known]
    assert missing == []


def test_both_texts_of_a_message_have_the_same_fields() -> None:
    for english, chinese in catalogue().items():
        assert set(FIELD.findall(chinese)) == set(FIELD.findall(english)), english
        assert CHINESE.search(chinese) or english in SAME or not WORDS.search(FIELD.sub("", english)), english


def test_a_message_stands_in_one_file_once_whatever_its_fields_are_called() -> None:
    texts = (path.read_text("utf-8") for path in (ROOT / "membercard" / "texts").rglob("*.json"))
    shapes = Counter(shape(english) for text in texts for english, _ in json.loads(text, object_pairs_hook=list))
    assert [text for text, times in shapes.items() if times > 1] == []


def test_help_of_every_command_and_option_is_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERCARD_LANG", "zh")
    root = typer.main.get_command(app)
    context = root.make_context("membercard", [], resilient_parsing=True)
    context.resilient_parsing = False

    def texts(command: object) -> Iterator[str]:
        yield from (getattr(command, "help", "") or "").split("\n\n")
        yield getattr(command, "epilog", "") or ""
        for parameter in command.get_params(context):  # type: ignore[attr-defined]
            yield getattr(parameter, "help", "") or ""
        for below in getattr(command, "commands", {}).values():
            yield from texts(below)

    english = [
        paragraph
        for name in root.list_commands(context)  # type: ignore[attr-defined]
        for paragraph in texts(root.resolve_command(context, [name])[1])  # type: ignore[attr-defined]
        if WORDS.search(paragraph) and not CHINESE.search(paragraph)
    ]
    assert english == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, Language.CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "MEMBERCARD_LANG": "en"}, Language.ENGLISH),
        ({"LANG": "en_US.UTF-8", "MEMBERCARD_LANG": "zh"}, Language.CHINESE),
    ],
)
def test_the_language_is_the_named_one_or_that_of_the_locale(
    environment: dict[str, str], expected: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language.current() is expected
    language.choose(Language.CHINESE)
    assert language.current() is Language.CHINESE


def test_a_finished_sentence_takes_the_message_that_composed_it() -> None:
    language.choose(Language.CHINESE)
    assert (
        language.sentence("there is no batch B20261122-001; `membercard batch list` shows those there are")
        == "没有批次 B20261122-001；`membercard batch list` 列出现有的批次"
    )
    inner = language.sentence("opening /data/keystore: the passphrase is wrong")
    assert inner == "打开 /data/keystore：口令错误"
    assert language.sentence("nobody wrote this sentence") == "nobody wrote this sentence"


def test_faults_of_a_file_are_translated_line_by_line_behind_their_places() -> None:
    language.choose(Language.CHINESE)
    faults = "own.yaml:4: member.aid: an AID has 5 to 16 bytes, this one has 1\nown.yaml:7: covers: no such field"
    assert (
        language.sentence(faults)
        == "own.yaml:4: member.aid: AID 为 5 至 16 字节，此处为 1 字节\nown.yaml:7: covers: 没有此字段"
    )


def test_values_are_never_taken_for_fields() -> None:
    language.choose(Language.CHINESE)
    assert language.text("{id}: discarded", id="{name}") == "{name}：已放弃"
    assert language.sentence("{name}: discarded") == "{name}：已放弃"


def test_what_somebody_is_called_is_no_word_to_translate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERCARD_LANG", "zh")
    assert sentence("there is a user operator already") == "已有用户 operator"
    assert sentence("administrator is the last administrator; make another one first").startswith("administrator ")


def test_the_language_of_a_command_is_that_of_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    choose(Language.CHINESE)
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(current).result() is Language.CHINESE
    finally:
        choose(None)


def test_a_refusal_of_another_package_keeps_its_words_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERCARD_LANG", "zh")
    with pytest.raises(Invalid) as refused:
        Listen("192.0.2.1").check()
    assert "没有 TLS 时服务只在本机监听，不能用于 192.0.2.1" in sentence(str(refused.value))
