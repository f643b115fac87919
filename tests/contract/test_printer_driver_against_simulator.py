"""The driver of Evolis printers against the simulated printer: each was written from the programming guide alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from personalize.machines.evolis import printer as driver
from personalize.machines.evolis.options import parse_rest
from personalize.machines.evolis.printer import EvolisMachine
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineBin, MachinePlace, PrintedFace, StripeTracks, Supply
from simulators.card.config import CardConfig, ProductionData
from simulators.machines.body import BodyFault, BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.evolis.answers import PrinterManner
from simulators.machines.evolis.machine import SimulatedEvolis
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.evolis.slots import reader_inside
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.machines.port import DevicePort
from simulators.machines.tcp import TcpPort
from simulators.virtual_card import VirtualCard
from terminal.apdu import OK, Command, stack
from terminal.errors import TransportError
from tests.support.thorough import repeats

CPLC = Command(0x80, 0xCA, 0x9F, 0x7F, ne=45)
TRACKS = StripeTracks("B6228480123456789^ZHANG/SAN^29122010000", "6228480123456789=29122010000")
WHITE = Image.new("RGB", (1016, 648), "white")
MANNERS = {
    "ack": ("", PrinterManner(ack=True)),
    "ack by command": ("", PrinterManner()),
    "text first": ("&answers=text-first", PrinterManner(text_first=True)),
    "words": ("&answers=words", PrinterManner(words=True)),
    "buffer": ("&reading=buffer", PrinterManner(read_apart=True)),
}


@dataclass
class Station:
    """A printer with three blank cards, and its driver on a line in memory."""

    body: MachineBody
    printer: EvolisPrinter
    device: SimulatedEvolis
    machine: EvolisMachine

    def faults(self, *texts: str) -> None:
        self.device.set_faults(WireFaults(map(WireFault.parse, texts)))

    def bins(self) -> tuple[int, int, int]:
        """Cards that were fed, came out, and were rejected."""
        return self.body.record.fed, self.body.record.output, self.body.record.reject

    def issued(self) -> list[Path]:
        return sorted((self.body.directory / "output").glob("*.card"))


Opened = Callable[..., Station]


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    machines = []

    def opened(options: str = "", manner: PrinterManner = MANNERS["ack"][1], ribbon: str = "k") -> Station:
        directory = tmp_path / str(len(machines))
        directory.mkdir()
        cards = [directory / f"chip-{number}.card" for number in range(3)]
        for number, card in enumerate(cards):
            VirtualCard.create(card, CardConfig(ProductionData(number)))
        body = MachineBody.of_cards(directory / "printer", cards, BodyManner())
        inside = reader_inside("printer-1")
        printer = EvolisPrinter(body, manner, contacts=inside)
        printer.settings.ribbon = Ribbon.new(ribbon)
        device = SimulatedEvolis(printer, clock=VirtualClock())
        monkeypatch.setattr(driver, "open_serial_link", lambda name, rate: MemoryLine(device))
        monkeypatch.setattr(driver, "_AGAIN", 0.001)
        name, parsed = parse_rest(f"/dev/ttyS9?flip=1&encoder=1&ribbon={ribbon}{options}")
        machine = EvolisMachine(f"evolis:{name}", name, parsed, reader=inside, antenna=None)
        machines.append(machine)
        return Station(body, printer, device, machine)

    yield opened
    for machine in machines:
        machine.close()


def face() -> PrintedFace:
    """A front with a name and a photo, a back with a line of text."""
    front, back = Image.new("RGB", (1016, 648), "#fff0d8"), WHITE.copy()
    font = ImageFont.load_default(40)
    ImageDraw.Draw(front).text((330, 80), "ZHANG San  6228 4801 2345", font=font, fill="black")
    noise = np.random.default_rng(3).normal(0, 6, (280, 220))
    y, x = np.mgrid[0:280, 0:220]
    grey = np.clip(40 + 0.6 * np.hypot(x - 110, y - 90) + noise, 0, 255).astype(np.uint8)
    front.paste(Image.merge("RGB", [Image.fromarray(grey)] * 3), (740, 220))
    ImageDraw.Draw(back).text((60, 300), "Lost cards: 12351", font=font, fill="black")
    return PrintedFace(front, back)


@pytest.mark.parametrize(("options", "manner"), MANNERS.values(), ids=MANNERS)
def test_a_card_is_fed_read_striped_printed_and_given_out(station: Opened, options: str, manner: PrinterManner) -> None:
    place = station(options, manner, ribbon="k")
    machine = place.machine

    assert machine.take(5)
    machine.to_chip()
    session = machine.reader.connect()
    assert stack(session).send(CPLC).sw == OK
    session.close()
    machine.write_stripe(TRACKS)
    assert machine.read_stripe() == TRACKS
    machine.print_face(PrintedFace(WHITE, WHITE))
    assert machine.status().place is MachinePlace.INSIDE
    machine.give(MachineBin.OUTPUT)

    assert place.bins() == (1, 1, 0)
    card = place.issued()[0]
    assert {path.name for path in card.parent.glob("*.png")} >= {f"{card.stem}.front.png", f"{card.stem}.back.png"}
    machine.take(5)
    machine.give(MachineBin.REJECT)
    assert place.bins() == (2, 1, 1)


def test_the_printed_card_looks_like_its_face(station: Opened) -> None:
    place = station(ribbon="ymckok")
    wanted = face()

    place.machine.take(5)
    place.machine.print_face(wanted)
    place.machine.give(MachineBin.OUTPUT)

    card = place.issued()[0]
    front = Image.open(card.parent / f"{card.stem}.front.png").convert("RGB")
    back = Image.open(card.parent / f"{card.stem}.back.png").convert("RGB")
    ours, theirs = np.asarray(wanted.front, np.int16), np.asarray(front, np.int16)
    outside = np.ones(ours.shape[:2], dtype=np.bool_)
    outside[232:367, 123:266] = False
    assert np.abs(ours - theirs)[outside].mean() < 2
    assert (theirs[~outside] == 255).all()
    assert np.abs(np.asarray(wanted.back, np.int16) - np.asarray(back, np.int16)).mean() < 2


def test_the_end_of_the_feeder_is_no_fault(station: Opened) -> None:
    place = station()
    for _ in range(3):
        assert place.machine.take(1)
        place.machine.give(MachineBin.OUTPUT)

    assert not place.machine.take(0.01)
    assert place.machine.status().feeder is Supply.EMPTY
    assert place.bins() == (3, 3, 0)


def test_an_open_cover_is_named_and_closed(station: Opened) -> None:
    place = station()
    place.machine.take(5)
    place.body.damage(BodyFault.COVER)

    with pytest.raises(MachineFault) as fault:
        place.machine.print_face(PrintedFace(WHITE))
    assert fault.value.code is MachineFaultCode.COVER
    assert place.machine.status().cover_open
    place.body.repair()
    if not fault.value.spoiled:
        place.machine.print_face(PrintedFace(WHITE))
    place.machine.give(MachineBin.REJECT)
    assert place.bins() == (1, 0, 1)


def test_a_jam_is_named_and_cleared(station: Opened) -> None:
    place = station()
    place.machine.status()
    place.faults("jam:1")

    place.machine.take(5)
    with pytest.raises(MachineFault) as fault:
        place.machine.give(MachineBin.OUTPUT)
    assert fault.value.code is MachineFaultCode.JAM
    place.body.remove_card()
    place.body.repair()
    place.machine.clear()
    assert place.machine.take(5)
    place.machine.give(MachineBin.OUTPUT)


@pytest.mark.parametrize("ribbon", ["none", "other", "out"])
def test_a_ribbon_that_does_not_print_is_named(station: Opened, ribbon: str) -> None:
    place = station()
    place.printer.settings.ribbon = {"none": None, "other": Ribbon.new("ymcko"), "out": Ribbon.new("k", 0)}[ribbon]
    place.machine.take(5)

    with pytest.raises(MachineFault) as fault:
        place.machine.print_face(PrintedFace(WHITE))
    assert fault.value.code is MachineFaultCode.RIBBON


def test_a_card_that_did_not_come_is_fed_by_the_next_try(station: Opened) -> None:
    place = station()
    place.printer.misfeeds = 2

    assert place.machine.take(5)
    assert place.bins()[0] == 1


def test_a_card_inside_from_before_is_taken_and_none_is_fed(station: Opened) -> None:
    place = station()
    place.machine.take(5)
    again = EvolisMachine(
        "evolis:/dev/ttyS9", "/dev/ttyS9", parse_rest("/dev/ttyS9")[1], reader=reader_inside("other"), antenna=None
    )

    assert again.status().place is MachinePlace.UNKNOWN
    assert again.take(5)
    again.give(MachineBin.REJECT)
    assert place.bins() == (1, 0, 1)


@settings(max_examples=repeats(5, 300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.sampled_from(["power-before", "power-during", "power-after"]), at=st.integers(3, 8))
@example(cut="power-during", at=7)
@example(cut="power-after", at=7)
def test_a_power_cut_prints_nothing_twice_and_loses_no_card(station: Opened, cut: str, at: int) -> None:
    """Commands 0 to 2 begin the conversation; 3 inserts the card, 4 to 7 print its front, 8 gives it out."""
    place = station(ribbon="k")
    place.faults(f"{cut}:{at}")
    for _ in range(2):
        printed = place.printer.settings.printed
        bin = MachineBin.OUTPUT
        try:
            place.machine.take(5)
            place.machine.print_face(PrintedFace(WHITE))
        except (MachineFault, TransportError) as fault:
            place.device.power_on()
            place.body.repair()
            place.machine.clear()
            if isinstance(fault, MachineFault) and not fault.spoiled:
                assert place.printer.settings.printed == printed
            else:
                bin = MachineBin.REJECT
        for _ in range(2):
            with contextlib.suppress(MachineFault, TransportError):
                place.machine.give(bin)
                break
            place.device.power_on()
            place.body.repair()
            place.machine.clear()

    fed, output, reject = place.bins()
    assert (fed, place.body.card) == (output + reject, None)
    assert place.printer.settings.printed <= fed


@settings(max_examples=repeats(12, 3000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["lose-out", "double-out", "flip-out"]), at=st.integers(0, 24))
def test_a_damaged_answer_ends_in_the_right_outcome_or_a_named_fault(kind: str, at: int, station: Opened) -> None:
    """Answers only: a damaged command may be another one, see docs/machines.md."""
    place = station(ribbon="k")
    place.faults(f"{kind}:{at}")
    fault: Exception | None = None
    try:
        place.machine.take(5)
        place.machine.print_face(PrintedFace(WHITE))
        place.machine.give(MachineBin.OUTPUT)
    except (MachineFault, TransportError) as raised:
        fault = raised

    fed, output, reject = place.bins()
    printed = place.printer.settings.printed
    assert fed <= 1
    assert (reject, printed <= 1) == (0, True)
    assert fault or (fed, output, printed) == (1, 1, 1)


@settings(max_examples=repeats(6, 1500), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["lose-in", "double-in", "flip-in"]), at=st.integers(0, 60))
def test_a_damaged_command_feeds_and_prints_no_second_card(kind: str, at: int, station: Opened) -> None:
    """It may be another command, which nobody notices; what it never does is to be repeated by the driver."""
    place = station(ribbon="k")
    place.faults(f"{kind}:{at}")
    with contextlib.suppress(MachineFault, TransportError):
        place.machine.take(5)
        place.machine.print_face(PrintedFace(WHITE))
        place.machine.give(MachineBin.OUTPUT)

    assert place.bins()[0] <= 1
    assert place.printer.settings.printed <= 1


@pytest.mark.parametrize("network", [True, False], ids=["tcp", "pty"])
def test_a_card_goes_through_a_real_link(tmp_path: Path, network: bool) -> None:
    card = tmp_path / "chip.card"
    VirtualCard.create(card, CardConfig(ProductionData(1)))
    body = MachineBody.of_cards(tmp_path / "printer", [card], BodyManner())
    inside = reader_inside("printer-2")
    printer = EvolisPrinter(body, PrinterManner(), contacts=inside)
    printer.settings.ribbon = Ribbon.new("k")
    device = SimulatedEvolis(printer)
    with TcpPort(device) if network else DevicePort(device, rate=115200) as port:
        name = f"tcp://127.0.0.1:{port.port}" if network else str(port.port)
        device_name, options = parse_rest(f"{name}?rate=115200&ribbon=k")
        machine = EvolisMachine(f"evolis:{name}", device_name, options, reader=inside, antenna=None)
        try:
            assert machine.take(30)
            assert stack(machine.reader.connect()).send(CPLC).sw == OK
            machine.print_face(PrintedFace(WHITE))
            machine.give(MachineBin.OUTPUT)
        finally:
            machine.close()
    assert (body.record.fed, body.record.output) == (1, 1)
    assert (tmp_path / "printer" / "output" / "chip.front.png").exists()
