"""The driver of the CRT-571 against the simulated machine: each was written from the facts alone.

Time is the machine's, which passes at once, but for the last tests, where the machine is at a port.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from personalize.machines.crt571.machine import Crt571Machine, open_machine
from personalize.machines.crt571.options import parse_rest
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineBin, MachinePlace, Supply
from simulators.card.config import CardConfig
from simulators.machines.body import BodyFault, BodyManner, MachineBody
from simulators.machines.clock import VirtualClock, WallClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.crt571.options import Crt571Options, ResetAnswer
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.machines.port import DevicePort
from simulators.machines.tcp import TcpPort
from simulators.readers.stock import blank, make_stock
from terminal.apdu import OK, Command, Disposition, LinkProtocol, Response, stack
from terminal.errors import CardGone, NoCard, TransportError
from tests.support.thorough import repeats
from tests.support.waiting import eventually

OUTPUT, REJECT = MachineBin.OUTPUT, MachineBin.REJECT
GET_CPLC = Command(0x80, 0xCA, 0x9F, 0x7F, ne=45)
SELECT = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("A000000151000000"), ne=256)
USUAL = Crt571Options()
IMPATIENT, PATIENT = "answer=5&settle=2", "ack=60&answer=60"
COMMANDS = 11
"""Of one passage: initialization and two texts; status, move, reset, two APDUs; status, power off, move."""


@dataclass
class Station:
    """A stock of three blanks, the machine at it, and the driver at its line."""

    stock: Path
    machine: SimulatedCrt571
    driver: Crt571Machine
    faults: list[TransportError] = field(default_factory=list)

    @property
    def body(self) -> MachineBody:
        return self.machine.body

    def bins(self) -> tuple[int, int, int]:
        """Card files left in the stock, finished, and rejected."""
        return tuple(  # type: ignore[return-value]
            len(list(folder.glob("*.card")))
            for folder in (self.stock, self.body.bins["output"], self.body.bins["reject"])
        )

    def passage(self, bin: MachineBin) -> list[Response]:
        """One card from the stock through two commands into a bin, by whoever clears each fault and goes on with what
        the machine says."""
        answers: list[Response] = []
        leaving = False
        for _ in range(8):
            try:
                if leaving and self.driver.status().place in (MachinePlace.NONE, MachinePlace.EXIT):
                    return answers
                assert self.driver.take(0)
                self.driver.to_chip()
                sender = stack(self.driver.reader.connect())
                answers = [sender.send(SELECT), sender.send(GET_CPLC)]
                leaving = True
                self.driver.give(bin)
            except TransportError as fault:
                self.faults.append(fault)
                self._clear()
            else:
                return answers
        raise AssertionError(f"the card did not come through: {self.faults}")

    def _clear(self) -> None:
        for _ in range(4):
            try:
                self.driver.clear()
            except TransportError as fault:
                self.faults.append(fault)
            else:
                return


Start = Callable[..., Station]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Switch a machine on: the faults of its plan, the driver's options, its own, its body's."""

    def switch_on(
        *faults: str,
        url: str = "",
        options: Crt571Options = USUAL,
        protocol: LinkProtocol = LinkProtocol.T1,
        **manner: float,
    ) -> Station:
        stock = tmp_path / f"stock-{len(list(tmp_path.iterdir()))}"
        list(make_stock(stock, 3, CardConfig(blank(), protocol=protocol)))
        body = MachineBody.at_stock(stock, "crt", BodyManner(**{"seconds": 1.5, **manner}))  # type: ignore[arg-type]
        plan, clock = WireFaults(WireFault.parse(fault) for fault in faults), VirtualClock()
        machine = SimulatedCrt571(body, options, faults=plan, clock=clock)
        driver = Crt571Machine(*parse_rest(f"crt?{url}"), lambda: MemoryLine(machine), clock.now)
        return Station(stock, machine, driver)

    return switch_on


