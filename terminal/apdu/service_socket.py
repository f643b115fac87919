"""Finding our own end of the connection to the PC/SC service, which its library keeps to itself. Linux only."""

from __future__ import annotations

import contextlib
import os
import socket


def service_sockets() -> dict[str, int]:
    """Sockets of this process that lead to the PC/SC service: the kernel's name of each, and its file descriptor."""
    found: dict[str, int] = {}
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for fd in descriptors:
        # Others open and close descriptors meanwhile: one that is gone is of no interest.
        with contextlib.suppress(OSError):
            kernel_name = os.readlink(f"/proc/self/fd/{fd}")
            if kernel_name.startswith("socket:") and "pcscd" in _peer(int(fd)):
                found[kernel_name] = int(fd)
    return found


def _peer(fd: int) -> str:
    """Where a Unix socket leads; empty for other sockets."""
    with socket.socket(fileno=os.dup(fd)) as end:
        return str(end.getpeername()) if end.family == socket.AF_UNIX else ""
