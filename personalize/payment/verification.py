"""Card verification values of stripe and chip, from custody."""

from __future__ import annotations

from datetime import date
from typing import Final

from personalize.profiles.stripe import VerificationSection
from terminal.keys import KeyCustody

ICVV: Final = "999"
"""The service code of a chip's value, the iCVV."""


def verification_value(
    custody: KeyCustody, rule: VerificationSection, pan: str, expires: date, service_code: str
) -> str:
    """Three digits, under the newest version of the key. Raises CustodyError."""
    expiry = f"{expires:%y%m}" if rule.expiry == "yymm" else f"{expires:%m%y}"
    return custody.card_verification_value(custody.latest(rule.key), pan, expiry, service_code)
