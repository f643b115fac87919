"""Secret values that never print: keys, PINs, identity numbers."""

from __future__ import annotations

import hmac


class Secret:
    """Secret bytes: ``str``, ``repr`` and ``format`` show their length only, and they cannot be pickled.

    ``reveal()`` returns them. Comparison takes constant time. Not hashable, so that no cache or dictionary retains one.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self._value)} bytes>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
