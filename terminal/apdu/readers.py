"""Reader URLs: ``SCHEME:REST``, where each scheme is a transport that some installed package brings."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from terminal.apdu.seams import Reader
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
    factory: Callable[[str], Reader] = found[scheme].load()
    return factory(rest)
