"""The tracks of a card's stripe, from what its chip is prepared from."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Final, Literal

from personalize.encoding import years_after
from personalize.errors import PrepareError, StripeError
from personalize.payment.prepare import expiry
from personalize.payment.verification import verification_value
from personalize.profiles.payment import PaymentApplication
from personalize.profiles.stripe import MemberStripe, StripeSection
from personalize.protocols import CardToPrepare, PreparationRun
from personalize.stripe.tracks import NO_NAME, StripeTrack1, StripeTrack2
from terminal.keys import KeyCustody

Tracks = tuple[str, str, str]
"""The text of tracks 1, 2 and 3 without sentinels; a track that is empty is not written."""
NO_STRIPE: Final[Tracks] = ("", "", "")
_LONGEST_NAME = 26


class StripePreparer:
    """Prepares the stripes of one run. Thread-safe when its custody is. Raises CustodyError, PrepareError."""

    def __init__(self, run: PreparationRun) -> None:
        self._custody, self._today = run.custody, run.today
        self._payment, self._member = run.profile.payment, run.profile.member.stripe
        self._member_expires = years_after(run.today, run.profile.validity.card_years)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Every key that preparing uses, for a worker's snapshot."""
        stripe = self._payment.stripe if self._payment else None
        return (stripe.cvv.key,) if stripe and stripe.cvv else ()

    def tracks(self, card: CardToPrepare) -> Tracks:
        """The tracks of one card; empty where the profile has no stripe."""
        try:
            if self._payment and self._payment.stripe:
                return bank_tracks(self._custody, self._payment, self._payment.stripe, card, self._today)
            return member_tracks(self._member, card, self._member_expires) if self._member else NO_STRIPE
        except StripeError as fault:
            raise PrepareError(f"the stripe cannot be prepared: {fault}") from None


def bank_tracks(
    custody: KeyCustody, profile: PaymentApplication, stripe: StripeSection, card: CardToPrepare, today: date
) -> Tracks:
    """The stripe of a bank's card: account number, expiry and service code are those of the chip. Raises StripeError,
    CustodyError."""
    expires = expiry(profile, today)
    value = verification_value(custody, stripe.cvv, card.pan, expires, profile.service_code) if stripe.cvv else ""
    common = f"{expires:%y%m}", profile.service_code
    name = name_on_stripe(card.member.person.name, stripe.name)
    track1 = StripeTrack1(card.pan, name, *common, stripe.discretionary(1, profile.track1_discretionary, value))
    track2 = StripeTrack2(card.pan, *common, stripe.discretionary(2, profile.track2_discretionary, value))
    sequence = profile.pan.first_sequence + card.member.sequence - 1
    track3 = stripe.track3.track(card.pan, common[0], sequence)
    return (
        track1.text if 1 in stripe.tracks else "",
        track2.text if 2 in stripe.tracks else "",
        track3.text if 3 in stripe.tracks else "",
    )


def member_tracks(stripe: MemberStripe, card: CardToPrepare, expires: date) -> Tracks:
    """The stripe of a card without a bank. Raises StripeError."""
    number = card.card_number if stripe.number == "card" else card.member.member_number
    common = f"{expires:%y%m}", stripe.service_code, stripe.discretionary
    name = name_on_stripe(card.member.person.name, stripe.name)
    return (
        StripeTrack1(number, name, *common).text if 1 in stripe.tracks else "",
        StripeTrack2(number, *common).text if 2 in stripe.tracks else "",
        "",
    )


def name_on_stripe(name: str, rule: Literal["blank", "latin"]) -> str:
    """A name in Latin letters in capitals without accents, at most 26 characters; else, and by ``blank``, none.
    ISO/IEC 7813:2006."""
    if rule == "blank":
        return NO_NAME
    plain = "".join(letter for letter in unicodedata.normalize("NFD", name) if not unicodedata.combining(letter))
    letters = plain.replace("'", "").replace("·", " ").upper()
    if not letters.isascii() or not all(letter.isalpha() or letter in " .-" for letter in letters):
        return NO_NAME
    short = " ".join(letters.split())[:_LONGEST_NAME].rstrip()
    return short if len(short) >= 2 else NO_NAME
