"""Bytes from the host, cut into commands. Programming guide A5013, 3 and D.

A command is ESC, fields between semicolons, CR; ESC may be left out after a CR. The data of ``Db`` and ``Dbc`` may hold
any byte, so that only their length ends them. NUL and CR between commands are padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulators.machines.evolis.panels import BITS, PANELS, size

CR: Final = 0x0D
_ESC: Final = b"\x1b"
_PADDING: Final = b"\0\r"
_SEPARATOR: Final = b";"
_LONGEST: Final = 512
"""Bytes of the fields of a command, without data."""
_MOST: Final = 1 << 20
"""Bytes of a compressed panel."""


@dataclass(frozen=True, slots=True)
class HostCommand:
    """A whole command. ``name`` is empty for bytes that are none; ``data`` belongs to ``Db`` and ``Dbc``.

    ``damaged``: the panel is not what its header announces.
    """

    name: str
    fields: tuple[str, ...] = ()
    data: bytes = b""
    damaged: bool = False

    def __repr__(self) -> str:
        """Fields may be the text of a track, and data a face."""
        return f"<HostCommand {self.name}, {len(self.fields)} fields, {len(self.data)} bytes>"


class CommandReader:
    """Collects bytes of one connection, and gives whole commands."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False

    @property
    def waiting(self) -> bool:
        """Whether a command has begun and is not complete."""
        return bool(self._buffer.strip(b"\0\r"))

    def forget(self) -> None:
        """Drop a command that is not complete."""
        self._buffer.clear()
        self._skipping = False

    def receive(self, data: bytes) -> list[HostCommand]:
        """Commands that are complete with these bytes."""
        self._buffer += data
        commands = []
        while command := self._next():
            commands.append(command)
        return commands

    def _next(self) -> HostCommand | None:
        if self._skipping and not self._skip():
            return None
        while self._buffer and self._buffer[0] in _PADDING:
            del self._buffer[0]
        start = 1 if self._buffer[:1] == _ESC else 0
        header = self._panel_header(start)
        if header is not None:
            return self._panel(*header)
        end = self._buffer.find(CR, start)
        if end < 0:
            return self._too_long() if len(self._buffer) > _LONGEST and not self._opens_panel(start) else None
        text = bytes(self._buffer[start:end])
        del self._buffer[: end + 1]
        try:
            name, *fields = text.decode("ascii").split(";")
        except UnicodeDecodeError:
            return HostCommand("")
        return HostCommand(name, tuple(fields))

    def _opens_panel(self, start: int) -> bool:
        return self._buffer[start : start + 2] == b"Db"

    def _panel_header(self, start: int) -> tuple[str, list[bytes], int] | None:
        """Name, fields and length of the header of a panel, once it is complete; None for another command."""
        if not self._opens_panel(start):
            return None
        name = b"Dbc" if self._buffer[start : start + 3] == b"Dbc" else b"Db"
        wanted = 4 if name == b"Dbc" else 3
        head = bytes(self._buffer[start : start + 24])
        parts = head.split(_SEPARATOR, wanted)
        if len(parts) <= wanted or any(CR in part for part in parts[:wanted]):
            return None
        return name.decode(), parts[1:wanted], start + sum(len(part) + 1 for part in parts[:wanted])

    def _panel(self, name: str, fields: list[bytes], begin: int) -> HostCommand | None:
        texts = tuple(field.decode("ascii", "replace") for field in fields)
        length = _length(name, texts)
        if length is None:  # no panel of this printer: what follows cannot be measured
            self._skipping = True
            del self._buffer[:begin]
            return HostCommand(name, texts, damaged=True)
        if len(self._buffer) <= begin + length:
            return None
        data, last = bytes(self._buffer[begin : begin + length]), self._buffer[begin + length]
        del self._buffer[: begin + length + (last == CR)]
        self._skipping = last != CR
        return HostCommand(name, texts[:2], data, damaged=last != CR)

    def _skip(self) -> bool:
        """Drop bytes until a CR, as nothing says where the next command begins; False while there is none."""
        end = self._buffer.find(CR)
        self._skipping = end < 0
        del self._buffer[: len(self._buffer) if end < 0 else end + 1]
        return end >= 0

    def _too_long(self) -> HostCommand:
        self._skipping = True
        return HostCommand("")


def _length(name: str, fields: tuple[str, ...]) -> int | None:
    panel, levels, *count = fields
    if panel not in tuple(PANELS) or not levels.isdecimal() or int(levels) not in BITS:
        return None
    if name == "Db":
        return size(int(levels))
    return int(count[0]) if count[0].isdecimal() and int(count[0]) <= _MOST else None
