"""One chip on disk: a header and the append-only memory log of simulators.card.memory.

A process killed at any moment leaves a file that opens with the old or the new state: every change is one append, and
compaction is a rename. The file of a powered card is locked, so that no two processes power one chip.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from simulators.card.memory import MemoryDamaged, MemoryWriteFailed, PowerLost
from terminal.errors import ReaderBusy, ReaderFault, ReaderNotFound

_MAGIC = b"MEMBERCARD-CHIP\n"
_VERSION = 1
_HEADER = _MAGIC + _VERSION.to_bytes(2, "big") + bytes(14)


class CardInUse(ReaderBusy):
    """Another reader or process powers this chip."""


class CardFile:
    """The MemoryImage of a chip on disk (mode 0600).

    Reading needs no lock; call ``lock`` before any change, ``unlock`` after. With ``sync`` each change is flushed to
    the medium, which a simulation seldom needs. Raises ReaderNotFound, CardInUse, MemoryDamaged and ReaderFault.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self.path = Path(path)
        self._sync = sync
        self._fd = -1
        self._last_read: tuple[int, int, int] | None = None

    @classmethod
    def create(cls, path: Path, image: bytes, *, sync: bool = False) -> CardFile:
        """Create a card file, whole or not at all. Raises FileExistsError."""
        path = Path(path)
        temporary = _write_beside(path, image, sync=sync)
        try:
            os.link(temporary, path)
        finally:
            os.unlink(temporary)
        return cls(path, sync=sync)

    @property
    def locked(self) -> bool:
        return self._fd >= 0

    def lock(self) -> bool:
        """Lock the file. True when it changed since this object read it last. Raises CardInUse."""
        while not self.locked:
            fd = self._open(os.O_RDWR | os.O_APPEND)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                raise CardInUse(f"the card {self.path} is powered by another reader") from None
            if same_file(fd, self.path):  # else a compaction replaced the file before it was locked
                self._fd = fd
            else:
                os.close(fd)
        return self._stamp() != self._last_read

    def unlock(self) -> None:
        if self.locked:
            self._last_read = self._stamp() if self._last_read else None
            os.close(self._fd)
            self._fd = -1

    def read(self) -> bytes:
        """The memory image. Raises MemoryDamaged when the file is no card file."""
        fd = self._fd if self.locked else self._open(os.O_RDONLY)
        try:
            stat = os.fstat(fd)
            data = os.pread(fd, stat.st_size, 0)
        except OSError as error:
            raise ReaderFault(f"reading the card file {self.path}: {error.strerror}") from error
        finally:
            if not self.locked:
                os.close(fd)
        if not data.startswith(_MAGIC) or len(data) < len(_HEADER):
            raise MemoryDamaged(f"{self.path} is not a card file")
        version = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 2], "big")
        if version != _VERSION:
            raise MemoryDamaged(
                f"{self.path} is a card file of version {version}; this program reads version {_VERSION}"
            )
        self._last_read = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return data[len(_HEADER) :]

    def append(self, data: bytes) -> None:
        """Append to the image. Raises PowerLost when not locked, MemoryWriteFailed with the file unchanged."""
        if not self.locked:
            raise PowerLost("the card has no power")
        size = os.fstat(self._fd).st_size
        try:
            done = os.write(self._fd, data)
            if done < len(data):
                raise OSError(f"{done} of {len(data)} bytes written")
            if self._sync:
                os.fsync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, size)
            raise MemoryWriteFailed(f"writing {self.path}: {error}") from error

    def truncate(self, size: int) -> None:
        if self.locked:
            os.ftruncate(self._fd, len(_HEADER) + size)

    def replace(self, data: bytes) -> None:
        """Replace the image: a new file, locked before it takes the name of the old one. Raises MemoryWriteFailed."""
        try:
            temporary = _write_beside(self.path, data, sync=self._sync)
            fd = os.open(temporary, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise MemoryWriteFailed(f"writing {self.path}: {error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.replace(temporary, self.path)
        except OSError as error:
            os.close(fd)
            os.unlink(temporary)
            raise MemoryWriteFailed(f"writing {self.path}: {error}") from error
        os.close(self._fd)
        self._fd = fd

    def _open(self, flags: int) -> int:
        try:
            return os.open(self.path, flags | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ReaderNotFound(f"there is no card file {self.path}") from None
        except OSError as error:
            raise ReaderFault(f"opening the card file {self.path}: {error.strerror}") from error

    def _stamp(self) -> tuple[int, int, int]:
        stat = os.fstat(self._fd)
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def same_file(fd: int, path: Path) -> bool:
    """Whether ``path`` still names the open file; False when it was renamed over or removed since."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _write_beside(path: Path, image: bytes, *, sync: bool) -> str:
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(_HEADER + image)
            file.flush()
            if sync:
                os.fsync(fd)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary
