"""Names that look alike are one; names that do not stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.names import all_visible, fold, same_name

ADMIN = (
    *("admin", "ADMIN", "Admin", " ad min ", "ａｄｍｉｎ", "adm1n", "admln", "adrnin", "adm|n"),
    *("\u0430dmin", "adm\u0456n", "\u0410DMIN", "\u0391dmin", "\U0001d41admin", "adm\u0131n", "\u202eadmin"),
    *("ad\u3164min", "ad\u115fmin", "ad\u1160min", "ad\u034fmin", "admin\ufe0f", "ad\u2800min", "ad\uffa0min"),
    *("ad\u00admin", "ad\u200bmin", "ad\u2060min", "ad\U000e0061min", "ad\u180bmin", "ad\U000e0100min", "ad\u17b4min"),
)


@pytest.mark.parametrize("name", ADMIN, ids=ascii)
def test_twins_of_a_name_are_that_name(name: str) -> None:
    assert fold(name) == fold("admin")
    assert same_name("admin", name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("root", "r00t"),
        ("NINA", "\u039dINA"),
        ("\u041d\u0418\u041d\u0410", "\u043d\u0438\u043d\u0430"),
        ("clerk 1", "clerk l"),
        ("李娜", "李\u3164娜"),
        ("買", "買\ufe00"),
        ("\u212a", "k"),
    ],
    ids=ascii,
)
def test_further_twins(one: str, other: str) -> None:
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("li.na", "li.nan"),
        ("nan", "van"),
        ("user1", "user2"),
        ("王芳", "王方"),
        ("registrar", "reviewer"),
        ("wang", "wanq"),
        ("clerk", "clark"),
    ],
)
def test_names_that_differ_stay_two(one: str, other: str) -> None:
    assert not same_name(one, other)


@pytest.mark.parametrize(
    "sign", ["\u3164", "\u115f", "\u034f", "\ufe0f", "\u2800", "\u200b", "\ue000", "\x1b", "\ud800"]
)
def test_what_cannot_be_seen_is_nobody(sign: str) -> None:
    assert fold(sign) == ""
    assert not all_visible(f"a{sign}")


def test_visible_texts() -> None:
    assert all_visible("王芳 3号")
    assert not all_visible("")
    assert not all_visible("  ")


@given(st.text())
def test_the_form_of_a_form_is_itself(name: str) -> None:
    assert fold(fold(name)) == fold(name)
