"""Changes of cards for counters elsewhere: the scripts are written here, for a card that proves itself to this service.

A counter is in a merchant's hands. It gets a script only for a card whose chip signed this service's number within a
minute, and what ran is taken from the card's cryptogram. docs/redemption.md, Changes at a distant counter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from personalize.distant import ChipState, DistantOffer, DistantUpdates
from reader_service.access.throttle import ThrottleLimits
from reader_service.errors import Conflict, Invalid, TooMany, Unavailable
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.counter.changes import CardChallenge, IssuedScript
from reader_service.services.counter.insertion import HOTLIST
from registry.db.audit_chain import AuditEntry
from terminal.errors import CodecError, CustodyError, NotRedeemable
from terminal.keys import KeyRef
from terminal.member.lists import CounterLists
from terminal.member.presence import CHALLENGE, CardPresence, judge
from terminal.member.proven import ProvenCard
from terminal.member.redemption.evidence import RedemptionEvidence

VALID: Final = 60
"""Seconds in which a card proves itself over a number."""
_AHEAD: Final = 5
"""Seconds that the clock of another station on the same registry may be ahead."""
WRONG_PROOFS: Final = ThrottleLimits(20, timedelta(minutes=15), timedelta(hours=24))
"""Wrong proofs of one outlet: a counter of bad contacts has some, and a number has four bytes."""
_INDEX: Final = KeyRef("index", 1)


@dataclass(frozen=True, slots=True)
class _Outlet:
    """The caller: a token and its outlet."""

    principal: Principal
    place: str

    @property
    def failures(self) -> str:
        """The key under which its wrong proofs are counted."""
        return f"outlet {self.principal.outlet} proof"


class DistantChangeService:
    """The use-case. Each raises Forbidden, Conflict without a token of an open outlet, Unavailable."""

    def __init__(self, parts: ServiceParts, lists: Callable[[], CounterLists]) -> None:
        self._parts, self._lists = parts, lists

    def waiting(self, p: Principal) -> bool:
        """REDEMPTIONS_UPLOAD. Whether a change of any card waits."""
        self._outlet(p)
        with _translated():
            return self._parts.registry.updates.any_waiting()

    def challenge(self, p: Principal, card_number: str, sequence: int) -> CardChallenge:
        """REDEMPTIONS_UPLOAD. Whether anything waits for a card that a distant counter may run, and the number over
        which it proves itself."""
        outlet = self._outlet(p)
        with _translated():
            waits = self._updates(outlet).waits(card_number, sequence)
        return self._drawn(outlet, card_number, sequence) if waits else CardChallenge(waiting=False)

    def script(self, p: Principal, card_number: str, sequence: int, ticket: str, presence: bytes) -> IssuedScript:
        """REDEMPTIONS_UPLOAD. The script for a card that proves itself; what an earlier insertion left is recorded.
        Raises Conflict (``card-not-proven``), Invalid, TooMany."""
        outlet = self._outlet(p)
        self._throttle(outlet)
        try:
            shown = CardPresence.decode(presence)
        except CodecError as fault:
            raise Invalid("the proof of the card is out of form", {"presence": str(fault)}) from fault
        challenge = self._number(outlet, card_number, sequence, ticket)
        parts = self._parts
        verdict = judge(shown, challenge, self._lists(), parts.now(), parts.member_aid) if challenge else None
        card = None if verdict is None else verdict.card
        with _translated():
            chip = self._chip(shown.evidence, card_number, sequence, challenge)
            if verdict is None or card is None or chip is None or not is_of(card, shown.evidence):
                raise self._refused(outlet)
            self._parts.registry.login_failures.clear(outlet.failures)
            offer = self._updates(outlet).offer(card, chip, only_block=verdict.check == HOTLIST)
        return self._issued(outlet, card_number, sequence, offer)

    def outcome(
        self, p: Principal, card_number: str, sequence: int, script: int, ticket: str, evidence: bytes
    ) -> IssuedScript:
        """REDEMPTIONS_UPLOAD. Record what ran of a script, by the card's own proof. Repeated, it changes nothing.
        Raises Conflict (``card-not-proven``), Invalid, TooMany."""
        outlet = self._outlet(p)
        self._throttle(outlet)
        try:
            shown = RedemptionEvidence.decode(evidence)
        except CodecError as fault:
            raise Invalid("the proof of the card is out of form", {"evidence": str(fault)}) from fault
        challenge = self._number(outlet, card_number, sequence, ticket, script)
        with _translated():
            chip = self._chip(shown, card_number, sequence, challenge)
            if chip is None:
                raise self._refused(outlet)
            offer = self._updates(outlet).confirm(card_number, sequence, script, chip)
        return self._issued(outlet, card_number, sequence, offer)

    def _issued(self, outlet: _Outlet, card_number: str, sequence: int, offer: DistantOffer) -> IssuedScript:
        done = tuple(one.kind for one in offer.done)
        if offer.script is None:
            return IssuedScript(done, unfinished=offer.unfinished)
        drawn = self._drawn(outlet, card_number, sequence, offer.script.id)
        return IssuedScript(done, offer.script.script, offer.script.id, drawn)

    def _chip(
        self, evidence: RedemptionEvidence, card_number: str, sequence: int, challenge: bytes
    ) -> ChipState | None:
        """The state of this card; None where nothing proves it."""
        if not challenge or (evidence.card_number, evidence.sequence) != (card_number, sequence):
            return None
        return ChipState.proven(self._parts.custody, evidence, challenge)

    def _outlet(self, p: Principal) -> _Outlet:
        p.need(Permission.REDEMPTIONS_UPLOAD)
        if not p.outlet:
            raise Conflict("this needs a token of an outlet: an administrator issues one", reason="outlet-missing")
        with _translated():
            return _Outlet(p, f"{self._parts.registry.tokens.open_outlet(p.outlet)} ({p.outlet})")

    def _updates(self, outlet: _Outlet) -> DistantUpdates:
        parts = self._parts
        return DistantUpdates(
            parts.registry.updates, parts.custody, outlet.principal.name, outlet.place, parts.now().date()
        )

    def _drawn(self, outlet: _Outlet, card_number: str, sequence: int, script: int = 0) -> CardChallenge:
        ticket = str(int(self._parts.clock().timestamp()))
        return CardChallenge(True, self._derived(outlet, card_number, sequence, ticket, script), ticket)

    def _number(self, outlet: _Outlet, card_number: str, sequence: int, ticket: str, script: int = 0) -> bytes:
        """The number that was drawn with this ticket; empty for one that is too old, or from the future."""
        if not -_AHEAD <= self._parts.clock().timestamp() - int(ticket) <= VALID:
            return b""
        return self._derived(outlet, card_number, sequence, ticket, script)

    def _derived(self, outlet: _Outlet, card_number: str, sequence: int, ticket: str, script: int) -> bytes:
        """The number of an outlet, a card, what was sent to it so far, a script and a second: nothing is stored, every
        station on this registry knows it, and no proof counts again once a script was written for it. Nobody without
        the key of the index can foresee it."""
        with _translated():
            state = self._updates(outlet).state(card_number, sequence)
            parts = (outlet.principal.outlet, card_number, sequence, state, script, ticket)
            text = "\0".join(("card presence", *(str(part) for part in parts)))
            return self._parts.custody.index(_INDEX, text.encode())[:CHALLENGE]

    def _throttle(self, outlet: _Outlet) -> None:
        """Raises TooMany for an outlet of many wrong proofs."""
        with _translated():
            known = self._parts.registry.login_failures.of([outlet.failures]).get(outlet.failures)
        now = self._parts.clock()
        if known is not None and known.blocked_until is not None and known.blocked_until > now:
            seconds = max(1, math.ceil((known.blocked_until - now).total_seconds()))
            raise TooMany(f"too many wrong proofs of cards; try again in {seconds} seconds", seconds)

    def _refused(self, outlet: _Outlet) -> Conflict:
        """Count and audit a wrong proof."""
        registry, limits = self._parts.registry, WRONG_PROOFS
        wait = limits.wait(registry.login_failures.failed(outlet.failures, forget=limits.forget).count)
        if wait:
            registry.login_failures.block(outlet.failures, self._parts.clock() + wait)
        registry.audit.note(
            AuditEntry(outlet.principal.name, "card.proof-refused", f"outlet:{outlet.principal.outlet}")
        )
        sentence = "this card did not prove itself over a number of the last minute: nothing runs on it from here"
        return Conflict(sentence, reason="card-not-proven")


def is_of(card: ProvenCard, evidence: RedemptionEvidence) -> bool:
    """Whether the AAC is one of the card that signed, by the list that its issuer signed."""
    try:
        wanted = card.redemption_list.encode()
    except NotRedeemable:
        return False
    of_card = (card.card_number, card.sequence, card.aip, wanted)
    of_evidence = (evidence.card_number, evidence.sequence, evidence.aip, evidence.wanted)
    return of_card == of_evidence


@contextmanager
def _translated() -> Iterator[None]:
    """As ``translate_registry_errors``, with Unavailable for keys that are away."""
    with translate_registry_errors():
        try:
            yield
        except (CustodyError, CodecError) as fault:
            raise Unavailable("the keys for changes of cards cannot be used just now; nothing was changed") from fault
