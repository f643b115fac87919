"""Non-volatile memory of the chip: named byte strings in scopes, in a redo log that survives a tear at any point.

The memory image is a sequence of batches, each one transaction::

    length of the payload (4) || CRC-32 of the payload (4) || CRC-32 of these eight bytes (4) || payload
    payload = one or more of: operation (1) || scope (1 + n) || name (1 + n) || value (4 + n)

Only a complete batch takes effect; an incomplete one at the end of the image is dropped. So there is nothing to undo
after a tear, and no state between old and new. All numbers are big-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from simulators.card.applet import AppletMemory
from terminal.errors import CardGone, ReaderFault

PAGE = 64
"""Bytes of one EEPROM page: the unit in which writes are counted and torn."""

_HEAD = struct.Struct(">III")
_PUT, _REMOVE, _DROP = 1, 2, 3
_COMPACT_ABOVE = 256 * 1024

Tear = Callable[[int], int | None]
"""Called before each write with its number of pages. None: no tear; n < pages: the power fails in the middle of page n
(counted from 0); n = pages: the power fails right after the write."""


class PowerLost(CardGone):
    """The card lost its power: all volatile state is gone."""


class MemoryDamaged(ReaderFault):
    """The bytes are no memory image, or were changed from outside."""

    retryable = False


class MemoryWriteFailed(Exception):
    """The image could not be written (a full disk); the memory holds the old state. The card responds 6581."""


class MemoryImage(Protocol):
    """Storage of the log: RAM or a card file."""

    def read(self) -> bytes: ...
    def append(self, data: bytes) -> None: ...
    def truncate(self, size: int) -> None: ...
    def replace(self, data: bytes) -> None:
        """Replace all bytes atomically."""
        ...


class RamImage:
    """A memory image in RAM."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = bytearray(data)

    def read(self) -> bytes:
        return bytes(self._data)

    def append(self, data: bytes) -> None:
        self._data += data

    def truncate(self, size: int) -> None:
        del self._data[size:]

    def replace(self, data: bytes) -> None:
        self._data[:] = data


class TearAt:
    """A Tear that cuts the power once, at page write number ``n`` from now, counted from 0.

    ``after`` cuts it right after the write that the page belongs to, so that the new state is stored.
    """

    def __init__(self, n: int, *, after: bool = False) -> None:
        self.left = n
        self.after = after
        self.done = False

    def __call__(self, pages: int) -> int | None:
        if self.done:
            return None
        if self.left >= pages:
            self.left -= pages
            return None
        self.done = True
        return pages if self.after else self.left


_Operation = tuple[int, str, str, bytes]
_State = dict[str, dict[str, bytes]]


def _encode(operations: list[_Operation]) -> bytes:
    parts = []
    for code, scope, name, value in operations:
        scope_bytes, name_bytes = scope.encode(), name.encode()
        parts.append(bytes((code, len(scope_bytes))) + scope_bytes + bytes((len(name_bytes),)) + name_bytes)
        parts.append(len(value).to_bytes(4, "big") + value)
    payload = b"".join(parts)
    head = struct.pack(">II", len(payload), zlib.crc32(payload))
    return head + zlib.crc32(head).to_bytes(4, "big") + payload


def _operations(payload: bytes) -> Iterator[_Operation]:
    at = 0
    while at < len(payload):
        code, n = payload[at], payload[at + 1]
        scope = payload[at + 2 : at + 2 + n].decode()
        at += 2 + n
        n = payload[at]
        name = payload[at + 1 : at + 1 + n].decode()
        at += 1 + n
        n = int.from_bytes(payload[at : at + 4], "big")
        yield code, scope, name, payload[at + 4 : at + 4 + n]
        at += 4 + n


def _batches(image: bytes) -> Iterator[tuple[int, bytes]]:
    """Complete batches as (end offset, payload). Raises MemoryDamaged for anything that no tear leaves behind."""
    at = 0
    while at + _HEAD.size <= len(image):
        length, check, head_check = _HEAD.unpack_from(image, at)
        if zlib.crc32(image[at : at + 8]) != head_check:
            if not any(image[at:]):  # a host that lost its own power may leave zeros in place of the last write
                return
            raise MemoryDamaged(f"the card's memory is damaged at byte {at}")
        end = at + _HEAD.size + length
        if end > len(image):
            return
        payload = image[at + _HEAD.size : end]
        if zlib.crc32(payload) != check:
            raise MemoryDamaged(f"the card's memory is damaged at byte {at}")
        yield end, payload
        at = end


