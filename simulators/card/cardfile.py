"""One chip on disk: a header and the append-only memory log of simulators.card.memory.

A process killed at any moment leaves a file that opens with the old or the new state: every change is one append,
and compaction is a rename. While a card is powered its file is locked, so that no two processes power one chip.
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
    """The Image of a chip on disk (mode 0600).

    Reading needs no lock; ``lock`` comes before any change, ``unlock`` after. With ``sync`` each change is on the
    medium before it counts, which a simulation seldom needs.
    Raises ReaderNotFound, CardInUse, MemoryDamaged and ReaderFault.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self.path = Path(path)
        self._sync = sync
        self._fd = -1
        self._seen: tuple[int, int, int] | None = None

    @classmethod
    def create(cls, path: Path, image: bytes, *, sync: bool = False) -> CardFile:
        """A new card file. Raises FileExistsError; the file is there whole or not at all."""
        path = Path(path)
        made = _write_beside(path, image, sync=sync)
        try:
            os.link(made, path)
        finally:
            os.unlink(made)
        return cls(path, sync=sync)

    @property
    def locked(self) -> bool:
        return self._fd >= 0

    def lock(self) -> bool:
        """Take the chip. True when the file changed since it was last read through this object."""
        while not self.locked:
            fd = self._open(os.O_RDWR | os.O_APPEND)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                raise CardInUse(f"the card {self.path} is powered by another reader") from None
            if _same_file(fd, self.path):  # else a compaction renamed a new file into place before we had the lock
                self._fd = fd
            else:
                os.close(fd)
        return self._stamp() != self._seen

    def unlock(self) -> None:
        if self.locked:
            self._seen = self._stamp() if self._seen else None
            os.close(self._fd)
            self._fd = -1

    def read(self) -> bytes:
        """The memory image. Raises MemoryDamaged when this is no card file."""
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
        self._seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return data[len(_HEADER) :]

    def append(self, data: bytes) -> None:
        """Raises MemoryWriteFailed, leaving the file as it was; PowerLost when the card is not powered."""
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
        """All bytes at once: a new file, locked before it takes the old one's name. Raises MemoryWriteFailed."""
        try:
            made = _write_beside(self.path, data, sync=self._sync)
            fd = os.open(made, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise MemoryWriteFailed(f"writing {self.path}: {error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.replace(made, self.path)
        except OSError as error:
            os.close(fd)
            os.unlink(made)
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


def _same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _write_beside(path: Path, image: bytes, *, sync: bool) -> str:
    fd, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(_HEADER + image)
            file.flush()
            if sync:
                os.fsync(fd)
    except BaseException:
        os.unlink(made)
        raise
    return made
