"""Preparation of dossiers in the background, one at a time per batch, with its progress as events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from personalize.reasons import NOTHING, Reason, RejectCode, reason_for
from reader_service.errors import Conflict, Unavailable
from reader_service.events import EventBus
from reader_service.parts import LineParts
from terminal.errors import MembercardError

_AT_ONCE: Final = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preparation:
    """A preparation of dossiers in the background. ``made`` of ``total`` dossiers are stored, also after a fault.
    ``fault`` is a sentence, ``code`` and ``params`` (personalize.reasons) give the same for a sentence in another
    language."""

    batch_id: str
    state: Literal["running", "done", "failed"]
    made: int
    total: int
    by: str
    begun_at: datetime
    ended_at: datetime | None = None
    fault: str = ""
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        ended = None if self.ended_at is None else self.ended_at.isoformat()
        return asdict(self) | {"begun_at": self.begun_at.isoformat(), "ended_at": ended}


class _Stopping(Exception):
    """The service ends; stored dossiers stay, the rest is prepared another time."""


class Preparations:
    """Runs two preparations at a time, each in a thread; further ones wait. ``batch.changed`` reports each step."""

    def __init__(self, line: LineParts, bus: EventBus, clock: Callable[[], datetime]) -> None:
        self._line = line
        self._bus = bus
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Preparation] = {}
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="prepare")
        self._stopping = False

    def of(self, batch_id: str) -> Preparation | None:
        with self._lock:
            return self._known.get(batch_id)

    def refuse_second(self, batch_id: str) -> None:
        """Raises Conflict while this batch is being prepared."""
        running = self.of(batch_id)
        if running is not None and running.state == "running":
            raise _running(running)

    def begin(self, batch_id: str, total: int, by: str) -> Preparation:
        """Raises Conflict while this batch is being prepared, Unavailable once the service ends."""
        started = Preparation(batch_id, "running", 0, total, by, self._clock())
        with self._lock:
            running = self._known.get(batch_id)
            if running is not None and running.state == "running":
                raise _running(running)
            if self._stopping:
                raise Unavailable("the service is ending; prepare the batch when it is back")
            self._known[batch_id] = started
            self._publish(started)
            self._workers.submit(self._run, batch_id, by)
        return started

    def close(self) -> None:
        """Stop after the dossiers in progress, and wait."""
        with self._lock:
            self._stopping = True
        self._workers.shutdown(wait=True)

    def _run(self, batch_id: str, by: str) -> None:
        try:
            self._tick(batch_id, 0)
            self._line.prepare(batch_id, lambda made: self._tick(batch_id, made), by=by)
        except _Stopping:
            sentence = "the service ended before all dossiers were made; prepare the batch again"
            self._end(batch_id, "failed", Reason(sentence, RejectCode.SERVICE_ENDED))
        except MembercardError as e:
            _log.warning("preparing batch %s failed: %s", batch_id, e)
            self._end(batch_id, "failed", reason_for(e))
        except Exception:
            _log.exception("preparing batch %s failed", batch_id)
            self._end(batch_id, "failed", Reason("something went wrong here; the log says what", RejectCode.INTERNAL))
        else:
            self._end(batch_id, "done", NOTHING)

    def _tick(self, batch_id: str, made: int) -> None:
        with self._lock:
            if self._stopping:
                raise _Stopping
            now = self._known[batch_id]
            self._known[batch_id] = now = replace(now, made=now.made + made, total=max(now.total, now.made + made))
            if made:
                self._publish(now)

    def _end(self, batch_id: str, state: Literal["done", "failed"], reason: Reason) -> None:
        with self._lock:
            ended = replace(self._known[batch_id], state=state, ended_at=self._clock(), fault=reason.sentence)
            ended = replace(ended, code=reason.code, params=reason.params)
            self._known[batch_id] = ended
            self._publish(ended)

    def _publish(self, preparation: Preparation) -> None:
        self._bus.publish("batch.changed", preparation.batch_id, {"preparation": preparation.to_json()})


def _running(preparation: Preparation) -> Conflict:
    sentence = f"batch {preparation.batch_id} is being prepared already, for {preparation.by}"
    return Conflict(sentence, reason="running", batch=preparation.batch_id, by=preparation.by)
