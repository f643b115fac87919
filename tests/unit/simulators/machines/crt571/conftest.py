"""A simulated CRT-571 in memory, on a clock that runs only when somebody waits, and the host at its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.card.config import CardConfig
from simulators.machines.body import BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.crt571.options import Crt571Options
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.readers.stock import blank, make_stock
from terminal.apdu import LinkProtocol

ACK = b"\x06"


class Host:
    """Sends bytes as they are written here, and gives what comes back, in hex."""

    def __init__(self, machine: SimulatedCrt571) -> None:
        self.machine, self.line = machine, MemoryLine(machine)

    def exchange(self, command: str, seconds: float = 20.0) -> str:
        """The answer to a command, which is acknowledged; the machine's ACK comes before it and is taken off."""
        answer = self.send(command, seconds)
        assert answer.startswith("06"), f"no acknowledgement, but {answer!r}"
        self.line.write(ACK)
        return answer[2:]

    def send(self, command: str, seconds: float = 20.0) -> str:
        """Everything that comes back within so many seconds of silence."""
        self.line.write(bytes.fromhex(command))
        return self.listen(seconds)

    def listen(self, seconds: float = 20.0) -> str:
        """Up to what the machine sends again because nobody acknowledges it."""
        received = self.line.read(seconds)
        if received == ACK:
            received += self.line.read(seconds)
        return received.hex().upper()

    def initialize(self) -> None:
        assert self.exchange("F200000343303303B2")[8:14] == "503033"


Start = Callable[..., Host]


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    directory = tmp_path / "stock"
    list(make_stock(directory, 2, CardConfig(blank(), protocol=LinkProtocol.T0)))
    return directory


@pytest.fixture
def start(stock: Path) -> Start:
    """Switch a machine on at the stock: its options, the faults of its plan, its body."""

    def switch_on(*faults: str, options: Crt571Options | None = None, **manner: float) -> Host:
        body = MachineBody.at_stock(stock, "crt", BodyManner(**manner))  # type: ignore[arg-type]
        plan = WireFaults(WireFault.parse(fault) for fault in faults)
        return Host(SimulatedCrt571(body, options or Crt571Options(), faults=plan, clock=VirtualClock()))

    return switch_on


@pytest.fixture
def host(start: Start) -> Host:
    """An initialized machine."""
    host = start()
    host.initialize()
    return host
