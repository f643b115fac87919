"""Reader URLs: ``SCHEME:REST``, where each scheme names a transport of some installed package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points

from terminal.apdu.pcsc.events import ReaderEvent, ReaderInfo
from terminal.apdu.protocols import Reader
from terminal.errors import ReaderNotFound

GROUP = "terminal.transports"


def open_reader(url: str) -> Reader:
    """The reader that ``url`` names: ``pcsc:NAME``, ``pcsc:0``, ``sim:FILE``, or any scheme of the entry-point group
    ``terminal.transports`` (a factory ``open_reader(rest) -> Reader``).

    Raises ReaderNotFound, and what the factory raises.
    """
    scheme, colon, rest = url.partition(":")
    transports = {point.name: point for point in entry_points(group=GROUP)}
    if not colon or scheme not in transports:
        known = ", ".join(f"{name}:" for name in sorted(transports))
        raise ReaderNotFound(f"{url!r} is not a reader URL: it must start with one of {known}")
    try:
        factory: Callable[[str], Reader] = transports[scheme].load()
    except ImportError as error:
        raise ReaderNotFound(f"the transport {scheme}: does not load on this machine: {error}") from error
    return factory(rest)


def list_readers() -> list[ReaderInfo]:
    """The PC/SC readers plugged in now. Raises ReaderFault, which says how to start a service that is not running."""
    # Imported here, so that a machine with virtual readers only needs no PC/SC library.
    from terminal.apdu.pcsc import transport

    return transport.list_readers()


def watch_readers(stop: threading.Event) -> Iterator[ReaderEvent]:
    """Events of the PC/SC readers until ``stop`` is set; see :func:`terminal.apdu.pcsc.transport.watch_readers`."""
    from terminal.apdu.pcsc import transport

    return transport.watch_readers(stop)
