"""The counter: a verdict within a second of inserting the card, with the database or without it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from personalize.updates import UpdateReport
from programme.programme import Federation
from reader_service.errors import Unavailable
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.names import reader_named
from reader_service.readers.values import Mode
from reader_service.readers.worker import ReaderSession
from reader_service.services.counter.advice import advise
from reader_service.services.counter.insertion import InsertionUpdates
from reader_service.services.redeeming.redemptions import RedemptionService
from registry.errors import RegistryConflict, RegistryError
from registry.members.verdicts import VerdictNote
from terminal.apdu import Disposition, Sender, Trace, Transport, stack
from terminal.errors import MembercardError, NoCard
from terminal.member.lists import CounterLists, HotlistState
from terminal.member.outcome import Proof, Verdict, VerdictCode
from terminal.member.presentation import Advice
from terminal.member.verdict import verify

VERIFYING: Final = 20.0
"""Seconds after which a verification counts as hung."""
MOST_NOTES: Final = 50_000
"""Verdicts stored in memory while the database is away: a day of a busy counter. The oldest are dropped first."""
_AT_ONCE: Final = 500
_log = logging.getLogger(__name__)
_REFRESH: Final = 20.0
"""Seconds between readings of the lists."""
_SETTINGS: Final = Principal("settings", frozenset())
_PACE: Final = 0.5
"""Seconds between rounds of the background thread: many verdicts at once are cheaper to write."""


@dataclass(frozen=True, slots=True)
class ListsAge:
    """The lists that verdicts are based on. ``live`` is false while an earlier copy is used because the database is
    away or its newer files are refused. ``hotlist_version`` and ``hotlist_seconds`` (its age) are null without a
    hotlist. ``clock_behind``: the clock of the counter was set back."""

    trust_version: int
    trust_current: bool
    hotlist_version: int | None
    hotlist_seconds: int | None
    hotlist_current: bool
    hotlist_state: HotlistState
    clock_behind: bool
    live: bool

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A verdict at a reader. ``seconds`` from the card's power to the verdict."""

    reader: str
    name: str
    seconds: float
    verdict: Verdict
    lists: ListsAge
    updates: UpdateReport = field(default_factory=UpdateReport)
    """What this insertion changed on the chip."""
    advice: Advice | None = None
    """How it is shown; None where nothing but the card was asked."""

    def to_json(self) -> dict[str, Any]:
        """Verdict.to_json(), Advice.to_json() and {"reader", "reader_name", "seconds", "lists", "updates",
        "update_unfinished"}; identity and card number are masked."""
        lists = self.lists.to_json()
        own = {"reader": self.reader, "reader_name": self.name, "seconds": round(self.seconds, 4), "lists": lists}
        updates = {"updates": list(self.updates.kinds), "update_unfinished": self.updates.unfinished}
        advice = self.advice or Advice.of(self.verdict.code)
        return self.verdict.to_json() | advice.to_json() | own | updates


