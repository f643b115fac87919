"""A PC/SC service with virtual slots for tests: a private pcscd if none runs, otherwise the running one.

A private one has a reader configuration of its own on free ports. One that somebody else started is used through its
vpcd slots and never stopped or restarted. Only one pcscd can live on a machine, so test runs take turns through a lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from smartcard import scard

from tests.support.waiting import PATIENCE, eventually
from tests.support.watchdog import Watchdog

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SOCKET = Path("/run/pcscd/pcscd.comm")
_LOCK = Path(tempfile.gettempdir()) / f"membercard-pcscd-{os.getuid()}.lock"
_DEFAULT_PORT = 35963
_POLL = 0.45
_SLOTS_OF_ONE = 2  # The driver opens two slots for each reader, on neighbouring ports.


class PcscdError(RuntimeError):
    """No PC/SC service with virtual slots is available; the message states the reason and the remedy."""


@dataclass(frozen=True)
class Slot:
    """One virtual slot: the address for a card, and the PC/SC name of its reader."""

    host: str
    port: int
    reader_name: str

    def wait(self, *, present: bool) -> None:
        """Wait until PC/SC sees a card in this slot, or none; call it for an empty slot before plugging the next card.

        pcscd looks every 0.4 s. A card that is pulled, powered down by its client and replaced within that time leaves
        pcscd believing in an empty slot until the next pull, so an empty slot is left alone for one more period.
        """
        if not eventually(lambda: self.reader_name in _look()[0 if present else 1], 0.02):
            raise PcscdError(f"{self.reader_name} still {'lacks' if present else 'has'} a card after {PATIENCE:g} s")
        if not present:
            time.sleep(max(0.0, _EMPTY[self.reader_name].since + _POLL - time.monotonic()))


@dataclass(frozen=True)
class _Empty:
    """An empty slot: how many cards had come and gone when it was first seen so, and the time."""

    events: int
    since: float


_EMPTY: dict[str, _Empty] = {}
"""The slots that were empty at the last look."""


class Pcscd:
    """Context manager around the service: ``slots`` to plug cards into; ``ours``: it is private."""

    def __init__(self, slots: int = 4) -> None:
        self._wanted = slots
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock: IO[str] | None = None
        self._watchdog: Watchdog | None = None
        self.ours = False
        self.slots: list[Slot] = []
        self._turn = 0

    def __enter__(self) -> Pcscd:
        self._lock = _LOCK.open("a")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if _listening():
                self.slots = _foreign_slots()
            else:
                self.ours = True
                self._configure()
                self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def next_slot(self) -> Slot:
        """Each in its turn: one that was left alone for a while needs no waiting."""
        self._turn += 1
        return self.slots[self._turn % len(self.slots)]

    def stop(self) -> None:
        """Stop a private service. Safe to call twice."""
        self._kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop and start again on the same ports. Only for a private service."""
        self.halt(how)
        self._start()

    def halt(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the service but keep its configuration, for a later :meth:`restart`. Only for a private service."""
        if not self.ours:
            raise PcscdError("this pcscd was started by somebody else and is not restarted")
        self._kill(how)

    def _configure(self) -> None:
        for what in (DRIVER, Path("/usr/sbin/pcscd")):
            if not what.exists():
                raise PcscdError(f"{what} is missing: apt-get install pcscd vsmartcard-vpcd")
        if os.geteuid() != 0 and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
            raise PcscdError("starting a private pcscd needs root or sudo: have it, or start pcscd beforehand")
        self._folder = tempfile.TemporaryDirectory(prefix="membercard-pcscd-")
        folder, entries = Path(self._folder.name), []
        assert self._lock is not None
        self._watchdog = Watchdog(folder, signal.SIGTERM, prefix=_as_root(), locks=[self._lock])
        for number in range(-(-self._wanted // _SLOTS_OF_ONE)):
            # The driver keeps its slots in static memory: each reader needs its own copy of the library.
            library = shutil.copy(DRIVER, folder / f"vpcd{number}.so")
            port, name = _free_ports({slot.port for slot in self.slots}), f"Virtual Test Reader {chr(65 + number)}"
            entries.append(
                f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:0x{port:04X}\nLIBPATH {library}\nCHANNELID 0x{port:04X}\n'
            )
            self.slots += [Slot("127.0.0.1", port + k, f"{name} 00 {k:02X}") for k in range(_SLOTS_OF_ONE)]
        (folder / "reader.conf").write_text("\n".join(entries))

    def _start(self) -> None:
        assert self._folder is not None
        folder = Path(self._folder.name)
        with (folder / "pcscd.log").open("ab") as log:
            command = [*_as_root(), "/usr/sbin/pcscd", "-f", "-c", str(folder / "reader.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        assert self._watchdog is not None
        self._watchdog.watch(self._process.pid)
        if not eventually(lambda: _listening() and len(_reader_names()) >= len(self.slots), 0.05):
            log_end = (folder / "pcscd.log").read_text()[-2000:]
            raise PcscdError(f"pcscd did not come up in {PATIENCE:g} s; the end of its log: {log_end}")

    def _kill(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        _EMPTY.clear()
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._process = None


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def _listening() -> bool:
    """Whether a service responds; a stale socket file is not enough."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(SOCKET)) == 0


def _reader_names() -> list[str]:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code:
        return []
    try:
        return list(scard.SCardListReaders(context, [])[1])
    finally:
        scard.SCardReleaseContext(context)


def _look() -> tuple[Collection[str], Collection[str]]:
    """The readers with a card and those without, as PC/SC sees them."""
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code:
        return (), ()
    try:
        names = scard.SCardListReaders(context, [])[1]
        code, states = scard.SCardGetStatusChange(context, 0, [(name, scard.SCARD_STATE_UNAWARE) for name in names])
    finally:
        scard.SCardReleaseContext(context)
    present = {name for name, state, _ in states if state & scard.SCARD_STATE_PRESENT}
    events = {name: state >> 16 for name, state, _ in states if name not in present}
    known = {name: empty for name, empty in _EMPTY.items() if events.get(name) == empty.events}
    _EMPTY.clear()
    _EMPTY.update({name: _Empty(count, time.monotonic()) for name, count in events.items()} | known)
    return present, _EMPTY


def _foreign_slots() -> list[Slot]:
    until = time.monotonic() + 15  # A service that a socket unit has just started is still loading its drivers.
    while not (names := [name for name in _reader_names() if name.startswith("Virtual PCD")]):
        if time.monotonic() < until:
            time.sleep(0.1)
            continue
        raise PcscdError(
            "pcscd runs, but without virtual slots: apt-get install vsmartcard-vpcd and restart it, or stop it"
        )
    return [Slot("127.0.0.1", _DEFAULT_PORT + k, name) for k, name in enumerate(sorted(names)[:_SLOTS_OF_ONE])]


def _free_ports(taken: set[int]) -> int:
    """The first of two neighbouring free ports, neither of them ``taken``."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            free = port < 65535 and second.connect_ex(("127.0.0.1", port + 1)) != 0
            if free and not taken & {port, port + 1}:
                return port
