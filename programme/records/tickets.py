"""Tickets as they are signed: what the registry has of a claim, with the days that were announced for its lot."""

from __future__ import annotations

from programme.records.rush_rules import section_of
from registry.errors import RegistryConflict
from registry.rush.values import ClaimState
from registry.store import Registry
from terminal.member.ticket import Ticket


def ticket_of(registry: Registry, number: int) -> Ticket:
    """The ticket of a claim. Raises NotOnRecord; RegistryConflict for a claim that has none, or no longer
    (``no-ticket``)."""
    claim = registry.rush_claims.view(number)
    if claim.state is not ClaimState.GRANTED:
        raise RegistryConflict(f"claim {number} has no valid ticket", reason="no-ticket", number=number)
    days = section_of(registry.rushes.rush(claim.rush)).lots[claim.lot].days
    return Ticket(claim.rush, claim.lot, claim.number, days.first, days.last, claim.card_tail)
