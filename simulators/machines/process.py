"""A simulated machine as a process of its own: one process for each machine, and what persons do to it meanwhile.

The directory of a machine has a named pipe, ``control``: each line that is written to it is something that a person at
the machine does::

    damage jam      a fault of the body, of any name in simulators.machines.body.BodyFault: jam, cover, moved, motor …
    repair jam      it is over; without a name, all are
    remove          take the card out of the opened machine
    take            take the card that waits in the exit
    insert FILE     push a card in at the exit
    empty           empty the reject bin
    off, on         the power
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from simulators.machines.body import LASTING, BodyFault, MachineBody
from simulators.machines.device import SimulatedDevice
from terminal.errors import ReaderBusy, ReaderFault

_PIPE, _PROCESS = "control", "process"
_LONGEST: Final = 4096


class MachineProcess:
    """Holds the machine in a directory for this process. ``earlier`` is the port that the process before it had.

    Raises ReaderBusy while another process runs the machine, ReaderFault.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pipe = -1
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory / _PROCESS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as fault:
            raise ReaderFault(f"opening {directory / _PROCESS}: {fault.strerror}") from fault
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ReaderBusy(f"another process runs the machine {directory.name}") from None
        self.earlier = os.read(self._lock, 256).decode("utf-8", "replace")

    def at_port(self, port: str) -> None:
        """Note the port for a process that comes after this one was killed."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, port.encode(), 0)

    def listen(self) -> None:
        """Open the pipe. Raises ReaderFault."""
        path = self._directory / _PIPE
        try:
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
            self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # for writing too: it has no end then
        except OSError as fault:
            raise ReaderFault(f"opening {path}: {fault.strerror}") from fault

    def lines(self) -> list[str]:
        """What persons did since the last call."""
        try:
            return os.read(self._pipe, _LONGEST).decode("utf-8", "replace").splitlines()
        except BlockingIOError:
            return []

    def close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            (self._directory / _PIPE).unlink(missing_ok=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def act(line: str, body: MachineBody, device: SimulatedDevice, insert: Callable[[Path], bool] | None = None) -> bool:
    """Do what a line says; False where it says nothing that can be done now. ``insert`` pushes a card in at the exit,
    where the machine has such a way. Raises ReaderFault for card files that cannot be moved."""
    word, _, rest = line.strip().partition(" ")
    faults = [fault for fault in LASTING if fault == rest]
    match word:
        case "damage" if faults:
            body.damage(BodyFault(rest))
        case "repair" if faults or not rest:
            body.repair(*faults)
        case "remove":
            return body.remove_card() is not None
        case "take":
            return body.take_from_exit()
        case "insert" if rest and insert is not None and Path(rest).is_file():
            return insert(Path(rest))
        case "empty":
            body.empty_reject()
        case "off":
            device.power_off()
        case "on":
            device.power_on()
        case _:
            return False
    return True
