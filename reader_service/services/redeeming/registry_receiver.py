"""The office of a counter in the same installation: rows are booked in its registry, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from typing import Final

from programme.booking_rules import BookingRules
from programme.records.grant_rules import ProgrammeGrantRules
from reader_service.redemptions.intents import UploadBatch
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadReceipt, UploadRefused
from reader_service.services.programme.booking import prove_with
from registry.db.actors import machine_actor
from registry.errors import RegistryConflict, RegistryError
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant
from registry.programme.work import Upload
from registry.store import Registry
from terminal.errors import CustodyError, KeyNotFound
from terminal.keys import KeyCustody

_REASONS: Final = {
    "terminal": UploadFaultCode.TERMINAL,
    "outlet": UploadFaultCode.TERMINAL,
    "journal-outlet": UploadFaultCode.OUTLET,
    "grant-request": UploadFaultCode.JOURNAL,
}
"""Faults by the reason of a conflict; others are ROWS."""


class RegistryReceiver:
    """Booking by the outlet that has the counter's terminal on record. ``booked`` is called when rows were taken,
    before their counter hears of it."""

    def __init__(
        self,
        registry: Registry,
        custody: KeyCustody,
        merchant: str,
        terminal: str,
        zone: tzinfo,
        *,
        booked: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry, self._custody, self._merchant, self._terminal = registry, custody, merchant, terminal
        self._booked = booked
        self._rules = BookingRules(registry.programme_editions, zone)

    def through(self, journal: str) -> int:
        with _translated():
            return self._registry.booking.through(self._outlet(), journal)

    def take(self, batch: UploadBatch) -> UploadReceipt:
        upload = Upload(batch.journal, batch.previous, batch.rows)
        with _translated():
            prove = prove_with(self._custody)
            by, rules = machine_actor(self._terminal), self._rules.refreshed()
            result = self._registry.booking.book(self._outlet(), upload, prove, by=by, rules=rules)
        self._booked()
        return UploadReceipt(result.booked, result.known, result.findings)

    def ask(self, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        with _translated():
            rules = ProgrammeGrantRules(self._rules.refreshed())
            return self._registry.grants.ask(self._outlet(), wanted, rules, by=machine_actor(self._terminal))

    def _outlet(self) -> int:
        return self._registry.merchants.outlet_of(self._merchant, self._terminal)


@contextmanager
def _translated() -> Iterator[None]:
    """Raises ReceiverAway, UploadRefused."""
    try:
        yield
    except RegistryConflict as conflict:
        raise UploadRefused(_REASONS.get(conflict.reason, UploadFaultCode.ROWS)) from conflict
    except RegistryError as fault:
        raise ReceiverAway(str(fault)) from fault
    except KeyNotFound as fault:
        raise UploadRefused(UploadFaultCode.KEY) from fault
    except CustodyError as fault:
        raise ReceiverAway(str(fault)) from fault
