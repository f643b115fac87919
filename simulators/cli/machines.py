"""Simulated machines as programs, until a signal ends them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from simulators.cli.common import last_until, named_port, plan_of, reporter, stop_at_a_signal, wrapper
from simulators.cli.printers import evolis, msr605
from simulators.machines.body import BodyManner, MachineBody, machine_directory
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.crt571.options import Crt571Options, ResetAnswer
from simulators.machines.device import SimulatedDevice
from simulators.machines.port import DevicePort
from simulators.machines.process import MachineProcess, act
from terminal.errors import TransportError

app = typer.Typer(
    help="Simulated machines that move, print and stripe cards, at the far end of a pseudo-terminal or a TCP port.",
    no_args_is_help=True,
)
app.command()(evolis)
app.command()(msr605)


@app.command()
def crt571(
    context: typer.Context,
    serial: Annotated[Path, typer.Option(metavar="PORT", help="Path at which the machine appears as a serial port.")],
    stock: Annotated[Path, typer.Option(help="Stock directory that feeds the machine and has its bins.")],
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the machine at this stock; the name of the port if not given. It finds its card again.",
            show_default=False,
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="A fault KIND:N on the line or in the power, as lose-out:7, nak:2 or power-during:5 (repeatable).",
            show_default=False,
        ),
    ] = None,
    moves: Annotated[float, typer.Option(min=0, max=60, help="Seconds of each move.")] = 0.0,
    capacity: Annotated[int, typer.Option(min=1, max=10_000, help="Cards that fill the error bin.")] = 100,
    rate: Annotated[int, typer.Option(min=1200, max=115_200, help="Bits a second that the machine is set to.")] = 9600,
    address: Annotated[int, typer.Option(min=0, max=15, help="Address of the switch.")] = 0,
    reset_answer: Annotated[
        ResetAnswer, typer.Option(help="Order of protocol and answer to reset in the data of a cold reset.")
    ] = ResetAnswer.PROTOCOL_FIRST,
    old_failures: Annotated[
        bool, typer.Option("--old-failures", help="Failures are marked with 45, as by some firmware, not with 4E.")
    ] = False,
    exit_holds: Annotated[
        bool, typer.Option("--exit-holds", help="A card that is given out waits in the exit for a person.")
    ] = False,
    dual: Annotated[bool, typer.Option("--dual", help="Cards with contacts answer at the antenna too.")] = False,
    real_time: Annotated[bool, typer.Option("--real-time", help="Chips respond as slowly as real ones.")] = False,
) -> None:
    """Run a CRT-571 card issuing machine at a serial port, until Ctrl-C.

    It feeds cards from the stock; cards that it gives out go to DIR/issued, cards in its error bin to DIR/rejects.
    Ended or killed at any moment and started again, it finds the card inside where it was. Faults are counted from 0,
    and each strikes once; docs/machines.md lists them, and what a person at the machine can do meanwhile.

    Example: membercard sim machine crt571 --serial crt-1 --stock blanks --moves 1.5
    """
    report = reporter(context)
    faults = plan_of(fault)
    options = Crt571Options(
        address=address,
        failure_letter=0x45 if old_failures else 0x4E,
        reset_answer=reset_answer,
        exit_holds=exit_holds,
    )
    manner = BodyManner(seconds=moves, capacity=capacity, dual=dual, wrap=wrapper(real_time, False, report))
    with MachineProcess(machine_directory(stock, name or serial.name)) as process:
        body = MachineBody.at_stock(stock, name or serial.name, manner)
        machine = SimulatedCrt571(body, options, faults=faults, report=report)
        with DevicePort(machine, rate=rate, report=report) as port, named_port(serial, port.port, process.earlier):
            process.at_port(port.port)
            ready = f"the card issuing machine is at the serial port {serial}; Ctrl-C ends it"
            run_machine(process, body, machine, machine.insert, report, ready)


def run_machine(
    process: MachineProcess,
    body: MachineBody,
    device: SimulatedDevice,
    insert: Callable[[Path], bool] | None,
    report: Callable[[str], None],
    ready: str,
) -> None:
    """Report that the machine is ready, last until a signal, do what persons at the machine do meanwhile, and report
    what its bins count."""
    stop = stop_at_a_signal()
    process.listen()
    report(ready)

    def persons() -> None:
        for line in process.lines():
            try:
                done = act(line, body, device, insert)
            except TransportError as error:
                report(str(error))
            else:
                report(f"done: {line}" if done else f"nothing to do for: {line}")

    last_until(stop, persons)
    device.power_off()
    record = body.record
    report(f"cards fed: {record.fed}, given out: {record.output}, in the error bin: {record.reject}")
