"""URLs of the form ``SCHEME:REST``, where each scheme is an entry point of some installed package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from terminal.errors import ReaderNotFound


def schemes(group: str) -> list[str]:
    """The schemes of a group of entry points."""
    return sorted({point.name for point in entry_points(group=group)})


def open_url(group: str, url: str) -> Any:
    """What the scheme's factory makes of the rest of ``url``.

    Raises ReaderNotFound for an unknown scheme and for a factory that does not load, and what the factory raises.
    """
    scheme, colon, rest = url.partition(":")
    points = {point.name: point for point in entry_points(group=group)}
    if not colon or scheme not in points:
        known = ", ".join(f"{name}:" for name in sorted(points))
        raise ReaderNotFound(f"{url!r} is not a URL of this kind: it must start with one of {known}")
    try:
        factory: Callable[[str], Any] = points[scheme].load()
    except ImportError as error:
        raise ReaderNotFound(f"{scheme}: does not load on this machine: {error}") from error
    return factory(rest)
