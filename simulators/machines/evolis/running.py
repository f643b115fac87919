"""A card printer that runs in this process: what a program needs that shows one, such as `membercard demo`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.machines.body import MachineBody
from simulators.machines.evolis.answers import PrinterManner
from simulators.machines.evolis.machine import SimulatedEvolis
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.evolis.slots import reader_inside
from simulators.machines.tcp import TcpPort
from terminal.apdu import Reader


@contextmanager
def running_printer(stock: Path, name: str, ribbon: str = "ymcko") -> Iterator[tuple[str, Reader]]:
    """Feed a printer with a new ribbon from this stock, whose ``issued`` and ``rejects`` are its bins, until the block
    ends: its address as ``tcp://HOST:PORT``, and the reader inside. It is an entry point of ``membercard.simulators``.
    """
    chip = reader_inside(name)
    printer = EvolisPrinter(MachineBody.at_stock(stock, name), PrinterManner(ack=True), contacts=chip)
    printer.settings.ribbon = Ribbon.new(ribbon)
    with TcpPort(SimulatedEvolis(printer)) as port:
        yield f"tcp://{port.host}:{port.port}", chip
