"""What the office wants on a card, run in the insertion that a counter or a window has it for."""

from __future__ import annotations

import logging
import threading

from personalize.updates import UpdateReport, UpdateRunner
from reader_service.parts import ServiceParts
from reader_service.redemptions.receiver import ReceiverAway, UploadRefused
from reader_service.services.counter.changes import CardChanges, DistantChanges
from registry.errors import RegistryError
from terminal.apdu import Sender
from terminal.errors import CardError, CodecError, CustodyError, TransportError
from terminal.member.outcome import Verdict

HOTLIST: str = "hotlist"
"""The failed check of a card that is on the hotlist: only a block or unblock runs on it."""
_log = logging.getLogger(__name__)


class InsertionUpdates:
    """Runs wanted changes on a card that was just verified, by the registry here or by an issuer elsewhere
    (``ServiceParts.script_issuer``). ``look`` and ``reach`` find out whether any card waits for one, so that a verdict
    costs nothing while none does, and while the issuer is away."""

    def __init__(self, parts: ServiceParts) -> None:
        self._parts, self._issuer = parts, parts.script_issuer
        self._lock = threading.Lock()
        self._waiting, self._orders = False, 0

    def look(self, *, live: bool) -> None:
        """Ask the registry whether a change of any card is wanted. ``live``: the database is there. From any thread."""
        if self._issuer is not None:
            return
        orders = self._orders
        try:
            waiting = live and self._parts.registry.updates.any_waiting()
        except RegistryError:
            waiting = False
        self._learn(orders, waiting=waiting)

    def reach(self) -> None:
        """Ask an issuer elsewhere the same; it may take seconds. From the background."""
        if self._issuer is None:
            return
        orders = self._orders
        try:
            waiting = self._issuer.waiting()
        except (ReceiverAway, UploadRefused):
            waiting = False
        self._learn(orders, waiting=waiting)

    def expect(self) -> None:
        """A change was ordered. From any thread."""
        with self._lock:
            self._waiting = True
            self._orders += 1

    def runner(self, by: str) -> UpdateRunner:
        """The runner of changes that this person, or this station, makes."""
        parts = self._parts
        return UpdateRunner(parts.registry.updates, parts.custody, by, parts.station, parts.now().date())

    def changes(self, by: str) -> CardChanges:
        """Who runs what waits for a card here: an issuer elsewhere, or the runner of this person or station."""
        return self.runner(by) if self._issuer is None else DistantChanges(self._issuer, self._away)

    def at_counter(self, sender: Sender, verdict: Verdict) -> UpdateReport:
        """Run what is wanted of a proven card, and never fail: a verdict goes on without the database, without keys,
        without a line, and where the card leaves."""
        if verdict.card is None or not self._waiting:
            return UpdateReport()
        try:
            return self.changes(self._parts.station).run(sender, verdict.card, only_block=verdict.check == HOTLIST)
        except TransportError:
            return UpdateReport(unfinished=True)
        except (RegistryError, CustodyError, CardError, CodecError) as fault:
            _log.warning("changes of a card did not run: %s", type(fault).__name__)
            return UpdateReport()

    def _away(self) -> None:
        """No card waits for an issuer that did not answer, until ``reach`` has its answer again."""
        with self._lock:
            self._waiting = False

    def _learn(self, orders: int, *, waiting: bool) -> None:
        with self._lock:
            if orders == self._orders:  # else a change was ordered since, which the answer may not know
                self._waiting = waiting
