"""The thread of one reader: it alone opens, uses and closes the reader, one job at a time."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from personalize.machines.protocols import CardMachine
from personalize.machines.reader import machine_of
from reader_service.errors import ReaderOut
from terminal.apdu import Disposition, InsertedCard, LinkProtocol, Reader, Transport, WatchableReader
from terminal.errors import CardTooSlow, MembercardError, ReaderFault

T = TypeVar("T")

DEADLINE: Final = 30.0
"""Seconds that a job may take, or stay without a sign of life."""
_RETRY: Final = 1.0
"""Seconds between attempts to open a reader."""
_LOOK: Final = 0.2
"""Seconds between polls of a reader that does not report cards."""
ONE_CALL: Final = 12.0
"""Seconds within which every call to a working driver ends: a PC/SC call is cut after 10."""
SLOW: Final = "the card is too slow, or defective: take it out and use another one; the reader works"
_log = logging.getLogger(__name__)


class ReaderSession:
    """A reader as a job uses it, with the card that an earlier job left powered.

    ``beat`` is a sign of life: the job may take so many seconds more, None for no limit. ``before`` is called before
    each exchange with a card, and raises TransportError where the job is to end; ``after`` is called after it.
    """

    def __init__(
        self,
        reader: Reader,
        beat: Callable[[float | None], None] = lambda deadline: None,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader = reader
        self.beat = beat
        self._before, self._after = before, after
        self.powered_card: Transport | None = None
        """The card that ``powered`` left powered."""

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def url(self) -> str:
        return self._reader.url

    @property
    def machine(self) -> CardMachine | None:
        """The machine that feeds this reader, for lanes."""
        return machine_of(self._reader)

    def wait_for_card(self, timeout: float | None) -> bool:
        return self._reader.wait_for_card(timeout)

    def connect(self) -> Transport:
        """Power the card; a card left powered is released first."""
        self.drop()
        return _JobCard(self._reader.connect(), self._before, self._after)

    def powered(self) -> Transport:
        """The card that an earlier job left powered, or the one in the slot, which stays powered. Raises NoCard,
        ReaderBusy, ReaderFault."""
        if self.powered_card is None:
            self.powered_card = self.connect()
        return self.powered_card

    def drop(self) -> None:
        """Release a card left powered, if any."""
        if self.powered_card is not None:
            powered_card, self.powered_card = self.powered_card, None
            powered_card.close()
            self._reader.release(Disposition.KEEP)

    def release(self, disposition: Disposition) -> None:
        self._reader.release(disposition)

    def close(self) -> None:
        self.powered_card = None
        self._reader.close()


class _JobCard:
    """A powered card in a job: a Transport that reports its exchanges, and ends with the job."""

    def __init__(self, card: Transport, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._card, self._before, self._after = card, before, after
        self.close = card.close

    @property
    def atr(self) -> bytes:
        return self._card.atr

    @property
    def protocol(self) -> LinkProtocol:
        return self._card.protocol

    @property
    def extended_length(self) -> bool:
        return self._card.extended_length

    def exchange(self, apdu: bytes) -> bytes:
        self._before()
        answer = self._card.exchange(apdu)
        self._after()
        return answer

    def reset(self) -> bytes:
        self._before()
        return self._card.reset()


class WorkerOwner(Protocol):
    """Receives what happens at the reader, on the worker's thread; must return quickly."""

    def opened(self, worker: ReaderWorker, reader: Reader) -> None: ...
    def failed(self, worker: ReaderWorker, sentence: str) -> None:
        """The reader does not open."""
        ...

    def seen(self, worker: ReaderWorker, card: InsertedCard | None) -> None: ...
    def busy(self, worker: ReaderWorker, busy: bool) -> None: ...
    def returned(self, worker: ReaderWorker) -> None:
        """An abandoned worker returned from its call: the driver answers again."""
        ...


@dataclass(slots=True)
class _Work:
    job: Callable[[ReaderSession], Any]
    future: Future[Any]
    deadline: float


