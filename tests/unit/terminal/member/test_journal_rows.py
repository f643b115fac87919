"""Rows of the redemption journal: one encoding, linked by a hash."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.errors import CodecError
from terminal.member.journal_rows import NO_ROW, JournalRow, RowKind

AT = datetime(2026, 11, 30, 4, 5, 6, 789000, UTC)
ROW = JournalRow(7, AT, RowKind.REFUSED, {"intent": 6, "reason": "已用完"})
ENCODED = '{"at":"2026-11-30T04:05:06.789+00:00","intent":6,"kind":"refused","n":7,"reason":"已用完"}'.encode()


def test_a_row_is_json_with_sorted_names() -> None:
    assert ROW.encode() == ENCODED
    assert JournalRow.decode(ENCODED) == ROW
    assert JournalRow.from_json(ROW.to_json()) == ROW


def test_the_hash_of_a_row_is_over_the_one_before_and_its_encoding() -> None:
    assert ROW.link(NO_ROW) == hashlib.sha256(bytes(32) + ENCODED).digest()
    assert ROW.link(ROW.link(NO_ROW)) != ROW.link(NO_ROW)


def test_a_time_in_another_zone_is_encoded_in_utc() -> None:
    beijing = AT.astimezone(timezone(timedelta(hours=8)))
    assert JournalRow(7, beijing, ROW.kind, ROW.data).encode() == ENCODED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 10000,
        ENCODED.replace(b'"n":7', b'"n":true'),
        ENCODED.replace(b'"n":7', b'"n":0'),
        ENCODED.replace(b'"n":7', b'"n":9007199254740992'),
        ENCODED.replace(b"refused", b"repaired"),
        ENCODED.replace(b"+00:00", b""),
        ENCODED.replace(b"+00:00", b"+08:00"),
        ENCODED.replace(b'"intent":6', b'"intent":6.5'),
        ENCODED.replace(b'"intent":6', b'"intent":null'),
        ENCODED.replace(b'"intent":6', b'"intent": 6'),
        ENCODED + b" ",
    ],
)
def test_what_is_no_row_is_refused(content: bytes) -> None:
    with pytest.raises(CodecError):
        JournalRow.decode(content)


def test_a_refusal_quotes_no_value() -> None:
    with pytest.raises(CodecError) as refused:
        JournalRow.decode(ENCODED.replace(b"2026-11-30T", b"6212260000000000001"))
    assert "6212" not in str(refused.value)
    with pytest.raises(CodecError) as missing:
        JournalRow(1, AT, RowKind.INTENT, {"card": 6212260000000000001 % 10}).text("card")
    assert str(missing.value) == "row 1 of the journal (intent) has no text card"


def test_a_row_shows_its_values_to_nobody() -> None:
    assert "6212260000000000001" not in repr(JournalRow(1, AT, RowKind.INTENT, {"card": "6212260000000000001"}))


def test_a_row_of_more_than_4096_bytes_is_refused() -> None:
    with pytest.raises(CodecError, match="4096 bytes at most"):
        JournalRow(1, AT, RowKind.REFUSED, {"reason": "x" * 4096}).encode()


def test_text_that_no_encoding_has_is_refused() -> None:
    with pytest.raises(CodecError, match="text that is none"):
        JournalRow(1, AT, RowKind.REFUSED, {"reason": "\ud800"}).encode()


@given(
    st.integers(1, 2**53 - 1),
    st.datetimes(datetime(2000, 1, 1), datetime(2049, 12, 31)),
    st.sampled_from(RowKind),
    st.dictionaries(
        st.text("abcdefg", min_size=1, max_size=6),
        st.one_of(st.integers(0, 2**53 - 1), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)),
        max_size=6,
    ),
)
def test_every_row_comes_back_as_it_was(number: int, at: datetime, kind: RowKind, data: dict[str, str | int]) -> None:
    row = JournalRow(number, at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000), kind, data)
    assert JournalRow.decode(row.encode()) == row
