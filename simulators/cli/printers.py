"""A simulated card printer and a simulated stripe writer as programs, until a signal ends them."""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulators.cli.common import address_of, last_until, named_port, plan_of, reporter, stop_at_a_signal
from simulators.machines.body import BodyManner, MachineBody, machine_directory
from simulators.machines.device import SimulatedDevice
from simulators.machines.msr605 import Msr605Manner, SimulatedMsr605
from simulators.machines.port import DevicePort
from simulators.machines.process import MachineProcess, act
from simulators.machines.tcp import TcpPort
from simulators.readers.vpcd import VpcdSlot
from terminal.errors import CodecError, TransportError

if TYPE_CHECKING:
    from simulators.machines.evolis.machine import SimulatedEvolis
    from simulators.machines.evolis.printer import EvolisPrinter
    from simulators.machines.faults import WireFaults
    from terminal.apdu import CardSlot


_STRIPE_ERRORS = {"W": "WRITE", "K": "CHECKSUM", "D": "DATA"}
_BADLY = "bad "


class RibbonChoice(StrEnum):
    K = "k"
    KO = "ko"
    YMCKO = "ymcko"
    YMCKOK = "ymckok"
    OVERLAY = "o"
    NONE = "none"


class AnswerChoice(StrEnum):
    ACK = "ack"
    WORDS = "words"
    SILENT = "silent"


_Tcp = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Address of the printer; port 0 takes any.", show_default=False)
]
_Serial = Annotated[
    Path | None,
    typer.Option(
        metavar="PORT",
        help="Instead of an address: path at which the printer appears as a serial port.",
        show_default=False,
    ),
]
_Name = Annotated[str, typer.Option(help="Name of the machine at this stock. It finds its card and ribbon again.")]
_Vpcd = Annotated[
    str | None, typer.Option(help="HOST:PORT of the slot that is the reader inside the printer.", show_default=False)
]
_Ribbon = Annotated[
    RibbonChoice | None,
    typer.Option(help="Put in a new ribbon, or none; if not given, the one of last time.", show_default=False),
]
_Prints = Annotated[int | None, typer.Option(min=0, help="Prints left on the new ribbon.", show_default=False)]
_Faults = Annotated[
    list[str] | None,
    typer.Option(
        help="A fault KIND:N on the line or in the power, as lose-out:7, nak:2 or power-during:5 (repeatable).",
        show_default=False,
    ),
]


def evolis(
    context: typer.Context,
    stock: Annotated[Path, typer.Option(help="Stock directory that feeds the machine and has its bins.")],
    tcp: _Tcp = None,
    serial: _Serial = None,
    name: _Name = "evolis",
    vpcd: _Vpcd = None,
    ribbon: _Ribbon = None,
    prints: _Prints = None,
    answers: Annotated[
        AnswerChoice, typer.Option(help="How commands are answered before the host sets it.")
    ] = AnswerChoice.SILENT,
    at_end: Annotated[bool, typer.Option("--at-end", help="Print when the sequence ends, not panel by panel.")] = False,
    one_side: Annotated[bool, typer.Option("--one-side", help="The printer cannot turn cards over.")] = False,
    moves: Annotated[float, typer.Option(min=0, max=60, help="Seconds of each move and of each panel.")] = 0.0,
    fault: _Faults = None,
) -> None:
    """Run a card printer of Evolis at a TCP or serial port, until Ctrl-C.

    Pictures of the faces (PNG) and the stripe lie beside the card file and go with it. docs/machines.md lists the
    faults, and what a person at the machine can do meanwhile.

    Example: membercard sim machine evolis --stock blanks --tcp 127.0.0.1:9100 --ribbon ymcko --vpcd 127.0.0.1:35963
    """
    report, faults = reporter(context), plan_of(fault)
    with MachineProcess(machine_directory(stock, name)) as process, _station(vpcd, report) as contacts:
        body = MachineBody.at_stock(stock, name, BodyManner(seconds=moves))
        printer, machine = _printer(body, contacts, faults, answers, at_end=at_end, flips=not one_side)
        if ribbon is not None:
            _put_in(printer, ribbon, prints)
        with _line(machine, report, process, tcp, serial) as line:
            process.listen()
            report(f"the card printer is at {line}; Ctrl-C ends it")
            last_until(stop_at_a_signal(), lambda: _persons(process, body, machine, printer, report))
        machine.power_off()
    record = body.record
    report(f"cards fed: {record.fed}, given out: {record.output}, rejected: {record.reject}")


def _printer(
    body: MachineBody,
    contacts: CardSlot | None,
    faults: WireFaults,
    answers: AnswerChoice,
    *,
    at_end: bool,
    flips: bool,
) -> tuple[EvolisPrinter, SimulatedEvolis]:
    """The printer and its line. NumPy, which it imports, is not for a look at the help."""
    from simulators.machines.evolis.answers import PrinterManner
    from simulators.machines.evolis.machine import SimulatedEvolis
    from simulators.machines.evolis.printer import EvolisPrinter

    ack, words = answers is AnswerChoice.ACK, answers is AnswerChoice.WORDS
    manner = PrinterManner(ack=ack, words=words, at_end=at_end, flips=flips)
    printer = EvolisPrinter(body, manner, contacts=contacts, print_seconds=body.manner.seconds)
    try:
        return printer, SimulatedEvolis(printer, faults=faults)
    except CodecError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None


