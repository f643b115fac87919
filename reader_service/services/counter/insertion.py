"""What the office wants on a card, run in the insertion that a counter or a window has it for."""

from __future__ import annotations

import logging
import threading

from personalize.updates import UpdateReport, UpdateRunner
from reader_service.parts import ServiceParts
from registry.errors import RegistryError
from terminal.apdu import Sender
from terminal.errors import CardError, CodecError, CustodyError, TransportError
from terminal.member.outcome import Verdict

HOTLIST: str = "hotlist"
"""The failed check of a card that is on the hotlist: only a block or unblock runs on it."""
_log = logging.getLogger(__name__)


class InsertionUpdates:
    """Runs wanted changes on a card that was just verified. ``look`` asks the registry whether any card waits for
    one, so that a verdict costs no query while none does."""

    def __init__(self, parts: ServiceParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._waiting, self._orders = False, 0

    def look(self, *, live: bool) -> None:
        """Ask whether a change of any card is wanted. ``live``: the database is there. From any thread."""
        orders = self._orders
        try:
            waiting = live and self._parts.registry.updates.any_waiting()
        except RegistryError:
            waiting = False
        with self._lock:
            if orders == self._orders:  # else a change was ordered since, which the answer may not know
                self._waiting = waiting

    def expect(self) -> None:
        """A change was ordered. From any thread."""
        with self._lock:
            self._waiting = True
            self._orders += 1

    def runner(self, by: str) -> UpdateRunner:
        """The runner of changes that this person, or this station, makes."""
        parts = self._parts
        return UpdateRunner(parts.registry.updates, parts.custody, by, parts.station, parts.now().date())

    def at_counter(self, sender: Sender, verdict: Verdict) -> UpdateReport:
        """Run what is wanted of a proven card, and never fail: a verdict goes on without the database, without keys,
        and where the card leaves."""
        if verdict.card is None or not self._waiting:
            return UpdateReport()
        try:
            return self.runner(self._parts.station).run(sender, verdict.card, only_block=verdict.check == HOTLIST)
        except TransportError:
            return UpdateReport(unfinished=True)
        except (RegistryError, CustodyError, CardError, CodecError) as fault:
            _log.warning("changes of a card did not run: %s", type(fault).__name__)
            return UpdateReport()
