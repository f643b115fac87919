from __future__ import annotations

import pytest

from terminal.crypto import padding
from terminal.errors import CryptoError


@pytest.mark.parametrize(
    ("data", "method1", "method2"),
    [
        ("", "0000000000000000", "8000000000000000"),
        ("01", "0100000000000000", "0180000000000000"),
        ("01020304050607", "0102030405060700", "0102030405060780"),
        ("0102030405060708", "0102030405060708", "01020304050607088000000000000000"),
    ],
)
def test_both_methods(data: str, method1: str, method2: str) -> None:
    assert padding.pad1(bytes.fromhex(data), 8).hex() == method1
    assert padding.pad2(bytes.fromhex(data), 8).hex() == method2


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0102030405060708",
        "0000000000000000",
        "80",
        "8000000000000001",
        "80000000000000000000000000000000",  # a whole block too much
        "01020304050607088000",
    ],
)
def test_anything_else_is_not_method_2_padding(data: str) -> None:
    with pytest.raises(CryptoError, match="not padded by method 2"):
        padding.unpad2(bytes.fromhex(data), 8)


@pytest.mark.parametrize(
    ("data", "length"), [("0100000000000000", 9), ("0100000000000001", 1), ("01000000000000000000000000000000", 1)]
)
def test_anything_else_is_not_method_1_padding(data: str, length: int) -> None:
    with pytest.raises(CryptoError, match="by method 1"):
        padding.unpad1(bytes.fromhex(data), length, 8)
