"""A counter's lists from its office in the background: now and then, later while the office is away, and again by
itself."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.services.counter.fetched_lists import (
    SENTENCES,
    FetchNote,
    FetchRound,
    ListDates,
    ListFaultCode,
    ListKind,
    ListNotFetched,
    dates_of,
    fetch_all,
    read_note,
    write_note,
)
from terminal.errors import MembercardError
from terminal.member.lists import CounterLists

_log = logging.getLogger(__name__)
_JOIN: Final = 5.0
"""Seconds that the end of the service waits for an exchange; what it cuts off is fetched at the next start."""


@dataclass(frozen=True, slots=True)
class FetchPace:
    """Seconds: between rounds, and before the next one after a fault, doubled up to that. A round is up to a quarter
    earlier or later, so that the counters of an office do not all come at once."""

    between: float = 300.0
    first: float = 5.0


_PACE: Final = FetchPace()


@dataclass(frozen=True, slots=True)
class FetchState:
    """Whether lists are fetched from the issuer (``enabled``), when all of them last were, why not since, of which list
    (null where it is not that of one), and when the next attempt is."""

    enabled: bool
    fetched_at: datetime | None = None
    fault: ListFaultCode | None = None
    fault_list: ListKind | None = None
    fault_since: datetime | None = None
    fault_sentence: str = ""
    next_attempt: datetime | None = None


class ListFetchService:
    """One thread that fetches. ``lists`` are those that verdicts are based on; ``on_new`` has them read again.

    Event: lists.fetched (topic: lists, data: ``new``, the lists with a new edition, and ``fault`` or null), after each
    round that changed something.
    """

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        *,
        lists: Callable[[], CounterLists],
        on_new: Callable[[], None] = lambda: None,
        pace: FetchPace = _PACE,
    ) -> None:
        self._parts, self._bus, self._lists, self._on_new, self._pace = parts, bus, lists, on_new, pace
        self._source = parts.list_source
        self._note = read_note(parts.data_dir) if self._source is not None else FetchNote()
        self._failures = 0
        self._next_at: datetime | None = None
        self._closing, self._now = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="lists", daemon=True)

    def start(self) -> None:
        if self._source is not None:
            self._thread.start()

    def close(self) -> None:
        """End; an exchange that does not end is left. Safe to call twice."""
        self._closing.set()
        self._now.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN)

    # --- use-cases ---------------------------------------------------------------------------------------------------

    def state(self, p: Principal) -> FetchState:
        """VERIFY. What came of the last round."""
        p.need(Permission.VERIFY)
        note = self._note
        return FetchState(
            enabled=self._source is not None,
            fetched_at=note.at,
            fault=note.fault,
            fault_list=note.kind,
            fault_since=note.since,
            fault_sentence=SENTENCES[note.fault] if note.fault else "",
            next_attempt=self._next_at if note.fault else None,
        )

    def dates(self, p: Principal) -> list[ListDates]:
        """VERIFY. How old each list of this counter is, and when it ends; the programme where benefits are redeemed.
        Without any list all are missing."""
        p.need(Permission.VERIFY)
        at = self._parts.clock()
        try:
            lists = self._lists()
        except MembercardError:
            dates = [dates_of(kind, None, at) for kind in (ListKind.TRUST, ListKind.HOTLIST)]
        else:
            hotlist = None if lists.hotlist is None else lists.hotlist.issue
            dates = [
                dates_of(ListKind.TRUST, lists.trust.issue, at),
                dates_of(ListKind.HOTLIST, hotlist, at, lists.policy.oldest),
            ]
        if self._parts.place is not None:
            dates.append(self._programme(at))
        return dates

    def fetch(self, p: Principal) -> FetchState:
        """VERIFY. Ask the office at once, in the background."""
        state = self.state(p)
        self._now.set()
        return state

    def _programme(self, at: datetime) -> ListDates:
        try:
            issue = self._parts.place.edition().issue if self._parts.place is not None else None
        except (MembercardError, OSError):
            issue = None
        return dates_of(ListKind.PROGRAMME, issue, at)

    # --- in the background -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closing.is_set():
            self._round()
            seconds = self._pause() * random.uniform(0.75, 1.25)  # noqa: S311  # no secret
            self._next_at = self._parts.clock() + timedelta(seconds=seconds)
            self._now.wait(seconds)
            self._now.clear()

    def _pause(self) -> float:
        pace, failures = self._pace, self._failures
        return min(pace.between, pace.first * 2 ** min(failures - 1, 20)) if failures else pace.between

    def _round(self) -> None:
        if self._source is None:
            return
        try:
            done = fetch_all(self._source)
        except Exception as fault:  # lists would not be fetched any more
            _log.error("the lists are not fetched", exc_info=fault)
            done = FetchRound((), (ListNotFetched(ListFaultCode.ANSWER),))
        if self._closing.is_set() and done.faults:
            return
        before, self._note = self._note, self._note.after(done, self._parts.clock())
        write_note(self._parts.data_dir, self._note)
        self._failures = self._failures + 1 if done.faults else 0
        changed = (before.fault, before.kind) != (self._note.fault, self._note.kind)
        if done.faults and changed:
            kind = self._note.kind
            _log.warning("lists are not fetched (%s): %s", kind or "office", done.faults[0])
        if done.new:
            self._on_new()
        if done.new or changed:
            data = {"new": list(done.new), "fault": self._note.fault}
            self._bus.publish("lists.fetched", "lists", data)
