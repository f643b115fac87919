"""An append-only file of sealed and chained rows: one process at a time, on the disk before ``append`` returns.

A folder has the file and its key, which only the counter's user may read; both appear in one step, so that one without
the other was tampered with. A line is base64 over number (8 bytes), hash of the row before (32), nonce (12) and the
row under AES-256-GCM, which authenticates number and hash too. Room for coming rows is reserved ahead: behind the last
line the file has zeros.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reader_service.redemptions.errors import JournalBusy, JournalFull, JournalUnavailable
from terminal import private_files
from terminal.errors import CodecError
from terminal.member.journal_rows import HASH_LENGTH, LARGEST_ROW, NO_ROW, JournalRow

_FILE, _KEY = "journal", "key"
_KEY_BYTES, _NONCE, _TAG, _NUMBER = 32, 12, 16, 8
_HEAD: Final = _NUMBER + HASH_LENGTH
_CONTEXT: Final = b"redemption journal\x00"
_CHUNK: Final = 256 * 1024
"""Bytes that are reserved at a time."""
LARGEST_LINE: Final = 4 * ((_HEAD + _NONCE + LARGEST_ROW + _TAG + 2) // 3) + 1
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sound row is: the offset and length of its line, and its number."""

    number: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is no row of this journal, or rows that are missing before it. ``after`` is the number of the last
    sound row before it."""

    offset: int
    after: int


@dataclass(slots=True)
class _Scan:
    """What a file holds; ``end`` is the offset behind the last line, ``cut`` the bytes of a half-written one."""

    rows: list[JournalRow] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    last: bytes = NO_ROW
    number: int = 0
    end: int = 0
    cut: int = 0

    @property
    def sound(self) -> int:
        """The number of the last sound row."""
        return self.places[-1].number if self.places else 0


class SealedLog:
    """The open file. Safe for one thread at a time."""

    def __init__(self, folder: Path, file: int, key: bytes) -> None:
        self.folder = folder
        self.name = hashlib.sha256(_CONTEXT + key).hexdigest()[:32]
        """32 hex digits that name this journal: a copy of it has the same."""
        self._file, self._cipher = file, AESGCM(key)
        self._broken = ""
        scan = self._scan()
        self.rows = tuple(scan.rows)
        """The sound rows at the time of opening."""
        self.damage = tuple(scan.damage)
        self.cut = scan.cut
        """Bytes of a half-written last row, which was removed."""
        self._places, self._last, self._number, self._end = scan.places, scan.last, scan.number, scan.end
        self._size = os.fstat(file).st_size

    @classmethod
    def open(cls, folder: Path) -> SealedLog:
        """Open or create it. Raises JournalBusy, JournalUnavailable, JournalFull for a new one without room."""
        with _explained(f"opening the redemption journal {folder}"):
            _create(folder)
            file = os.open(folder / _FILE, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            with _explained(f"opening the redemption journal {folder}"):
                _lock(file, folder)
                key = (folder / _KEY).read_bytes()
            if len(key) != _KEY_BYTES:
                raise JournalUnavailable(f"opening the redemption journal {folder}: its key was changed")
            return cls(folder, file, key)
        except BaseException:
            os.close(file)
            raise

    def close(self) -> None:
        """Close it, for another program to open. Safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def next_number(self) -> int:
        return self._number + 1

    def reserve(self, rows: int) -> None:
        """Make sure that the disk has room for so many rows. Raises JournalFull, JournalUnavailable."""
        self._usable()
        needed = self._end + rows * LARGEST_LINE
        if needed <= self._size:
            return
        wanted = needed + _CHUNK
        with _explained(f"reserving room for the redemption journal {self.folder}"):
            os.posix_fallocate(self._file, self._size, wanted - self._size)
            os.fsync(self._file)
        self._size = wanted

    def append(self, row: JournalRow) -> bytes:
        """Write a row and wait until the disk has it; returns its hash. Raises CodecError for a row out of form,
        JournalUnavailable where it is not certain that the disk has it: the journal must be opened again then."""
        self._usable()
        if row.number != self.next_number:
            raise CodecError("a row of a journal with another number than the next one")
        digest = row.link(self._last)
        line = self._line(row)
        try:
            with _explained(f"writing the redemption journal {self.folder}"):
                _write(self._file, line, self._end)
                os.fsync(self._file)
        except BaseException:
            self._broken = "a row could not be written"
            raise
        self._places.append(Place(row.number, self._end, len(line) - 1))
        self._end += len(line)
        self._size = max(self._size, self._end)
        self._last, self._number = digest, row.number
        return digest

    def read(self, first: int = 1) -> Iterator[tuple[JournalRow, bytes]]:
        """The sound rows from a number on, from the disk, each with the hash of the row before. Raises
        JournalUnavailable for one that has changed since the journal was opened."""
        start = bisect_left(self._places, first, key=lambda place: place.number)
        for place in self._places[start:]:
            with _explained(f"reading the redemption journal {self.folder}"):
                line = os.pread(self._file, place.length, place.offset)
            opened = self._opened(line)
            if opened is None or opened[0].number != place.number:
                raise JournalUnavailable(f"row {place.number} of the redemption journal {self.folder} has changed")
            yield opened

    def _usable(self) -> None:
        if self._file < 0 or self._broken:
            reason = self._broken or "it is closed"
            raise JournalUnavailable(f"the redemption journal {self.folder} has to be opened again: {reason}")

    def _line(self, row: JournalRow) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        head = row.number.to_bytes(_NUMBER, "big") + self._last
        sealed = self._cipher.encrypt(nonce, row.encode(), _CONTEXT + head)
        return base64.b64encode(head + nonce + sealed) + b"\n"

    def _opened(self, line: bytes) -> tuple[JournalRow, bytes] | None:
        """The row of a line and the hash of the row before; None for a line that is no row of this journal."""
        try:
            raw = base64.b64decode(line, validate=True)
            if base64.b64encode(raw) != line or len(raw) < _HEAD + _NONCE + _TAG:
                return None
            head, nonce, sealed = raw[:_HEAD], raw[_HEAD : _HEAD + _NONCE], raw[_HEAD + _NONCE :]
            row = JournalRow.decode(self._cipher.decrypt(nonce, sealed, _CONTEXT + head))
        except (ValueError, InvalidTag):  # a CodecError is a ValueError
            return None
        return (row, head[_NUMBER:]) if row.number == int.from_bytes(head[:_NUMBER], "big") else None

    def _scan(self) -> _Scan:
        """Read the whole file, remove a half-written last row, and say what is damaged."""
        with _explained(f"reading the redemption journal {self.folder}"):
            with os.fdopen(os.dup(self._file), "rb") as file:
                file.seek(0)
                content = file.read().rstrip(b"\x00")
            scan = _Scan()
            lines = content.split(b"\n")
            tail = lines.pop()
            for line in lines:
                self._take(scan, line)
            if tail:
                self._end_of_tail(scan, tail)
        return scan

    def _end_of_tail(self, scan: _Scan, tail: bytes) -> None:
        """A last line without its end: the row, where it is complete; else it was never confirmed, and is removed."""
        for line in (tail, tail[:-1]):
            if self._opened(line) is not None:
                _write(self._file, b"\n", scan.end + len(line))
                self._take(scan, line)
                break
        else:
            scan.cut = len(tail)
        os.ftruncate(self._file, scan.end)
        os.fsync(self._file)

    def _take(self, scan: _Scan, line: bytes) -> None:
        offset, after = scan.end, scan.sound
        scan.end += len(line) + 1
        opened = self._opened(line)
        if opened is None or opened[0].number <= after:
            scan.damage.append(Damage(offset, after))
            scan.number += 1  # the number of the row that was here
            return
        row, previous = opened
        follows = row.number == after + 1 and previous == scan.last
        if not follows and not (scan.damage and scan.damage[-1].after == after):
            scan.damage.append(Damage(offset, after))
        scan.rows.append(row)
        scan.places.append(Place(row.number, offset, len(line)))
        scan.last, scan.number = row.link(previous), row.number


def _create(folder: Path) -> None:
    """Make the folder with an empty file and its key in one step, where there is none."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    fresh.mkdir(mode=0o700)
    try:
        private_files.replace(fresh / _KEY, secrets.token_bytes(_KEY_BYTES))
        private_files.replace(fresh / _FILE, b"")
        fresh.rename(folder)
        private_files.sync_folder(folder.parent)
    except OSError as error:
        if error.errno not in _TAKEN and not folder.exists():
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _lock(file: int, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalBusy(
            f"another program has the redemption journal {folder} open; a counter has one service at a time"
        ) from None


def _write(file: int, content: bytes, offset: int) -> None:
    left = memoryview(content)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


@contextlib.contextmanager
def _explained(operation: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        _refuse(operation, fault)


def _refuse(operation: str, fault: OSError) -> NoReturn:
    if fault.errno in _NO_ROOM:
        raise JournalFull(f"{operation}: the disk is full; make room and try again") from fault
    if fault.errno == errno.ENOENT:
        raise JournalUnavailable(f"{operation}: a part of it was removed; ask the office before you go on") from fault
    raise JournalUnavailable(f"{operation}: {fault.strerror or 'the system refused'}") from fault
