"""`membercard machine` as a user runs it, against simulated machines at a serial port and a TCP port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.machines.body import BodyFault, MachineBody
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.evolis.answers import PrinterManner
from simulators.machines.evolis.machine import SimulatedEvolis
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.evolis.ribbon import Ribbon
from simulators.machines.port import DevicePort
from simulators.machines.tcp import TcpPort
from terminal.apdu.serial.port import serial_ports
from tests.support.cli import Cli
from tests.support.paths import ROOT

CLI = Cli(ROOT / "data", passphrase=None, bare=True)


@pytest.fixture(scope="module")
def blanks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("blanks")
    CLI.ok("sim", "stock", directory, "--count", 4)
    return directory


@pytest.fixture
def stock(blanks: Path, tmp_path: Path) -> Path:
    stock = tmp_path / "stock"
    stock.mkdir()
    for card in blanks.glob("*.card"):
        (stock / card.name).write_bytes(card.read_bytes())
    return stock


@pytest.fixture
def body(stock: Path) -> MachineBody:
    return MachineBody.at_stock(stock, "machine-1")


@pytest.fixture
def issuing(body: MachineBody) -> Iterator[str]:
    """The URL of a card issuing machine."""
    with DevicePort(SimulatedCrt571(body)) as port:
        yield f"crt571:{port.port}"


@pytest.fixture
def printer(body: MachineBody) -> Iterator[tuple[str, EvolisPrinter]]:
    """The URL of a card printer without a reader inside, and the printer."""
    printing = EvolisPrinter(body, PrinterManner(ack=True))
    printing.settings.ribbon = Ribbon.new("ymcko", 2)
    with TcpPort(SimulatedEvolis(printing)) as port:
        yield f"evolis:tcp://{port.host}:{port.port}", printing


def test_the_kinds_of_machines_and_the_serial_ports_are_listed() -> None:
    shown = CLI.ok("machine", "list", "--json").json
    assert shown["kinds"] == ["crt571", "cups", "evolis", "manual"]
    assert [port["device"] for port in shown["ports"]] == [port.device for port in serial_ports()]


def test_a_card_is_moved_through_the_machine_into_its_bins(issuing: str, body: MachineBody) -> None:
    before = CLI.ok("machine", "status", "--machine", issuing, "--json").json["status"]
    assert (before["place"], before["reject_full"], before["faults"]) == ("none", False, [])
    for step, says in (
        ("take", "at the contact station"),
        ("chip", "at the contact station"),
        ("reject", "none inside"),
    ):
        assert CLI.ok("machine", "move", step, "--machine", issuing).out.strip() == f"card: {says}"
    assert (body.record.fed, body.record.reject, body.record.output) == (1, 1, 0)
    assert CLI.ok("machine", "status", "--machine", issuing, "--json").json["status"]["counters"] == {"rejected": 1}


def test_a_machine_that_cannot_do_it_says_so_and_moves_nothing(issuing: str, body: MachineBody) -> None:
    refused = CLI.run("machine", "move", "flip", "--machine", issuing)
    assert refused.status != 0
    assert "use a machine that can do this" in refused.complaint
    printing = CLI.run("machine", "test", "--machine", issuing, "--print")
    assert "it does not print" in printing.complaint
    assert body.record.fed == 0


def test_a_test_card_tells_its_answer_to_reset_and_leaves_as_it_was(issuing: str, body: MachineBody) -> None:
    shown = CLI.ok("machine", "test", "--machine", issuing, "--json").json
    assert shown["atr"].startswith("3B")
    assert shown["bin"] == "output"
    assert (body.record.fed, body.record.output) == (1, 1)


def test_a_card_that_a_lane_left_inside_is_no_test_card(issuing: str, body: MachineBody) -> None:
    CLI.ok("machine", "move", "take", "--machine", issuing)
    refused = CLI.run("machine", "test", "--machine", issuing)
    assert refused.status != 0
    assert "the card inside may be one of a batch" in refused.complaint
    chinese = CLI.run("--lang", "zh", "machine", "test", "--machine", issuing).complaint
    assert "机内的卡片可能属于某一批次" in chinese
    assert (body.record.output, body.record.reject) == (0, 0)


def test_a_jam_is_a_fault_with_what_to_do_until_it_is_cleared(issuing: str, body: MachineBody) -> None:
    CLI.ok("machine", "move", "take", "--machine", issuing)
    body.damage(BodyFault.JAM)
    jammed = CLI.run("machine", "move", "chip", "--machine", issuing)
    assert jammed.status != 0
    assert "open the machine, take the card out" in jammed.complaint
    chinese = CLI.run("--lang", "zh", "machine", "move", "chip", "--machine", issuing)
    assert "请打开机器" in chinese.complaint
    body.remove_card()
    body.repair()
    assert CLI.ok("machine", "clear", "--machine", issuing).out.strip() == "the machine is ready"


def test_an_empty_feeder_is_named(issuing: str, stock: Path) -> None:
    for card in stock.glob("*.card"):
        card.unlink()
    limits = {"membercard.commands.issuing.machine.FEED_SECONDS": 0.1}
    empty = CLI.run("machine", "move", "take", "--machine", issuing, limits=limits)
    assert "put blank cards into the feeder" in empty.complaint


def test_a_printer_shows_its_ribbon_and_prints_a_test_picture(printer: tuple[str, EvolisPrinter], stock: Path) -> None:
    url, printing = printer
    table = CLI.ok("machine", "status", "--machine", url).out
    for part in ("Primacy", "kind of ribbon", "ymcko", "cleaning", "cards moved"):
        assert part in table
    assert "the test picture was printed" in CLI.ok("machine", "test", "--machine", url, "--print").out
    assert printing.settings.ribbon is not None
    assert printing.settings.ribbon.prints_left == 1
    assert len(list((stock / "issued").glob("*.front.png"))) == 1


def test_a_port_that_is_not_there_and_a_kind_that_nobody_drives() -> None:
    absent = CLI.run("machine", "status", "--machine", "crt571:/dev/ttyNOWHERE")
    assert "there is no port /dev/ttyNOWHERE" in absent.complaint
    unknown = CLI.run("machine", "status", "--machine", "xerox:1")
    assert "it must start with one of crt571:, cups:, evolis:, manual:" in unknown.complaint
    assert json.loads(CLI.ok("machine", "list", "--json").out)["kinds"]
