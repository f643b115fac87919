"""Changes of cards in an insertion: by the registry here, or by an issuer elsewhere that writes the scripts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from personalize.updates import UpdateReport
from reader_service.redemptions.receiver import ReceiverAway, UploadRefused
from registry.members.wanted import UpdateKind
from terminal.apdu import Sender
from terminal.errors import CardError, CodecError
from terminal.member.presence import present, state_now
from terminal.member.proven import ProvenCard
from terminal.member.scripts import CardScript, update

MOST_SCRIPTS: Final = 4
"""Scripts in one insertion: the same commands come again under another key where the card has an earlier one."""
_log = logging.getLogger(__name__)


class CardChanges(Protocol):
    """Who runs what is wanted of a card: ``personalize.updates.UpdateRunner``, or ``DistantChanges``."""

    def run(self, sender: Sender, card: ProvenCard, *, only_block: bool = False) -> UpdateReport:
        """Finish and run what is wanted of a card that was just verified. Raises TransportError where it left, and
        what else ``InsertionUpdates.at_counter`` takes for nothing done."""
        ...


@dataclass(frozen=True, slots=True)
class CardChallenge:
    """Whether anything waits for a card, and the number that the card proves itself over; ``ticket`` goes back with the
    proof."""

    waiting: bool
    challenge: bytes = b""
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class IssuedScript:
    """What the issuer says to a proof: kinds that are on the chip now, and a script to run, with the number that the
    card proves its outcome over. ``unfinished``: the next insertion goes on."""

    done: tuple[UpdateKind, ...] = ()
    script: bytes = b""
    number: int = 0
    challenge: CardChallenge = CardChallenge(waiting=False)
    unfinished: bool = False


class ScriptIssuer(Protocol):
    """An issuer elsewhere. Each call has a limit of time, and raises ReceiverAway, UploadRefused."""

    def waiting(self) -> bool:
        """Whether a change of any card waits. In the background, before cards come."""
        ...

    def challenge(self, card: ProvenCard) -> CardChallenge:
        """Whether anything waits for this card."""
        ...

    def script(self, card: ProvenCard, presence: bytes, ticket: str) -> IssuedScript:
        """The script for a card that proves itself."""
        ...

    def outcome(self, card: ProvenCard, script: int, evidence: bytes, ticket: str) -> IssuedScript:
        """Give the card's proof of what ran."""
        ...


class DistantChanges:
    """Changes by an issuer elsewhere. ``away`` is called where it does not answer, so that no card waits for it
    again."""

    def __init__(self, issuer: ScriptIssuer, away: Callable[[], None] = lambda: None) -> None:
        self._issuer, self._away = issuer, away

    def run(self, sender: Sender, card: ProvenCard, *, only_block: bool = False) -> UpdateReport:
        """As ``CardChanges``; whether only a block runs, the issuer decides by its own hotlist."""
        try:
            first = self._issuer.challenge(card)
        except (ReceiverAway, UploadRefused):
            self._away()
            return UpdateReport()
        if not first.waiting:
            return UpdateReport()
        done: list[UpdateKind] = []
        came_to = IssuedScript()
        try:
            presence = present(sender, card, first.challenge).encode()
            came_to = self._issuer.script(card, presence, first.ticket)
            done += came_to.done
            for _ in range(MOST_SCRIPTS):
                if not came_to.script:
                    break
                update(sender, CardScript.decode(came_to.script))
                evidence = state_now(sender, card, came_to.challenge.challenge).encode()
                came_to = self._issuer.outcome(card, came_to.number, evidence, came_to.challenge.ticket)
                done += came_to.done
        except (ReceiverAway, UploadRefused):
            self._away()
        except (CardError, CodecError) as fault:
            _log.warning("changes of a card did not run: %s", type(fault).__name__)
        unfinished = bool(came_to.script) or came_to.unfinished
        return UpdateReport(elsewhere=tuple(done), unfinished=unfinished, declined=True)
