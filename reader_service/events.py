"""Events of the service for any number of listeners: numbered, resumable and never blocking the publisher.

Events are stored once in a ring. A listener is a position in that ring, so a thousand listeners cost no copies, and one
that falls too far behind is dropped. Published from any thread; read on one event loop.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from terminal.visible import visible

RING_SIZE: Final = 10_000
"""Events that a listener may resume over."""
BEHIND: Final = 2_000
"""Events that a listener may be behind before it is dropped, once it has caught up."""
AT_ONCE: Final = 500
"""Most events in one message: many clients accept no message of a megabyte."""
_DIGITS: Final = 18
"""Most digits of an event's number in an id."""
GAP: Final = "gap"
"""The first event of a listener whose last event has left the ring: it has to read the state again."""


class SlowConsumer(Exception):
    """The listener fell too far behind and was dropped; it may resume after its last event."""


@dataclass(frozen=True)
class Event:
    """One event. ``topic`` is its subject: a reader id, a batch. ``data`` is JSON without personal data in clear."""

    number: int
    epoch: str
    at: datetime
    kind: str
    topic: str
    data: Mapping[str, object]

    @property
    def id(self) -> str:
        """``EPOCH-NUMBER``. The epoch identifies the running service, so that numbers of an earlier one are
        not valid."""
        return f"{self.epoch}-{self.number}"

    @cached_property
    def json(self) -> str:
        """The event as listeners receive it, on one line; encoded once for all of them."""
        fields = {"id": self.id, "at": self.at.isoformat(), "kind": self.kind, "topic": self.topic, "data": self.data}
        return visible(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))


class EventBus:
    """The events of one running service."""

    def __init__(
        self,
        *,
        size: int = RING_SIZE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        epoch: str | None = None,
    ) -> None:
        self.epoch = epoch or secrets.token_hex(4)
        self._clock = clock
        self._ring: deque[Event] = deque(maxlen=size)
        self._last = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._woken = False
        self._closed = False

    def publish(self, kind: str, topic: str, data: Mapping[str, object]) -> Event:
        """Publish an event. Never blocks; from any thread."""
        with self._lock:
            self._last += 1
            event = Event(self._last, self.epoch, self._clock(), kind, topic, dict(data))
            self._ring.append(event)
            self._call_loop()
        return event

    def last_id(self) -> str:
        """The id to resume after for a client that has just read the state."""
        with self._lock:
            return f"{self.epoch}-{self._last}"

    def close(self) -> None:
        """End all listeners."""
        with self._lock:
            self._closed = True
            self._call_loop()

    def subscribe(
        self, after: str | None = None, *, kinds: Callable[[str], bool] = lambda kind: True, behind: int = BEHIND
    ) -> AsyncIterator[list[Event]]:
        """Events in order, up to 500 at a time, from now on or after the event with the id ``after``.

        ``kinds`` selects them. The iteration raises SlowConsumer for a listener that falls ``behind``, or that resumes
        and is overtaken by the ring; it ends when the bus is closed.
        """
        with self._lock:
            at, gap = self._place(after)
        return self._batches(at, gap, kinds, behind, catching_up=after is not None)

    def _place(self, after: str | None) -> tuple[int, bool]:
        """The number to resume after, and whether events in between are lost."""
        if after is None:
            return self._last, False
        epoch, _, number = after.partition("-")
        oldest = self._ring[0].number if self._ring else self._last + 1
        counted = number.isdecimal() and len(number) <= _DIGITS
        known = epoch == self.epoch and counted and int(number) <= self._last
        if known and int(number) >= oldest - 1:
            return int(number), False
        return self._last, True

    async def _batches(
        self, at: int, gap: bool, kinds: Callable[[str], bool], behind: int, *, catching_up: bool
    ) -> AsyncIterator[list[Event]]:
        if gap:
            yield [Event(at, self.epoch, self._clock(), GAP, "", {})]
        while True:
            with self._lock:
                fresh = self._last - at
                catching_up = catching_up and fresh > behind
                if fresh > len(self._ring) or (fresh > behind and not catching_up):
                    raise SlowConsumer(f"{fresh} events behind")
                # From the end of the ring, where its newest are at hand.
                events = [self._ring[place] for place in range(-fresh, min(0, AT_ONCE - fresh))]
                waiter = None if events or self._closed else self._wait()
            if waiter is not None:
                await waiter
                continue
            if not events:
                return
            at = events[-1].number
            if wanted := [event for event in events if kinds(event.kind)]:
                yield wanted

    def _wait(self) -> asyncio.Future[None]:
        self._loop = asyncio.get_running_loop()
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        return waiter

    def _call_loop(self) -> None:
        """Have the loop wake the listeners; once is enough until it does."""
        if self._waiting and not self._woken and self._loop is not None and not self._loop.is_closed():
            self._woken = True
            with suppress(RuntimeError):  # closed just now: nobody listens any more
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting, self._woken = self._waiting, [], False
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
