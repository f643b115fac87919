"""A registry some of whose calls a test replaces or watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from registry.store import Registry

Call = Callable[..., Any]


def wrapped(registry: Registry, wrap: Callable[[str, Call], Call]) -> Registry:
    """``registry``, each call of which is what ``wrap`` makes of its name (``line.claim``) and the call itself."""
    return cast(Registry, _Wrapped(registry, "", wrap))


def replaced(registry: Registry, **calls: Call) -> Registry:
    """``registry`` with other calls of its line: ``replaced(registry, claim=...)``."""
    return wrapped(registry, lambda name, call: calls.get(name.removeprefix("line."), call))


class _Wrapped:
    def __init__(self, wrapped: object, prefix: str, wrap: Callable[[str, Call], Call]) -> None:
        self._wrapped, self._prefix, self._wrap = wrapped, prefix, wrap

    def __getattr__(self, name: str) -> object:
        value = getattr(self._wrapped, name)
        if callable(value):
            return self._wrap(f"{self._prefix}{name}", value)
        return _Wrapped(value, f"{name}.", self._wrap)
