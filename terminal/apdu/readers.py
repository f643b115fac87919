"""Reader URLs: ``SCHEME:REST``, where each scheme names a transport of some installed package."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from terminal.apdu.pcsc.events import ReaderEvent, ReaderInfo
from terminal.apdu.protocols import Reader
from terminal.apdu.schemes import open_url

GROUP = "terminal.transports"


def open_reader(url: str) -> Reader:
    """The reader that ``url`` names: ``pcsc:NAME``, ``pcsc:0``, ``sim:FILE``, or any scheme of the entry-point group
    ``terminal.transports`` (a factory ``open_reader(rest) -> Reader``).

    Raises ReaderNotFound, and what the factory raises.
    """
    reader: Reader = open_url(GROUP, url)
    return reader


def list_readers() -> list[ReaderInfo]:
    """The PC/SC readers plugged in now. Raises ReaderFault, which says how to start a service that is not running."""
    # Imported here, so that a machine with virtual readers only needs no PC/SC library.
    from terminal.apdu.pcsc import transport

    return transport.list_readers()


def watch_readers(stop: threading.Event) -> Iterator[ReaderEvent]:
    """Events of the PC/SC readers until ``stop`` is set; see :func:`terminal.apdu.pcsc.transport.watch_readers`."""
    from terminal.apdu.pcsc import transport

    return transport.watch_readers(stop)
