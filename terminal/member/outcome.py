"""The result of a verification: the verdict, the proof, and the facts of a genuine card."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

from terminal.emv.data.masking import masked_pan
from terminal.member import elements
from terminal.member.lists import HotlistState
from terminal.member.proven import ProvenCard
from terminal.member.reading import MemberCard
from terminal.member.values import Category, Entitlement, MaskedIdentity, Period, Sex


class VerdictCode(StrEnum):
    """The verdict on a card. docs/card-layout.md explains each one."""

    ACTIVE = "ACTIVE"
    HOTLIST_OUT_OF_DATE = "HOTLIST_OUT_OF_DATE"
    """This and the next three: the card is genuine and in time, and nobody knows whether it was reported lost."""
    HOTLIST_NOT_YET_VALID = "HOTLIST_NOT_YET_VALID"
    HOTLIST_MISSING = "HOTLIST_MISSING"
    CLOCK_BEHIND = "CLOCK_BEHIND"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    NOT_ACTIVATED = "NOT_ACTIVATED"
    """Genuine and in time, and its member has not activated it."""
    SUSPENDED = "SUSPENDED"
    LOST = "LOST"
    """Reported lost or stolen."""
    REPLACED = "REPLACED"
    """No longer in use: the member has, or gets, another card."""
    WITHDRAWN = "WITHDRAWN"
    """The membership ended."""
    NOT_GENUINE = "NOT_GENUINE"
    UNKNOWN_ISSUER = "UNKNOWN_ISSUER"
    NOT_A_MEMBER_CARD = "NOT_A_MEMBER_CARD"
    CARD_FAULT = "CARD_FAULT"


OUT_OF_TIME: Final = frozenset((VerdictCode.EXPIRED, VerdictCode.NOT_YET_VALID))
NOT_THE_CARD: Final = OUT_OF_TIME | {VerdictCode.UNKNOWN_ISSUER}
"""Verdicts that a card with the right data gets by the day, or by the trust list."""


def in_order(*, activated: bool) -> VerdictCode:
    """The verdict on a card with which all is as it should be, before and after its activation."""
    return VerdictCode.ACTIVE if activated else VerdictCode.NOT_ACTIVATED


class Proof(StrEnum):
    """How the card proved to be genuine."""

    NONE = "none"
    OFFLINE_STATIC = "offline static"
    OFFLINE_DYNAMIC = "offline dynamic"
    ONLINE = "online"


class EntitlementLeft(NamedTuple):
    """Uses left in one benefit class, on the day of the verdict."""

    benefit_class: str
    left: int
    limit: int
    period: Period


@dataclass(frozen=True, slots=True, repr=False)
class MemberFacts:
    """Member data of a genuine card. Personal: its repr shows no values."""

    card_number: str
    sequence: int
    name: str
    identity: MaskedIdentity
    valid_through: date
    """Last day of the membership."""
    expires: date
    """Last day of the card."""
    effective: date | None
    member_number: str | None
    sex: Sex | None
    unit_name: str | None
    unit_code: str | None
    category: Category | None
    scheme: str | None
    """Administrative division of the issuing federation, 6 digits."""
    cover_ends: date | None
    entitlements: tuple[Entitlement, ...]
    activated: bool = True
    """False for a card that its member has to activate first; a card that does not ask for it counts as activated."""

    @classmethod
    def of(cls, card: MemberCard) -> Self:
        """Raises CardMalformed when the card lacks what every member card has, or an element breaks its format."""
        return cls(
            card_number=card.need(elements.CARD_NUMBER),
            sequence=card.need(elements.SEQUENCE),
            name=card.need(elements.MEMBER_NAME),
            identity=card.need(elements.MASKED_IDENTITY),
            valid_through=card.need(elements.VALID_THROUGH),
            expires=card.need(elements.EXPIRY_DATE),
            effective=card.get(elements.EFFECTIVE_DATE),
            member_number=card.get(elements.MEMBER_NUMBER),
            sex=card.get(elements.SEX),
            unit_name=card.get(elements.UNIT_NAME),
            unit_code=card.get(elements.UNIT_CODE),
            category=card.get(elements.CATEGORY),
            scheme=card.get(elements.SCHEME),
            cover_ends=card.get(elements.COVER_ENDS),
            entitlements=card.get(elements.ENTITLEMENTS) or (),
            activated=not card.has(elements.ACTIVATED_ON) or card.get(elements.ACTIVATED_ON) is not None,
        )

    @property
    def masked_card_number(self) -> str:
        return masked_pan(self.card_number)

    def entitlements_on(self, day: date) -> tuple[EntitlementLeft, ...]:
        return tuple(EntitlementLeft(x.benefit_class, x.left(day), x.limit, x.period) for x in self.entitlements)

    def __repr__(self) -> str:
        return f"<MemberFacts of card {self.masked_card_number}>"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one verification.

    ``sentence`` is its text for a person; ``check`` the check that failed (None where none did); ``member`` is set only
    for a card that is genuine. ``hotlist_state`` is that of the hotlist at that time, by the counter's policy.
    ``card`` is the card for a redemption in the same insertion; None without a dynamic proof.
    """

    code: VerdictCode
    sentence: str
    check: str | None
    proof: Proof
    at: datetime
    member: MemberFacts | None
    entitlements: tuple[EntitlementLeft, ...]
    trust_version: int
    hotlist_version: int | None
    hotlist_age: timedelta | None
    hotlist_state: HotlistState
    card: ProvenCard | None = field(default=None, repr=False, compare=False)

    @property
    def hotlist_current(self) -> bool:
        return self.hotlist_state is HotlistState.CURRENT

    @property
    def accepted(self) -> bool:
        return self.code is VerdictCode.ACTIVE

    def to_json(self) -> dict[str, Any]:
        """For machines: plain values, dates in ISO 8601, the card number masked."""
        return {
            "verdict": self.code.value,
            "sentence": self.sentence,
            "failed_check": self.check,
            "proven": self.proof.value,
            "at": self.at.isoformat(),
            "member": self._member(),
            "entitlements": [{**x._asdict(), "period": x.period.name.lower()} for x in self.entitlements],
            "trust_version": self.trust_version,
            "hotlist": {
                "version": self.hotlist_version,
                "age_seconds": None if self.hotlist_age is None else int(self.hotlist_age.total_seconds()),
                "current": self.hotlist_current,
                "state": self.hotlist_state.value,
            },
        }

    def _member(self) -> dict[str, Any] | None:
        facts = self.member
        if facts is None:
            return None
        return {
            "card_number": facts.masked_card_number,
            "sequence": facts.sequence,
            "name": facts.name,
            "id_number_ends": facts.identity.id_number,
            "mobile_ends": facts.identity.mobile,
            "member_number": facts.member_number,
            "sex": None if facts.sex is None else facts.sex.name.lower(),
            "unit_name": facts.unit_name,
            "unit_code": facts.unit_code,
            "category": None if facts.category is None else facts.category.name.lower(),
            "scheme": facts.scheme,
            "valid_from": facts.effective and facts.effective.isoformat(),
            "valid_through": facts.valid_through.isoformat(),
            "card_expires": facts.expires.isoformat(),
            "cover_ends": facts.cover_ends and facts.cover_ends.isoformat(),
            "cover_valid": facts.cover_ends is not None and self.at.date() <= facts.cover_ends,
        }
