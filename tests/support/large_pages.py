"""Memory of this process in large pages: a fork then copies some hundred page table entries, not fifty thousand."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

_LARGE: Final = 2 << 20
_COLLAPSE: Final = 25
"""MADV_COLLAPSE of madvise(2), since Linux 6.1. What it refuses stays as it was."""
_ANONYMOUS: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ 0\s*(?:\[heap\])?$", re.MULTILINE)


def collapse() -> None:
    """Put what is in use now into large pages, where the kernel can."""
    libc = ctypes.CDLL(None)
    with suppress(OSError):  # a system without /proc
        for begin, end in _ANONYMOUS.findall(Path("/proc/self/maps").read_text("ascii")):
            for place in range(-(-int(begin, 16) // _LARGE) * _LARGE, int(end, 16) // _LARGE * _LARGE, _LARGE):
                libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(_LARGE), _COLLAPSE)