@pytest.mark.parametrize("protocol", [LinkProtocol.T0, LinkProtocol.T1])
@pytest.mark.parametrize("answer", ResetAnswer)
@pytest.mark.parametrize("url", ["", "apdu=machine"])
def test_a_chip_is_spoken_to_at_the_contact_station(
    start: Start, protocol: LinkProtocol, answer: ResetAnswer, url: str
) -> None:
    station = start(protocol=protocol, options=Crt571Options(reset_answer=answer), url=url)
    assert station.driver.take(0)
    card = station.driver.reader.connect()
    assert card.protocol is protocol
    sender = stack(card)
    cplc = sender.send(GET_CPLC)
    assert (len(cplc.data), cplc.sw) == (45, OK)
    assert sender.send(SELECT).sw == OK
    assert card.reset() == card.atr
    assert sender.send(GET_CPLC) == cplc
    station.driver.give(OUTPUT)
    with pytest.raises(CardGone):
        sender.send(GET_CPLC)
    assert station.bins() == (2, 1, 0)


def test_a_chip_is_spoken_to_at_the_antenna(start: Start) -> None:
    station = start(url="station=antenna", dual=True)
    assert station.driver.take(0)
    card = station.driver.reader.connect()
    assert card.protocol is LinkProtocol.CONTACTLESS
    assert stack(card).send(SELECT).sw == OK
    station.driver.to_chip()
    assert stack(station.driver.reader.connect()).send(SELECT).sw == OK
    station.driver.give(REJECT)
    assert (station.bins(), station.driver.status().counters) == ((2, 0, 1), {"rejected": 1})
    without = start(url="station=antenna", options=Crt571Options(antenna=False))
    with pytest.raises(MachineFault) as lacks:
        without.driver.take(0)
    assert lacks.value.code is MachineFaultCode.LACKS


def test_status_and_supplies(start: Start) -> None:
    station = start(capacity=1, few=2)
    status = station.driver.status()
    assert (status.model, status.serial_number) == (USUAL.model, USUAL.serial_number)
    assert (status.place, status.feeder, status.reject_full) == (MachinePlace.NONE, Supply.ENOUGH, False)
    station.passage(REJECT)
    assert station.driver.status().faults == (MachineFaultCode.REJECT_FULL,)
    assert station.driver.take(0)
    with pytest.raises(MachineFault, match="the error bin is full"):
        station.driver.give(REJECT)
    station.body.empty_reject()
    station.driver.give(REJECT)
    station.passage(OUTPUT)
    assert MachineFaultCode.FEEDER_EMPTY in station.driver.status().faults
    assert not station.driver.take(0)
    assert station.bins() == (0, 1, 2)


def test_a_card_waits_in_the_exit_slot_for_a_person(start: Start) -> None:
    station = start(options=Crt571Options(exit_holds=True))
    station.passage(OUTPUT)
    assert station.driver.status().place is MachinePlace.EXIT
    assert not station.driver.take(0)
    assert station.body.take_from_exit()
    assert station.driver.take(0)
    assert station.body.record.fed == 2


@pytest.mark.parametrize("holding_at_exit", [False, True])
def test_a_person_inserts_a_card(start: Start, holding_at_exit: bool) -> None:
    station = start(url="feed=exit-slot", options=Crt571Options(holding_at_exit=holding_at_exit))
    blank_card = next(iter(station.stock.glob("*.card")))
    assert not station.machine.insert(blank_card)
    assert not station.driver.take(0)
    assert station.machine.insert(blank_card)
    assert station.driver.take(0)
    station.driver.to_chip()
    assert stack(station.driver.reader.connect()).send(SELECT).sw == OK
    station.driver.give(OUTPUT)
    assert (station.bins(), station.body.record.fed) == ((2, 1, 0), 0)


@pytest.mark.parametrize("letter", [0x4E, 0x45])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (BodyFault.JAM, MachineFaultCode.JAM),
        (BodyFault.SENSOR, MachineFaultCode.SENSOR),
        (BodyFault.MOTOR, MachineFaultCode.MOTOR),
        (BodyFault.MAGNET, MachineFaultCode.CONTACTS),
        (BodyFault.CHIP_POSITION, MachineFaultCode.CONTACTS),
        (BodyFault.LONG_CARD, MachineFaultCode.CARD_SIZE),
        (BodyFault.SHORT_CARD, MachineFaultCode.CARD_SIZE),
    ],
)
def test_what_is_wrong_with_the_machine_is_a_fault_until_it_is_cleared(
    start: Start, wrong: BodyFault, code: MachineFaultCode, letter: int
) -> None:
    station = start(options=Crt571Options(failure_letter=letter))
    station.driver.status()
    station.body.damage(wrong)
    with pytest.raises(MachineFault) as fault:
        station.driver.take(0)
    assert fault.value.code is code
    assert code in station.driver.status().faults
    station.body.repair()
    station.driver.clear()
    assert station.driver.status().faults == ()
    station.passage(OUTPUT)
    assert station.bins() == (2, 1, 0)


