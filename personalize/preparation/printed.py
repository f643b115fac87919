"""The texts of a card's face in its dossier. Which of them is printed, and where, is in the design."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from personalize.encoding import years_after
from personalize.payment.prepare import expiry
from personalize.profiles.face import FaceText
from personalize.profiles.profile import Profile


def face_texts(
    profile: Profile, today: date, *, name: str, unit: str, member_number: str, card_number: str, pan: str
) -> Mapping[str, str]:
    """The texts of one card; none for a profile that prints nothing."""
    if profile.face is None:
        return {}
    card_ends = years_after(today, profile.validity.card_years)
    ends = expiry(profile.payment, today) if profile.payment else card_ends
    return {
        FaceText.NAME.value: name,
        FaceText.UNIT.value: unit,
        FaceText.MEMBER_NUMBER.value: member_number,
        FaceText.CARD_NUMBER.value: card_number,
        FaceText.PAN.value: pan,
        FaceText.VALID_FROM.value: today.isoformat(),
        FaceText.VALID_UNTIL.value: ends.isoformat(),
    }
