"""A machine behind a pseudo-terminal: it works while nobody listens, and a wrong rate is noise to it."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.card.config import CardConfig
from simulators.machines.body import BodyManner, MachineBody
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.port import DevicePort
from simulators.machines.record import BodyPlace
from simulators.readers.stock import blank, make_stock
from tests.support.waiting import PATIENCE, eventually

INITIALIZE, CONTACTS = bytes.fromhex("F200000343303303B2"), bytes.fromhex("F200000343323103B2")
MODEL = b"CRT-571 V1.00"


@contextmanager
def opened(path: str, rate: int = termios.B9600) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_NOCTTY)
    settings = termios.tcgetattr(handle)
    settings[4] = settings[5] = rate
    termios.tcsetattr(handle, termios.TCSANOW, settings)
    try:
        yield handle
    finally:
        os.close(handle)


def read(handle: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        assert select.select([handle], [], [], PATIENCE)[0], f"only {data.hex()} came"
        data += os.read(handle, count - len(data))
    return data


@contextmanager
def port(tmp_path: Path, seconds: float = 0.0) -> Iterator[tuple[DevicePort, SimulatedCrt571, list[str]]]:
    cards = make_stock(tmp_path / "cards", 1, CardConfig(blank()))
    body = MachineBody.of_cards(tmp_path / "machine", cards, BodyManner(seconds=seconds))
    lines: list[str] = []
    machine = SimulatedCrt571(body)
    with DevicePort(machine, report=lines.append) as at_port:
        yield at_port, machine, lines


def test_a_host_at_the_port_is_acknowledged_and_answered(tmp_path: Path) -> None:
    with port(tmp_path, seconds=0.05) as (at_port, machine, _):
        for _ in range(2):
            with opened(at_port.port) as handle:
                os.write(handle, INITIALIZE)
                assert read(handle, 26)[11:24] == MODEL
                os.write(handle, b"\x06" + CONTACTS)
                assert read(handle, 1) == b"\x06"
                assert read(handle, 12)[4:7] == b"P21"
        assert machine.body.place is BodyPlace.CHIP


def test_a_move_goes_on_while_nobody_has_the_port_open(tmp_path: Path) -> None:
    with port(tmp_path, seconds=0.05) as (at_port, machine, _):
        with opened(at_port.port) as handle:
            os.write(handle, INITIALIZE)
            read(handle, 26)
            os.write(handle, CONTACTS)
        assert eventually(lambda: machine.body.place is BodyPlace.CHIP)


def test_a_port_at_another_rate_is_noise_and_a_line_says_so(tmp_path: Path) -> None:
    with port(tmp_path) as (at_port, machine, lines):
        with opened(at_port.port, termios.B19200) as handle:
            os.write(handle, INITIALIZE)
            assert eventually(lambda: lines)
        with opened(at_port.port) as handle:
            os.write(handle, INITIALIZE)
            assert read(handle, 26)[11:24] == MODEL
        assert lines == [f"{at_port.port} is set to 19200 bit/s, and the machine to 9600"]
        assert machine.initialized
