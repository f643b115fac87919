"""A lane over a simulated Evolis printer: chip, stripe and face of each card, and the bins against the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from personalize.dossiers.dossier import Dossier
from personalize.line import lanes
from personalize.machines.evolis import printer as driver
from personalize.machines.evolis.options import parse_rest
from personalize.machines.evolis.printer import EvolisMachine
from personalize.machines.protocols import PrintedFace
from personalize.machines.reader import MachineReader
from simulators.card.config import CardConfig, ProductionData
from simulators.machines.body import BodyFault, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.evolis.answers import PrinterManner
from simulators.machines.evolis.machine import SimulatedEvolis
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.evolis.slots import reader_inside
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.machines.stripe.stripe import StripeFile
from simulators.virtual_card import VirtualCard
from tests.support.cards.card_bench import SCP03, Bench, fast_directory
from tests.support.machines.machine import body_preparer, run_until_empty
from tests.support.waiting import PATIENCE

CARDS = 4
MEMBERS = 3


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, MEMBERS, make=body_preparer)


@pytest.fixture
def bench(prepared: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(lanes, "POLL", 0.01)
    monkeypatch.setattr(lanes, "CLEAR_AFTER", 0.0)
    with prepared.copied() as copied:
        yield copied


class PrinterLane:
    """The printer with its blanks, and the machine as the lane has it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        blanks = [directory / f"blank-{number}.card" for number in range(CARDS)]
        for number, blank in enumerate(blanks):
            VirtualCard.create(blank, CardConfig(ProductionData(9000 + number), SCP03[1], SCP03[0]))
        self.body = MachineBody.of_cards(directory / "printer", blanks)
        inside = reader_inside("printer-1")
        self.printer = EvolisPrinter(self.body, PrinterManner(), contacts=inside)
        self.printer.settings.ribbon = Ribbon.new("k")
        self.device = SimulatedEvolis(self.printer, clock=VirtualClock())
        monkeypatch.setattr(driver, "open_serial_link", lambda name, rate: MemoryLine(self.device))
        monkeypatch.setattr(driver, "_AGAIN", 0.001)
        name, options = parse_rest("/dev/ttyS9?encoder=1&ribbon=k")
        self.reader = MachineReader(EvolisMachine(f"evolis:{name}", name, options, reader=inside, antenna=None))

    def issued(self) -> list[Path]:
        return sorted((self.body.directory / "output").glob("*.card"))

    def check(self, bench: Bench) -> None:
        """The bins hold what the record says, each finished card with its own stripe and with a face."""
        (account,) = bench.registry.machine_cards.accounts(bench.batch)
        assert (account.output, account.reject) == (self.body.record.output, self.body.record.reject)
        assert bench.accounts.balanced
        cards = {card.chip_serial: card for card in bench.registry.cards.of_batch(bench.batch)}
        assert len(cards) == len(self.issued()) == MEMBERS
        for path in self.issued():
            card = cards[VirtualCard.open(path).chip_serial]
            assert StripeFile(path).read().text(2) == f"{card.card_number}={card.sequence:02d}"
            assert (path.parent / f"{path.stem}.front.png").exists()


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrinterLane:
    return PrinterLane(tmp_path, monkeypatch)


def face_of(dossier: Dossier) -> PrintedFace:
    picture = Image.new("RGB", (1016, 648), "white")
    ImageDraw.Draw(picture).text((60, 400), dossier.face["number"], font=ImageFont.load_default(60), fill="black")
    return PrintedFace(picture)


def test_a_batch_is_done_without_hands(bench: Bench, lane: PrinterLane) -> None:
    run_until_empty(bench, lane.reader, bench.job(render=face_of))

    lane.check(bench)
    assert lane.body.record.reject == 0
    assert lane.printer.settings.printed == MEMBERS


@pytest.mark.parametrize(("fault", "at"), [("silent", 3), ("power-during", 25)])
def test_a_lost_answer_or_a_power_cut_costs_a_card_at_most(
    bench: Bench, lane: PrinterLane, fault: str, at: int
) -> None:
    lane.device.set_faults(WireFaults([WireFault.parse(f"{fault}:{at}")]))
    run_until_empty(bench, lane.reader, bench.job(render=face_of))

    lane.check(bench)
    assert lane.body.record.reject <= 1


def test_an_open_cover_is_waited_for(bench: Bench, lane: PrinterLane) -> None:
    lane.body.damage(BodyFault.COVER)
    closed = []

    def close(event: lanes.LaneEvent) -> None:
        if event.reason and event.reason.code == "machine-cover" and not closed:
            closed.append(event)
            lane.body.repair()

    run_until_empty(bench, lane.reader, bench.job(render=face_of), close)

    assert closed
    lane.check(bench)
    assert lane.body.record.reject == 0


def test_a_ribbon_that_ends_costs_one_card_until_a_person_clears_the_printer(bench: Bench, lane: PrinterLane) -> None:
    assert lane.printer.settings.ribbon is not None
    lane.printer.settings.ribbon.lines_left = 1016 + 300
    waited: list[lanes.LaneEvent] = []

    def change_ribbon(event: lanes.LaneEvent) -> None:
        if event.reason.code == "machine-ribbon":
            waited.append(event)
            if len(waited) == 4:
                lane.printer.settings.ribbon = Ribbon.new("k")
                line.clear()

    line = bench.line(job=bench.job(render=face_of), idle=PATIENCE, on_event=change_ribbon)
    line.run([lane.reader])

    lane.check(bench)
    assert lane.body.record.reject == 1
