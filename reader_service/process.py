"""What the operating system grants this process: open files, and so connections and listeners; a terminal."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import Final

_OWN: Final = 128
"""Files for everything else: database, readers, uploads, libraries."""
_LEAST: Final = 16


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


def has_terminal() -> bool:
    """Whether this process has a controlling terminal. tty(4)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
