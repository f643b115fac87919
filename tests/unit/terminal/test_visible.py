"""Text that turns, hides or moves what stands around it is shown instead."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.visible import VisibleStream, visible

UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\u001b[2J\u001b]0;title\u0007"),
        ("a\rb\nc\td\x00", r"a\u000db\u000ac\u0009d\u0000"),
        ("\x9b31m", r"\u009b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\u2066孙\u2069", r"\u2066孙\u2069"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\udc80", r"\udc80"),
        ("\ufeff\u200b\xad", r"\ufeff\u200b\u00ad"),
        ("a\U000e0041b", r"a\udb40\udc41b"),
        ("石家庄铁道大学工会 $x_1$ <b> =1+1 Zoë", "石家庄铁道大学工会 $x_1$ <b> =1+1 Zoë"),
        ("न\u200d", "न\u200d"),
    ],
)
def test_what_is_not_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_every_control_and_format_character_of_the_basic_plane_is_shown() -> None:
    passed = {chr(code) for code in range(0x10000) if visible(chr(code)) == chr(code)}
    assert {char for char in passed if unicodedata.category(char) in UNSEEN} == {"\u200c", "\u200d"}
    assert all(visible(char) == char for char in map(chr, range(sys.maxunicode + 1)) if char.isprintable())


@given(st.text())
def test_shown_text_stays_as_it_is_and_json_stays_the_same_value(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert visible(text, keep="\n").count("\n") == text.count("\n")
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


def test_a_stream_of_a_command_sends_no_control_characters() -> None:
    under = io.StringIO()
    stream = VisibleStream(under)
    assert stream.write("a\x1b[31m\tb\n") == 9
    stream.writelines(["c\r\n"])
    assert under.getvalue() == "a\\u001b[31m\tb\nc\\u000d\n"
    assert stream.getvalue() == under.getvalue()
