"""Passwords: rules, hashes, one-time passwords."""

from __future__ import annotations

import re

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type

from reader_service.access.passwords import CHEAP, STRONG, Passwords, check_rules, one_time
from reader_service.errors import Invalid


def rule_broken(password: str, name: str = "wang.fang") -> str:
    with pytest.raises(Invalid) as refused:
        check_rules(password, name)
    assert set(refused.value.fields) == {"password"}
    assert password not in str(refused.value)
    return str(refused.value.params["rule"])


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short 9 ch", None),
        ("short 9 c", "short"),
        ("x" * 5 + "yz" * 98, "long"),
        ("wang.fang1", "name"),
        ("Wang Fang 2026", "name"),
        ("1234567890", "common"),
        ("Password1234", "common"),
        ("13812345678", "common"),
        ("13010219760515397X", "common"),
        ("abababababab", "simple"),
        ("with\x00control", "unprintable"),
        ("四个字的密码不够长", "short"),
        ("这是一句只有我自己知道的话", None),
        ("correct horse battery", None),
    ],
)
def test_what_is_too_easy_is_refused_by_the_rule_that_it_breaks(password: str, rule: str | None) -> None:
    if rule is None:
        check_rules(password, "wang.fang")
    else:
        assert rule_broken(password) == rule


def test_passwords_are_hashed_with_argon2id_as_rfc_9106_recommends() -> None:
    used = extract_parameters(Passwords(STRONG).hash("correct horse battery"))
    assert (used.type, used.memory_cost, used.time_cost, used.parallelism) == (Type.ID, 65536, 3, 4)


def test_a_hash_matches_its_password_in_whichever_unicode_form_it_was_typed() -> None:
    passwords = Passwords(CHEAP)
    stored = passwords.hash("Café au lait")
    assert passwords.matches(stored, "Cafe\u0301 au lait")
    assert not passwords.matches(stored, "Cafe au lait")
    assert not passwords.matches("no hash at all", "Café au lait")


def test_a_name_that_is_not_on_record_has_no_password_at_all() -> None:
    passwords = Passwords(CHEAP)
    assert not passwords.matches(None, "")
    assert not passwords.matches(None, "anything at all")


@pytest.mark.parametrize("hasher", [CHEAP, STRONG])
def test_an_unknown_name_takes_the_work_of_a_known_one(hasher: PasswordHasher) -> None:
    stored = Passwords(hasher)._nobody
    assert extract_parameters(stored) == extract_parameters(hasher.hash("correct horse battery"))
    with pytest.raises(VerifyMismatchError):  # computed and compared; a hash that cannot be read is refused at once
        hasher.verify(stored, "correct horse battery")


def test_one_time_passwords_keep_the_rules_and_differ() -> None:
    drawn = {one_time() for _ in range(200)}
    assert len(drawn) == 200
    for password in drawn:
        assert re.fullmatch(r"([a-hj-km-np-z2-9]{4}-){3}[a-hj-km-np-z2-9]{4}", password)
        check_rules(password, "admin")
