"""Deadlines for calls that block in C, without a thread switch for each call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

_LATE: Final = 1.0
"""Seconds by which a busy machine may wake the thread late."""


class Watchdog:
    """Calls ``interrupt`` once a guarded call has taken ``limit`` seconds.

    The caller sets ``due`` (time.monotonic) before its call and None after it: two attribute writes, no lock. The
    thread sleeps until ``due``; where it is None it sleeps ``limit`` seconds, since no call can fall due before that.
    A sleep that takes much longer was a pause of the machine or of the process: the call gets that time again.
    ``fired`` stays True after an interruption. ``close`` ends the thread. ``ticks`` is the clock of ``due``.
    """

    def __init__(
        self, limit: float, interrupt: Callable[[], None], *, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self._ticks = ticks
        self.due: float | None = None
        self.fired = False
        self._interrupt = interrupt
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="card deadline", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        pause, begun = self.limit, self._ticks()
        while not self._closed.wait(pause):
            now, due = self._ticks(), self.due
            late = now - begun - pause
            if due is not None and late > _LATE:
                due += late
            if due is not None and now >= due:
                self.fired = True
                self._interrupt()
                return
            pause, begun = self.limit if due is None else due - now, now


def on_own_thread(function: Callable[..., Any], limit: float, late: Any) -> Callable[..., Any]:
    """``function``, run on a new thread for each call; a call that takes ``limit`` seconds is abandoned for ``late``.

    Costs about 60 microseconds a call; for systems on which a call cannot be interrupted.
    """

    def guarded(*arguments: Any) -> Any:
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(function(*arguments)), daemon=True)
        thread.start()
        thread.join(limit)
        return results[0] if results else late

    return guarded
