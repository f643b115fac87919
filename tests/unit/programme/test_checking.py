"""A programme file as it is handed in: its faults and findings as data, with line and field, in both languages."""

from __future__ import annotations

import ast

import pytest

from membercard.language import catalogue
from programme.checking import FAULT, check
from programme.fault_texts import CHINESE, chinese_fault
from programme.programme import example
from tests.support.paths import ROOT
from tests.support.programmes import BENEFIT, HEAD

SOUND = (ROOT / "programme" / "examples" / "hebei.yaml").read_bytes()


def file_of(body: str) -> bytes:
    return f"{HEAD}  benefit:\n    {BENEFIT.replace(chr(10), chr(10) + '    ').rstrip()}\n{body}".encode()


def test_a_sound_file_has_no_findings() -> None:
    checked = check(SOUND, "hebei.yaml")
    assert (checked.sound, checked.findings, checked.text) == (True, (), SOUND.decode())
    assert checked.file is not None
    assert checked.file.programme == example("hebei").programme


@pytest.mark.parametrize(
    ("content", "line", "field", "zh", "en"),
    [
        (b"format: [", 1, "", "不是 YAML", "not YAML: "),
        (b"a\n\xff", 2, "", "不是 UTF-8 文本", "not UTF-8 text: "),
        (b"- a", 0, "", "服务方案文件应为含以下字段的映射", "a programme file is a mapping with the fields "),
        (b"a: &b c", 1, "", "不接受锚点和别名（& 和 *）；请写出值", "anchors and aliases (& and *) are not taken; "),
        (b" " * 1_000_001, 0, "", "超过 1,000,000 字节", "more than 1,000,000 bytes"),
        (SOUND.replace(b"format: 1", b"format: 1\nextra: 2"), 0, "extra", "没有此字段", "no such field"),
        (
            SOUND + b"partners: {a: b}\n",
            0,
            "partners",
            "此部分尚未启用，请勿填写",
            "this section is not in use yet; leave it out",
        ),
    ],
    ids=["not-yaml", "not-utf-8", "list", "anchor", "long", "unknown", "reserved"],
)
def test_a_fault_is_named_in_both_languages(content: bytes, line: int, field: str, zh: str, en: str) -> None:
    checked = check(content, "a: b.yaml")
    assert (checked.sound, checked.file) == (False, None)
    (fault,) = checked.findings
    assert (fault.file, fault.field, fault.rule) == ("a: b.yaml", field, FAULT)
    assert fault.text.zh.startswith(zh)
    assert fault.text.en.startswith(en)
    if not field:
        assert fault.line == line
    else:
        assert content.split(b"\n")[fault.line - 1].startswith(field.encode())


def test_every_fault_of_a_file_has_its_line_and_field() -> None:
    rest = "    counted: none\n    products: {one: {name: {zh: 一, en: One}, price: {fixed: -1}}}\n    colour: red\n"
    checked = check(file_of(rest), "x.yaml")
    lines = file_of(rest).decode().split("\n")
    assert [(lines[one.line - 1].strip()[:8], one.field, one.text.en) for one in checked.findings] == [
        ("products", "benefits.benefit.products.one.price.fixed", "not below zero, and at most 10,000,000"),
        ("colour: ", "benefits.benefit.colour", "no such field"),
    ]


def test_a_name_with_a_line_break_makes_no_second_fault() -> None:
    checked = check(SOUND + b'"one\\ntwo": 3\n', "x.yaml")
    assert [one.text.en for one in checked.findings] == ["no such field"]


def test_findings_of_the_linter_have_their_rule() -> None:
    checked = check(SOUND.replace(b"en: Hebei Union Member Card", b"en: ''", 1), "x.yaml")
    assert checked.file is not None
    assert not checked.sound
    assert {one.rule for one in checked.findings} == {"translation"}
    assert all(one.line > 0 and one.text.zh and one.text.en for one in checked.findings)


def test_every_sentence_of_the_file_is_known_in_chinese() -> None:
    sentences = set()
    for path in (ROOT / "programme").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ValueError":
                (text,) = node.args
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                sentences.add("".join(str(one.value) if isinstance(one, ast.Constant) else "x" for one in parts))
    assert len(sentences) > 20
    assert [one for one in sentences if chinese_fault(one).startswith("此值不正确")] == []


def test_pages_and_command_line_say_the_same() -> None:
    """Sentences that both have by the same wording."""
    known = catalogue()
    assert {one: CHINESE[one] for one in CHINESE if one in known and CHINESE[one] != known[one]} == {}


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Input should be 'a', 'b' or 'c'", "应为 'a', 'b' 或 'c'"),
        ("Input should be greater than or equal to 1", "应不小于 1"),
        ("String should have at most 200 characters", "最多 200 个字符"),
        ("Dictionary should have at least 1 item after validation, not 0", "至少 1 项"),
        ("something else", "此值不正确（something else）"),
    ],
)
def test_sentences_about_values_are_translated(english: str, chinese: str) -> None:
    assert chinese_fault(english) == chinese
