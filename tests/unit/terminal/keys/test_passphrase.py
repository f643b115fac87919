"""Passphrases that are easy to guess protect no keystore."""

from __future__ import annotations

import pytest

from terminal.errors import KeyRefused
from terminal.keys.passphrase import check_passphrase
from terminal.secret import Secret

WEAK = (
    *("a", " ", "x" * 200, "password1234", "passphrase", "qwertyuiopasdfghjkl", "1234567890123456", "abcabcabcabcabc"),
    *(
        "gonghui123456",
        "13931177777",
        "139 3117 7777",
        "130102198001017774",
        "工会会员",
        "会员服务卡",
        "membercard2026",
    ),
)
BETTER = ("correct horse", "x9#Lq2!v")
STRONG = (
    "correct horse battery staple",
    "Zwoelf-Baeume-vor-dem-Haus",
    "9Tn4vG0pQm1Zs7Lk3Xb8Yw==",
    "白马过桥遇雨停茶馆听雷",
)


def taken(passphrase: bytes, *, simulation: bool) -> bool:
    try:
        check_passphrase(Secret(passphrase), simulation=simulation)
    except KeyRefused:
        return False
    return True


@pytest.mark.parametrize("passphrase", [*WEAK, *BETTER])
def test_a_weak_passphrase_protects_no_real_keys(passphrase: str) -> None:
    with pytest.raises(KeyRefused, match="too easy to guess") as refused:
        check_passphrase(Secret(passphrase.encode()), simulation=False)
    assert len(passphrase) < 5 or passphrase not in str(refused.value).replace("the passphrase", "")


@pytest.mark.parametrize("passphrase", WEAK)
def test_simulation_keys_take_weaker_ones_but_no_weak_ones(passphrase: str) -> None:
    with pytest.raises(KeyRefused, match="too easy to guess"):
        check_passphrase(Secret(passphrase.encode()), simulation=True)


@pytest.mark.parametrize("passphrase", [*BETTER, *STRONG])
def test_simulation_keys_take_what_takes_a_million_guesses(passphrase: str) -> None:
    assert taken(passphrase.encode(), simulation=True)


@pytest.mark.parametrize("passphrase", STRONG)
def test_strong_passphrases(passphrase: str) -> None:
    assert taken(passphrase.encode(), simulation=False)


def test_bytes_that_are_no_text_are_judged_too() -> None:
    assert taken(bytes(range(128, 250, 3)) + b"Jx4k-mmQ9-zzz1-p0Lt", simulation=False)
    assert not taken(bytes(range(128, 132)), simulation=False)