class CounterService:
    """Verdicts, the lists they are based on, which are read again in the background, and the log of verdicts, which
    waits for the database.

    ``traces``: the live trace of each reader that a developer watches. ``redemptions`` follow a verdict in the same
    insertion. Event: verdict (topic: reader id, data:
    VerdictView.to_json()), for every verdict at a reader.
    """

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        readers: ReaderManager,
        *,
        traces: Mapping[str, Trace] | None = None,
        redemptions: RedemptionService | None = None,
        refresh: float = _REFRESH,
        insertions: InsertionUpdates | None = None,
    ) -> None:
        self._redemptions = redemptions
        self._parts, self._bus, self._readers, self._refresh = parts, bus, readers, refresh
        self._traces: Mapping[str, Trace] = {} if traces is None else traces
        self._insertions = insertions or InsertionUpdates(parts)
        self._lists: CounterLists | None = None
        self._notes: deque[VerdictNote] = deque(maxlen=MOST_NOTES)
        self._lists_fault = ""
        self._unwritten_for: type[Exception] | None = None
        self._stale, self._reading = threading.Event(), threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work_in_background, name="counter", daemon=True)

    def verify(self, p: Principal, reader_id: str, *, lease: str = "", at: datetime | None = None) -> VerdictView:
        """VERIFY. Verify the card in a reader that the caller leased, or that is in counter mode. Every behaviour of
        the card is a verdict. Raises NotFound, LeaseLost, ReaderOut (no card, lost, hung), Unavailable (no lists)."""
        p.need(Permission.VERIFY)
        return self._readers.use(p, reader_id, lease, partial(self._verify, reader_id, at), VERIFYING, counter=True)

    def watch(self, p: Principal, reader_id: str, on: bool) -> None:
        """VERIFY. Set counter mode: each card inserted is verified at once. Raises NotFound, LeaseHeld."""
        p.need(Permission.VERIFY)
        mode = self._readers.view(reader_id).mode
        if on and mode is not Mode.COUNTER:
            self._open(p, reader_id)
        elif not on:
            self._readers.attend(reader_id, None)
            self._readers.leases.vacate(reader_id, Mode.COUNTER)

    def reader_added(self, reader_id: str, url: str) -> None:
        """Start counter mode for a reader that the settings call a counter."""
        device = self._readers.view(reader_id).device
        if any(named == url or reader_named(named, device) for named in self._parts.counters):
            self._open(_SETTINGS, reader_id)

    def lists_age(self, p: Principal) -> ListsAge:
        """VERIFY. Raises Unavailable where there are no lists."""
        p.need(Permission.VERIFY)
        return _age(self.lists_now(), self._parts.clock())

    def refresh(self) -> None:
        """Read the lists again soon: a card was lost, an edition published. From any thread."""
        self._stale.set()

    @property
    def unwritten(self) -> int:
        """The number of verdicts that wait for the database."""
        return len(self._notes)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Write the waiting verdicts if possible, and end."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def _open(self, p: Principal, reader_id: str) -> None:
        self._readers.leases.occupy(p, reader_id, Mode.COUNTER)
        self._readers.attend(reader_id, partial(self._attend, reader_id))

    # --- on the reader's thread --------------------------------------------------------------------------------------

    def _attend(self, reader_id: str, session: ReaderSession) -> None:
        """Verify a card inserted in counter mode."""
        try:
            session.beat(VERIFYING)
            self._verify(reader_id, None, session)
        except NoCard:
            return  # out again before it had power
        except MembercardError as fault:
            data = {"part": "counter", "reader": reader_id, "sentence": str(fault)}
            self._bus.publish("service.fault", reader_id, data)

    def visit(
        self, reader_id: str, session: ReaderSession, work: Callable[[Sender, Verdict], UpdateReport]
    ) -> VerdictView:
        """Verify the card and change it by ``work``, on the reader's thread; the verdict is that afterwards. Raises
        what ``work`` raises."""
        return self._verify(reader_id, None, session, work)

    def _verify(
        self,
        reader_id: str,
        at: datetime | None,
        session: ReaderSession,
        work: Callable[[Sender, Verdict], UpdateReport] | None = None,
    ) -> VerdictView:
        """``work`` changes a card that was verified; without one, what is wanted of it runs and never fails."""
        lists, report = self.lists_now(), UpdateReport()
        when = (at or self._parts.clock()).astimezone(self._parts.zone)
        began = time.perf_counter()
        redemptions = self._redemptions_at(reader_id)
        if redemptions is not None:
            redemptions.begins(reader_id)
        with _powered(session, stays=redemptions is not None) as card:
            if card is None:
                verdict = _mute(lists, when)
            else:
                sender = stack(card, self._traces.get(reader_id))
                judge = partial(self._judge, sender, lists, when)
                verdict = judge()
                if work is not None:
                    report = work(sender, verdict)
                elif verdict.card is not None:
                    report = self._insertions.at_counter(sender, verdict)
                if report.kinds or report.declined:
                    verdict = judge()
                if redemptions is not None:
                    verdict = redemptions.verified(reader_id, sender, verdict, judge)
        seconds = time.perf_counter() - began
        name, age = self._readers.view(reader_id).name, _age(lists, when)
        view = VerdictView(reader_id, name, seconds, verdict, age, report, self._advice(verdict, lists))
        self._bus.publish("verdict", reader_id, view.to_json())
        if redemptions is not None:
            redemptions.announce(reader_id)
        number = verdict.member.card_number if verdict.member else ""
        self._notes.append(VerdictNote(when, self._parts.station, reader_id, verdict.code.value, seconds, number))
        return view

    def _redemptions_at(self, reader_id: str) -> RedemptionService | None:
        """Redemptions, at a reader in counter mode of a merchant."""
        service = self._redemptions
        if service is None or self._parts.place is None or not service.enabled:
            return None
        return service if self._readers.view(reader_id).mode is Mode.COUNTER else None

    def _judge(self, sender: Sender, lists: CounterLists, at: datetime) -> Verdict:
        aid, policy = self._parts.member_aid, lists.policy
        return verify(sender, trust=lists.trust, hotlist=lists.hotlist, at=at, policy=policy, aid=aid)

    def _advice(self, verdict: Verdict, lists: CounterLists) -> Advice | None:
        if verdict.code is not VerdictCode.NOT_ACTIVATED:
            return None
        return advise(verdict, lambda: self._parts.registry if lists.live else None, self._federation)

    def _federation(self) -> Federation | None:
        """Whose windows are named: of the programme edition at this counter, if there is one."""
        place = self._parts.place
        try:
            return None if place is None else place.edition().programme.federation
        except (MembercardError, OSError):
            return None

    def lists_now(self) -> CounterLists:
        """What verdicts are based on. Raises Unavailable where there are no lists."""
        if self._lists is None:
            with self._reading:
                if self._lists is None:
                    self._read_lists()
        if self._lists is None:
            raise Unavailable("there are no lists to judge cards by: neither from the database nor kept from before")
        return self._lists

    # --- in the background -------------------------------------------------------------------------------------------

    def _work_in_background(self) -> None:
        due = 0.0
        while not self._closing.wait(_PACE):
            if self._stale.is_set() or time.monotonic() >= due:
                self._stale.clear()
                with self._reading:
                    self._read_lists()
                self._insertions.reach()
                due = time.monotonic() + self._refresh
            self._write_down()
        self._write_down()

    def _read_lists(self) -> None:
        """Read the lists again. Where that fails, the former ones stay, marked as not live."""
        sentence = ""
        try:
            self._lists = self._parts.lists()
            sentence = self._lists.fault
            if self._redemptions is not None:
                self._redemptions.lists.changed(self._lists)
        except Exception as fault:  # verdicts would go on by lists that nobody reads any more
            sentence = _sentence(fault)
            self._lists = replace(self._lists, live=False) if self._lists is not None else None
        if sentence != self._lists_fault:
            self._lists_fault = sentence
            self._bus.publish("service.fault", "lists", {"part": "lists", "sentence": sentence})
        self._insertions.look(live=self._lists is not None and self._lists.live)

    def _write_down(self) -> None:
        """Write waiting verdicts to the database. Only this thread takes notes out."""
        at_once = _AT_ONCE
        while self._notes:
            some = [self._notes.popleft() for _ in range(min(len(self._notes), at_once))]
            try:
                self._parts.registry.verdicts.note(*some)
            except RegistryConflict:
                if len(some) > 1:  # one by one, so that the one that can never be written takes no other with it
                    self._put_back(some)
                    at_once = 1
            except Exception as fault:
                self._put_back(some)
                self._not_written(fault)
                return

    def _put_back(self, notes: list[VerdictNote]) -> None:
        room = MOST_NOTES - len(self._notes)  # others may have come meanwhile: the oldest go first
        self._notes.extendleft(reversed(notes[max(0, len(notes) - room) :]))

    def _not_written(self, fault: Exception) -> None:
        """Log an unexpected fault once; a database that is away is not logged."""
        kind = type(fault)
        if kind is not self._unwritten_for and not isinstance(fault, RegistryError):
            _log.error("verdicts are not written down", exc_info=fault)
        self._unwritten_for = kind