def test_a_jam_before_the_first_order_is_named(start: Start) -> None:
    station = start()
    station.body.damage(BodyFault.JAM)
    assert station.driver.status().faults == station.driver.status().faults == (MachineFaultCode.JAM,)
    for order in (station.driver.to_chip, station.driver.clear, lambda: station.driver.take(0)):
        with pytest.raises(MachineFault, match="a card is jammed"):
            order()
    station.body.repair()
    station.driver.clear()
    station.passage(OUTPUT)
    station.machine.power_off()
    station.machine.power_on()
    station.body.damage(BodyFault.MOTOR)
    assert station.driver.status().faults == (MachineFaultCode.NOT_INITIALIZED,)
    with pytest.raises(MachineFault, match="the motor does not work"):
        station.driver.clear()
    assert station.driver.status().faults == (MachineFaultCode.MOTOR,)
    with pytest.raises(MachineFault) as motor:
        station.driver.take(0)
    assert motor.value.code is MachineFaultCode.MOTOR


def test_contacts_that_do_not_let_go_and_a_shorted_chip(start: Start) -> None:
    station = start()
    assert station.driver.take(0)
    station.body.damage(BodyFault.SHORT)
    with pytest.raises(NoCard, match="short-circuited"):
        station.driver.reader.connect()
    station.body.repair()
    station.body.damage(BodyFault.STUCK_CONTACTS)
    with pytest.raises(MachineFault, match="the contacts were not released"):
        station.driver.give(OUTPUT)
    station.body.repair()
    station.driver.clear()
    station.driver.give(OUTPUT)
    assert station.bins() == (2, 1, 0)


def test_a_card_that_a_person_took_out_is_not_replaced_by_the_next_one(start: Start) -> None:
    station = start()
    assert station.driver.take(0)
    card = station.driver.reader.connect()
    station.body.remove_card()
    with pytest.raises(TransportError):
        stack(card).send(SELECT)
    station.driver.give(REJECT)
    with pytest.raises(MachineFault, match="no card is inside"):
        station.driver.to_chip()
    assert station.bins() == (2, 0, 0)


def test_a_full_counter_is_reset(start: Start) -> None:
    station = start()
    station.body.record.counter = 9999
    station.passage(REJECT)
    assert [fault.code for fault in station.faults if isinstance(fault, MachineFault)] == [MachineFaultCode.COUNTER]
    assert (station.bins(), station.driver.status().counters) == ((2, 0, 1), {"rejected": 1})


@pytest.mark.parametrize(
    "kind",
    [
        "nak",
        "no-ack",
        "noise",
        "check",
        "silent",
        "twice",
        "late",
        "jam",
        "power-before",
        "power-during",
        "power-after",
    ],
)
def test_whatever_fails_at_any_command_one_card_goes_into_its_bin(start: Start, kind: str) -> None:
    seconds = {"late": ":3", "jam": ""}.get(kind, "")
    for number in range(COMMANDS):
        bin = OUTPUT if number % 2 else REJECT
        station = start(f"{kind}:{number}{seconds}", url=IMPATIENT, options=Crt571Options(repeat_after=number % 3))
        if kind == "jam":
            clear = station._clear
            station._clear = lambda body=station.body, clear=clear: (body.repair(), clear())  # type: ignore[method-assign]
        answers = station.passage(bin)
        assert [answer.sw for answer in answers] == [OK, OK], number
        assert station.bins() == ((2, 1, 0) if bin is OUTPUT else (2, 0, 1)), number
        assert station.body.record.fed == 1, number


