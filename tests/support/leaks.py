"""Looks for planted secrets in anything that was written, in every spelling that a program may give them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")


@dataclass(frozen=True)
class Leak:
    """A secret that was found: which, spelled how, and where."""

    secret: str
    spelling: str
    place: str


class LeakSearch:
    """Knows the secrets by name and every pattern that would betray one."""

    def __init__(self) -> None:
        self._patterns: list[tuple[str, str, re.Pattern[bytes]]] = []

    def plant_bytes(self, name: str, value: bytes) -> None:
        """A key: raw, hex, Base64, as Python prints bytes and lists, and as the number it is."""
        for spelling, written in _of_bytes(value):
            self._add(name, spelling, re.escape(written))
        self._add(name, "number", re.escape(str(int.from_bytes(value, "big")).encode()))

    def plant_text(self, name: str, value: str) -> None:
        """A name, a number, a passphrase: in every encoding, each of them also as bytes are spelled."""
        for encoding in _ENCODINGS:
            raw = value.encode(encoding)
            self._add(name, encoding, re.escape(raw))
            for spelling, written in _of_bytes(raw):
                if spelling != "raw":
                    self._add(name, f"{encoding} {spelling}", re.escape(written))
        escaped = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in value)
        self._add(name, "JSON escape", re.escape(escaped.encode()))
        if value.rstrip("X").isdecimal():
            self.plant_digits(name, value.rstrip("X"))

    def plant_digits(self, name: str, digits: str) -> None:
        """Packed two digits a byte, as cards hold them; with an odd count padded on either side."""
        for packed in {digits} if len(digits) % 2 == 0 else {digits + "F", "0" + digits}:
            for spelling, written in _of_bytes(bytes.fromhex(packed)):
                self._add(name, f"BCD {spelling}", re.escape(written))

    def plant_pin(self, name: str, pin: str) -> None:
        """Six digits are everywhere: a PIN counts as a word, or as a format 2 block (ISO 9564-1:2017, 9.3)."""
        self._add(name, "word", rb"(?<![0-9A-Za-z])" + pin.encode() + rb"(?![0-9A-Za-z])")
        block = bytes.fromhex(f"2{len(pin):X}{pin}".ljust(16, "F"))
        for spelling, written in _of_bytes(block):
            self._add(name, f"PIN block {spelling}", re.escape(written))

    def look(self, place: str, what: bytes | str) -> list[Leak]:
        """Every leak in this text or file."""
        data = what.encode("utf-8", "surrogateescape") if isinstance(what, str) else what
        return [Leak(name, spelling, place) for name, spelling, pattern in self._patterns if pattern.search(data)]

    def look_through(self, files: Iterable[Path]) -> list[Leak]:
        return [leak for path in files for leak in self.look(str(path), path.read_bytes())]

    def _add(self, name: str, spelling: str, pattern: bytes) -> None:
        self._patterns.append((name, spelling, re.compile(pattern)))


def _of_bytes(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", value
    for spelling, text in (("hex", value.hex()), ("hex with spaces", value.hex(" "))):
        yield spelling, text.encode()
        yield f"{spelling} in capitals", text.upper().encode()
    yield "repr", repr(value)[2:-1].encode()
    yield "list", str(list(value))[1:-1].encode()
    # Base64 of a longer text shows the same bytes in one of three ways, by where they begin.
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + value)
        inner = whole[-(-shift * 4 // 3) : len(whole) - (4 if (shift + len(value)) % 3 else 0)]
        yield f"Base64 from {shift}", inner
        yield f"URL-safe Base64 from {shift}", inner.translate(bytes.maketrans(b"+/", b"-_"))
