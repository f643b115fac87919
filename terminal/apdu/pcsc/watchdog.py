"""Deadlines for calls that block in C, without a thread switch for each call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Watchdog:
    """Calls ``interrupt`` once a guarded call has taken ``limit`` seconds.

    The caller sets ``due`` (time.monotonic) before its call and None after it: two attribute writes, no lock. The
    thread sleeps until ``due``; where it is None it sleeps ``limit`` seconds, since no call can fall due before that.
    ``fired`` stays True after an interruption. ``close`` ends the thread.
    """

    def __init__(self, limit: float, interrupt: Callable[[], None]) -> None:
        self.limit = limit
        self.due: float | None = None
        self.fired = False
        self._interrupt = interrupt
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="card deadline", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        pause = self.limit
        while not self._closed.wait(pause):
            now, due = time.monotonic(), self.due
            if due is not None and now >= due:
                self.fired = True
                self._interrupt()
                return
            pause = self.limit if due is None else due - now


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
