"""What the operating system grants this process: open files, and so connections and listeners; memory; a
terminal."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from typing import Final

_OWN: Final = 128
"""Files for everything else: database, readers, uploads, libraries."""
_LEAST: Final = 16
_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard one; where that is forbidden, it stays as it is. getrlimit(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections() -> int:
    """Most connections at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(_LEAST, soft - _OWN) if soft != resource.RLIM_INFINITY else 1_000_000


def listeners() -> int:
    """Most listeners to events and live pages at once: others always find a connection."""
    return connections() * 3 // 4


def bound_memory() -> None:
    """Let all threads allocate from two arenas. By default glibc has eight for each processor, and the memory that the
    worker threads of a crowd have freed there is of use to nobody else. mallopt(3), M_ARENA_MAX; does nothing with
    another C library."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)


def release_memory() -> None:
    """Give freed memory back to the operating system. malloc_trim(3); does nothing with another C library.

    Python's own allocator returns an arena once all of it is free; arenas in which a crowd left a few small objects
    stay for the next crowd."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal. tty(4)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
