"""Characters through a port: marks of the line discipline, special bytes, rates."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.apdu.serial.line import Arrived
from terminal.apdu.serial.options import SerialOptions
from terminal.apdu.serial.port import SerialPort, unmarked
from terminal.errors import ReaderFault


@pytest.mark.parametrize(
    ("raw", "data", "marked", "rest"),
    [
        ("3B00", "3B00", (), ""),
        ("3BFFFF00", "3BFF00", (), ""),
        ("3BFF0041FFFF", "3B41FF", (1,), ""),
        ("FF0000", "00", (0,), ""),
        ("FF00FF41", "FF41", (0,), ""),
        ("41FF", "41", (), "FF"),
        ("41FF00", "41", (), "FF00"),
        ("FFFFFFFF", "FFFF", (), ""),
    ],
)
def test_marks_of_wrong_parity_differ_from_bytes_ff(raw: str, data: str, marked: tuple[int, ...], rest: str) -> None:
    assert unmarked(bytes.fromhex(raw)) == (Arrived(bytes.fromhex(data), marked), bytes.fromhex(rest))


@given(st.lists(st.tuples(st.integers(0, 255), st.booleans())), st.data())
def test_characters_survive_their_marks_however_they_are_cut(
    characters: list[tuple[int, bool]], data: st.DataObject
) -> None:
    raw = b"".join(
        b"\xff\x00" + bytes((value,)) if bad else b"\xff\xff" if value == 0xFF else bytes((value,))
        for value, bad in characters
    )
    cut = data.draw(st.integers(0, len(raw)))
    first, rest = unmarked(raw[:cut])
    second, end = unmarked(rest + raw[cut:])
    assert end == b""
    assert first.data + second.data == bytes(value for value, _ in characters)
    marks = [*first.marked, *(len(first.data) + at for at in second.marked)]
    assert marks == [at for at, (_, bad) in enumerate(characters) if bad]


@pytest.fixture
def ends() -> Iterator[tuple[SerialPort, int]]:
    master, slave = pty.openpty()
    port = SerialPort(os.ttyname(slave), SerialOptions())
    os.close(slave)
    assert port.configure(9600, odd=False, stop_bits=2)
    yield port, master
    port.close()
    os.close(master)


def test_every_byte_passes_both_ways(ends: tuple[SerialPort, int]) -> None:
    port, master = ends
    every = bytes(range(256))
    os.write(master, every)
    came = b""
    while len(came) < 256:
        came += port.read(5.0).data
    assert came == every
    port.write(every)
    went = b""
    while len(went) < 256:
        went += os.read(master, 256)
    assert went == every


def test_nothing_comes_from_a_silent_line(ends: tuple[SerialPort, int]) -> None:
    port, master = ends
    assert port.read(0.01) == Arrived(b"")
    os.write(master, b"\x3b")
    assert port.read(5.0) == Arrived(b"\x3b")
    assert port.read(0) == Arrived(b"")


def test_a_rate_may_be_any_and_set_any_number_of_times(ends: tuple[SerialPort, int]) -> None:
    port, _ = ends
    assert [port.configure(rate, odd=True, stop_bits=1) for rate in (10753.0, 9600.0, 76800.0, 115200.0)] == [True] * 4
    # A pseudo-terminal has no parity: it has no UART.
    assert not port.paced


def test_a_closed_port_says_so(ends: tuple[SerialPort, int]) -> None:
    port, _ = ends
    port.close()
    port.close()
    with pytest.raises(ReaderFault, match="is closed; its reader was closed or unplugged"):
        port.read(0)
    with pytest.raises(ReaderFault, match="is closed"):
        port.write(b"\x00")
    with pytest.raises(ReaderFault, match="is closed"):
        port.configure(9600, odd=False, stop_bits=2)
