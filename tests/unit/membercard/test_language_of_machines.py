"""Faults of machines in Chinese: every cause and every remedy, in all their parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from membercard import language
from membercard.language import Language, sentence
from personalize.machines.crt571.codes import ERRORS, meaning
from personalize.machines.faults import REMEDIES, MachineFault, MachineFaultCode
from tests.support.paths import ROOT

ENGLISH = re.compile(r"\b(?!URL|ID|EMV|tty)[A-Za-z]{2,} [a-z]{2,}")


DRIVERS = ROOT / "personalize" / "machines"
HAN = re.compile("[\u4e00-\u9fff]")
WORDS = re.compile("[a-z]{2,} [a-z]{2,}")
PATTERN = re.compile(r"\(\?|\\S|\|")


def phrases() -> Iterator[tuple[str, str]]:
    """Each text of several words, with a number in its fields; without docstrings and regular expressions."""
    for path in sorted(DRIVERS.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        apart: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr):
                apart.add(id(node.value))
            elif isinstance(node, ast.JoinedStr):
                apart.update(map(id, node.values))
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(str(v.value) if isinstance(v, ast.Constant) else "7" for v in node.values)
            if WORDS.search(text) and not PATTERN.search(text) and id(node) not in apart:
                yield str(path.relative_to(ROOT)), text


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    language.choose(Language.CHINESE)
    yield
    language.choose(None)


@pytest.mark.parametrize("code", MachineFaultCode)
def test_every_remedy_has_its_chinese(code: MachineFaultCode) -> None:
    assert not ENGLISH.search(sentence(REMEDIES[code]))


@pytest.mark.parametrize("error", [*ERRORS, "77"])
def test_every_error_of_a_crt571_has_its_chinese(error: str) -> None:
    text = sentence(str(MachineFault("/dev/ttyUSB0", *meaning(error))))
    assert text.startswith("机器 /dev/ttyUSB0：")
    assert f"（错误 {error}）；" in text
    assert not ENGLISH.search(text)


@pytest.mark.parametrize(
    ("detail", "chinese"),
    [
        ("command 32 31 was not acknowledged", "命令 32 31 未被确认"),
        ("command 32 31 was not acknowledged in a readable way", "命令 32 31 的确认无法读取"),
        ("command 32 31 was not received", "命令 32 31 未被收到"),
        ("the answer to command 32 31 is not readable", "对命令 32 31 的应答无法读取"),
        ("the machine left command 32 31 without an answer", "机器放弃对命令 32 31 的应答"),
        (
            "no answer to command 51 34 within 20 s; whether the card executed the command is not known",
            "20 秒内没有对命令 51 34 的应答；无法确定卡片是否已执行该命令",
        ),
        ("the card did not arrive (sensor 32)", "卡片没有到位（传感器 32）"),
        ("the error bin is full", "废卡盒已满"),
        ("no card is inside", "机器内没有卡片"),
        ("the machine was restarted", "机器重新启动过"),
    ],
)
def test_a_fault_of_the_line_to_a_crt571_is_chinese(detail: str, chinese: str) -> None:
    text = sentence(str(MachineFault("M", MachineFaultCode.LINK, detail)))
    assert text == f"机器 M：{chinese}；请检查线缆和端口速率"


def test_every_phrase_of_a_driver_has_its_chinese() -> None:
    listed = list(phrases())
    assert len(listed) > 60
    english = [
        (place, clause) for place, text in listed for clause in sentence(text).split("；") if not HAN.search(clause)
    ]
    assert english == []
