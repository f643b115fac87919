"""A machine's serial line at a pseudo-terminal: plain bytes, any rate, one program at a time."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from personalize.machines.links import ByteLink, open_serial_link
from terminal.errors import ReaderBusy, ReaderFault, ReaderNotFound


@pytest.fixture
def far() -> Iterator[tuple[int, str]]:
    """The machine's end, and the name of the host's."""
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    os.close(master)


@pytest.fixture
def near(far: tuple[int, str]) -> Iterator[ByteLink]:
    link = open_serial_link(far[1], 9600)
    yield link
    link.close()


def all_of(link: ByteLink, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.read(5.0)
        assert part
        data += part
    return data


def test_every_byte_passes_both_ways_without_marks(far: tuple[int, str], near: ByteLink) -> None:
    every = bytes(range(256))
    os.write(far[0], every)
    assert all_of(near, 256) == every
    near.write(every)
    went = b""
    while len(went) < 256:
        went += os.read(far[0], 256)
    assert went == every


def test_nothing_comes_from_a_silent_line_or_after_a_discard(far: tuple[int, str], near: ByteLink) -> None:
    assert near.read(0) == near.read(0.01) == b""
    os.write(far[0], b"\x06\x15")
    assert near.read(5.0) == b"\x06\x15"
    os.write(far[0], b"\x04")
    near.discard()
    assert near.read(0) == b""


@pytest.mark.parametrize("rate", [1200, 38400, 115200, 250000])
def test_any_rate_is_possible(far: tuple[int, str], rate: int) -> None:
    link = open_serial_link(far[1], rate)
    master = termios.tcgetattr(far[0])
    link.close()
    assert master[2] & termios.CSTOPB == 0
    assert master[2] & termios.CSIZE == termios.CS8


def test_two_stop_bits_are_set(far: tuple[int, str]) -> None:
    link = open_serial_link(far[1], 9600, stop_bits=2)
    assert termios.tcgetattr(far[0])[2] & termios.CSTOPB
    link.close()


def test_one_program_has_the_port(far: tuple[int, str], near: ByteLink) -> None:
    assert near.open
    with pytest.raises(ReaderBusy, match="another program holds its lock"):
        open_serial_link(far[1], 9600)


def test_a_port_that_is_not_there_asks_for_the_machine() -> None:
    with pytest.raises(ReaderNotFound, match=r"there is no port /dev/ttyNONE; plug the machine in \(present: "):
        open_serial_link("/dev/ttyNONE", 9600)


def test_a_line_that_was_cut_is_closed() -> None:
    master, slave = pty.openpty()
    link = open_serial_link(os.ttyname(slave), 9600)
    os.close(slave)
    os.close(master)
    with pytest.raises(ReaderFault, match=r"was unplugged or failed .*; plug the machine in again"):
        link.read(5.0)
    assert not link.open
    link.close()
    with pytest.raises(ReaderFault, match="is closed; its machine was closed or unplugged"):
        link.write(b"\x04")