@contextmanager
def _powered(session: ReaderSession, *, stays: bool) -> Iterator[Transport | None]:
    """The card in the slot, which ``stays`` powered for a redemption or not; None for one without an answer to reset.
    Raises TransportError, NoCard for an empty slot."""
    try:
        card = session.connect()
    except NoCard:
        if not session.wait_for_card(0):
            raise
        yield None
        return
    if stays:
        session.powered_card = card
        yield card
        return
    try:
        yield card
    finally:
        card.close()
        session.release(Disposition.KEEP)


def _mute(lists: CounterLists, at: datetime) -> Verdict:
    hotlist = lists.hotlist
    return Verdict(
        code=VerdictCode.CARD_FAULT,
        sentence="The card does not answer; turn it, or clean its contacts.",
        check="answer to reset",
        proof=Proof.NONE,
        at=at,
        member=None,
        entitlements=(),
        trust_version=lists.trust.issue.version,
        hotlist_version=None if hotlist is None else hotlist.version,
        hotlist_age=None if hotlist is None else hotlist.age(at),
        hotlist_state=lists.policy.state(hotlist, at),
    )


def _sentence(fault: Exception) -> str:
    """The sentence about a fault. The text of an unexpected one may hold anything and goes to the log only."""
    if isinstance(fault, MembercardError | OSError):
        return str(fault)
    _log.error("the lists were not read", exc_info=fault)
    return "something went wrong with the lists; the log says what"


def _age(lists: CounterLists, at: datetime) -> ListsAge:
    trust, hotlist = lists.trust, lists.hotlist
    state = lists.policy.state(hotlist, at)
    return ListsAge(
        trust_version=trust.issue.version,
        trust_current=trust.current(at),
        hotlist_version=None if hotlist is None else hotlist.version,
        hotlist_seconds=None if hotlist is None else max(0, int(hotlist.age(at).total_seconds())),
        hotlist_current=state is HotlistState.CURRENT,
        hotlist_state=state,
        clock_behind=lists.policy.clock_behind(at),
        live=lists.live,
    )
