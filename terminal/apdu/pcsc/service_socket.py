"""Finding our own end of the connection to the PC/SC service, which its library keeps to itself. Linux only."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

_ATTEMPTS = 20


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


def with_socket(establish: Callable[[], Any], release: Callable[[Any], object]) -> tuple[Any, socket.socket | None]:
    """A new context and our end of its socket; None for a socket that cannot be found.

    The socket is the one that appeared. When another thread's appeared as well, nobody can tell them apart, so each
    thread tries again after a pause of its own. Raises what ``establish`` raises.
    """
    context = None
    for attempt in range(_ATTEMPTS):
        if context is not None:
            release(context)
            time.sleep(attempt * (threading.get_native_id() % 11) / 2000)
        before = service_sockets()
        context = establish()
        new = [fd for name, fd in service_sockets().items() if name not in before]
        if len(new) == 1:
            return context, socket.socket(fileno=os.dup(new[0]))
        if not new:
            break
    return context, None
