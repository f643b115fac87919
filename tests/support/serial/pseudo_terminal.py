"""A scripted card at the far end of a pseudo-terminal, on a thread of its own.

A pseudo-terminal has no RTS: the card gives its answer to reset whenever the port is opened.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import time
from types import TracebackType

from tests.support.serial.line import LineCard

_POLL = 0.002
_FIRST = 0.02
"""Seconds from opening to the answer to reset, by which time the port is set up."""


class PtyCard:
    """A card behind the port ``device``; ``pull`` takes it out, ``unplug`` the whole reader."""

    def __init__(self, card: LineCard | None) -> None:
        self.card = card
        self._master, slave = pty.openpty()
        self.device = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        self.card = None

    def unplug(self) -> None:
        self._ended.set()
        self._thread.join()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _run(self) -> None:
        watch = select.poll()
        watch.register(self._master, select.POLLIN)
        closed = True
        while not self._ended.is_set():
            events = watch.poll(_POLL * 1000)
            if any(event & select.POLLHUP for _, event in events):
                closed = True
                time.sleep(_POLL)
                continue
            if closed:
                closed = False
                time.sleep(_FIRST)
                self._answer(self.card.reset() if self.card else b"")
            with contextlib.suppress(BlockingIOError, OSError):
                data = os.read(self._master, 4096) if events else b""
                for value in data:
                    self._answer(self.card.receive(value, False) if self.card else b"")
                if not data and self.card:
                    self._answer(self.card.quiet())

    def _answer(self, data: bytes) -> None:
        # The port may have been closed in between.
        with contextlib.suppress(OSError):
            if data:
                os.write(self._master, data)

    def __enter__(self) -> PtyCard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()
