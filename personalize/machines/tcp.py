"""A machine at a TCP port: the link to printers in the network, and to serial ports behind a port server."""

from __future__ import annotations

import contextlib
import errno
import re
import select
import socket
import time
from typing import Final

from terminal.errors import ReaderFault, ReaderNotFound

CONNECT_SECONDS: Final = 5.0
_STUCK = 60.0
"""Seconds after which a peer that takes nothing is lost; a printer takes nothing while it prints a panel."""
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""A peer that was switched off is noticed after 25 s without traffic. tcp(7)."""
_MOST = 65536
_ADDRESS = re.compile(r"tcp://(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>[0-9]{1,5})/?")

_REASONS: Final[dict[int, str]] = {
    errno.ECONNREFUSED: "nothing answers at this port; look whether the machine is on and which port it has",
    errno.EHOSTUNREACH: "there is no way to this address; look at the cable and the address",
    errno.ENETUNREACH: "there is no way to this network; look at the cable and the address",
    errno.ECONNRESET: "the machine closed the connection",
    errno.EPIPE: "the machine closed the connection",
    errno.ETIMEDOUT: "the machine does not answer any more; look whether it is on, and at the cable",
}


def tcp_address(device: str) -> tuple[str, int] | None:
    """Host and port of ``tcp://HOST:PORT``; None for anything that is not such an address.

    Raises ReaderNotFound where it begins like one and is none.
    """
    if not device.startswith("tcp:"):
        return None
    match = _ADDRESS.fullmatch(device)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ReaderNotFound(f"{device} is not an address; write tcp://HOST:PORT, as in tcp://192.168.1.20:9100")
    return match["six"] or match["host"], int(match["port"])


class TcpLink:
    """An open connection: a ByteLink. ``close`` is safe to call twice and from another thread.

    Raises ReaderNotFound (no such host) and ReaderFault.
    """

    def __init__(self, host: str, port: int, *, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._name = f"tcp://{f'[{host}]' if ':' in host else host}:{port}"
        self._open = True
        try:
            self._socket = socket.create_connection((host, port), connect_seconds)
        except socket.gaierror as unknown:
            raise ReaderNotFound(f"{self._name}: no address is known for {host}; look at the name") from unknown
        except OSError as fault:
            raise ReaderFault(f"{self._name} does not open: {_reason(fault)}") from fault
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            self._socket.setsockopt(socket.IPPROTO_TCP, option, value)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_STUCK * 1000))

    @property
    def open(self) -> bool:
        return self._open

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        self._ready(write=True, seconds=0)
        until = time.monotonic() + _STUCK
        while left:
            try:
                sent = self._socket.send(left)
            except BlockingIOError:
                if not self._ready(write=True, seconds=until - time.monotonic()):
                    raise self._lost(f"it takes nothing for {_STUCK:g} s") from None
            except OSError as gone:
                raise self._lost(_reason(gone)) from gone
            else:
                left, until = left[sent:], time.monotonic() + _STUCK

    def read(self, seconds: float) -> bytes:
        until = time.monotonic() + seconds
        data = None
        while data is None:
            if not self._ready(write=False, seconds=until - time.monotonic()):
                return b""
            try:
                data = self._socket.recv(_MOST)
            except BlockingIOError:
                continue  # Woken for nothing.
            except OSError as gone:
                raise self._lost(_reason(gone)) from gone
        if not data:
            raise self._lost("the machine closed the connection")
        return data

    def discard(self) -> None:
        while self.read(0):
            pass

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _ready(self, *, write: bool, seconds: float) -> bool:
        if not self._open:
            raise ReaderFault(f"{self._name} is closed")
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLOUT if write else select.POLLIN)
        except ValueError as closed:  # By another thread, a moment ago.
            raise ReaderFault(f"{self._name} is closed") from closed
        return bool(poll.poll(int(seconds * 1000) + 1 if seconds > 0 else 0))

    def _lost(self, why: str) -> ReaderFault:
        """The fault of a connection that failed in use; it is closed."""
        if not self._open:
            return ReaderFault(f"{self._name} is closed")  # By another thread, in the middle of a call.
        self.close()
        return ReaderFault(f"{self._name} was lost: {why}")


def _reason(fault: OSError) -> str:
    if isinstance(fault, TimeoutError) and fault.errno is None:
        return f"no answer within {CONNECT_SECONDS:g} s; look whether the machine is on, and at the address"
    return _REASONS.get(fault.errno or 0, str(fault))
