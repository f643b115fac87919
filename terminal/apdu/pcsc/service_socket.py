"""Finds this process' socket to the PC/SC service, which the PC/SC library does not expose. Linux only."""

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
    """Sockets of this process that are connected to the PC/SC service: file descriptors by their kernel name."""
    sockets: dict[str, int] = {}
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return sockets
    for fd in descriptors:
        # Other threads open and close descriptors meanwhile: one that is closed already does not matter.
        with contextlib.suppress(OSError):
            kernel_name = os.readlink(f"/proc/self/fd/{fd}")
            if kernel_name.startswith("socket:") and "pcscd" in _peer(int(fd)):
                sockets[kernel_name] = int(fd)
    return sockets


def _peer(fd: int) -> str:
    """The peer address of a Unix socket; empty for other sockets."""
    with socket.socket(fileno=os.dup(fd)) as end:
        return str(end.getpeername()) if end.family == socket.AF_UNIX else ""


def with_socket(establish: Callable[[], Any], release: Callable[[Any], object]) -> tuple[Any, socket.socket | None]:
    """A new context and its socket; None for a socket that cannot be identified.

    The socket is the one that is new. When another thread opened one at the same time, the two are indistinguishable,
    so each thread tries again after a pause of its own length. Raises what ``establish`` raises.
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