@contextlib.contextmanager
def _station(vpcd: str | None, report: Callable[[str], None]) -> Iterator[CardSlot | None]:
    """The slot of the driver that is the reader inside, where one is named."""
    if vpcd is None:
        yield None
        return
    from simulators.machines.evolis.slots import VpcdStation

    station = VpcdStation(VpcdSlot(*address_of(vpcd), report=report))
    try:
        yield station
    finally:
        station.close()


@contextlib.contextmanager
def _line(
    machine: SimulatedDevice,
    report: Callable[[str], None],
    process: MachineProcess,
    tcp: str | None,
    serial: Path | None,
) -> Iterator[str]:
    """The machine at its port; what it is called."""
    if (tcp is None) == (serial is None):
        raise typer.BadParameter("name an address with --tcp or a port with --serial, and not both", param_hint="--tcp")
    if serial is not None:
        with DevicePort(machine, rate=0, report=report) as port, named_port(serial, port.port, process.earlier):
            process.at_port(port.port)
            yield str(serial)
    elif tcp is not None:
        try:
            server = TcpPort(machine, *address_of(tcp, "--tcp", least=0), report=report)
        except OSError as fault:
            reason = fault.strerror or type(fault).__name__
            raise typer.BadParameter(f"{tcp} cannot be used: {reason}", param_hint="--tcp") from None
        with server:
            yield f"{server.host}:{server.port}"


def _persons(
    process: MachineProcess,
    body: MachineBody,
    machine: SimulatedDevice,
    printer: EvolisPrinter,
    report: Callable[[str], None],
) -> None:
    """Do what persons at the printer do: also ``ribbon KIND [PRINTS]``, ``misfeed``, ``clean``, ``stripe W``."""
    for line in process.lines():
        try:
            done = _at_printer(line.split(), printer) or act(line, body, machine)
        except TransportError as error:
            report(str(error))
        else:
            report(f"done: {line}" if done else f"nothing to do for: {line}")


def _at_printer(words: list[str], printer: EvolisPrinter) -> bool:
    match words:
        case ["ribbon", kind, *rest] if kind in list(RibbonChoice) and all(map(str.isdecimal, rest[:1])):
            _put_in(printer, RibbonChoice(kind), int(rest[0]) if rest else None)
        case ["misfeed"]:
            printer.misfeeds += 1
        case ["clean"]:
            printer.clean()
        case ["stripe", letter] if letter in _STRIPE_ERRORS:
            from simulators.machines.evolis.answers import PrinterError

            printer.encoder.next_error = PrinterError[_STRIPE_ERRORS[letter]]
        case _:
            return False
    return True


def _put_in(printer: EvolisPrinter, kind: RibbonChoice, prints: int | None) -> None:
    from simulators.machines.evolis.ribbon import Ribbon

    printer.settings.ribbon = None if kind is RibbonChoice.NONE else Ribbon.new(kind, prints)
    printer.settings.save()


def msr605(
    context: typer.Context,
    serial: Annotated[Path, typer.Option(metavar="PORT", help="Path at which the machine appears as a serial port.")],
    swipe: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CARD",
            help="Card file to swipe for the next command that needs one (repeatable).",
            show_default=False,
        ),
    ] = None,
    marks: Annotated[
        bool, typer.Option("--marks", help="Tracks without data are read as 1B 2B, unreadable ones as 1B 2A.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault KIND:N on the line, as lose-out:7 or flip-in:3 (repeatable).", show_default=False),
    ] = None,
) -> None:
    """Run an MSR605 or MSR606 stripe writer at a serial port, until Ctrl-C.

    Each line of standard input is a card file that is swiped, badly with the word bad before it. Its stripe lies beside
    the card file.

    Example: membercard sim machine msr605 --serial stripe-1 --swipe chip-1.card
    """
    report, stop = reporter(context), stop_at_a_signal()
    machine = SimulatedMsr605(Msr605Manner(marks=marks), faults=plan_of(fault))
    for card in swipe or ():
        if not card.is_file():
            raise typer.BadParameter(f"there is no card file {card}", param_hint="--swipe")
        machine.swipe_next(card)
    with DevicePort(machine, rate=9600, report=report) as port, named_port(serial, port.port):
        report(f"the stripe writer is at the serial port {serial}; Ctrl-C ends it")
        last_until(stop, lambda: _swipe_typed(machine, report))


def _swipe_typed(machine: SimulatedMsr605, report: Callable[[str], None]) -> None:
    """Swipe the card that somebody types, if somebody does."""
    if sys.stdin.closed or not select.select([sys.stdin], [], [], 0)[0]:
        return
    line = sys.stdin.readline()
    if not line:
        sys.stdin.close()
        return
    bad = line.startswith(_BADLY)
    card = Path(line.strip().removeprefix(_BADLY))
    if not card.is_file():
        report(f"there is no card file {card}")
        return
    try:
        noticed = machine.swipe(card, bad=bad)
    except TransportError as error:
        report(str(error))
        return
    report(f"{card.name} was swiped" if noticed else f"{card.name} was swiped, and no command waits for a card")
