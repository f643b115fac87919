"""The readers of this machine, each with its thread, stable id, name and card.

Nothing here waits for a reader: a hung driver blocks its own reader only.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Final, TypeVar

from personalize.machines.protocols import CardMachine
from personalize.machines.reader import machine_of, refuse_shared
from reader_service.errors import Conflict, NotFound
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.faults import HUNG, UNPLUGGED, look_again, out, out_of, unforeseen
from reader_service.readers.leases import Leases
from reader_service.readers.names import distinct, reader_named, slug
from reader_service.readers.values import Attendant, ManagedReader, Mode, ReaderView
from reader_service.readers.worker import DEADLINE, ReaderSession, ReaderWorker
from reader_service.registry_errors import translate_registry_errors
from registry.db.audit_chain import AuditEntry
from registry.errors import NotOnRecord, RegistryUnavailable
from terminal.apdu import CardSlot, EventKind, InsertedCard, Reader, ReaderEvent, watch_readers
from terminal.awake import AwakeClock
from terminal.errors import ReaderBusy, TransportError

T = TypeVar("T")

PCSC_DEADLINE: Final = 10
"""Seconds that one call to a PC/SC reader may take: then it is cut, long before a job counts as hung."""
_TICK: Final = 0.2
_STEP: Final = 1.0
"""Seconds that one tick may count against a deadline: a pause of the machine moves every deadline by its length."""
_PAUSE: Final = 10.0
"""Seconds of a pause that is logged."""
_CLOSING: Final = 5.0
_OPENING: Final = 5.0
"""Seconds to wait for a reader that is just being opened."""
_MOST_STUCK: Final = 3
"""Threads of one reader that may be stuck in its driver: each restart of a driver that never returns leaves one."""
_AGAIN: Final = 1.0
"""Seconds before a watch of PC/SC readers that failed begins anew."""
_log = logging.getLogger(__name__)


class ReaderManager:
    """All readers. Events: reader.added reader.removed reader.state (topic: reader id, data: ReaderView.to_json()),
    card.inserted card.removed (data: {"reader", "name", "atr"}), reader.forgotten (data: {"reader", "name"}),
    service.fault (data: {"part", "sentence"}; an empty sentence ends it).

    ``watch`` reports PC/SC readers until its event is set. ``leases`` has the holders of the readers.
    """

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        *,
        watch: Callable[[threading.Event], Iterator[ReaderEvent]] = watch_readers,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts, self._bus, self._watch = parts, bus, watch
        self._awake = AwakeClock(_STEP, monotonic)
        self.leases = Leases(known=self._entry, changed=self._lease_changed, clock=parts.clock, monotonic=self._awake)
        self._lock = threading.RLock()
        self._entries: dict[str, ManagedReader] = {}
        self._given: dict[str, str] = {}
        self.pcsc_away = False
        """Whether the PC/SC service is watched and was away at the last report."""
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self.on_added: Callable[[str, str], None] = lambda reader_id, url: None
        """Called with id and URL of each reader that is new to this service."""
        self.on_forgotten: Callable[[str], None] = lambda reader_id: None
        """Called with the id of each removed reader."""

    # --- for users --------------------------------------------------------------------------------------------------

    def readers(self, p: Principal) -> list[ReaderView]:
        """READERS_VIEW. In the order of their discovery."""
        p.need(Permission.READERS_VIEW)
        return self.views()

    def reader(self, p: Principal, reader_id: str) -> ReaderView:
        """READERS_VIEW. Raises NotFound."""
        p.need(Permission.READERS_VIEW)
        return self.view(reader_id)

    def rename(self, p: Principal, reader_id: str, name: str) -> ReaderView:
        """READERS_NAME. Raises NotFound, Conflict (form, or taken), Unavailable."""
        p.need(Permission.READERS_NAME)
        self._entry(reader_id)
        with translate_registry_errors():
            self._parts.registry.stations.name(self._parts.station, reader_id, name, by=p.name)
        with self._lock:
            self._given[reader_id] = name.strip()
            self._publish_state(self._entry(reader_id), always=True)
        return self.view(reader_id)

    def restart(self, p: Principal, reader_id: str) -> ReaderView:
        """READERS_LEASE. Replace a reader's thread. Raises NotFound, LeaseHeld, and Conflict while a working lane has
        it, or too many earlier threads wait for its driver."""
        p.need(Permission.READERS_LEASE)
        entry = self._entry(reader_id)
        with self._lock:
            may_begin = self._may_begin(entry)
        if not may_begin:  # before anything is ended or written into the audit
            sentence = f"the driver of reader {reader_id} has not returned from {_MOST_STUCK} calls; unplug the reader"
            raise Conflict(sentence, reason="driver", reader=reader_id)
        if not entry.hung:
            if self.leases.mode(reader_id) is Mode.LANE:
                raise Conflict(f"a lane runs on reader {reader_id}; stop it first", reader=reader_id)
            lease = self.leases.take(p, reader_id, 1)
            self.leases.give_back(p, reader_id, lease.token)
        with translate_registry_errors():
            self._parts.registry.audit.note(AuditEntry(p.name, "reader.restart", f"reader:{reader_id}"))
        entry.worker.abandon("the reader was restarted")
        with self._lock:
            self._begin(entry)
        return self.view(reader_id)

    def forget(self, p: Principal, reader_id: str) -> None:
        """READERS_NAME. Remove an unplugged reader and free its name. Plugged in again it is a new one. Raises
        NotFound, Unavailable, LeaseHeld, and Conflict while it is plugged in or a lane waits for it."""
        p.need(Permission.READERS_NAME)
        entry = self._gone(p, reader_id)
        with translate_registry_errors():
            with contextlib.suppress(NotOnRecord):  # nobody named it
                self._parts.registry.stations.forget(self._parts.station, reader_id, by=p.name)
            self._parts.registry.audit.note(AuditEntry(p.name, "reader.forget", f"reader:{reader_id}"))
        with self._lock:
            name = self._view(entry).name
            self._given.pop(reader_id, None)
            self._gone(p, reader_id)  # it may be back by now
            del self._entries[reader_id]
        entry.worker.stop()
        self.leases.drop(reader_id)
        self.on_forgotten(reader_id)
        self._bus.publish("reader.forgotten", reader_id, {"reader": reader_id, "name": name})

    # --- for services ------------------------------------------------------------------------------------------------

    def views(self) -> list[ReaderView]:
        with self._lock:
            return [self._view(entry) for entry in self._entries.values()]

    def view(self, reader_id: str) -> ReaderView:
        """Raises NotFound."""
        with self._lock:
            return self._view(self._entry(reader_id))

    def submit(self, reader_id: str, job: Callable[[ReaderSession], T], deadline: float = DEADLINE) -> Future[T]:
        """Run ``job`` on the reader's own thread. Raises NotFound; the future fails with ReaderOut, and with what the
        job raises."""
        with self._lock:
            entry = self._entry(reader_id)
            if sentence := entry.hung or entry.lost:
                failed: Future[T] = Future()
                failed.set_exception(out(reader_id, sentence, "hung" if entry.hung else "lost"))
                return failed
            return entry.worker.submit(job, deadline)

    def ask(self, reader_id: str, job: Callable[[ReaderSession], T], deadline: float = DEADLINE) -> T:
        """Run ``job`` on the reader's own thread and wait for it. Raises NotFound, ReaderOut for every fault of the
        reader, and what the job raises."""
        try:
            return self.submit(reader_id, job, deadline).result()
        except TransportError as fault:
            raise out_of(reader_id, fault) from fault

    def use(
        self,
        p: Principal,
        reader_id: str,
        token: str,
        job: Callable[[ReaderSession], T],
        deadline: float = DEADLINE,
        *,
        counter: bool = False,
    ) -> T:
        """As ``ask``, for the holder of the lease; with ``counter`` also without a token at a reader in counter mode.
        Raises LeaseLost."""
        if counter and not token:
            self._entry(reader_id)
            self.leases.check_counter(reader_id)
            return self.ask(reader_id, job, deadline)
        self.leases.check(p, reader_id, token)

        def leased(session: ReaderSession) -> T:
            self.leases.check(p, reader_id, token)  # it may have ended while other work was done
            return job(session)

        return self.ask(reader_id, leased, deadline)

    def attend(self, reader_id: str, attendant: Attendant | None) -> None:
        """Run ``attendant`` for each card inserted, beginning with one that is there. Raises NotFound."""
        with self._lock:
            entry = self._entry(reader_id)
            entry.attendant = attendant
            if entry.card is not None:
                self._attend(entry)

    def stuck(self, reader_id: str) -> bool:
        """Whether the driver has not answered the job at the reader for longer than a working one needs; not yet long
        enough to count as hung. Raises NotFound."""
        return self._entry(reader_id).worker.stuck(self._awake())

    def machines(self) -> dict[str, CardMachine]:
        """The machines that feed open readers, by reader."""
        with self._lock:
            return {entry.id: entry.machine for entry in self._entries.values() if entry.machine is not None}

    def slot(self, reader_id: str) -> CardSlot:
        """The virtual slot of a reader; one that is just being opened is waited for. Raises NotFound, Conflict for a
        real reader."""
        entry = self._entry(reader_id)
        if not entry.pcsc:
            entry.tried.wait(_OPENING)
        slot = entry.slot
        if slot is None:
            raise Conflict(f"reader {reader_id} is no virtual slot", reader=reader_id)
        return slot

    # --- coming and going --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the named readers and watch for others. Raises ReaderNotFound for a URL that names no reader, ReaderBusy
        for a machine that is named twice."""
        with contextlib.suppress(RegistryUnavailable):  # readers go by their own names then
            self._given = self._parts.registry.stations.names(self._parts.station)
        for url in dict.fromkeys(self._parts.counters):
            self._open(url, self._parts.counters[url])
        for url in self._parts.reader_urls:
            if url not in self._parts.counters:
                self._open(url)
        self._run("readers", self._keep)
        if self._parts.pcsc:
            self._run("PC/SC watch", self._follow)

    def close(self) -> None:
        """End every thread; one whose driver hangs ends with the process."""
        self._closing.set()
        with self._lock:
            workers = [entry.worker for entry in self._entries.values()]
        for worker in workers:
            worker.stop()
        until = time.monotonic() + _CLOSING
        for worker in workers:
            if worker.stuck(self._awake()) or not worker.join(max(0.0, until - time.monotonic())):
                worker.abandon("the service ended")
        for thread in self._threads:
            thread.join(_CLOSING)

    def _run(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _open(self, url: str, label: str = "") -> None:
        """Open a reader by its URL. PC/SC readers are reported where they are watched."""
        if self._parts.pcsc and url.startswith("pcsc:"):
            return
        first = [self._parts.open_reader(url)]
        try:
            refuse_shared(first[0], [entry.device for entry in self._entries.values()])
        except ReaderBusy:
            first[0].close()
            raise
        self._add(first[0].name, url, lambda: first.pop() if first else self._parts.open_reader(url), label=label)

    def _add(
        self, device: str, url: str, open_reader: Callable[[], Reader], *, pcsc: bool = False, label: str = ""
    ) -> None:
        with self._lock:
            reader_id = distinct(slug(device), self._entries)
            entry = ManagedReader(reader_id, url, device, self._parts.clock(), open_reader, pcsc, label)
            self._entries[reader_id] = entry
            self._begin(entry)
            self._bus.publish("reader.added", reader_id, self._view(entry).to_json())
        self.on_added(reader_id, url)

    def _may_begin(self, entry: ManagedReader) -> bool:
        """Whether few enough workers are stuck in the driver that one more thread may be spent on this reader."""
        entry.stuck = [worker for worker in entry.stuck if worker.alive]
        return len(entry.stuck) + bool(entry.hung) <= _MOST_STUCK

    def _begin(self, entry: ManagedReader) -> None:
        """Start a new worker for this reader; the former one ends as soon as it can."""
        former: ReaderWorker | None = getattr(entry, "worker", None)
        if former is not None:
            former.stop()
            entry.stuck.append(former)
        entry.worker = ReaderWorker(entry.id, entry.open_reader, self, watched=entry.pcsc, clock=self._awake)
        entry.hung, entry.busy, entry.machine = "", False, None
        entry.worker.start()
        self._publish_state(entry)

    def _keep(self) -> None:
        """Check deadlines and leases."""
        noted = self._awake.left_out
        while not self._closing.wait(_TICK):
            now = self._awake()
            pause, noted = self._awake.left_out - noted, self._awake.left_out
            if pause > _PAUSE:
                _log.warning("the machine or this program was paused for %.0f seconds; deadlines move by that", pause)
            with self._lock:
                late = [
                    entry
                    for entry in self._entries.values()
                    if entry.worker.late(now) and not entry.worker.refuse_slow_card(now)
                ]
                hung = [entry.worker for entry in late]  # those just now: a re-plug may give the reader another
                for entry in late:
                    entry.hung = HUNG
                    self._publish_state(entry)
                    _log.error("reader %s hangs: %s", entry.id, HUNG)
            for worker in hung:
                worker.abandon(HUNG)
            self.leases.sweep()

    # --- PC/SC -------------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Take the events of PC/SC until the end. No fault ends this thread: nobody else looks for readers."""
        failed = False
        while not self._closing.is_set():
            try:
                for event in self._watch(self._closing):
                    with self._lock:
                        if failed:
                            self._happened(ReaderEvent(EventKind.SERVICE_BACK))
                            failed = False
                        self._happened(event)
                return
            except ImportError as missing:
                self._pcsc_fault(f"PC/SC does not load: {missing}")
                return
            except Exception:
                _log.exception("an event of the PC/SC readers could not be handled")
                failed = True
                self._pcsc_fault("watching the PC/SC readers failed and begins anew; the log says why")
                self._closing.wait(_AGAIN)

    def _pcsc_fault(self, sentence: str) -> None:
        self.pcsc_away = True
        self._bus.publish("service.fault", "pcsc", {"part": "pcsc", "sentence": sentence})

    def _happened(self, event: ReaderEvent) -> None:
        if event.kind in (EventKind.SERVICE_LOST, EventKind.SERVICE_BACK):
            self.pcsc_away = event.kind is EventKind.SERVICE_LOST
            self._bus.publish("service.fault", "pcsc", {"part": "pcsc", "sentence": event.detail})
            return
        entry = next((e for e in self._entries.values() if e.pcsc and e.device == event.reader), None)
        if event.kind is EventKind.READER_ADDED:
            self._plugged(entry, event.reader)
        elif entry is None:
            return
        elif event.kind is EventKind.READER_REMOVED:
            entry.unplugged = UNPLUGGED
            self._bus.publish("reader.removed", entry.id, self._view(entry).to_json())
            self._publish_state(entry)
        else:
            there = event.kind is EventKind.CARD_INSERTED
            self._card_changed(entry, InsertedCard(event.atr, mute=bool(event.detail)) if there else None)

    def _plugged(self, entry: ManagedReader | None, device: str) -> None:
        if entry is None:
            url = f"pcsc:{device}?deadline={PCSC_DEADLINE}"
            label = next((name for url, name in self._parts.counters.items() if reader_named(url, device)), "")
            self._add(device, url, lambda: self._parts.open_reader(url), pcsc=True, label=label)
            return
        entry.unplugged = ""
        if entry.hung and self._may_begin(entry):
            self._begin(entry)
        entry.worker.submit(look_again).add_done_callback(partial(unforeseen, "a look"))
        self._bus.publish("reader.added", entry.id, self._view(entry).to_json())
        self._publish_state(entry)

    # --- called by workers, on their threads -------------------------------------------------------------------------

    def opened(self, worker: ReaderWorker, reader: Reader) -> None:
        with self._lock:
            if entry := self._of(worker):
                shut, entry.shut = entry.shut, ""
                entry.slot = reader if isinstance(reader, CardSlot) else None
                entry.machine = machine_of(reader)
                entry.tried.set()
                self._publish_state(entry)
                if shut and entry.pcsc and entry.card is not None:
                    self._attend(entry)  # it was reported while the reader did not open

    def failed(self, worker: ReaderWorker, sentence: str) -> None:
        with self._lock:
            if entry := self._of(worker):
                entry.shut = sentence
                entry.tried.set()
                self._publish_state(entry)

    def seen(self, worker: ReaderWorker, card: InsertedCard | None) -> None:
        with self._lock:
            if entry := self._of(worker):
                self._card_changed(entry, card)

    def busy(self, worker: ReaderWorker, busy: bool) -> None:
        with self._lock:
            if entry := self._of(worker):
                entry.busy = busy
                self._publish_state(entry)

    def returned(self, worker: ReaderWorker) -> None:
        with self._lock:
            entry = self._of(worker)
            if entry is not None and entry.hung and not self._closing.is_set():
                self._begin(entry)
                _log.info("the driver of reader %s answers again", entry.id)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _entry(self, reader_id: str) -> ManagedReader:
        with self._lock:
            entry = self._entries.get(reader_id)
        if entry is None:
            raise NotFound(f"there is no reader {reader_id}", what="reader", name=reader_id)
        return entry

    def _gone(self, p: Principal, reader_id: str) -> ManagedReader:
        """A reader that may be removed. Raises NotFound, Conflict, LeaseHeld."""
        with self._lock:
            entry = self._entry(reader_id)
            if not entry.gone:
                raise Conflict(f"reader {reader_id} is there; unplug it first", reason="there", reader=reader_id)
        if self.leases.mode(reader_id) is Mode.LANE:
            raise Conflict(f"a lane waits for reader {reader_id}; stop it first", reason="lane", reader=reader_id)
        self.leases.refuse_others(p, reader_id)
        return entry

    def _of(self, worker: ReaderWorker) -> ManagedReader | None:
        return next((entry for entry in self._entries.values() if entry.worker is worker), None)

    def _view(self, entry: ManagedReader) -> ReaderView:
        return entry.view(self.leases.mode(entry.id), self.leases.held(entry.id), self._given.get(entry.id, ""))

    def _card_changed(self, entry: ManagedReader, card: InsertedCard | None) -> None:
        """Record and publish the card that is now in the slot, if any."""
        before, entry.card = entry.card, card
        if before is None and card is None:
            return
        view = self._view(entry)
        data = {"reader": entry.id, "name": view.name, "atr": view.atr}
        self._bus.publish("card.removed" if card is None else "card.inserted", entry.id, data)
        self._publish_state(entry)
        if card is not None:
            self._attend(entry)

    def _attend(self, entry: ManagedReader) -> None:
        if entry.attendant is not None and not (entry.hung or entry.lost):
            attending = entry.worker.submit(entry.attendant)
            attending.add_done_callback(partial(unforeseen, "what is done with each card"))

    def _lease_changed(self, reader_id: str, ended: bool) -> None:
        with self._lock:
            entry = self._entries.get(reader_id)
            if entry is None:
                return
            if ended:
                dropping = entry.worker.submit(ReaderSession.drop)  # a card left powered is not for the next
                dropping.add_done_callback(partial(unforeseen, "switching a card off"))
            self._publish_state(entry, always=True)

    def _publish_state(self, entry: ManagedReader, *, always: bool = False) -> None:
        """Publish the state where it changed."""
        state = entry.state_in(self.leases.mode(entry.id))
        if state is not entry.state:
            entry.state, entry.since = state, self._parts.clock()
        elif not always:
            return
        self._bus.publish("reader.state", entry.id, self._view(entry).to_json())
