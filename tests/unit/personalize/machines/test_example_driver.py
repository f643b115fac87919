"""The driver that docs/machines.md shows works as it stands there."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import CardMachine, MachineBin, MachinePlace
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from tests.support.paths import ROOT

CODE = re.compile(r"## A driver of your own\n.*?```python\n(.*?)```", re.DOTALL)


class ShuttleLine:
    """The machine of the example: letters in, letters out."""

    def __init__(self, blanks: int) -> None:
        self.blanks, self.place, self.bins, self.answer = blanks, b"0", b"", b""
        self.fault = b""
        self.open = True

    def write(self, data: bytes) -> None:
        if data == b"P":
            self.answer = self.place
        elif self.fault and data != b"Z":
            self.answer = self.fault
        elif data == b"T" and not self.blanks:
            self.answer = b"E"
        else:
            self.answer = b"K"
            self.fault = b""
            self.blanks -= data == b"T"
            self.bins += data if data in b"OR" else b""
            self.place = {b"T": b"1", b"C": b"2", b"O": b"0", b"R": b"0"}.get(data, self.place)

    def read(self, seconds: float) -> bytes:
        return self.answer if self.open else b""

    def discard(self) -> None:
        self.answer = b""

    def close(self) -> None:
        self.open = False


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    text = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
    (code,) = CODE.findall(text)
    assert len(code.splitlines()) <= 70
    path = tmp_path / "shuttle.py"
    path.write_text(code, encoding="utf-8")
    spec = spec_from_file_location("shuttle", path)
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def test_the_example_of_a_driver_moves_cards(module: ModuleType, tmp_path: Path) -> None:
    list(make_stock(tmp_path / "stock", 1, CardConfig(blank())))
    chip = next((tmp_path / "stock").glob("*.card"))
    line = ShuttleLine(blanks=2)
    vars(module)["open_serial_link"] = lambda device, rate: line
    reader = module.open_machine_reader(f"/dev/ttyUSB0?reader=sim:{chip}")
    machine: CardMachine = reader.machine
    assert (machine.name, machine.status().place) == ("shuttle:/dev/ttyUSB0", MachinePlace.NONE)
    assert reader.wait_for_card(1)
    assert reader.wait_for_card(1)
    card = reader.connect()
    assert card.exchange(bytes.fromhex("80CA9F7F00"))[-2:] == b"\x90\x00"
    machine.give(MachineBin.OUTPUT)
    machine.give(MachineBin.OUTPUT)
    assert (line.bins, line.blanks) == (b"O", 1)
    line.fault = b"J"
    with pytest.raises(MachineFault) as jam:
        machine.take(1)
    assert jam.value.code is MachineFaultCode.JAM
    machine.clear()
    assert machine.take(1)
    machine.give(MachineBin.REJECT)
    assert (line.bins, machine.take(1)) == (b"OR", False)
    with pytest.raises(MachineFault):
        machine.flip()
    machine.close()
    with pytest.raises(MachineFault, match="look whether the machine is on"):
        machine.status()
