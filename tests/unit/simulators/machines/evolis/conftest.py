"""A printer on a virtual clock, with three blank cards in its feeder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.machines.body import BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.evolis.answers import PrinterManner
from simulators.machines.evolis.machine import SimulatedEvolis
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.evolis.slots import reader_inside
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.readers.reader import ManualSlotReader
from simulators.virtual_card import VirtualCard


@dataclass
class PrinterBench:
    """The printer, its line, and the reader inside."""

    body: MachineBody
    printer: EvolisPrinter
    device: SimulatedEvolis
    line: MemoryLine
    reader: ManualSlotReader

    def ask(self, text: str | bytes, seconds: float = 0.0) -> bytes:
        """The bytes that answer a command."""
        data = text if isinstance(text, bytes) else text.encode()
        self.line.write(b"\x1b" + data + b"\r")
        return self.line.read(seconds)

    def done(self, *texts: str | bytes) -> None:
        """Commands that are acknowledged."""
        for text in texts:
            assert self.ask(text, 100.0) == b"\x06", text

    def faults(self, *texts: str) -> None:
        self.device.set_faults(WireFaults(map(WireFault.parse, texts)))

    @property
    def words(self) -> str:
        """The words of the last error."""
        return self.ask("Rlr").removeprefix(b"\x06").removesuffix(b"\r").decode()

    def cards(self, directory: str) -> list[str]:
        path = self.body.directory / directory
        return sorted(file.name for file in path.iterdir()) if path.is_dir() else []


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., PrinterBench]:
    """Opens a printer over the same directory, each time with its power switched on."""
    cards = [tmp_path / f"chip-{number:02}.card" for number in (1, 2, 3)]
    for number, card in enumerate(cards):
        VirtualCard.create(card, CardConfig(ProductionData(number)))

    def open_printer(*, ribbon: Ribbon | None = None, seconds: float = 0.0, **manner: object) -> PrinterBench:
        body = MachineBody.of_cards(tmp_path / "printer", cards, BodyManner(seconds=seconds))
        reader = reader_inside("printer")
        options = {"ack": True} | manner
        printer = EvolisPrinter(body, PrinterManner(**options), contacts=reader, print_seconds=seconds)  # type: ignore[arg-type]
        if ribbon is not None:
            printer.settings.ribbon = ribbon
        device = SimulatedEvolis(printer, clock=VirtualClock())
        return PrinterBench(body, printer, device, MemoryLine(device), reader)

    return open_printer