class ReaderWorker:
    """One reader and its thread. ``open_reader`` is called on that thread. ``watched``: somebody else reports inserted
    and removed cards; otherwise the reader does, or is polled while idle."""

    def __init__(
        self,
        name: str,
        open_reader: Callable[[], Reader],
        host: WorkerOwner,
        *,
        watched: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_reader, self._host = open_reader, host
        self._look_needed = not watched
        self._clock = clock
        self._inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ended = False
        self._given_up = False
        self._slow = False
        self._answered: float | None = None
        self._beaten = clock()
        self._now: _Work | None = None
        self._session: ReaderSession | None = None
        self._lying: bool | None = None
        self.due: float | None = None
        """When the job in hand must have ended, or shown a sign of life, by ``clock``."""
        self._thread = threading.Thread(target=self._run, name=f"reader {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Callable[[ReaderSession], T], deadline: float = DEADLINE) -> Future[T]:
        """Run ``job`` on this thread after earlier jobs. Its future fails with ReaderOut when the reader does not open,
        hangs, or is closed."""
        work = _Work(job, Future(), deadline)
        with self._lock:
            if self._ended:
                work.future.set_exception(_out("the reader was closed", "closed"))
            else:
                self._inbox.put(work)
        return work.future

    def _beat(self, deadline: float | None = DEADLINE) -> None:
        self._slow = False
        self._beaten = now = self._clock()
        self.due = None if deadline is None or self._ended else now + deadline

    def late(self, now: float) -> bool:
        """Whether the current job has passed its deadline."""
        due = self.due
        return due is not None and due < now

    def stuck(self, now: float) -> bool:
        """Whether the current job has shown no sign of life, and its card no answer, for longer than any call to a
        working driver takes. A job without a limit waits for a person and is not stuck."""
        last = self._beaten if self._answered is None else max(self._beaten, self._answered)
        return self._now is not None and self.due is not None and now - last > ONE_CALL

    def refuse_slow_card(self, now: float) -> bool:
        """End a late job whose card answered just now: the card is slow, not the driver. Its next exchange raises
        CardTooSlow; False where the driver is to blame, also for one that does not return from this exchange."""
        with self._lock:
            if self._now is None or self._slow or self._answered is None or now - self._answered > ONE_CALL:
                return False
            self._slow, self.due = True, now + ONE_CALL
            return True

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def _before_exchange(self) -> None:
        if self._given_up:
            raise ReaderFault("this job at the reader was given up")
        if self._slow:
            raise CardTooSlow(SLOW)

    def _after_exchange(self) -> None:
        self._answered = self._clock()

    def abandon(self, sentence: str) -> None:
        """Give up the thread: the current and the waiting jobs fail, and the current one ends with its next exchange.
        Once it returns, it closes its reader."""
        with self._lock:
            self._ended, self._given_up, self.due = True, True, None
            now, self._now = self._now, None  # who takes the job from the worker ends it
            waiting = [now] if now is not None else []
            with contextlib.suppress(queue.Empty):
                while work := self._inbox.get_nowait():
                    waiting.append(work)
            self._inbox.put(None)
        for work in waiting:
            _fail(work.future, _out(sentence, "hung"))

    def stop(self) -> None:
        """End after the current job; waiting jobs fail."""
        with self._lock:
            self._ended = True
            self._inbox.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for the end and say whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        work: _Work | None = None
        while not self._ended:
            self._open()
            try:
                work = self._inbox.get(timeout=self._pause())
            except queue.Empty:
                self._look()
                continue
            if work is not None:
                self._do(work)
        self._close()

    def _pause(self) -> float | None:
        if self._session is None:
            return _RETRY
        return _LOOK if self._look_needed else None

    def _open(self) -> None:
        if self._session is not None:
            return
        try:
            self._beat()
            reader = self._open_reader()
            self._session = ReaderSession(reader, self._beat, self._before_exchange, self._after_exchange)
            self._host.opened(self, reader)
            if self._look_needed and isinstance(reader, WatchableReader):
                self._look_needed = False
                reader.watch(lambda card: self._host.seen(self, card))
        except Exception as fault:  # whatever a driver raises, this thread is the only one that the reader has
            self._host.failed(self, self._sentence(fault))
        finally:
            self.due = None

    def _look(self) -> None:
        """Poll a reader that does not report cards; a fault now is reported at a later poll."""
        if self._session is None or not self._look_needed:
            return
        try:
            self._beat()
            lying = self._session.wait_for_card(0)
        except Exception as fault:
            self._host.failed(self, self._sentence(fault))
            self._lying = None
            return
        finally:
            self.due = None
        if lying is not self._lying:
            if self._lying is None:
                self._host.opened(self, self._session)
            self._lying = lying
            self._host.seen(self, InsertedCard() if lying else None)

    def _sentence(self, fault: Exception) -> str:
        """The sentence about a fault. The text of an unexpected one may hold anything and goes to the log only."""
        if isinstance(fault, MembercardError | OSError):
            return str(fault)
        _log.error("%s failed", self._thread.name, exc_info=fault)
        return "something went wrong at this reader; the log says what"

    def _do(self, work: _Work) -> None:
        if self._session is None:
            self._open()
        if self._session is None:
            _fail(work.future, _out("the reader does not open", "lost"))
            return
        if not work.future.set_running_or_notify_cancel():
            return
        with self._lock:
            ended = self._ended
            self._now = None if ended else work
        if ended:
            _fail(work.future, _out("the reader was closed", "closed"))
            return
        self._host.busy(self, True)
        self._answered = None
        self._beat(work.deadline)
        result, fault = None, None
        try:
            result = work.job(self._session)
        except BaseException as raised:  # passed on to the caller of the job, whatever it is
            fault = raised
        with self._lock:
            mine, self._now, self.due, self._slow = self._now is work, None, None, False
        self._host.busy(self, False)
        if not mine:  # its caller has the sentence about a hung reader already
            if fault is not None:
                _log.warning(
                    "%s: work that was given up as hung ended with %s", self._thread.name, type(fault).__name__
                )
            return
        if fault is not None:
            work.future.set_exception(fault)
        else:
            work.future.set_result(result)

    def _close(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                if work := self._inbox.get_nowait():
                    _fail(work.future, _out("the reader was closed", "closed"))
        try:
            if self._session is not None:
                with contextlib.suppress(MembercardError, OSError):  # a reader that is gone is closed already
                    self._session.close()
        finally:
            self._host.returned(self)


def _fail(future: Future[Any], fault: BaseException) -> None:
    if not future.done():
        future.set_exception(fault)


def _out(sentence: str, code: str) -> ReaderOut:
    return ReaderOut(sentence, code=code)
