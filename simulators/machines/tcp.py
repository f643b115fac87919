"""A simulated machine at a TCP port, as a printer in a network is: one host at a time."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from simulators.machines.device import SimulatedDevice

_SLICE: Final = 0.02
"""Seconds between looks at the machine: persons act from other threads."""
_CHUNK: Final = 1 << 16


class TcpPort:
    """Serves a machine at ``host:port`` (port 0: any) by a thread. ``report`` gets one line for each event that an
    operator should know. Raises OSError for an address that cannot be used."""

    def __init__(
        self,
        device: SimulatedDevice,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._device, self._report = device, report
        self._listener = socket.create_server((host, port))
        self.host, self.port = self._listener.getsockname()[:2]
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"machine at port {self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            ready, _, _ = select.select([self._listener], [], [], _SLICE)
            self._device.tick()  # what comes out with no host there is lost
            if ready:
                link, address = self._listener.accept()
                self._report(f"a host at {address[0]} is connected")
                with link, contextlib.suppress(OSError):
                    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._serve(link)
                self._report("the host has disconnected")

    def _serve(self, link: socket.socket) -> None:
        while not self._closing:
            ready, _, _ = select.select([link], [], [], self._patience())
            if ready:
                data = link.recv(_CHUNK)
                if not data:
                    return
                self._device.receive(data)
            out = self._device.tick()
            if out:
                link.sendall(out)

    def _patience(self) -> float:
        due = self._device.due
        return _SLICE if due is None else max(0.0, min(_SLICE, due - time.monotonic()))
