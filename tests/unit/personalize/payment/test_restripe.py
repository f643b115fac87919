"""The stripe of a card that a bank prepared, where its file has none."""

from __future__ import annotations

from dataclasses import replace

import psec
import pytest

from personalize.errors import StripeError
from personalize.payment.linter import lint
from personalize.payment.restripe import restripe_of
from personalize.profiles.payment import PaymentApplication
from terminal.keys import Algorithm, MemoryCustody, Purpose
from terminal.secret import Secret
from tests.support import bank
from tests.support.bank import Card

CVK = bytes.fromhex("A7C21F5E0B9D3846E1F07A4C2B8D6395")
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def custody() -> MemoryCustody:
    keys = MemoryCustody(simulation=True)
    keys.import_key("pay-cvk", Purpose.CVK, Algorithm.TDES, Secret(CVK), by="test")
    return keys


def payment(**stripe: object) -> PaymentApplication:
    section = bank.profile(stripe=stripe).payment
    assert section
    return section


def test_a_banks_card_gets_its_own_number_expiry_and_value() -> None:
    """The stripe was prepared for another account, in another month, and with a name."""
    card = Card.of(stripe={"tracks": (1, 2, 3)})
    stale = replace(
        card.dossier,
        stripe=(
            "B6210971300000000999^LI/NA^3012101000000009",
            "6210971300000000999=3012101000000009",
            card.dossier.stripe[2].replace(bank.PAN, "6210971300000000999").replace("3611", "3012"),
        ),
    )
    assert lint(card.profile, stale) != []
    dossier = restripe_of(payment(tracks=(1, 2)), custody())(stale, bank.PAN)
    value = psec.cvv.generate_cvv(CVK, bank.PAN, "3611", "220")
    assert dossier.stripe[0] == f"B{bank.PAN}^LI/NA^361122000000{value}9"
    assert dossier.stripe[1] == f"{bank.PAN}=361122000000{value}9"
    assert dossier.stripe[2] == card.dossier.stripe[2]


def test_the_form_of_the_expiry_and_a_stripe_without_a_value_are_those_of_the_profile() -> None:
    card = Card.of(stripe={})
    mmyy = restripe_of(payment(cvv={"expiry": "mmyy"}), custody())(card.dossier, bank.PAN)
    assert mmyy.stripe[1].endswith(psec.cvv.generate_cvv(CVK, bank.PAN, "1136", "220"))
    plain = restripe_of(payment(cvv=None), custody())(card.dossier, bank.PAN)
    assert plain.stripe == card.dossier.stripe


def test_where_there_is_no_stripe_nothing_changes() -> None:
    without, striped = Card.of().dossier, Card.of(stripe={}).dossier
    assert restripe_of(payment(), custody())(without, bank.PAN) is without
    assert restripe_of(bank.profile().payment, custody())(striped, bank.PAN) is striped
    assert restripe_of(None, custody())(striped, bank.PAN) is striped


def test_a_chip_that_does_not_say_enough_is_refused() -> None:
    card = Card.of(stripe={}).element(0x5F30, None)
    with pytest.raises(StripeError, match="the chip has no 5F30, which the stripe needs"):
        restripe_of(payment(), custody())(card.dossier, bank.PAN)
