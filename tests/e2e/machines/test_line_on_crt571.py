"""The whole line over a simulated CRT-571: driver and machine were written apart, and the machine counts its bins.

The machine's time passes at once; the last test has the machine at a pseudo-terminal and runs on the computer's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from personalize.line import lanes
from personalize.line.lanes import LaneEvent, LaneResult
from personalize.line.outcome import CardOutcome
from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import parse_rest
from personalize.machines.reader import MachineReader
from registry.line.machines import MachineAccount
from simulators.card.config import CardConfig
from simulators.machines.body import BodyFault, BodyManner, MachineBody
from simulators.machines.clock import MachineClock, VirtualClock, WallClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.crt571.options import Crt571Options
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.machines.port import DevicePort
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import Reader, open_reader
from tests.support.cards.card_bench import Bench, card_on, fast_directory
from tests.support.machines.machine import run_until_empty
from tests.support.thorough import repeats

MEMBERS = 4
SPARE = 2
USUAL = Crt571Options()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "POLL", 0.01)
    monkeypatch.setattr(lanes, "CLEAR_AFTER", 0.0)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, MEMBERS)


@pytest.fixture
def bench(prepared: Bench) -> Iterator[Bench]:
    with prepared.copied() as copied:
        yield copied


@dataclass
class Station:
    bench: Bench
    body: MachineBody
    machine: SimulatedCrt571
    reader: Reader

    def run(self, watch: object = None) -> LaneResult:
        events = watch if callable(watch) else lambda event: None
        return run_until_empty(self.bench, self.reader, self.bench.job(), events)

    @property
    def account(self) -> MachineAccount:
        (one,) = self.bench.registry.machine_cards.accounts(self.bench.batch)
        return one

    def check(self) -> None:
        """The machine counted what the record says, and each card in the output is the one on record."""
        record, cards = self.body.record, self.bench.registry.cards.of_batch(self.bench.batch)
        assert (record.output, record.reject) == (self.account.output, self.account.reject)
        issued = [VirtualCard.open(path) for path in self.body.bins["output"].glob("*.card")]
        assert {chip.chip_serial: card_on(chip) for chip in issued} == {
            card.chip_serial: (card.card_number, card.sequence) for card in cards
        }
        self.bench.check_all_issued()


def station(bench: Bench, *faults: str, options: Crt571Options = USUAL, url: str = "") -> Station:
    stock = bench.directory / "stock"
    list(make_stock(stock, MEMBERS + SPARE, CardConfig(blank())))
    body = MachineBody.at_stock(stock, "crt", BodyManner(0.0 if options.exit_holds else 1.5))
    clock: MachineClock = WallClock() if options.exit_holds else VirtualClock()  # to wait for a person takes time
    machine = SimulatedCrt571(body, options, faults=WireFaults(map(WireFault.parse, faults)), clock=clock)
    driver = Crt571Machine(*parse_rest(f"crt?{url}"), lambda: MemoryLine(machine), clock.now)
    return Station(bench, body, machine, MachineReader(driver))


def test_a_batch_runs_without_hands_and_leaves_the_spare_blanks(bench: Bench) -> None:
    one = station(bench)
    result = one.run()
    assert (result.code, result.fault, result.counts) == ("batch-done", False, {CardOutcome.VERIFIED: MEMBERS})
    assert one.account == MachineAccount("test", "crt571:crt", output=MEMBERS)
    assert (one.body.card, len(list((bench.directory / "stock").glob("*.card")))) == (None, SPARE)
    one.check()


FAULTS = ["power-during:6", "power-after:58", "power-page:40", "silent:30", "jam:6", "lose-out:400"]
MORE = ["power-before:20", "power-after:3", "power-before:7", "flip-in:700", "double-out:300", "power-during:61"]


@pytest.mark.parametrize("fault", FAULTS + repeats(0, 1) * MORE)
def test_a_fault_of_power_or_line_costs_no_card(bench: Bench, fault: str) -> None:
    one = station(bench, fault, url="answer=5&settle=2")

    def repair(event: LaneEvent) -> None:
        if event.reason.code == "machine-jam":
            one.body.repair(BodyFault.JAM)

    result = one.run(repair)
    assert (result.code, result.fault) == ("batch-done", False)
    assert not bench.registry.line.rejects(bench.batch)
    one.check()


def test_a_card_that_waits_in_the_exit_is_taken_by_a_person_and_then_the_next_one_comes(bench: Bench) -> None:
    one, seen = station(bench, options=Crt571Options(exit_holds=True)), list[str]()

    def take(event: LaneEvent) -> None:
        if event.reason.code == "machine-exit":
            seen.append(event.reason.code)
            one.body.take_from_exit()

    result = one.run(take)
    assert result.code == "batch-done"
    assert len(seen) == MEMBERS - 1
    assert one.body.take_from_exit(), "the last one waits"
    one.check()


def test_a_card_that_a_person_takes_out_of_a_jam_at_the_exit_is_in_no_bin(bench: Bench) -> None:
    one, hands = station(bench), list[Path | None]()

    def jams(event: LaneEvent) -> None:
        if event.report is not None and event.report.outcome is CardOutcome.VERIFIED and not hands:
            one.body.damage(BodyFault.JAM)
        elif event.reason.code == "machine-jam":
            hands.append(one.body.remove_card())
            one.body.repair(BodyFault.JAM)

    result = one.run(jams)
    assert (result.code, bench.accounts.verified) == ("batch-done", MEMBERS)
    assert (one.account.output, one.account.taken_out, one.body.record.output) == (MEMBERS - 1, 1, MEMBERS - 1)


def test_a_chip_without_an_answer_goes_to_the_error_bin_and_is_counted_there(bench: Bench) -> None:
    one = station(bench)
    one.body.damage(BodyFault.SHORT)

    def repair(event: LaneEvent) -> None:
        if event.report is not None and event.report.outcome is CardOutcome.REJECTED:
            one.body.repair()

    result = one.run(repair)
    assert (result.code, result.counts) == ("batch-done", {CardOutcome.REJECTED: 1, CardOutcome.VERIFIED: MEMBERS})
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.code, reject.bin, one.account.reject) == ("mute", "1 contact", 1)
    one.check()


def test_a_line_over_a_serial_port_is_the_same(bench: Bench) -> None:
    stock = bench.directory / "stock"
    list(make_stock(stock, MEMBERS, CardConfig(blank())))
    body = MachineBody.at_stock(stock, "crt")
    machine = SimulatedCrt571(body)
    with DevicePort(machine) as port:
        one = Station(bench, body, machine, open_reader(f"crt571:{port.port}"))
        result = one.run()
        one.reader.close()
    assert (result.code, result.counts) == ("batch-done", {CardOutcome.VERIFIED: MEMBERS})
    one.check()
