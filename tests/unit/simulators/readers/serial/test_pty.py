"""A card behind a pseudo-terminal: opening it is the power, the line echoes, and a wrong rate is noise to the card."""

from __future__ import annotations

import os
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from simulators.card.config import CardConfig
from simulators.readers.serial.contact import SerialContact
from simulators.readers.serial.pty import SerialSlot
from simulators.readers.stock import blank
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support.waiting import eventually

GET_CPLC = bytes.fromhex("80CA9F7F2D")
ANSWER = 1 + 0x2D + 2


@contextmanager
def slot(*, echo: bool = True) -> Iterator[tuple[SerialSlot, VirtualCard, list[str]]]:
    chip = VirtualCard.create(None, CardConfig(chip=blank(), protocol=LinkProtocol.T0))
    lines: list[str] = []
    contact = SerialContact(chip, LinkProtocol.T0, chip.config.ta1)
    with SerialSlot(contact, echo=echo, report=lines.append) as opened:
        yield opened, chip, lines


@contextmanager
def port(path: str, rate: int = termios.B9600) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_NOCTTY)
    settings = termios.tcgetattr(handle)
    settings[4] = settings[5] = rate
    termios.tcsetattr(handle, termios.TCSANOW, settings)
    try:
        yield handle
    finally:
        os.close(handle)


def read(handle: int, count: int) -> bytes:
    characters = b""
    while len(characters) < count:
        assert select.select([handle], [], [], 5)[0], f"only {characters.hex()} came"
        characters += os.read(handle, count - len(characters))
    return characters


def test_opening_the_port_powers_the_card_and_closing_it_takes_the_power_away() -> None:
    with slot() as (opened, chip, _):
        for _ in range(3):
            with port(opened.port) as handle:
                assert read(handle, len(chip.atr)) == chip.atr
                assert chip.powered
            assert eventually(lambda: not chip.powered)


def test_a_command_comes_back_as_the_line_s_echo_and_then_its_answer() -> None:
    with slot() as (opened, chip, _), port(opened.port) as handle:
        read(handle, len(chip.atr))
        os.write(handle, GET_CPLC)
        answer = read(handle, 5 + ANSWER)
    assert (answer[:6], answer[-2:]) == (GET_CPLC + b"\xca", b"\x90\x00")


def test_a_reader_that_hides_the_echo() -> None:
    with slot(echo=False) as (opened, chip, _), port(opened.port) as handle:
        read(handle, len(chip.atr))
        os.write(handle, GET_CPLC)
        assert read(handle, ANSWER)[:1] == b"\xca"


def test_a_port_at_another_rate_gets_no_answer_and_a_line_says_why() -> None:
    with slot(echo=False) as (opened, chip, lines), port(opened.port, termios.B19200) as handle:
        read(handle, len(chip.atr))
        os.write(handle, GET_CPLC)
        assert eventually(lambda: bool(lines))
        time.sleep(0.01)
        os.set_blocking(handle, False)
        try:
            assert os.read(handle, 1) == b""
        except BlockingIOError:
            assert lines == [f"{opened.port} is set to 19200 bit/s, and the card to 9600"]
