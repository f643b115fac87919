"""A simulated printer and stripe writer take any bytes without failing or losing count of their cards."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.machines.body import MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.evolis.answers import PrinterManner
from simulators.machines.evolis.machine import SimulatedEvolis
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.machines.msr605 import SimulatedMsr605
from tests.support.thorough import repeats

COMMANDS = (
    "Pem;2", "Pem;4", "Sis", "Si", "Sic", "Ss", "Sr", "Sv", "Se", "Ser", "Seb", "Scs", "Srs", "Rlr", "Rco;i",
    "Dm;2;6210=28", "Smw", "Smr;2", "Dbc;k;2;1016;" + "\xff" + "\0" * 1015, "Dbc;k;2;3;\r\r\r", "Db;k;2;abc",
)  # fmt: skip
commands = st.sampled_from(COMMANDS).map(lambda text: b"\x1b" + text.encode("latin-1") + b"\r")
pieces = st.lists(st.one_of(commands, st.binary(max_size=12)), max_size=25)
seeds = st.integers(0, 1000)


@settings(max_examples=repeats(25, 1000))
@given(pieces, seeds, st.booleans())
def test_cards_are_fed_once_and_are_inside_or_in_a_bin(parts: list[bytes], seed: int, damaged: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cards = [Path(directory) / f"chip-{number}.card" for number in range(6)]
        for card in cards:
            card.touch()
        body = MachineBody.of_cards(Path(directory) / "printer", cards)
        printer = EvolisPrinter(body, PrinterManner(ack=True))
        printer.settings.ribbon = Ribbon.new("k", 3)
        faults = WireFaults([WireFault.parse(f"random:{seed}:40")] if damaged else [])
        line = MemoryLine(SimulatedEvolis(printer, faults=faults, clock=VirtualClock()))
        for part in parts:
            line.write(part)
            line.read(0.0)
        line.read(60.0)
        record = body.record
        places = {name: len(list((body.directory / name).glob("*.card"))) for name in ("inside", "output", "reject")}
        assert record.fed == sum(places.values())
        assert (record.output, record.reject) == (places["output"], places["reject"])
        assert sum(card.exists() for card in cards) == 6 - record.fed
        assert places["inside"] <= 1
        if not damaged:  # after whatever came, the printer understands the next commands
            line.write(b"\r\x1bSrs\r")
            line.read(20.0)
            line.write(b"\x1bRtp\r")
            assert line.read(1.0) == b"\x06Primacy\r"


@settings(max_examples=repeats(50, 1000))
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x1bw", b"\x1bn\x1bs", b"\x1br", b"\x1bm", b"\x1bc\x07"]))
def test_a_stripe_writer_understands_the_next_command_after_any_bytes(noise: bytes, command: bytes) -> None:
    device = SimulatedMsr605()
    device.receive(command + noise)
    device.receive(bytes(1100) + b"?\x1c" + b"\x1ba" * 2)
    device.tick()
    device.receive(b"\x1ba\x1be")
    assert device.tick() == b"\x1by"
