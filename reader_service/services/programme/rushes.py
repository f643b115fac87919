"""Rushes in the office: what is announced, claims for members who are there, their tickets, and uses at counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from programme.records.rush_rules import ProgrammeRushRules
from programme.records.tickets import ticket_of
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.programme.list_signer import ListSigner
from registry.db.paging import Page
from registry.rush.claims import Answer
from registry.rush.uses import TicketFinding, TicketUse, UsesReport
from registry.rush.values import ClaimRequest, ClaimState, ClaimView, RushView


@dataclass(frozen=True, slots=True)
class SignedTicket:
    """A ticket with its signed code."""

    number: int
    rush: int
    lot: str
    code: str


class RushService:
    """Claims that arrive together share a transaction: there is one set of rules for all of them."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry
        self._signer = ListSigner(parts.custody)
        self._rules = ProgrammeRushRules()

    def page(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[RushView]:
        """All rushes, the newest first. Raises WrongCursor."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            return self._registry.rushes.page(cursor, limit)

    def rush(self, p: Principal, number: int) -> RushView:
        """Raises NotFound."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            return self._registry.rushes.rush(number)

    def claims(
        self, p: Principal, number: int, cursor: str | None, limit: int, state: ClaimState | None
    ) -> Page[ClaimView]:
        """Claims in the order in which they came; a rush that there is not has none. Raises WrongCursor."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            return self._registry.rushes.claims(number, cursor, limit, state=state)

    def claim(self, p: Principal, rush: int, lot: str, card_number: str, key: str) -> Answer:
        """A ticket, a place on the waiting list, or why not. Raises Unavailable."""
        p.need(Permission.MEMBERS_CHANGE)
        with translate_registry_errors():
            wanted = ClaimRequest(key, rush, lot, card_number, p.name)
            return self._registry.rush_claims.claim(wanted, self._rules)

    def give_back(self, p: Principal, number: int) -> ClaimView:
        """Return a ticket or leave the waiting list. Raises NotFound, Conflict."""
        p.need(Permission.MEMBERS_CHANGE)
        with translate_registry_errors():
            return self._registry.rush_claims.give_back(number, by=p.name)

    def ticket(self, p: Principal, number: int) -> SignedTicket:
        """Raises NotFound, Conflict for a claim without a valid ticket."""
        p.need(Permission.MEMBERS_CHANGE)
        with translate_registry_errors():
            one = ticket_of(self._registry, number)
            return SignedTicket(one.number, one.rush, one.lot, one.write(self._signer.key(), self._signer.sign))

    def report(self, p: Principal, counter: str, uses: Sequence[TicketUse]) -> UsesReport:
        """Record the tickets that a counter took. Raises Conflict."""
        p.need(Permission.REDEMPTIONS_UPLOAD)
        with translate_registry_errors():
            return self._registry.ticket_uses.report(counter, uses, by=p.name)

    def findings(self, p: Principal) -> list[TicketFinding]:
        """Tickets that two counters took, or that were taken after their end."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.ticket_uses.findings()
