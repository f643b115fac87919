"""Each fault of the journal has its sentence in Chinese."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from membercard import language
from membercard.language import Language
from tests.support.paths import ROOT

CHINESE, WORDS = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{4}")


def sentences() -> Iterator[tuple[str, str]]:
    """Each sentence that the room refuses with, with a value in each of its places."""
    for path in sorted((ROOT / "reader_service" / "redemptions").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if isinstance(node.func, ast.Name) and re.match("Journal|Clock|Redemption(P|R)|RowM", node.func.id):
                first = node.args[0]
                if isinstance(first, ast.Constant | ast.JoinedStr):
                    parts = first.values if isinstance(first, ast.JoinedStr) else [first]
                    text = "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in parts)
                    yield path.name, re.sub("^7:", "reading the redemption journal 7:", text)


def test_each_refusal_has_its_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "current", lambda: Language.CHINESE)
    english = [
        (place, text, language.sentence(text)) for place, text in sentences() if WORDS.search(language.sentence(text))
    ]
    assert english == []
    assert len(list(sentences())) > 15
