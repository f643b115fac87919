"""The magnetic stripe in a profile: ``payment.stripe`` for a bank's card, ``member.stripe`` for one without a bank.

Fields are explained in ``profiles/union-member-bank.yaml`` and ``profiles/union-member.yaml``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from personalize.errors import StripeError
from personalize.profiles.fields import Digits, Section
from personalize.stripe.tracks import NO_NAME, StripeTrack1, StripeTrack2, StripeTrack3

TrackNumber = Literal[1, 2, 3]
ServiceCode = Annotated[Digits, Field(min_length=3, max_length=3)]
_LONGEST_NAME = 26


class VerificationSection(Section):
    """A card verification value in discretionary data: its key in custody, and where its three digits stand, counted
    from 0; ``track1_position`` on track 1, where that differs. ``expiry`` is its form in the computation."""

    key: str = "pay-cvk"
    position: int = Field(5, ge=0, le=17)
    track1_position: int | None = Field(None, ge=0, le=40)
    expiry: Literal["yymm", "mmyy"] = "yymm"

    def placed(self, data: str, value: str, track: TrackNumber = 2) -> str:
        """The discretionary data of a track with the value, and zeros before it where they are too short."""
        at = self.position if track != 1 or self.track1_position is None else self.track1_position
        return f"{data[:at].ljust(at, '0')}{value}{data[at + len(value) :]}"


class Track3Section(Section):
    """What all cards have on track 3. ISO/IEC 4909:2006, 8."""

    format_code: Digits = Field("01", min_length=2, max_length=2)
    currency: Digits = Field("000", min_length=3, max_length=3)
    exponent: Digits = Field("0", min_length=1, max_length=1)
    interchange: Digits = Field("0", min_length=1, max_length=1)
    restriction: Digits = Field("00", min_length=2, max_length=2)
    discretionary: str = Field("", pattern=r"^[0-9]*$", max_length=50)

    def track(self, pan: str, expiry: str, sequence: int) -> StripeTrack3:
        """``sequence`` is the PAN sequence number; the track has its last digit."""
        return StripeTrack3(
            pan,
            self.format_code,
            currency=self.currency,
            exponent=self.exponent,
            interchange=self.interchange,
            restriction=self.restriction,
            expiry=expiry,
            card_sequence=str(sequence % 10),
            discretionary=self.discretionary,
        )


class StripeSection(Section):
    """The stripe of a bank's card."""

    tracks: tuple[TrackNumber, ...] = Field((1, 2), min_length=1)
    name: Literal["blank", "latin"] = "blank"
    track1_discretionary: str | None = Field(None, pattern=r"^[ $()./0-9A-Z-]*$")
    track2_discretionary: str | None = Field(None, pattern=r"^[0-9]*$")
    cvv: VerificationSection | None = VerificationSection()
    icvv: VerificationSection | None = VerificationSection()
    track3: Track3Section = Track3Section()

    @model_validator(mode="after")
    def _once(self) -> StripeSection:
        if len(set(self.tracks)) < len(self.tracks):
            raise ValueError("a track is listed twice")
        return self

    def fits(self, pan_length: int, service_code: str, chip: tuple[str, str]) -> str:
        """Why the tracks cannot hold what this section and the discretionary data of the ``chip`` (tracks 1 and 2) put
        into them, with the longest name; empty where they can."""
        if self.cvv and self.icvv and service_code == "999":
            return "service code 999 is that of the iCVV: the CVV would be the same"
        pan, name = "0" * pan_length, NO_NAME if self.name == "blank" else "A" * _LONGEST_NAME
        on_chip = self.icvv.placed(chip[1], "000") if self.icvv else chip[1]
        wanted: list[StripeTrack1 | StripeTrack2 | StripeTrack3] = [StripeTrack2(pan, "0101", service_code, on_chip)]
        if 1 in self.tracks:
            wanted.append(StripeTrack1(pan, name, "0101", service_code, self.discretionary(1, chip[0], "000")))
        if 2 in self.tracks:
            wanted.append(StripeTrack2(pan, "0101", service_code, self.discretionary(2, chip[1], "000")))
        if 3 in self.tracks:
            wanted.append(self.track3.track(pan, "0101", 1))
        try:
            for track in wanted:
                _ = track.text
        except StripeError as fault:
            return str(fault)
        return ""

    def discretionary(self, track: TrackNumber, chip: str, value: str) -> str:
        """The discretionary data of track 1 or 2 with the CVV; those of the ``chip`` where there are no others."""
        own = self.track1_discretionary if track == 1 else self.track2_discretionary
        data = chip if own is None else own
        return self.cvv.placed(data, value, track) if self.cvv else data


class MemberStripe(Section):
    """The stripe of a card without a bank: the card number, or the member number, in place of the account number."""

    tracks: tuple[Literal[1, 2], ...] = Field((2,), min_length=1)
    number: Literal["card", "member"] = "card"
    name: Literal["blank", "latin"] = "blank"
    service_code: ServiceCode = "702"
    discretionary: str = Field("", pattern=r"^[0-9]{0,10}$")
