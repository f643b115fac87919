"""The PIN at a counter: right, wrong, blocked, and never in what is printed."""

from __future__ import annotations

import pytest

from terminal.apdu import Transcript, stack
from terminal.errors import CardGone, CardRefused, CryptoError
from terminal.member.pin import PinCheck, verify_pin
from terminal.secret import Secret

PIN = Secret(b"135790")
SENT = "002000800826135790FFFFFFFF"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("9000", PinCheck(True, None)),
        ("63C2", PinCheck(False, 2)),
        ("63C0", PinCheck(False, 0)),
        ("6983", PinCheck(False, 0)),
        ("6984", PinCheck(False, 0)),
    ],
)
def test_the_answer_of_the_card(answer: str, outcome: PinCheck) -> None:
    with Transcript((SENT, answer)) as card:
        assert verify_pin(stack(card), PIN) == outcome


@pytest.mark.parametrize("answer", ["6985", "6D00", "6300", "6200", "6700"])
def test_an_unknown_status_word_is_never_success(answer: str) -> None:
    with Transcript((SENT, answer)) as card, pytest.raises(CardRefused, match="verifying the PIN") as caught:
        verify_pin(stack(card), PIN)
    assert "1357" not in str(caught.value)


def test_a_card_that_leaves_is_a_fault() -> None:
    with Transcript((SENT, "GONE")) as card, pytest.raises(CardGone):
        verify_pin(stack(card), PIN)


@pytest.mark.parametrize("bad", [b"", b"123", b"1234567890123", b"12a4", "１２３４".encode()])
def test_what_is_no_pin_is_not_sent(bad: bytes) -> None:
    with Transcript() as card, pytest.raises(CryptoError, match="4 to 12 decimal digits"):
        verify_pin(stack(card), Secret(bad))
