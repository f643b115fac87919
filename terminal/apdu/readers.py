"""Reader URLs: ``SCHEME:REST``, where each scheme is a transport that some installed package brings."""

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
    found = {point.name: point for point in entry_points(group=GROUP)}
    if not colon or scheme not in found:
        known = ", ".join(f"{name}:" for name in sorted(found))
        raise ReaderNotFound(f"{url!r} is not a reader URL: it must start with one of {known}")
    try:
        factory: Callable[[str], Reader] = found[scheme].load()
    except ImportError as error:
        raise ReaderNotFound(f"the transport {scheme}: does not load on this machine: {error}") from error
    return factory(rest)


def list_readers() -> list[ReaderInfo]:
    """The PC/SC readers plugged in now. Raises ReaderFault when the service is not running, with what to do."""
    # Imported late: whoever works with virtual readers only needs no PC/SC library on the machine.
    from terminal.apdu.pcsc import transport as pcsc

    return pcsc.list_readers()


def watch_readers(stop: threading.Event) -> Iterator[ReaderEvent]:
    """What happens at the PC/SC readers until ``stop`` is set; see :func:`terminal.apdu.pcsc.watch_readers`."""
    from terminal.apdu.pcsc import transport as pcsc

    return pcsc.watch_readers(stop)
