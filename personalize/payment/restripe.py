"""The stripe of a card whose payment application a bank prepared, where the bank's file says nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.errors import StripeError
from personalize.payment.image import inside
from personalize.profiles.payment import PaymentApplication
from personalize.profiles.stripe import TrackNumber
from personalize.stripe.tracks import StripeTrack3, read_track
from terminal.emv.data.tags import TAG_5F24_EXPIRATION_DATE, TAG_5F30_SERVICE_CODE, TAG_70_RECORD
from terminal.keys import KeyCustody

Restripe = Callable[[Dossier, str], Dossier]
"""A dossier with the bank's application and its account number, to the dossier with a stripe that agrees."""
_NUMBERS: Final[tuple[TrackNumber, ...]] = (1, 2, 3)


def restripe_of(profile: PaymentApplication | None, custody: KeyCustody) -> Restripe:
    """How dossiers of this profile get their stripes: number, expiry and service code of the chip, and a value of them
    under the profile's key; name and further data stay as they were prepared. A profile without a stripe changes
    nothing. What it returns raises StripeError for data that a track cannot hold, CustodyError.
    """
    section = profile.stripe if profile else None

    def restripe(dossier: Dossier, pan: str) -> Dossier:
        if section is None or not any(dossier.stripe) or dossier.payment is None:
            return dossier
        expiry, service_code = _of_chip(dossier, TAG_5F24_EXPIRATION_DATE)[:4], _of_chip(dossier, TAG_5F30_SERVICE_CODE)
        value = ""
        if rule := section.cvv:
            form = expiry if rule.expiry == "yymm" else expiry[2:] + expiry[:2]
            value = custody.card_verification_value(custody.latest(rule.key), pan, form, service_code[1:])
        texts = []
        for number, text in zip(_NUMBERS, dossier.stripe, strict=True):
            track = read_track(number, text) if text else None
            if track is None:
                texts.append("")
            elif isinstance(track, StripeTrack3):
                texts.append(replace(track, pan=pan, expiry=expiry).text)
            else:
                data = section.cvv.placed(track.discretionary, value, number) if section.cvv else track.discretionary
                new = replace(track, pan=pan, expiry=expiry, service_code=service_code[1:], discretionary=data)
                texts.append(new.text)
        return replace(dossier, stripe=(texts[0], texts[1], texts[2]))

    return restripe


def _of_chip(dossier: Dossier, tag: int) -> str:
    """The digits of an element of the chip. Raises StripeError where it is not there."""
    for record in dossier.payment.records().values() if dossier.payment else ():
        if value := inside(record, TAG_70_RECORD).get(tag):
            return value.hex()
    raise StripeError(f"the chip has no {tag:04X}, which the stripe needs")
