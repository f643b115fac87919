"""What the applications of a card have in common: how each is prepared for a card, and checked on the chip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol

from personalize.certificates.chains import IssuingChains
from personalize.dossiers.dossier import Dossier, DossierApplication
from personalize.errors import ReadBackError
from personalize.keypool import ChipKey
from personalize.profiles.profile import Profile
from registry.values import MemberToPrepare
from terminal.apdu import Sender
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import KeyCustody
from terminal.member.trust import TrustList


@dataclass(frozen=True, slots=True)
class PreparationRun:
    """What all cards prepared for one profile on one day share."""

    profile: Profile
    custody: KeyCustody
    today: date
    chains: IssuingChains


class CardToPrepare(NamedTuple):
    """What one card is prepared from. ``key`` and ``payment_key`` are used for no other card; ``pan`` and
    ``payment_key`` are those of the payment application, where the profile has one."""

    member: MemberToPrepare
    card_number: str
    key: ChipKey
    pan: str = ""
    payment_key: ChipKey | None = None

    @property
    def context(self) -> str:
        """Bound to every sealed value of the card."""
        return f"dossier/{self.card_number}/{self.member.sequence}"


class ApplicationPreparer(Protocol):
    """Prepares the applications of one kind for one run. Thread-safe when its custody is."""

    @property
    def key_names(self) -> tuple[str, ...]:
        """Every key that preparing uses, for a worker's snapshot."""
        ...

    def applications(self, card: CardToPrepare) -> tuple[DossierApplication, ...]:
        """The applications of one card. Raises CustodyError, PrepareError when data do not fit the card."""
        ...


@dataclass(frozen=True, slots=True)
class ReadBackRun:
    """What the read-back of one chip works with. ``sender`` reaches a chip that was just reset."""

    sender: Sender
    dossier: Dossier
    custody: KeyCustody
    guard: AuthenticationGuard
    trust: TrustList
    at: datetime


class DatedElement(NamedTuple):
    """A date on the chip that terminals compare with the day. ``starts``: valid from that day, else through it."""

    name: str
    day: date
    starts: bool


def no_dates(application: DossierApplication) -> Iterable[DatedElement]:
    """The dates of an application that has none."""
    return ()


@dataclass(frozen=True, slots=True)
class ApplicationKind:
    """One kind of application on the chip.

    ``preparer`` gives None for a profile without such an application. ``read_back`` compares an application on the chip
    with the dossier and returns facts for the journal; it raises ReadBackError naming the first difference, CardError
    and TransportError where the chip cannot be read. ``dates`` are those that make the read-back depend on the day.
    """

    kind: str
    preparer: Callable[[PreparationRun], ApplicationPreparer | None]
    read_back: Callable[[ReadBackRun, DossierApplication], Mapping[str, str]]
    dates: Callable[[DossierApplication], Iterable[DatedElement]] = no_dates


def same(what: str, read: bytes, expected: bytes) -> None:
    """Raises ReadBackError when the chip returned other bytes than expected."""
    if read != expected:
        raise ReadBackError(what, "the chip does not return what the dossier says")