class Nvm:
    """The whole non-volatile memory: scopes of named byte strings, one transaction at a time.

    Reads come from RAM; a write is in the image before its call (or the outermost transaction) returns.
    ``tear`` may cut the power (PowerLost); afterwards every write raises PowerLost until ``load``.
    ``pages_written`` counts the EEPROM pages written through this object.
    """

    def __init__(self, image: MemoryImage) -> None:
        self.tear: Tear | None = None
        self.pages_written = 0
        self._image = image
        self._state: _State = {}
        self._size = 0
        self._compact_above = _COMPACT_ABOVE
        self._depth = 0
        self._pending: list[_Operation] = []
        self._undo: list[tuple[str, str, bytes | None]] = []
        self._lost = False

    @property
    def torn(self) -> bool:
        """Whether the power failed during a write, and ``load`` has not recovered the memory since."""
        return self._lost

    def load(self, *, repair: bool = True) -> None:
        """Read the image, as a chip does at power-on; ``repair`` cuts off an incomplete batch. Raises MemoryDamaged."""
        image = self._image.read()
        for values in self._state.values():
            values.clear()
        end = 0
        for batch_end, payload in _batches(image):
            for operation in _operations(payload):
                self._apply(operation)
            end = batch_end
        if repair and end < len(image):
            self._image.truncate(end)
        self._size = end
        self._depth, self._lost = 0, not repair and end < len(image)
        self._pending, self._undo = [], []

    def scope(self, name: str) -> MemoryScope:
        """One application's part of the memory, created on first use."""
        return MemoryScope(self, name, self._state.setdefault(name, {}))

    def drop(self, name: str) -> None:
        """Delete a scope with all its values, in one write."""
        if self._state.get(name):
            self._write((_DROP, name, "", b""))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside, or none. An inner transaction that raises rolls back only its own writes."""
        mark, undo_mark = len(self._pending), len(self._undo)
        self._depth += 1
        try:
            yield
            if self._depth == 1 and self._pending:
                self._append(_encode(self._pending))
        except BaseException:
            self._roll_back(mark, undo_mark)
            raise
        finally:
            self._depth = max(0, self._depth - 1)
            if not self._depth:
                self._pending.clear()
                self._undo.clear()

    def _write(self, operation: _Operation) -> None:
        if self._lost:
            raise PowerLost("the card has no power")
        if not self._depth:
            self._append(_encode([operation]))
            self._apply(operation)
            return
        code, scope, name, _ = operation
        values = self._state.setdefault(scope, {})
        if code == _DROP:
            self._undo += [(scope, key, value) for key, value in values.items()]
        else:
            self._undo.append((scope, name, values.get(name)))
        self._pending.append(operation)
        self._apply(operation)

    def _apply(self, operation: _Operation) -> None:
        code, scope, name, value = operation
        values = self._state.setdefault(scope, {})
        if code == _PUT:
            values[name] = value
        elif code == _REMOVE:
            values.pop(name, None)
        else:
            values.clear()

    def _roll_back(self, mark: int, undo_mark: int) -> None:
        for scope, name, value in reversed(self._undo[undo_mark:]):
            if value is None:
                self._state[scope].pop(name, None)
            else:
                self._state[scope][name] = value
        del self._pending[mark:], self._undo[undo_mark:]

    def _append(self, batch: bytes) -> None:
        pages = -(-len(batch) // PAGE)
        cut = self.tear(pages) if self.tear is not None else None
        if cut is not None:
            done = len(batch) if cut >= pages else min(cut * PAGE + PAGE // 2, len(batch) - 1)
            self._image.append(batch[:done])
            self._lost = True
            raise PowerLost("the card lost its power while writing")
        self._image.append(batch)
        self.pages_written += pages
        self._size += len(batch)
        if self._size > self._compact_above:
            self._compact(batch)

    def _compact(self, newest: bytes) -> None:
        """Rewrite the image as one batch, followed by the newest batch, which may not be applied to RAM yet."""
        everything = [
            (_PUT, scope, name, value) for scope, values in self._state.items() for name, value in values.items()
        ]
        image = (_encode(everything) if everything else b"") + newest
        try:
            self._image.replace(image)
        except MemoryWriteFailed:  # the long log remains valid: try again when it has doubled
            self._compact_above = 2 * self._size
            return
        self._size = len(image)
        self._compact_above = max(_COMPACT_ABOVE, 4 * self._size)


class MemoryScope(AppletMemory):
    """The named byte strings of one scope. Names have at most 255 bytes of UTF-8."""

    __slots__ = ("_name", "_nvm", "_values")

    def __init__(self, nvm: Nvm, name: str, values: dict[str, bytes]) -> None:
        self._nvm, self._name, self._values = nvm, name, values

    def __getitem__(self, name: str) -> bytes:
        return self._values[name]

    def __setitem__(self, name: str, value: bytes) -> None:
        if self._values.get(name) != value:  # a chip writes no page for an unchanged value
            self._nvm._write((_PUT, self._name, name, bytes(value)))

    def __delitem__(self, name: str) -> None:
        if name not in self._values:
            raise KeyError(name)
        self._nvm._write((_REMOVE, self._name, name, b""))

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        """Names only: values are keys and personal data."""
        return f"<MemoryScope {self._name}: {', '.join(self._values)}>"

    def transaction(self) -> AbstractContextManager[None]:
        return self._nvm.transaction()
