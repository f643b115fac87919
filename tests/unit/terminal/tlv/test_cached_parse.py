"""The cache of parsed lists: bounded in number and in length, without failures."""

from __future__ import annotations

import pytest

from terminal.errors import TlvError
from terminal.tlv import Dol, asks_for, cached_parse
from terminal.tlv.cached_parse import MAX_ENTRIES, MAX_LENGTH


def counted() -> tuple[list[bytes], list[bytes]]:
    """The inputs that a cached parser parsed itself: of short and long lists, and of more lists than are cached."""
    parsed: list[bytes] = []

    @cached_parse
    def parse(data: bytes) -> int:
        parsed.append(data)
        return len(data)

    many = [number.to_bytes(2, "big") for number in range(MAX_ENTRIES + 1)]
    for data in (b"once", b"once", bytes(MAX_LENGTH), bytes(MAX_LENGTH), bytes(MAX_LENGTH + 1), bytes(MAX_LENGTH + 1)):
        assert parse(data) == len(data)
    short = list(parsed)
    parsed.clear()
    for data in (*many, many[-1], many[0]):
        parse(data)
    return short, parsed


def test_a_list_is_parsed_once_unless_it_is_too_long() -> None:
    short, _ = counted()
    assert short == [b"once", bytes(MAX_LENGTH), bytes(MAX_LENGTH + 1), bytes(MAX_LENGTH + 1)]


def test_the_least_recently_used_list_is_dropped() -> None:
    _, parsed = counted()
    assert len(parsed) == MAX_ENTRIES + 2
    assert parsed[-1] == parsed[0]


def test_a_fault_is_a_fault_each_time() -> None:
    for _ in range(2):
        with pytest.raises(TlvError):
            Dol.parse(b"\x9f")


@pytest.mark.parametrize(
    ("dol", "requested"),
    [("9F1A029F3704", True), ("9F1A02", False), ("9F3704FF", False), ("", False), ("379F04", False)],
)
def test_whether_a_list_asks_for_a_tag(dol: str, requested: bool) -> None:
    assert asks_for(bytes.fromhex(dol), 0x9F37) is requested
