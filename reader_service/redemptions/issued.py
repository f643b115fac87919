"""Receipts of a counter that were issued: every further one of the same redemption says that it is a copy."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reader_service.redemptions.record import CounterRecord
from terminal import private_files

_FILE: Final = "receipts"
log = logging.getLogger("membercard.redemptions")


class IssuedReceipts:
    """A line for each receipt, in a file beside the journal, for whoever has the journal open. Safe for many threads.

    A receipt is printed, too, where the file cannot be read or written: that is only logged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._lock = threading.Lock()
        self._issued: set[str] | None = None
        self._first: set[str] = set()
        """Originals that are being issued."""

    def before(self, record: CounterRecord) -> bool:
        """Whether a receipt of this redemption was issued. That of a redemption which was taken back since is another
        one."""
        with self._lock:
            return _line(record) in self._read()

    @contextmanager
    def issue(self, record: CounterRecord) -> Iterator[bool]:
        """Whether the receipt that is issued now is a copy: of two at once, one is. It is noted at the end, and not
        where it could not be issued."""
        line = _line(record)
        with self._lock:
            copy = line in self._read() or line in self._first
            if not copy:
                self._first.add(line)
        try:
            yield copy
            self.note(record)
        finally:
            if not copy:
                with self._lock:
                    self._first.discard(line)

    def note(self, record: CounterRecord) -> None:
        """A receipt was issued."""
        line = _line(record)
        with self._lock:
            if line in self._read():
                return
            self._read().add(line)
            try:
                private_files.create(self._path)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"\n{line}\n")  # behind a line that was cut, too
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as fault:
                log.warning("receipt not noted as issued: %s", fault.strerror)

    def _read(self) -> set[str]:
        if self._issued is None:
            try:
                self._issued = set(self._path.read_text("utf-8", errors="replace").split())
            except FileNotFoundError:
                self._issued = set()
            except OSError as fault:
                log.warning("issued receipts not read: %s", fault.strerror)
                self._issued = set()
        return self._issued


def _line(record: CounterRecord) -> str:
    return f"{record.receipt}/back" if record.reversed else record.receipt
