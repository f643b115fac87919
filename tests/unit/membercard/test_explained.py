"""Explained card data in Chinese: every element of the dictionary, its values and its faults."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from membercard import language
from membercard.exchanges import command, line
from membercard.explained import localized
from membercard.language import Language, sentence
from terminal.apdu import StatusWord, TraceEntry
from terminal.apdu import describe as describe_module
from terminal.apdu.describe import describe
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


def places() -> Iterator[tuple[int, str, str]]:
    """Every country and every currency: an element, its code and its English name."""
    for tag, file, letters in ((0x9F1A, "countries", "alpha2"), (0x5F2A, "currencies", "alpha3")):
        table = files("terminal.emv.data.elements") / "tables" / f"{file}.csv"
        for row in csv.DictReader(table.read_text("utf-8").splitlines()):
            yield tag, row["numeric"], row[letters]


def test_every_country_and_currency_has_a_chinese_name() -> None:
    english = {}
    for tag, digits, letters in places():
        text = localized(explain(tag, bytes.fromhex(f"0{digits}"))).text
        if not re.fullmatch(rf"[^A-Za-z]*[\u4e00-\u9fff][^A-Za-z]*（{digits}，{letters}）", text):
            english[letters] = text
    assert english == {}


@pytest.mark.parametrize(
    ("tag", "value", "chinese"),
    [
        (0x9F1A, "0156", "中国（156，CN）"),
        (0x9F1A, "0158", "中国台湾（158，TW）"),
        (0x9F1A, "0344", "中国香港（344，HK）"),
        (0x9F1A, "0068", "玻利维亚（068，BO）"),
        (0x9F1A, "0408", "朝鲜（408，KP）"),
        (0x9F1A, "0999", "999，不是 ISO 3166 的国家"),
        (0x5F2A, "0756", "瑞士法郎（756，CHF）"),
        (0x9F43, "02", "02"),
        (0x9F27, "88", "ARQC，联机"),
    ],
)
def test_values_of_code_lists_are_chinese(tag: int, value: str, chinese: str) -> None:
    assert localized(explain(tag, bytes.fromhex(value))).text == chinese


def test_several_currencies_are_named_one_by_one() -> None:
    assert localized(explain(0x9F3B, bytes.fromhex("01560840"))).text == "人民币元（156，CNY），美元（840，USD）"


def test_a_card_that_asks_for_an_advice_says_so() -> None:
    (advice,) = localized(explain(0x9F27, b"\x88")).children
    assert (advice.name, advice.text) == ("通知", "需要发送")


@pytest.mark.parametrize(
    ("header", "chinese"),
    [
        ("00A40400", "SELECT 选择（按名称）"),
        ("00A40402", "SELECT 选择（按名称取下一个）"),
        ("00B2020C", "READ RECORD 读记录（SFI 1 第 2 条记录）"),
        ("80AE9000", "GENERATE AC 生成应用密文（ARQC，CDA）"),
        ("84823300", "EXTERNAL AUTHENTICATE 外部认证（安全级别 33，安全报文）"),
        ("84E28805", "STORE DATA 存储数据（第 5 块，最后一块，安全报文）"),
        ("80E60C00", "INSTALL 安装（用于安装、用于设为可选择）"),
        ("00700000", "MANAGE CHANNEL 管理通道（打开通道）"),
        ("00708002", "MANAGE CHANNEL 管理通道（关闭通道 2）"),
        ("80F24003", "GET STATUS 取状态（应用，下一批）"),
        ("80F0800F", "SET STATUS 设置状态（安全域，状态 0F）"),
        ("80D82081", "PUT KEY 写密钥（替换版本 20，密钥 1）"),
        ("10D60000", "UPDATE BINARY 修改二进制文件（偏移 0，命令链）"),
        ("E1CA0042", "GET DATA 取数据（标签 42，安全报文，通道 5）"),
        ("80E40080", "DELETE 删除（P1 00，P2 80）"),
        ("00FE0000", "指令 INS FE"),
    ],
)
def test_a_command_keeps_its_name_beside_its_chinese(header: str, chinese: str) -> None:
    described = describe(*bytes.fromhex(header))
    assert command(described) == chinese
    script = localized(explain(0x86, bytes.fromhex(header))).text
    assert script == f"{chinese}：{header}"


@pytest.mark.parametrize("table", [describe_module._ISO, describe_module._PROPRIETARY])
def test_every_command_has_its_chinese(table: dict[int, str]) -> None:
    assert [name for name in table.values() if not CHINESE.search(command(name))] == []


def test_an_exchange_is_chinese_on_its_line() -> None:
    entry = TraceEntry(bytes.fromhex("00B2020C"), 0, None, 256, 12, None, StatusWord(0x6283), 0.0015)
    chinese = (
        "    1.50 ms  00 B2 02 0C  READ RECORD 读记录（SFI 1 第 2 条记录）  ->  [12 字节]  6283（所选文件或应用已锁定）"
    )
    assert line(entry) == chinese
    language.choose(Language.ENGLISH)
    assert line(entry) == str(entry)
