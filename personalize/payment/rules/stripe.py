"""Rules for the magnetic stripe and the printed face: both agree with the chip."""

from __future__ import annotations

from collections.abc import Iterator

from personalize.errors import StripeError
from personalize.payment.image import CardImage
from personalize.payment.rules.data import day, pan_of, track2_fields
from personalize.payment.rules.rule import Rule
from personalize.stripe.tracks import StripeTrack, StripeTrack2, StripeTrack3, read_track
from terminal.emv.data.tags import TAG_5F24_EXPIRATION_DATE, TAG_5F30_SERVICE_CODE

BY_CHANCE = "stripe-cvv"
"""A rule that one sound card of a thousand breaks: two values of three digits are equal."""


def _tracks(image: CardImage) -> dict[int, StripeTrack]:
    """The tracks that can be read, by number."""
    tracks: dict[int, StripeTrack] = {}
    for number, text in enumerate(image.stripe, 1):
        try:
            if text:
                tracks[number] = read_track(number, text)
        except StripeError:
            continue
    return tracks


def _present(image: CardImage) -> Iterator[str]:
    stripe = image.profile.stripe
    wanted: set[int] = set(stripe.tracks) if stripe else set()
    present = {number for number, text in enumerate(image.stripe, 1) if text}
    for number in sorted(wanted - present):
        yield f"the stripe has no track {number}, and the profile (payment.stripe) names it"
    for number in sorted(present - wanted):
        yield f"the stripe has a track {number} that the profile (payment.stripe) does not name"


def _format(image: CardImage) -> Iterator[str]:
    readable = _tracks(image)
    for number, text in enumerate(image.stripe, 1):
        if text and number not in readable:
            yield f"track {number} of the stripe is not of the standard's form, length and characters"


def _pan(image: CardImage) -> Iterator[str]:
    pan = pan_of(image)
    for number, track in _tracks(image).items():
        if pan and track.pan not in (("", pan) if number == 3 else (pan,)):  # the number is optional on track 3
            yield f"track {number} of the stripe has another account number than 5A"


def _expiry(image: CardImage) -> Iterator[str]:
    expires = (image.value(TAG_5F24_EXPIRATION_DATE) or b"").hex()[:4]
    for number, track in _tracks(image).items():
        if expires and track.expiry not in (("", expires) if number == 3 else (expires,)):
            yield f"track {number} of the stripe ends in another month than 5F24"


def _service_code(image: CardImage) -> Iterator[str]:
    service = (image.value(TAG_5F30_SERVICE_CODE) or b"").hex()[1:]
    for number, track in _tracks(image).items():
        if service and not isinstance(track, StripeTrack3) and track.service_code != service:
            yield f"track {number} of the stripe has another service code than 5F30"


def _verification(image: CardImage) -> Iterator[str]:
    """The chip's digits in 57 where the stripe's value stands on track 2, or the chip's own stands."""
    stripe, track, chip = image.profile.stripe, _tracks(image).get(2), track2_fields(image)
    if stripe is None or stripe.cvv is None or not isinstance(track, StripeTrack2) or chip is None:
        return
    at, on_chip = stripe.cvv.position, (stripe.icvv or stripe.cvv).position
    value = track.discretionary[at : at + 3]
    if len(value) == 3 and value == chip[3][on_chip : on_chip + 3]:
        yield "the stripe has the verification value of the chip (57): a copy of the chip would be a valid stripe"


def _face(image: CardImage) -> Iterator[str]:
    pan, expires = pan_of(image), day(image.value(TAG_5F24_EXPIRATION_DATE))
    printed, until = image.face.get("pan", ""), image.face.get("valid_until", "")
    if pan and printed and printed != pan:
        yield "the face shows another account number than 5A"
    if expires and until and until[:7] != f"{expires:%Y-%m}":
        yield "the face shows another month of expiry than 5F24"
    if (number := image.face.get("card_number")) and number != image.card_number:
        yield "the face shows another card number than that of the member application"


RULES = (
    Rule("stripe-tracks", "the profile: payment.stripe", _present),
    Rule("stripe-format", "ISO/IEC 7813:2006; ISO/IEC 4909:2006, 8", _format),
    Rule("stripe-pan", "ISO/IEC 7813:2006", _pan),
    Rule("stripe-expiry", "ISO/IEC 7813:2006", _expiry),
    Rule("stripe-service-code", "ISO/IEC 7813:2006", _service_code),
    Rule(BY_CHANCE, "Visa and UnionPay: iCVV with service code 999", _verification),
    Rule("face", "the profile: face", _face),
)
