"""What the chips of one run share, and their dossiers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from personalize.dossiers.dossier import Dossier
from personalize.errors import DossierError
from personalize.line.dates import refuse_wrong_dates, refuse_wrong_trust
from personalize.machines.protocols import PrintedFace
from personalize.payment.readback import PaymentProof
from personalize.profiles.profile import Profile
from registry.store import Registry
from terminal.errors import IntegrityError
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import KeyCustody, Sealed
from terminal.member.trust import TrustList

FaceRenderer = Callable[[Dossier], PrintedFace]
"""The pictures of a card's faces, from its dossier. Raises PersonalizeError where the text does not fit the design."""


class BodyMaking(StrEnum):
    """Where stripe and face of the cards are made, for dossiers that have them."""

    HERE = "here"
    """By the machine of the lane, after the chip."""
    ELSEWHERE = "elsewhere"
    """Before or after this line, by somebody else: the lane makes the chip only."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all chips of one run share. ``guard`` is shared by all lanes; ``now`` gives the time in the zone whose
    calendar days are on the cards; ``dossier_days`` is the greatest age of a dossier; ``payment_proof`` verifies a
    payment application by a transaction, after its data were read back; ``render`` draws faces, None where this station
    has no designs."""

    registry: Registry
    custody: KeyCustody
    profile: Profile
    guard: AuthenticationGuard
    trust: TrustList
    batch_id: str
    station: str
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.perf_counter
    lease: timedelta = timedelta(minutes=2)
    dossier_days: int = 366
    payment_proof: PaymentProof | None = None
    render: FaceRenderer | None = None
    body: BodyMaking = BodyMaking.HERE
    check_faces: Callable[[int], int] | None = None
    """Checks the faces of so many waiting dossiers at most, and gives their number; None where nothing is printed.
    Raises FaceRefused, DesignError."""

    def refuse_wrong_dates(self) -> None:
        """Compare the dates of the next waiting dossier with the clock, and draw its face, before any chip is fed.
        Raises LineStopped, and FaceRefused, DesignError for a face that cannot be drawn."""
        at = self.now()
        refuse_wrong_trust(self.trust, at)
        if dossier := self.next_dossier():
            refuse_wrong_dates(dossier, at, self.dossier_days)
            if dossier.face and self.render is not None and self.body is BodyMaking.HERE:
                self.render(dossier)

    def next_dossier(self) -> Dossier | None:
        """The dossier that the next new chip would get. Raises DossierError."""
        waiting = self.registry.dossiers.next_waiting(self.batch_id)
        if waiting is None:
            return None
        return open_dossier(self.custody, waiting.card_number, waiting.sequence, waiting.sealed)

    def done(self) -> bool:
        """Whether no dossier of the batch is waiting, claimed or still to be prepared."""
        accounts = self.registry.batches.accounts(self.batch_id)
        return accounts.waiting == accounts.claimed == accounts.to_prepare == 0


def open_dossier(custody: KeyCustody, card_number: str, sequence: int, sealed: Sealed) -> Dossier:
    """The opened dossier of a card. Raises DossierError for a fault of the dossier, which is not the chip's."""
    try:
        dossier = Dossier.decode(custody.open(sealed).reveal())
    except IntegrityError as e:
        raise DossierError(f"the sealed dossier of {card_number}: {e}; are registry and keystore a pair?") from e
    if (dossier.card_number, dossier.sequence) != (card_number, sequence):
        raise DossierError(f"the sealed dossier of {card_number} is another card's")
    return dossier
