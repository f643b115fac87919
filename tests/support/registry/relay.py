"""A relay in front of a database socket that can go silent: no refusal and no response, like a network that drops
everything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".s.PGSQL.5432"


class Relay:
    """Relays its own socket in ``folder`` to that of the server in ``behind``."""

    def __init__(self, folder: Path, behind: Path) -> None:
        self._behind = str(behind / NAME)
        self._talking = threading.Event()
        self._talking.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / NAME))
        self._listener.listen(64)
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Pass nothing through meanwhile."""
        self._talking.clear()
        try:
            yield
        finally:
            self._talking.set()

    def close(self) -> None:
        self._talking.set()
        for line in (self._listener, *self._lines):
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._behind)
            except OSError:
                return
            self._lines += [here, there]
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while piece := one.recv(65536):
                self._talking.wait()
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return
