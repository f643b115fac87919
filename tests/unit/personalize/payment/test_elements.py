"""Elements of the payment application that depend on what a profile leaves out or chooses."""

from __future__ import annotations

import pytest

from personalize.payment.elements import fci, issuer_data
from personalize.payment.linter import lint
from personalize.profiles.payment import PaymentApplication
from terminal.emv.data.explain import explain
from terminal.tlv import decode
from tests.support import bank
from tests.support.bank import Card

PBOC = bytes.fromhex("A000000333010101")


def payment(**changes: object) -> PaymentApplication:
    section = bank.profile(**changes).payment
    assert section is not None
    return section


@pytest.mark.parametrize("pdol", ["", "9F1A029F3704"])
def test_a_card_that_asks_for_nothing_has_no_pdol(pdol: str) -> None:
    """EMV 4.4 Book 3, 5.4: a list has entries; where there is nothing to ask for, the tag is left out."""
    profile = payment(pdol=pdol)
    template = decode(fci(profile, profile.pdol))[0].children
    assert template.get(0x9F38) == (bytes.fromhex(pdol) or None)
    assert template.need(0x50) == b"UNIONPAY DEBIT"


def test_a_card_without_pdol_is_sound() -> None:
    card = Card.of(pdol="")
    assert b"\x9f\x38" not in card.payment.plain(0x9102)
    assert lint(card.profile, card.dossier, bank.authorities()) == []


@pytest.mark.parametrize(
    ("algorithms", "data", "expected"),
    [("rsa", "0701010000000001", "CVN 1 (01, 3DES)"), ("sm", "0701010000000004", "CVN 1 (01, SM4)")],
)
def test_the_algorithm_byte_tells_3des_from_sm4(algorithms: str, data: str, expected: str) -> None:
    data_object = issuer_data(payment(algorithms=algorithms))
    assert data_object == bytes.fromhex(data)
    filled = data_object[:3] + bytes.fromhex("03A00000") + data_object[7:]
    assert explain(0x9F10, filled, PBOC).text == expected