@pytest.mark.parametrize("kind", ["lose-in", "double-in", "flip-in", "lose-out", "double-out", "flip-out"])
def test_whatever_byte_is_damaged_one_card_goes_into_its_bin(start: Start, kind: str) -> None:
    expected = [answer.data[:15] for answer in start().passage(OUTPUT)]
    for number in range(0, 330, repeats(13, 1)):
        station = start(f"{kind}:{number}", url=IMPATIENT)
        answers = station.passage(OUTPUT)
        assert [answer.data[:15] for answer in answers] == expected, number
        assert (station.bins(), station.body.record.fed) == ((2, 1, 0), 1), number


@pytest.mark.parametrize(
    "left",
    ["F2 00 00", "F2 00 0004 43", "F2 00 0003 43 30 33 03 B2", "F2 00 0003 43 30 33 03 B2 F2 00 0003 43 32 31 03 B2"],
)
def test_what_a_program_that_was_killed_left_on_the_line_harms_nothing(start: Start, left: str) -> None:
    station = start()
    station.machine.receive(bytes.fromhex(left))
    station.passage(REJECT)
    assert (station.bins(), station.body.record.fed, station.faults) == ((2, 0, 1), 1, [])


def test_a_noisy_line_loses_no_card(start: Start) -> None:
    for seed in range(repeats(4, 200)):
        station = start(f"random:{seed}:250", url=IMPATIENT)
        for bin in (OUTPUT, REJECT):
            station.passage(bin)
        assert station.bins() == (1, 1, 1), seed


def test_a_power_cut_in_the_memory_of_the_chip_is_a_named_fault(start: Start) -> None:
    initialize_update = bytes.fromhex("80500000080102030405060708")
    station = start("power-page:0:1")
    assert station.driver.take(0)
    card = station.driver.reader.connect()
    with pytest.raises(MachineFault, match="whether the card executed the command is not known") as cut:
        card.exchange(initialize_update)
    assert cut.value.code is MachineFaultCode.NO_ANSWER
    with pytest.raises(MachineFault) as restarted:
        station.driver.give(REJECT)
    assert restarted.value.code is MachineFaultCode.NOT_INITIALIZED
    station.driver.clear()
    station.driver.to_chip()
    assert stack(station.driver.reader.connect()).send(SELECT).sw == OK


@pytest.fixture
def real(tmp_path: Path) -> SimulatedCrt571:
    """A machine with one blank whose moves take a tenth of a second, and which sends an answer damaged at first."""
    list(make_stock(tmp_path / "stock", 1, CardConfig(blank(), protocol=LinkProtocol.T0)))
    body = MachineBody.at_stock(tmp_path / "stock", "crt", BodyManner(seconds=0.1))
    return SimulatedCrt571(body, faults=WireFaults([WireFault.parse("check:6")]), clock=WallClock())


@pytest.mark.parametrize("port", [DevicePort, TcpPort])
def test_the_driver_opens_a_machine_by_its_url(real: SimulatedCrt571, port: type[DevicePort | TcpPort]) -> None:
    with port(real) as far:
        device = far.port if isinstance(far, DevicePort) else f"tcp://{far.host}:{far.port}"
        machine = open_machine(f"{device}?{PATIENT}")
        try:
            assert machine.take(60)
            assert machine.reader.wait_for_card(0)
            card = machine.reader.connect()
            assert (card.protocol, stack(card).send(SELECT).sw) == (LinkProtocol.T0, OK)
            machine.reader.release(Disposition.DONE)
            machine.give(REJECT)
            assert machine.status().counters == {"rejected": 1}
        finally:
            machine.close()
    assert len(list(real.body.bins["reject"].glob("*.card"))) == 1


def test_the_machine_tells_its_status_during_a_move_and_is_closed_while_it_waits(real: SimulatedCrt571) -> None:
    with DevicePort(real) as far, ThreadPoolExecutor(1) as lane:
        machine = open_machine(f"{far.port}?{PATIENT}")
        taking = lane.submit(machine.take, None)
        assert eventually(lambda: machine.status().place is MachinePlace.CHIP)
        assert taking.result()
        machine.give(OUTPUT)
        waiting = lane.submit(machine.take, None)
        assert machine.status().feeder is Supply.EMPTY
        machine.close()
        assert waiting.result() is False
