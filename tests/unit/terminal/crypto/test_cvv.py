"""Card verification values against psec, for numbers of every length."""

from __future__ import annotations

import psec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.crypto.cvv import card_verification_value
from terminal.errors import CryptoError
from terminal.keys import KeyRef, MemoryCustody, Purpose
from terminal.keys.custody import Algorithm
from terminal.secret import Secret
from tests.support.thorough import repeats

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most)


@settings(max_examples=repeats(40, 2000))
@given(st.binary(min_size=16, max_size=16), digits(1, 19), digits(4, 4), digits(3, 3))
def test_a_value_is_the_one_that_psec_computes(key: bytes, pan: str, expiry: str, service: str) -> None:
    assert card_verification_value(key, pan, expiry, service) == psec.cvv.generate_cvv(key, pan, expiry, service)


@pytest.mark.parametrize(
    ("pan", "expiry", "service"),
    [("", "3611", "220"), ("1" * 20, "3611", "220"), ("41x", "3611", "220"), ("41", "361", "220"), ("41", "3611", "22"),
     ("４１", "3611", "220"), ("41", "3611", "2²0")],
)  # fmt: skip
def test_other_data_are_refused_and_not_shown(pan: str, expiry: str, service: str) -> None:
    with pytest.raises(CryptoError) as caught:
        card_verification_value(KEY, pan, expiry, service)
    assert not pan or pan not in str(caught.value).replace("1 to 19", "")


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(CryptoError, match="16 bytes, not 8"):
        card_verification_value(KEY[:8], "41", "3611", "220")


def test_custody_computes_the_value_of_stripe_and_chip() -> None:
    custody = MemoryCustody(simulation=True)
    custody.import_key("pay-cvk", Purpose.CVK, Algorithm.TDES, Secret(KEY), by="Li Na")
    pan = "6210971300000000016"
    values = [custody.card_verification_value(KeyRef("pay-cvk"), pan, "3611", code) for code in ("220", "999")]
    assert values == [psec.cvv.generate_cvv(KEY, pan, "3611", code) for code in ("220", "999")]
    assert values[0] != values[1]
