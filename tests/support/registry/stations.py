"""Stations as processes: each takes dossiers of a batch until nothing is left, or until it is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from registry.store import Registry
from registry.values import Claim, JournalEntry, JournalEvent
from tests.support.registry.registrar import LEASE, chip, custodian
from tests.support.waiting import PATIENCE

_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__, "sqlalchemy.dialects.sqlite.pysqlite", "psycopg"])


def _work(url: str, batch: str, start: int, line: Connection) -> None:
    """Cards of chips from number ``start`` on."""
    taken: list[int] = []
    with Registry.open(url, custodian()) as registry:
        line.send("ready")
        line.recv()
        while True:
            claim = registry.line.claim(batch, "lane", f"station {start}", chip(start + len(taken)), LEASE)
            if not isinstance(claim, Claim):
                break
            registry.line.journal(claim, JournalEntry("store data", JournalEvent.DONE, block=0))
            registry.line.verified(claim, {}, 1.0)
            taken.append(claim.dossier_id)
            if len(taken) == 1:
                line.send("one")
                line.recv()  # until the other has one as well
            time.sleep(0.005)  # SQLite's writers do not queue: one that never rests keeps the others out
    line.send(taken)


class Station:
    """Says "ready", "one" after its first card, and in the end the dossiers it took; it waits after the first two."""

    def __init__(self, url: str, batch: str, start: int) -> None:
        self._line, other = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_work, args=(url, batch, start, other), daemon=True)
        self._process.start()
        other.close()

    def heard(self) -> Any:
        """What it says next."""
        assert self._line.poll(PATIENCE)
        return self._line.recv()

    def go_on(self, times: int = 1) -> None:
        for _ in range(times):
            self._line.send("go")

    def ended(self) -> bool:
        """Wait for its end; whether it ended well."""
        self._process.join(PATIENCE)
        return self._process.exitcode == 0

    def kill(self) -> None:
        """As SIGKILL does."""
        self._process.kill()
        self._process.join(PATIENCE)
        self._process.close()
        self._line.close()


@contextmanager
def stations(url: str, batch: str, *starts: int) -> Iterator[list[Station]]:
    """Stations that are gone at the end."""
    begun = [Station(url, batch, start) for start in starts]
    try:
        yield begun
    finally:
        for station in begun:
            station.kill()
