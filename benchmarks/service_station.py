"""The service under measurement: a process of its own that serves for real, and does on word what a benchmark needs
done inside: cards put into slots at a known instant, events published, the same work without HTTP.

Instants are those of CLOCK_MONOTONIC, which all processes of a machine share.
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

from benchmarks.chips_apart import open_apart
from membercard import settings
from membercard.wiring.service import station_parts
from reader_service.app import create_app
from reader_service.readers.manager import ReaderManager
from reader_service.service import ReaderService
from reader_service.serving import Listen, serve
from terminal.apdu import Disposition, Reader, open_reader, stack
from terminal.member.verdict import verify

EMPTY: Final = "--empty"
"""Serve an empty FastAPI application instead, with the same server."""


class Served:
    """The process, seen from outside."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.service_station", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.url: str = self._answer()

    def ask(self, word: str, *rest: object) -> Any:
        """Have something done inside; its answer."""
        stdin = self._process.stdin
        assert stdin is not None
        print(json.dumps([word, *rest]), file=stdin, flush=True)
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
        """Bytes of memory in use."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Processor seconds so far."""
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


class Inside:
    """What is done on word, in the service's own process."""

    def __init__(self, service: ReaderService) -> None:
        self._service = service
        self._hub: ReaderManager = service.readers
        self._readers: dict[str, Reader] = {}
        self.words: dict[str, Callable[..., object]] = {
            "insert": self.insert,
            "eject": self.eject,
            "publish": self.publish,
            "verify": self.verify,
            "verified": self.verified,
        }

    def insert(self, reader_id: str, card: str) -> tuple[float, float]:
        """When the card was put in: CLOCK_MONOTONIC and, for browsers, CLOCK_REALTIME."""
        began = time.monotonic(), time.time()
        self._hub.drawer(reader_id).insert(Path(card))
        return began

    def eject(self, reader_id: str) -> None:
        self._hub.drawer(reader_id).eject()

    def publish(self, seconds: float, rate: float, reader_id: str) -> int:
        """Events at a steady rate for so long, like those that lanes tell; how many."""
        count = round(seconds * rate)
        data = self._hub.view(reader_id).to_json()
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            self._service.bus.publish("reader.state", reader_id, {**data, "count": number})
        return count

    def verify(self, url: str) -> tuple[str, float]:
        """The verdict over the card behind ``url`` and the seconds that it took, with nothing of the service."""
        reader = self._readers.get(url)
        if reader is None:
            reader = self._readers[url] = open_reader(url)
        lists = self._service.parts.lists()
        began = time.perf_counter()
        card = reader.connect()
        verdict = verify(
            stack(card), trust=lists.trust, hotlist=lists.hotlist, at=self._service.parts.clock().astimezone()
        )
        card.close()
        reader.release(Disposition.KEEP)
        return verdict.code.value, time.perf_counter() - began

    def verified(self, batch: str) -> int:
        """Cards of a batch that are proven."""
        return self._service.registry.batches.accounts(batch).verified

    def listen(self) -> None:
        for line in sys.stdin:
            word, *rest = json.loads(line)
            _tell(self.words[word](*rest))


def _tell(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def _empty() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/api/v1/session")
    async def nothing() -> dict[str, str]:
        return {}

    serve(app, Listen(port=0), stop=lambda: None, ready=_tell)


def _serve(config: str, urls: Sequence[str], counters: Sequence[str]) -> None:
    settings.activate(Path(config))
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        named = {url: url.rpartition("/")[2] for url in counters}
        parts = station_parts(registry, keystore, readers=urls, counters=named, pcsc=False)
        parts = replace(parts, open_reader=open_apart)
        listen = Listen(port=0)
        service = ReaderService(parts, listen.door())
        service.start()
        try:
            threading.Thread(target=Inside(service).listen, daemon=True).start()
            serve(create_app(service), listen, stop=service.close, ready=_tell)
        finally:
            service.close()


def main(arguments: Sequence[str]) -> None:
    if arguments[0] == EMPTY:
        _empty()
        return
    config, *urls = arguments
    counters = [url.removeprefix("counter=") for url in urls if url.startswith("counter=")]
    _serve(config, [url for url in urls if not url.startswith("counter=")], counters)


if __name__ == "__main__":
    main(sys.argv[1:])
