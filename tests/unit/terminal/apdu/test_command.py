from __future__ import annotations

import pytest

from terminal.apdu import OK, Command, Response, StatusWord
from terminal.errors import ApduError, CodecError

CASES = [
    (1, Command(0x00, 0x70, 0x80, 0x01), "00708001"),
    (2, Command(0x00, 0xB2, 0x01, 0x0C, ne=256), "00B2010C00"),
    (2, Command(0x00, 0xB2, 0x01, 0x0C, ne=1), "00B2010C01"),
    (2, Command(0x00, 0xB0, ne=257), "00B00000000101"),
    (2, Command(0x00, 0xB0, ne=65536), "00B00000000000"),
    (3, Command(0x00, 0x20, 0x00, 0x80, b"\x24"), "002000800124"),
    (3, Command(0x00, 0xD6, data=bytes(256)), "00D60000000100" + "00" * 256),
    (4, Command(0x00, 0xA4, 0x04, 0x00, b"\xa0", 256), "00A4040001A000"),
    (4, Command(0x00, 0xA4, 0x04, 0x00, b"\xa0", 300), "00A40400000001A0012C"),
    (4, Command(0x00, 0xA4, 0x04, 0x00, bytes(300), 65536), "00A4040000012C" + "00" * 300 + "0000"),
]
"""ISO/IEC 7816-3:2006, 12.1.3, Table 13 worked by hand."""


@pytest.mark.parametrize(("case", "command", "raw"), CASES)
def test_cases(case: int, command: Command, raw: str) -> None:
    assert command.case == case
    assert command.encode().hex().upper() == raw
    assert Command.decode(bytes.fromhex(raw)) == command


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "no header"),
        ("00A404", "no header"),
        ("00A404000000", "zero Lc"),
        ("00A40400000000AA", "zero extended Lc"),
        ("00A4040005A000", "5 data bytes, 2 follow"),
        ("00A4040001A00000", "2 bytes after the data"),
        ("00A40400000001A000", "1 bytes after the data"),
    ],
)
def test_what_is_no_command(raw: str, message: str) -> None:
    with pytest.raises(ApduError, match=message):
        Command.decode(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "values",
    [{"cla": 256}, {"ins": -1}, {"p1": 256}, {"p2": 256}, {"data": bytes(65536)}, {"ne": 0}, {"ne": 65537}],
)
def test_values_no_command_can_have(values: dict[str, int | bytes]) -> None:
    with pytest.raises(CodecError):
        Command(**{"cla": 0, "ins": 0xA4, **values})  # type: ignore[arg-type]


def test_neither_command_nor_response_shows_its_data() -> None:
    assert repr(Command(0x00, 0x20, 0x00, 0x80, b"\x24\x12\x34", 256)) == "<Command 00200080 Nc=3 Ne=256>"
    assert repr(Response(b"\x12\x34", OK)) == "<Response 2 bytes, 9000 (success)>"


def test_response_splits_data_and_status() -> None:
    response = Response.decode(bytes.fromhex("AABB6A82"))
    assert (response.data, response.sw) == (b"\xaa\xbb", 0x6A82)
    assert Response.decode(b"\x90\x00") == Response(b"", OK)


class TestStatusWord:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0x9000, "9000 (success)"),
            (0x6A83, "6A83 (record not found)"),
            (0x63C2, "63C2 (2 tries left)"),
            (0x6110, "6110 (16 bytes more)"),
            (0x6C00, "6C00 (wrong Le, 256 expected)"),
            (0x6F42, "6F42 (unknown status)"),
            (0x65AA, "65AA (execution error, state changed)"),
        ],
    )
    def test_in_words(self, value: int, text: str) -> None:
        assert str(StatusWord(value)) == text

    def test_tries(self) -> None:
        assert StatusWord(0x63C0).tries_left == 0
        assert StatusWord(0x6983).tries_left == 0
        assert StatusWord(0x6300).tries_left is None

    def test_nothing_but_9000_is_ok(self) -> None:
        assert [value for value in range(0x10000) if StatusWord(value).ok] == [0x9000]
