"""The steps of the payment kernel in Chinese: each text that a step or a result may have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum

import pytest

from membercard import language
from membercard.language import Language, catalogue
from terminal.emv.data.bits import AUC, TSI, TVR
from terminal.emv.data.cvm_list import CvmCode, CvmCondition, CvmResult
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.step import KernelStage
from tests.support.paths import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"[a-z']+(?: [a-z']+){2,}")
ROOMS = ("kernel", "selection", "risk", "cardholder_verification", "completion")
FILES = (*ROOMS, "authentication/authentication.py", "transaction/outcome.py")
FIELD = "7"


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    language.choose(Language.CHINESE)
    yield
    language.choose(None)


def texts() -> Iterator[tuple[str, str]]:
    """Texts of three words and more with a number in each of their fields, and their places."""
    emv = ROOT / "terminal" / "emv"
    for path in sorted(path for name in FILES for path in ([emv / name] if "." in name else (emv / name).glob("*.py"))):
        tree = ast.parse(path.read_text("utf-8"))
        skipped = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        skipped |= {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if node in skipped:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else FIELD for part in node.values)
            else:
                continue
            if SENTENCE.search(text):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_every_text_of_the_kernel_has_its_chinese_or_is_part_of_one() -> None:
    known = "\n".join(catalogue())
    missing = [
        f"{place} {text}"
        for place, text in texts()
        if SENTENCE.search(language.sentence(text.strip("; ")))
        and not all(part.strip(" ;:()") in known for part in text.split(FIELD))
    ]
    assert missing == []


@pytest.mark.parametrize("bits", [TVR, TSI, AUC])
def test_every_bit_has_its_chinese(bits: type[TVR | TSI | AUC]) -> None:
    texts = [flag.text for flag in bits if flag.text]
    assert len(texts) >= 6
    assert [text for text in texts if not CHINESE.search(language.sentence(text))] == []


@pytest.mark.parametrize("kind", [CvmCode, CvmCondition, CvmResult, KernelStage, Result])
def test_every_code_has_its_chinese(kind: type[Enum]) -> None:
    texts = [getattr(member, "text", None) or str(member.value) for member in kind]
    assert [text for text in texts if not CHINESE.search(language.sentence(text))] == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            'the online codes name "New card"; byte 5, b4: ARQC is to be asked for',
            "联机行为代码命中“新卡”；第 5 字节 b4：应请求 ARQC",
        ),
        (
            "rule 2 (Signature: If terminal supports the CVM, else fail): the terminal does not support it",
            "规则 2（签名：终端支持该 CVM 时，否则失败）：终端不支持",
        ),
        (
            "the amount of CNY 12.34 (CNY 5.00 of it paid before) is not below the floor limit of CNY 10.00",
            "金额 CNY 12.34（其中此前已付 CNY 5.00） 不低于最低限额 CNY 10.00",
        ),
        (
            "the transaction is not selected at random to go online: drew 51 against 0 in a hundred",
            "交易未被随机选中联机：抽到 51，比率为百分之 0",
        ),
        (
            "declined offline: the issuer could not be asked, and the transaction was declined; "
            "the issuer must be told that nothing was paid (reversal)",
            "脱机拒绝：无法询问发卡行，交易被拒绝；须通知发卡行未付款（冲正）",
        ),
        (
            "the issuer approves (response code 00) and sends 2 scripts",
            "发卡行批准（响应码 00），并下发 2 个脚本",
        ),
        (
            "script 00000001, command 1 of 2 (84240000): no answer (the card left the reader)",
            "脚本 00000001，第 1 条命令（共 2 条，84240000）：没有应答（the card left the reader）",
        ),
        ("the PIN was wrong, 2 tries left", "密码错误，还可试 2 次"),
        ("the card has 1 PIN try left", "卡片还可试密码 1 次"),
        ("no PIN: its try limit was exceeded before", "无密码：此前已超过重试次数"),
        (
            "record 3 of the directory is out of form; the list of AIDs is used",
            "目录第 3 条记录格式有误；改用 AID 列表",
        ),
        (
            "the card does not have: Valid for domestic goods or Valid for domestic services; Valid at ATMs",
            "卡片未允许：国内商品或服务有效；ATM 有效",
        ),
    ],
)
def test_a_composed_step_is_chinese_in_all_its_parts(english: str, chinese: str) -> None:
    assert language.sentence(english) == chinese


def test_a_number_is_never_taken_for_words() -> None:
    assert language.sentence("many records read, every mandatory element is there").startswith("many records")
