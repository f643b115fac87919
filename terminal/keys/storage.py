"""The keystore file: replaced atomically, by one writer at a time. Every fault is one sentence."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from terminal.errors import KeystoreUnavailable

WAIT = 5.0
"""Seconds to wait for another writer."""

_MAX_FILE = 16 * 1024 * 1024
_PAUSE = 0.02
_NEW_FILE = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_REASONS = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "the disk quota is used up; make room and try again",
    errno.EROFS: "the file system is read-only; choose another place or remount it",
    errno.EACCES: "permission is missing; check who owns the file and its directory",
    errno.EPERM: "permission is missing; check who owns the file and its directory",
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "its directory does not exist",
    errno.EISDIR: "it is a directory, not a file",
    errno.ENOLCK: "this file system has no locks; keep the keystore on a disk of this machine",
}


def read(path: Path) -> bytes:
    """The whole file. Raises KeystoreUnavailable."""
    with _explained(f"reading the keystore {path}"), path.open("rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise KeystoreUnavailable(f"reading the keystore {path}: a file of this size is no keystore")
    return data


@contextlib.contextmanager
def exclusive(path: Path, wait: float = WAIT) -> Iterator[None]:
    """Hold the write lock of this file, on a lock file beside it; the kernel releases it when the process ends.

    Raises KeystoreUnavailable when another writer holds it for ``wait`` seconds.
    """
    with _explained(f"locking the keystore {path}"):
        # Each replacement gives the keystore a new inode, so the lock cannot be on the file itself.
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | _NEW_FILE, 0o600)
    try:
        deadline = time.monotonic() + wait
        while not _try_lock(lock, path):
            if time.monotonic() >= deadline:
                raise KeystoreUnavailable(f"another program is changing the keystore {path}; try again when it is done")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(lock)


def replace(path: Path, data: bytes) -> None:
    """Replace the file by ``data``: mode 0600, synced to the disk before it is renamed.

    A crash at any point leaves the old file or the new one. The caller holds ``exclusive``. Raises KeystoreUnavailable.
    """
    # One fixed name: the next writer overwrites what a killed one left.
    fresh = path.with_name(f".{path.name}.new")
    with _explained(f"writing the keystore {path} (it is as it was before)"):
        try:
            _write(fresh, data)
            os.replace(fresh, path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    with _explained(f"syncing the directory of the keystore {path}"):
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def make_parent(path: Path) -> None:
    """Make the directory of the file, readable by its owner only. Raises KeystoreUnavailable."""
    with _explained(f"making the directory {path.parent}"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_TRUNC | _NEW_FILE, 0o600)
    try:
        os.fchmod(file, 0o600)
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)


def _try_lock(lock: int, path: Path) -> bool:
    with _explained(f"locking the keystore {path}"):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def _explained(operation: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        reason = _REASONS.get(fault.errno or 0, fault.strerror or "the system refused")
        raise KeystoreUnavailable(f"{operation}: {reason}") from fault
