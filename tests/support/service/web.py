"""An application behind the real web server, on a free port of this machine, in a thread of this process."""

from __future__ import annotations

import queue
import threading
from types import TracebackType

import httpx
from fastapi import FastAPI

from reader_service.listen import Listen
from reader_service.serving import Server, config_of
from tests.support.waiting import PATIENCE


class Web:
    """Running within ``with``. ``stopped`` is set when the server asked the service to end."""

    def __init__(self, app: FastAPI, listen: Listen | None = None) -> None:
        self._ready: queue.Queue[str] = queue.Queue()
        self.stopped = threading.Event()
        listen = listen or Listen(port=0)
        self._listener = listen.open()
        self.server = Server(config_of(app, listen), self.stopped.set, self._ready.put)
        self._thread = threading.Thread(target=self.server.run, args=([self._listener],), daemon=True)
        self.address = ""

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def __enter__(self) -> Web:
        self._thread.start()
        self.address = self._ready.get(timeout=PATIENCE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """As SIGTERM does."""
        self.server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.address + path, headers=headers, timeout=PATIENCE)
