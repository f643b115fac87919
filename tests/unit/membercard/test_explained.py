"""Explained card data in Chinese: every element of the dictionary, its values and its faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from membercard import language
from membercard.explained import localized
from membercard.language import Language, sentence
from terminal.emv.data.elements.element import Element
from terminal.emv.data.explain import Explained, Explainer, explain, explain_readable
from terminal.member.elements import ELEMENTS, MEMBER_AID, dictionary

CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"\b[a-z]{2,}(?:,? [a-z]+)+\b")
AIDS = {
    "EMV": None,
    "PBOC": bytes.fromhex("A000000333010101"),
    "Visa": bytes.fromhex("A0000000031010"),
    "Mastercard": bytes.fromhex("A0000000041010"),
    "member": MEMBER_AID,
}
DICTIONARY = dictionary()
NAMES = sorted({element.name for element in (*DICTIONARY.elements, *ELEMENTS)})
COMMAND = "86"
"""A command in words has the names of ISO/IEC 7816-4."""


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    language.choose(Language.CHINESE)
    yield
    language.choose(None)


def samples(element: Element[Any]) -> Iterator[bytes]:
    """Values with a meaning, and values that break the format of the element."""
    yield from (bytes.fromhex(encoded) for encoded, _ in element.codec.VECTORS)
    for value in getattr(element.codec, "MEANINGS", ()):
        yield bytes([value]) if isinstance(value, int) else value.encode()
    for byte in (0x00, 0x11, 0x7F, 0x99, 0xFF):
        yield from (bytes([byte]) * length for length in (element.min, min(element.max, 40), 0, 300))


def english(explained: Explained) -> Iterator[str]:
    """Names, meanings and faults with two English words in a row."""
    texts = [explained.name, explained.fault, *([] if explained.verbatim else [explained.text])]
    yield from (text for text in texts if SENTENCE.search(text))
    for child in explained.children:
        yield from english(child)


def test_every_element_has_a_chinese_name() -> None:
    assert [name for name in NAMES if not CHINESE.search(sentence(name))] == []


def test_every_value_and_every_fault_of_every_element_is_chinese() -> None:
    odd: dict[str, str] = {}
    for element in DICTIONARY.elements:
        template = element.template[0] if element.template else None
        for value in set(samples(element)):
            for reveal in (True, False):
                explainer = Explainer(AIDS[element.scheme], reveal, DICTIONARY)
                for text in english(localized(explainer.element(element.tag, value, template))):
                    if str(element.tag) != COMMAND:
                        odd.setdefault(text, str(element.tag))
    assert odd == {}


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (
            "9F0206000000001234",
            ["9F02 授权金额（数字型） [000000001234]: 1234（最小货币单位）"],
        ),
        (
            "95058000048000",
            [
                "95 终端验证结果（TVR） [8000048000]: 3 位置 1",
                "├─ 第 1 字节第 8 位: 未执行脱机数据认证",
                "├─ 第 3 字节第 3 位: 已输入联机 PIN",
                "└─ 第 4 字节第 8 位: 交易超过最低限额",
            ],
        ),
        (
            "8C069F02069F3704",
            [
                "8C 卡片风险管理数据对象列表 1（CDOL1） [9F02069F3704]: 2 个对象，共 10 字节",
                "├─ 9F02 授权金额（数字型）: 6 字节",
                "└─ 9F37 不可预知数: 4 字节",
            ],
        ),
        ("9F4A03829F36", ["9F4A 静态数据认证标签列表 [829F36]: 82 应用交互特征（AIP），9F36 应用交易计数器（ATC）"]),
        ("5F2A020156", ["5F2A 交易货币代码 [0156]: 人民币元（156，CNY）"]),
        ("9A03261322", ["9A 交易日期: 261322 ! 不是有效日期"]),
    ],
)
def test_an_element_is_named_as_pboc_names_it_beside_its_tag(data: str, lines: list[str]) -> None:
    trees, _ = explain_readable(bytes.fromhex(data))
    assert [line for tree in trees for line in localized(tree).lines()] == lines


def test_texts_of_the_card_are_no_words_to_translate() -> None:
    merchant = localized(explain(0x9F4E, b"Goods"))
    assert (merchant.name, merchant.text) == ("商户名称和地址", "Goods")
    label = localized(explain(0x50, b"Cash"))
    assert (label.name, label.text) == ("应用标签", "Cash")


def test_english_stays_as_it_is() -> None:
    language.choose(Language.ENGLISH)
    explained = explain(0x9C, b"\0")
    assert localized(explained) is explained
    assert str(explained) == "9C Transaction Type: 00, purchase"
