"""Errors of the packages below the command line in Chinese: every message that a package raises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from membercard import language
from membercard.language import Language, sentence
from tests.support.paths import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]")
WORDS = re.compile(r"[a-z]+ [a-z]+")
FIELD = "7"
ROOMS = (
    "terminal/tlv",
    "terminal/keys",
    "terminal/crypto",
    "terminal/apdu",
    "terminal/globalplatform",
    "terminal/member",
    "terminal/emv",
    "personalize",
    "programme",
    "registry",
)
PROGRAMMING = {"TypeError", "KeyError", "TranscriptError", "_FAULTS[answer]", "ReadBackError", "_wrong_keys"}
"""Errors of whoever calls the package, of scripted cards, and those with a text composed from their parts."""
INSIDE = {
    "personalize/intake/files/workbook_copy.py",  # becomes a warning in both languages
    "personalize/intake/documents.py",
    "registry/db/tables/columns.py",
    "terminal/member/verdict.py",
}
"""Files whose errors no command prints."""


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    language.choose(Language.CHINESE)
    yield
    language.choose(None)


def raised(room: str) -> Iterator[tuple[str, str]]:
    """The messages of errors with two words and more, a number in each field, and their places."""
    for path in sorted((ROOT / room).rglob("*.py")):
        if str(path.relative_to(ROOT)) in INSIDE:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
                continue
            first = node.exc.args[0]
            for one in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
                text = composed(one)
                if WORDS.search(text) and ast.unparse(node.exc.func) not in PROGRAMMING:
                    yield f"{path.relative_to(ROOT)}:{one.lineno}", text


def composed(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else FIELD for part in node.values)
    return ""


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_of_a_package_has_its_chinese(room: str) -> None:
    missing = [f"{place} {text}" for place, text in raised(room) if not CHINESE.search(sentence(text))]
    assert missing == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "the value of 9F02 is truncated: 6 bytes announced, 2 there (at offset 3)",
            "9F02 的值不完整：应有 6 字节，只有 2 字节（偏移 3 处）",
        ),
        ("9A (Transaction Date): no day of the calendar", "9A（交易日期）：不是有效日期"),
        (
            "importing zmk: the MAC is wrong; it was changed, or is not under kek/1",
            "导入 zmk：MAC 错误；内容被改动，或不在 kek/1 之下",
        ),
        ("an AES key has 16, 24 or 32 bytes, not 15", "AES 密钥为 16、24 或 32 字节，而非 15 字节"),
        ("load from the account of the card", "指定账户圈存"),
        ("nobody lost a card", "nobody lost a card"),
    ],
)
def test_a_composed_error_is_chinese_in_all_its_parts(english: str, chinese: str) -> None:
    assert sentence(english) == chinese
