"""What the commands of this group share: words, the lines of a program that lasts, ports, and the end by a signal."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer

from simulators.machines.faults import WireFault, WireFaults
from simulators.readers.protocols import CardInSlot
from simulators.readers.timing import TimedCard, TimedExchange, TimingModel, Wire
from simulators.virtual_card import VirtualCard
from terminal.errors import CodecError

POLL_INTERVAL: Final = 0.1
"""Seconds between two checks of the stop event. Waiting on the event itself could deadlock: its signal handler runs on
the same thread and takes the same lock."""


def translation(context: typer.Context) -> Callable[[str], str]:
    """The words of the program that this group belongs to, which it hands over as the object of its context."""
    words = context.find_root().obj
    return words if callable(words) else str


def reporter(context: typer.Context) -> Callable[[str], None]:
    """Prints a line on standard error, from any thread."""
    words = translation(context)
    return lambda text: typer.echo(words(text), err=True)


def stop_at_a_signal() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    return stop


def last_until(stop: threading.Event, turn: Callable[[], None] = lambda: None) -> None:
    """Last until the event, and call ``turn`` several times a second."""
    while not stop.is_set():
        turn()
        time.sleep(POLL_INTERVAL)


@contextmanager
def named_port(name: Path, port: str, earlier: str = "") -> Iterator[None]:
    """A pseudo-terminal under a name of the user's; ``earlier`` is the port that a killed process may have left under
    it. Raises BadParameter."""
    try:
        if earlier and name.is_symlink() and os.readlink(name) == earlier:
            name.unlink()
        name.symlink_to(port)
    except OSError as fault:
        raise typer.BadParameter(
            f"{name} cannot be created: {fault.strerror or type(fault).__name__}", param_hint="--serial"
        ) from None
    try:
        yield
    finally:
        name.unlink(missing_ok=True)


def address_of(text: str, option: str = "--vpcd", least: int = 1) -> tuple[str, int]:
    """HOST:PORT. Raises BadParameter."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not least <= int(port) < 0x10000:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT", param_hint=option)
    return host.strip("[]"), int(port)


def plan_of(faults: list[str] | None) -> WireFaults:
    """The faults of a machine. Raises BadParameter."""
    try:
        return WireFaults(map(WireFault.parse, faults or ()))
    except CodecError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None


def wrapper(real_time: bool, trace: bool, report_line: Callable[[str], None]) -> Callable[[VirtualCard], CardInSlot]:
    """How a chip goes into the slot: behind the timing model with --real-time or --trace."""
    if not real_time and not trace:
        return lambda chip: chip
    report: Callable[[TimedExchange], None] = (
        (lambda exchange: report_line(str(exchange))) if trace else (lambda _: None)
    )
    return lambda chip: TimedCard(
        chip, TimingModel(Wire(chip.config.protocol, chip.config.ta1), real=real_time, report=report)
    )
