"""Create blank cards, put cards into reader slots, inspect a card."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import set_cell_size

from simulators.card.config import TEST_KEY, CardConfig, KeyDiversification, ProductionAnswer
from simulators.cli.common import (
    POLL_INTERVAL,
    address_of,
    last_until,
    named_port,
    reporter,
    stop_at_a_signal,
    translation,
    wrapper,
)
from simulators.readers.feeder import SETTLE, CardFeeder
from simulators.readers.inspect import CardView, inspect_card
from simulators.readers.protocols import CardInSlot
from simulators.readers.serial.contact import SerialContact
from simulators.readers.serial.pty import SerialSlot
from simulators.readers.stock import StockDirectory, blank, make_stock
from simulators.readers.timing import TimedCard
from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from terminal.secret import Secret

_LABEL_WIDTH = 15


class ScpChoice(StrEnum):
    SCP02 = "02"
    SCP03 = "03"


class ProtocolChoice(StrEnum):
    T0 = "t0"
    T1 = "t1"


def _byte(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number in hex") from None


def stock(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Directory for the card files; created if missing.")],
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many cards.")],
    scp: Annotated[
        ScpChoice, typer.Option(help="Secure channel of the blank cards: 02 (3DES) or 03 (AES).")
    ] = ScpChoice.SCP03,
    protocol: Annotated[ProtocolChoice, typer.Option(help="Contact protocol.")] = ProtocolChoice.T1,
    contactless: Annotated[bool, typer.Option("--contactless", help="Cards with a contactless interface.")] = False,
    diversification: Annotated[
        KeyDiversification, typer.Option(help="How the keys of each chip are derived from the supplier's key.")
    ] = KeyDiversification.NONE,
    key: Annotated[
        str | None, typer.Option(help="The supplier's key in hex; the published test key if not given.")
    ] = None,
    key_version: Annotated[
        int | None,
        typer.Option(
            metavar="HEX", parser=_byte, help="Version of the stock keys; FF (SCP02) or 30 (SCP03) if not given."
        ),
    ] = None,
    option: Annotated[
        int | None,
        typer.Option(
            metavar="HEX", parser=_byte, help="Option i of the secure channel; 55 (SCP02) or 70 (SCP03) if not given."
        ),
    ] = None,
    production: Annotated[
        ProductionAnswer, typer.Option(help="Production data (CPLC) as chips give them: set, all 00, all FF, or none.")
    ] = ProductionAnswer.SET,
    beside: Annotated[
        list[int] | None,
        typer.Option(
            metavar="HEX", parser=_byte, help="Version of a key set of another use (repeatable).", show_default=False
        ),
    ] = None,
) -> None:
    """Create blank cards, each with its own chip serial number.

    A line takes them from the directory: membercard perso run BATCH --reader sim:DIRECTORY

    Example: membercard sim stock blanks --count 100 --scp 02 --protocol t0
    """
    config = _config(scp, protocol, contactless, diversification, key)
    try:
        config = replace(
            config,
            key_version=config.key_version if key_version is None else key_version,
            i=config.i if option is None else option,
            production=production,
            beside=tuple(beside or ()),
        )
    except ValueError as fault:
        raise typer.BadParameter(f"no such chip: {fault}") from None
    count = sum(1 for _ in make_stock(directory, count, config))
    link = f"SCP{scp}, {config.protocol}, key version {config.key_version:02X}"
    typer.echo(translation(context)(f"{count} blank cards in {directory} ({link})"))


def _config(
    scp: ScpChoice, protocol: ProtocolChoice, contactless: bool, diversification: KeyDiversification, key: str | None
) -> CardConfig:
    try:
        kmc = bytes.fromhex(key) if key else TEST_KEY
    except ValueError:
        raise typer.BadParameter("the key must be hex digits", param_hint="--key") from None
    contact = LinkProtocol.T0 if protocol is ProtocolChoice.T0 else LinkProtocol.T1
    short = scp is ScpChoice.SCP02 or diversification is not KeyDiversification.NONE
    if len(kmc) not in ((16,) if short else (16, 24, 32)):
        sizes = "16" if short else "16, 24 or 32"
        raise typer.BadParameter(f"the key has {len(kmc)} bytes, not {sizes}", param_hint="--key")
    return CardConfig(
        chip=blank(),
        protocol=LinkProtocol.CONTACTLESS if contactless else contact,
        scp=int(scp),
        key_size=len(kmc),
        diversification=diversification,
        kmc=Secret(kmc),
    )


def attach(
    context: typer.Context,
    card: Annotated[Path, typer.Argument(help="A card file, or a stock directory to feed from.")],
    vpcd: Annotated[
        list[str] | None,
        typer.Option(
            help="HOST:PORT of a slot of the vsmartcard driver; repeat it to feed several slots.", show_default=False
        ),
    ] = None,
    serial: Annotated[
        Path | None,
        typer.Option(
            metavar="PORT",
            help="Instead of a slot: path at which the card appears as a serial reader without a driver.",
            show_default=False,
        ),
    ] = None,
    settle: Annotated[
        float, typer.Option(min=0.1, help="Feeding: seconds without power after which a card's job counts as over.")
    ] = SETTLE,
    real_time: Annotated[bool, typer.Option("--real-time", help="Respond as slowly as a real chip.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show each command header with its modelled time.")] = False,
) -> None:
    """Put a card into a PC/SC slot or at a serial port, where any program finds it, until Ctrl-C.

    A default Debian installation of vsmartcard-vpcd has slots at 127.0.0.1:35963 and 35964. A stock directory feeds
    the slot: a finished card goes to DIR/issued and the next one is inserted. A card that comes out unfinished is
    inserted once more, and then goes to DIR/rejects. At a serial port the card has power while the port is open.

    Example: membercard sim attach blanks --vpcd 127.0.0.1:35963 --vpcd 127.0.0.1:35964
    """
    slots = [address_of(text) for text in vpcd or ()]
    if bool(slots) == (serial is not None):
        raise typer.BadParameter("name slots with --vpcd or a port with --serial, and not both", param_hint="--vpcd")
    if serial is not None and card.is_dir():
        raise typer.BadParameter("a port takes one card; a stock directory feeds slots", param_hint="--serial")
    if not card.is_dir() and len(slots) > 1:
        raise typer.BadParameter(
            "one card goes into one slot; only a stock directory feeds several", param_hint="--vpcd"
        )
    stop = stop_at_a_signal()
    report_line = reporter(context)
    wrap = wrapper(real_time, trace, report_line)
    if serial is not None:
        _hold_at_port(card, serial, wrap, report_line, stop)
    elif card.is_dir():
        _feed(card, slots, settle, wrap, report_line, stop)
    else:
        _hold(card, slots[0], wrap, report_line, stop)


def _hold(
    path: Path,
    slot: tuple[str, int],
    wrap: Callable[[VirtualCard], CardInSlot],
    report_line: Callable[[str], None],
    stop: threading.Event,
) -> None:
    chip = VirtualCard.open(path)
    card = wrap(chip)
    with VpcdSlot(*slot, report=report_line) as holder:
        holder.insert(card)
        report_line(f"{path.name} ({chip.chip_serial}) is in the slot {slot[0]}:{slot[1]}; Ctrl-C takes it out")
        last_until(stop)
    _report_time(card, report_line)


def _hold_at_port(
    path: Path,
    port: Path,
    wrap: Callable[[VirtualCard], CardInSlot],
    report_line: Callable[[str], None],
    stop: threading.Event,
) -> None:
    chip = VirtualCard.open(path)
    card = wrap(chip)
    if chip.config.contactless:
        raise typer.BadParameter("a contactless card has no contact", param_hint="--serial")
    contact = SerialContact(card, chip.config.protocol, chip.config.ta1)
    with SerialSlot(contact, report=report_line) as slot, named_port(port, slot.port):
        report_line(f"{path.name} ({chip.chip_serial}) is at the serial port {port}; Ctrl-C takes it out")
        last_until(stop)
    _report_time(card, report_line)


def _report_time(card: CardInSlot, report_line: Callable[[str], None]) -> None:
    if isinstance(card, TimedCard):
        report_line(f"{len(card.timing.exchanges)} exchanges would take a real chip {card.timing.session}")


def _feed(
    directory: Path,
    slots: list[tuple[str, int]],
    settle: float,
    wrap: Callable[[VirtualCard], CardInSlot],
    report_line: Callable[[str], None],
    stop: threading.Event,
) -> None:
    stock = StockDirectory(directory)
    feeders = [
        CardFeeder(VpcdSlot(*slot, report=report_line), stock, settle=settle, wrap=wrap, report=report_line)
        for slot in slots
    ]
    try:
        while not stop.is_set():
            for feeder in feeders:
                feeder.tick()
            time.sleep(POLL_INTERVAL)
    finally:
        for feeder in feeders:
            feeder.close()


def show_card(
    context: typer.Context,
    card: Annotated[Path, typer.Argument(help="A card file.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Inspect a card: life cycle, key sets by check value, applications, memory. Shows no key and no personal data."""
    view = inspect_card(card)
    typer.echo(json.dumps(view.as_json(), indent=2) if as_json else _text(view, translation(context)))


def _text(view: CardView, words: Callable[[str], str]) -> str:
    rows = [
        ("chip", view.chip_serial),
        ("life cycle", view.life_cycle),
        ("link", f"{view.protocol}, {view.secure_channel}, stock keys diversified: {view.diversification}"),
    ]
    rows += [(f"key set {s.version}", f"{s.kind}, check values {' '.join(s.check_values)}") for s in view.key_sets]
    rows += [("load file", aid) for aid in view.load_files]
    for instance in view.instances:
        contents = f", {len(instance.groupings)} data groupings, {instance.bytes} bytes" if instance.bytes else ""
        rows.append(("application", f"{instance.aid}  {instance.state}{contents}"))
    rows.append(("memory", f"{view.memory_bytes} bytes in use, card file {view.file_bytes} bytes"))
    return "\n".join(f"{set_cell_size(words(label), _LABEL_WIDTH)}{words(value)}" for label, value in rows)
