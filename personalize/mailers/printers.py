"""Where PIN letters go: a printer queue, a printer's port, or a pipe. Nothing is written to a file here.

What a print server stores is not in the hands of this program: docs/security.md says how its spool stays in memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import subprocess
from typing import Final, Protocol

from personalize.errors import LetterPrinterFault

_QUEUE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,126}")
_TCP: Final = re.compile(r"tcp:(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):(?P<port>[0-9]{1,5})")
_READY, _PRINTED = 10.0, 120.0
"""Seconds for a printer to answer, and to take a document."""
JOB, MOST = 20, 500
"""Letters in a job of a printer, and in the one document of a pipe."""


class LetterPrinter(Protocol):
    """``name`` goes on record; ``at_once`` letters are one document."""

    name: str
    at_once: int

    def ready(self) -> None:
        """Before a document is begun. Raises LetterPrinterFault where it cannot be printed."""
        ...

    def send(self, document: bytearray) -> None:
        """Print a document. Raises LetterPrinterFault where it is not known that all of it was taken."""
        ...


class QueuePrinter:
    """A queue of CUPS, through its command ``lp``."""

    at_once = JOB

    def __init__(self, queue: str) -> None:
        self.name, self._queue = f"lp:{queue}", queue

    def ready(self) -> None:
        if shutil.which("lp") is None or shutil.which("lpstat") is None:
            raise LetterPrinterFault("this machine has no command lp: install the client of CUPS (cups-client)")
        if self._run("lpstat", "-a", self._queue, content=b"", seconds=_READY):
            raise LetterPrinterFault(f"there is no printer queue {self._queue}: lpstat -a lists those there are")

    def send(self, document: bytearray) -> None:
        status = self._run("lp", "-d", self._queue, "-t", "letters", content=document, seconds=_PRINTED)
        if status:
            raise LetterPrinterFault(f"lp ended with status {status}")

    def _run(self, *command: str, content: bytes | bytearray, seconds: float) -> int:
        quiet = subprocess.DEVNULL
        try:
            done = subprocess.run(  # noqa: S603 - the name of the queue was checked
                command, input=content, stdout=quiet, stderr=quiet, timeout=seconds, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise LetterPrinterFault(f"{command[0]} did not answer: {type(e).__name__}") from None
        return done.returncode


class PortPrinter:
    """A printer that takes PDF at a TCP port (9100 mostly), and closes the connection when it has all of a document."""

    at_once = JOB

    def __init__(self, host: str, port: int) -> None:
        self.name, self._address = f"tcp:{host}:{port}", (host.strip("[]"), port)
        self._connected: socket.socket | None = None

    def ready(self) -> None:
        try:
            self._connected = socket.create_connection(self._address, timeout=_READY)
        except OSError:
            raise LetterPrinterFault(f"no printer answers at {self.name}") from None

    def send(self, document: bytearray) -> None:
        connected, self._connected = self._connected, None
        if connected is None:
            raise LetterPrinterFault(f"{self.name} is not connected")
        with connected:
            try:
                connected.settimeout(_PRINTED)
                connected.sendall(document)
                connected.shutdown(socket.SHUT_WR)
                while connected.recv(4096):
                    pass
            except OSError:
                raise LetterPrinterFault(f"{self.name} broke off") from None


class PipePrinter:
    """Standard output, where it is a pipe, a socket or a printer's device: one document."""

    at_once = MOST
    name = "-"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ready(self) -> None:
        try:
            about = os.fstat(self._descriptor)
        except OSError:
            raise LetterPrinterFault("standard output is closed") from None
        nowhere = os.major(os.stat(os.devnull).st_rdev)  # of /dev/zero, too
        device = stat.S_ISCHR(about.st_mode) and os.major(about.st_rdev) != nowhere
        device = device and not os.isatty(self._descriptor)
        if not (device or stat.S_ISFIFO(about.st_mode) or stat.S_ISSOCK(about.st_mode)):
            raise LetterPrinterFault(
                "PIN letters go to a pipe or a printer's device, never to a terminal, a file or nowhere"
            )

    def send(self, document: bytearray) -> None:
        rest = memoryview(document)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            raise LetterPrinterFault("the pipe was closed before all was written") from None
        finally:
            rest.release()
        with contextlib.suppress(OSError):
            os.fsync(self._descriptor)


def letter_printer(to: str, *, stdout: int = 1) -> LetterPrinter:
    """The printer of ``lp:QUEUE``, ``tcp:HOST:PORT`` or ``-``. Raises ValueError for anything else."""
    if to == "-":
        return PipePrinter(stdout)
    if to.startswith("lp:") and _QUEUE.fullmatch(to[3:]):
        return QueuePrinter(to[3:])
    if (named := _TCP.fullmatch(to)) is not None and 0 < int(named["port"]) <= 65535:
        return PortPrinter(named["host"], int(named["port"]))
    raise ValueError("a printer is lp:QUEUE, tcp:HOST:PORT or - for a pipe")
