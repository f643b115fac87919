"""Machine URLs: ``SCHEME:REST``, where each scheme names a driver of some installed package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from personalize.machines.protocols import CardMachine
from terminal.errors import ReaderNotFound

GROUP = "personalize.machines"


def schemes() -> list[str]:
    """The schemes of machine URLs that drivers of this installation have."""
    return sorted(point.name for point in entry_points(group=GROUP))


def open_machine(url: str) -> CardMachine:
    """The machine that ``url`` names, as ``crt571:/dev/ttyUSB0``: any scheme of the entry-point group
    ``personalize.machines`` (a factory ``open_machine(rest) -> CardMachine``).

    Raises ReaderNotFound, and what the factory raises.
    """
    scheme, colon, rest = url.partition(":")
    drivers = {point.name: point for point in entry_points(group=GROUP)}
    if not colon or scheme not in drivers:
        known = ", ".join(f"{name}:" for name in sorted(drivers))
        raise ReaderNotFound(f"{url!r} is not a machine URL: it must start with one of {known}")
    try:
        factory: Callable[[str], CardMachine] = drivers[scheme].load()
    except ImportError as error:
        raise ReaderNotFound(f"the driver {scheme}: does not load on this machine: {error}") from error
    return factory(rest)
