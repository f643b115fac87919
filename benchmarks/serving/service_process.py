"""The service under measurement: a process that serves HTTP and executes the commands of a benchmark: insert cards into
slots at a known time, publish events, do the same work without HTTP.

Times are those of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from benchmarks.serving.chip_processes import open_remote
from membercard import settings
from membercard.wiring.service import station_parts
from reader_service import process
from reader_service.app import create_app
from reader_service.listen import Listen
from reader_service.readers.manager import ReaderManager
from reader_service.service import ReaderService
from reader_service.serving import serve
from terminal.apdu import Disposition, Reader, open_reader, stack
from terminal.member.verdict import verify

EMPTY: Final = "--empty"
"""Serve an empty FastAPI application instead, with the same server."""


class Served:
    """The process, as the benchmark sees it."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.service_process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.url: str = self._answer()

    def call(self, command: str, *rest: object) -> Any:
        """Execute a command in the process; returns its answer."""
        stdin = self._process.stdin
        assert stdin is not None
        print(json.dumps([command, *rest]), file=stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        return json.loads(stdout.readline())

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def resident(self) -> int:
        """Resident memory in bytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Processor time used, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=60)


@contextmanager
def served(*arguments: str) -> Iterator[Served]:
    running = Served(*arguments)
    try:
        yield running
    finally:
        running.close()


class ServiceCommands:
    """The commands of a benchmark, executed in the service's process."""

    def __init__(self, service: ReaderService) -> None:
        self._service = service
        self._manager: ReaderManager = service.readers
        self._readers: dict[str, Reader] = {}
        self.commands: dict[str, Callable[..., object]] = {
            "insert": self.insert,
            "eject": self.eject,
            "publish": self.publish,
            "verify": self.verify,
            "verified": self.verified,
        }

    def insert(self, reader_id: str, card: str) -> tuple[float, float]:
        """Insert a card; returns the time: CLOCK_MONOTONIC and, for browsers, CLOCK_REALTIME."""
        began = time.monotonic(), time.time()
        self._manager.slot(reader_id).insert(Path(card))
        return began

    def eject(self, reader_id: str) -> None:
        self._manager.slot(reader_id).eject()

    def publish(self, seconds: float, rate: float, reader_id: str) -> int:
        """Publish events like those of lanes, at a steady rate for ``seconds``; returns their number."""
        count = round(seconds * rate)
        data = self._manager.view(reader_id).to_json()
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            self._service.bus.publish("reader.state", reader_id, {**data, "count": number})
        return count

    def verify(self, url: str) -> tuple[str, float]:
        """The verdict on the card of ``url`` and the seconds that it took, without the service."""
        reader = self._readers.get(url)
        if reader is None:
            reader = self._readers[url] = open_reader(url)
        lists = self._service.parts.lists()
        began = time.perf_counter()
        card = reader.connect()
        verdict = verify(stack(card), trust=lists.trust, hotlist=lists.hotlist, at=self._service.parts.now())
        card.close()
        reader.release(Disposition.KEEP)
        return verdict.code.value, time.perf_counter() - began

    def verified(self, batch: str) -> int:
        """Number of verified cards of a batch."""
        return self._service.registry.batches.accounts(batch).verified

    def listen(self) -> None:
        for line in sys.stdin:
            command, *rest = json.loads(line)
            _write_answer(self.commands[command](*rest))


def _write_answer(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def _empty() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/api/v1/session")
    async def nothing() -> dict[str, str]:
        return {}

    serve(app, Listen(port=0), stop=lambda: None, ready=_write_answer)


def _serve(config: str, urls: Sequence[str], counters: Sequence[str]) -> None:
    settings.activate(Path(config))
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        named = {url: url.rpartition("/")[2] for url in counters}
        parts = station_parts(registry, keystore, readers=urls, counters=named, pcsc=False)
        parts = replace(parts, open_reader=open_remote)
        listen = Listen(port=0)
        service = ReaderService(parts, listen.access_settings())
        service.start()
        try:
            threading.Thread(target=ServiceCommands(service).listen, daemon=True).start()
            serve(create_app(service), listen, stop=service.close, ready=_write_answer)
        finally:
            service.close()


def main(arguments: Sequence[str]) -> None:
    if arguments[0] == EMPTY:
        _empty()
        return
    process.raise_limit()  # as `membercard serve` does
    process.bound_memory()
    config, *urls = arguments
    counters = [url.removeprefix("counter=") for url in urls if url.startswith("counter=")]
    _serve(config, [url for url in urls if not url.startswith("counter=")], counters)


if __name__ == "__main__":
    main(sys.argv[1:])
