"""Values of e-cards: a code as it is handed out, a telephone that signed in, and what the issuer delegates to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from terminal.secret import Secret


class EcardEnd(StrEnum):
    """Why a telephone shows the card no longer."""

    AGAIN = "again"
    """The member signed in on another telephone."""
    STAFF = "staff"
    LOST = "lost"
    DAMAGED = "damaged"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A one-time code, to be handed to the member at once: the registry has its digest only."""

    card_number: str
    code: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class PhoneSignIn:
    """What a telephone sends: card number, last six of the ID number, one-time code, and its public key (a compressed
    point of P-256, 33 bytes)."""

    card_number: str
    id_tail: str
    code: str
    device_key: bytes


@dataclass(frozen=True, slots=True)
class SignedInPhone:
    """A telephone that shows the card from now on. ``session`` is its bearer token, of which the registry has the
    SHA-256 only."""

    generation: int
    session: Secret


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """Why a telephone is not signed in, in both languages. It does not say which of the three is wrong."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class EcardTerms:
    """What the issuer delegates to a telephone, from ``at`` until ``until``."""

    card_number: str
    sequence: int
    generation: int
    category: int
    device_key: bytes = field(repr=False)
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class EcardView:
    """A telephone as lists show it: the card by its last four digits."""

    number: int
    card_tail: str
    sequence: int
    generation: int
    signed_in_at: datetime
    delegated_until: datetime | None
    ended: EcardEnd | None
    ended_at: datetime | None
    ended_by: str | None
