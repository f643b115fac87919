"""The printer in time: moves that take a while, faults on the line, power cuts, a host that stops."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulators.machines.body import BodyFault
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.record import BodyPlace
from terminal.errors import CardGone, CodecError
from tests.unit.simulators.machines.evolis.conftest import PrinterBench

Open = Callable[..., PrinterBench]


def test_a_move_takes_its_time(bench: Open) -> None:
    opened = bench(seconds=1.5)
    assert opened.ask("Sis", 1.4) == b""
    assert opened.line.read(0.2) == b"\x06"
    assert opened.device.clock.now() == pytest.approx(1.5, abs=0.05)


def test_commands_wait_for_those_before_them(bench: Open) -> None:
    opened = bench(seconds=1.0)
    opened.line.write(b"\x1bSis\r\x1bRtp\r\x1bSe\r")
    assert opened.line.read(0.9) == b""
    assert opened.line.read(0.2) == b"\x06" + b"\x06Primacy\r"
    assert opened.line.read(1.1) == b"\x06"
    assert opened.cards("output") == ["chip-01.card"]


def test_thousands_of_commands_may_wait(bench: Open) -> None:
    opened = bench(seconds=1.0)
    opened.line.write(b"\x1bSis\r" + b"\x1bScs\r" * 3000)
    assert opened.line.read(2.0) == b"\x06" * 3001


def test_a_panel_that_stops_coming_is_a_time_out(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"))
    opened.done("Ss")
    opened.line.write(b"\x1bDb;k;2;" + bytes(1000))
    assert opened.line.read(9.0) == b""
    assert opened.line.read(2.0) == b"\x15T"
    assert opened.words == "ERROR TIME OUT"
    opened.done("Se")


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("no-ack:0", b""),
        ("silent:0", b""),
        ("twice:0", b"\x06\x06"),
        ("noise:0", b"\xa5\x5a\x06"),
        ("check:0", b"\x16"),
        ("flip-out:0", b"\x16"),
        ("lose-out:0", b""),
        ("double-out:0", b"\x06\x06"),
        ("late:0:20", b""),
        ("late:0:inf", b""),
        ("fail:0:0R", b"\x15R"),
        ("fail:0:0T", b"\x15T"),
        ("nak:0", b"\x151"),
        ("lose-in:1", b"\x151"),
        ("lose-in:3", b"\x06"),  # Sis without its last letter is Si
        ("flip-in:1", b"\x151"),
        ("jam:0", b"\x15T"),
    ],
)
def test_a_fault_on_the_line_strikes_once(bench: Open, fault: str, answer: bytes) -> None:
    opened = bench()
    opened.faults(fault)
    assert opened.ask("Sis", 10.0) == answer
    opened.body.repair(BodyFault.JAM)
    opened.line.read(20.0)
    opened.done("Scs", "Sis")


@pytest.mark.parametrize(
    ("fault", "place"),
    [("power-before:0", BodyPlace.NONE), ("power-during:0", BodyPlace.BETWEEN), ("power-after:0", BodyPlace.CHIP)],
)
def test_a_power_cut_leaves_the_card_where_it_was(bench: Open, fault: str, place: BodyPlace) -> None:
    opened = bench(seconds=1.0)
    opened.faults(fault)
    assert opened.ask("Sis", 1.5) == b""
    assert not opened.device.powered
    assert opened.body.place is place
    assert opened.line.read(3.0) == b""
    assert opened.device.powered
    assert opened.reader.wait_for_card(0) == (place is BodyPlace.CHIP)
    opened.done("Sis", "Se")
    assert opened.body.record.fed == 1


def test_a_power_cut_tears_the_chip_and_drops_what_was_downloaded(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"), at_end=True)
    opened.done("Pem;2", "Sis", "Ss", b"Dbc;k;2;1016;" + b"\xff" * 1016)
    card = opened.reader.connect()
    opened.device.power_off()
    opened.device.power_off()
    with pytest.raises(CardGone):
        card.exchange(bytes.fromhex("00A4040000"))
    assert opened.ask("Rfv", 1.0) == b"", "no power, no answer"
    opened.device.power_on()
    assert opened.reader.connect().exchange(bytes.fromhex("00A4040000"))[-2:] == b"\x90\x00"
    opened.done("Se")
    assert opened.cards("output") == ["chip-01.card"]


def test_a_plan_that_tears_chips_is_refused(bench: Open) -> None:
    with pytest.raises(CodecError, match="reader of its own"):
        bench().faults("power-page:3")


def test_power_stays_away_when_it_does(bench: Open) -> None:
    opened = bench()
    opened.faults("power-before:0:inf")
    assert opened.ask("Sis", 1000.0) == b""
    assert not opened.device.powered
