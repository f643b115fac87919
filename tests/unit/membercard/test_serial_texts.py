"""Faults of serial readers in Chinese, as they come from the transport: with the reader before them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from membercard import language
from membercard.language import Language


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    language.choose(Language.CHINESE)
    yield
    language.choose(None)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "connecting to the card in /dev/ttyUSB0: the card does not answer to reset; turn it or clean its contacts",
            "连接 /dev/ttyUSB0 中的卡片：卡片没有复位应答；请换个方向插入，或清洁触点",
        ),
        (
            "the card in /dev/ttyUSB0: reading at T=0: a character has wrong parity; "
            "check the contacts, the cable and the rate, then try again",
            "/dev/ttyUSB0 中的卡片：T=0 接收：有字符奇偶校验错误；请检查触点、线缆和速率后重试",
        ),
        (
            "there is no port /dev/ttyUSB7; plug the reader in (present: /dev/ttyS0)",
            "没有端口 /dev/ttyUSB7；请插上读卡器（现有：/dev/ttyS0）",
        ),
        (
            "/dev/ttyS0 does not open: another program holds its lock; close that program and try again",
            "/dev/ttyS0 无法打开：另一个程序已将其锁定；请关闭该程序后重试",
        ),
        (
            "rts=up is not possible for serial: (possible: high, low, none)",
            "serial: 不接受 rts=up（可用：high, low, none）",
        ),
        (
            "the card in /dev/ttyUSB0: exchanging at T=1: blocks stay away or are not readable; "
            "whether the card executed the command is not known; "
            "check the contacts, the cable and the rate, then try again",
            "/dev/ttyUSB0 中的卡片：T=1 通信：数据块缺失或无法读取；"
            "无法确定卡片是否已执行该命令；请检查触点、线缆和速率后重试",
        ),
        (
            "the session with the card in /dev/ttyUSB0 is over after a fault; connect again",
            "与 /dev/ttyUSB0 中卡片的会话因故障已结束；请重新连接",
        ),
    ],
)
def test_a_fault_of_a_serial_reader_is_chinese(english: str, chinese: str) -> None:
    assert language.sentence(english) == chinese
