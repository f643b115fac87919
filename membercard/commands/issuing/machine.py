"""`membercard machine`: card issuing machines and card printers, apart from any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from membercard import output
from membercard.commands.counter.readers import about
from membercard.language import reason, sentence, text
from personalize.machines.faults import REMEDIES, MachineFault, MachineFaultCode
from personalize.machines.open import machine_schemes, open_machine
from personalize.machines.protocols import (
    CardMachine,
    FacePrinter,
    MachineBin,
    MachinePlace,
    MachineStatus,
    StripeEncoder,
)
from terminal.apdu import Disposition
from terminal.apdu.serial.port import serial_ports

if TYPE_CHECKING:
    from personalize.machines.protocols import PrintedFace

app = typer.Typer()

MachineUrl = Annotated[
    str,
    typer.Option(
        "--machine",
        metavar="URL",
        help="The machine: crt571:PORT, evolis:PORT or evolis:tcp://HOST:9100, cups:QUEUE, manual:READER.",
        show_default=False,
    ),
]
FEED_SECONDS: Final = 30.0
"""How long a command waits for a card of a feeder, or of a person."""
_PLACES: Final = {
    MachinePlace.NONE: "none inside",
    MachinePlace.INSIDE: "inside the machine",
    MachinePlace.CHIP: "at the contact station",
    MachinePlace.ANTENNA: "at the antenna",
    MachinePlace.EXIT: "in the exit slot, where a person takes it",
    MachinePlace.UNKNOWN: "unknown",
}
_HELD: Final = (MachinePlace.INSIDE, MachinePlace.CHIP, MachinePlace.ANTENNA)
_BINS: Final = {MachineBin.OUTPUT: "given out", MachineBin.REJECT: "in the reject bin"}
_COUNTERS: Final = {
    "cards": "cards moved",
    "rejected": "cards in the reject bin",
    "inserted": "cards inserted",
    "since-cleaning": "cards since the last cleaning",
}


class MachineMove(StrEnum):
    """Where a card goes."""

    TAKE = "take"
    CHIP = "chip"
    ANTENNA = "antenna"
    FLIP = "flip"
    OUTPUT = "output"
    REJECT = "reject"


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List the kinds of machines that this program drives, and the serial ports of this computer.

    Example: membercard machine list
    """
    kinds, ports = machine_schemes(), serial_ports()
    if json:
        output.as_json({"kinds": kinds, "ports": ports})
        return
    output.show(output.table("Kinds of machines", ("machine URL",), [(f"{kind}:…",) for kind in kinds]))
    rows = [(port.device, port.description, port.hardware) for port in ports]
    if rows:
        output.show(output.table("Serial ports", ("port", "description", "hardware"), rows))
    else:
        output.say("This computer has no serial port. A machine in the network is named by its address.")


@app.command("status")
def status(machine: MachineUrl, json: output.Json = False) -> None:
    """Show feeder, bins, ribbon, cover, cleaning and counters of a machine, and its faults with what to do.

    Exit code 1 where a fault stops it. A machine that a lane uses is busy: the page of the station shows it.

    Example: membercard machine status --machine crt571:/dev/ttyUSB0
    """
    with _opened(machine) as opened:
        shown = opened.status()
    if json:
        output.as_json({"name": opened.name, "url": opened.url, "abilities": opened.abilities, "status": shown})
    else:
        rows = [(text(what), sentence(value)) for what, value in _facts(opened, shown)]
        typer.echo(opened.name)
        output.show(output.table("", ("part of the machine", "state"), rows))
        for code in shown.faults:
            remedy = REMEDIES[MachineFaultCode(code)]
            typer.echo(reason(code, {}, remedy))
    if shown.faults:
        raise typer.Exit(1)


@app.command("move")
def move(
    to: Annotated[MachineMove, typer.Argument(help="Where the card goes; take: the next one from the feeder.")],
    machine: MachineUrl,
) -> None:
    """Move a card inside a machine, or out of it. Nothing is written to the card.

    Example: membercard machine move reject --machine crt571:/dev/ttyUSB0
    """
    with _opened(machine) as opened:
        steps: dict[MachineMove, Callable[[], object]] = {
            MachineMove.TAKE: lambda: _fed(opened),
            MachineMove.CHIP: opened.to_chip,
            MachineMove.ANTENNA: opened.to_antenna,
            MachineMove.FLIP: opened.flip,
            MachineMove.OUTPUT: lambda: opened.give(MachineBin.OUTPUT),
            MachineMove.REJECT: lambda: opened.give(MachineBin.REJECT),
        }
        steps[to]()
        place = opened.status().place
    output.say("card: {place}", place=text(_PLACES[place]))


@app.command("clear")
def clear(machine: MachineUrl) -> None:
    """Clear a fault after its cause is gone, and initialize the machine. A card inside stays inside.

    Example: membercard machine clear --machine evolis:tcp://192.168.1.20:9100
    """
    with _opened(machine) as opened:
        opened.clear()
        left = opened.status().faults
    for code in left:
        typer.echo(reason(code, {}, REMEDIES[MachineFaultCode(code)]))
    if left:
        raise typer.Exit(1)
    output.say("the machine is ready")


@app.command("test")
def feed_one(
    machine: MachineUrl,
    print_: Annotated[bool, typer.Option("--print", help="Print a test picture on the card; it is used up.")] = False,
    bin: Annotated[MachineBin, typer.Option(help="Where the card goes at the end.")] = MachineBin.OUTPUT,
    json: output.Json = False,
) -> None:
    """Feed one card, read the answer to reset of its chip and, where the machine can, its stripe; give the card out.

    Nothing is written to chip and stripe. A machine with a card inside is not tested: that may be one of a batch. Exit
    code 1 where the chip does not answer.

    Example: membercard machine test --machine "evolis:tcp://192.168.1.20:9100?reader=pcsc:0" --print
    """
    with _opened(machine) as opened:
        if print_ and not isinstance(opened, FacePrinter):
            raise MachineFault(opened.name, MachineFaultCode.LACKS, "it does not print")
        if opened.abilities.feeds and opened.status().place in _HELD:
            raise MachineFault(opened.name, MachineFaultCode.CARD_LEFT, "the card inside may be one of a batch")
        _fed(opened)
        result: dict[str, Any] = {}
        try:
            if opened.abilities.chip:
                opened.to_chip()
                result["atr"] = _atr(opened)
            if opened.abilities.stripes and isinstance(opened, StripeEncoder):
                result["tracks"] = _track_lengths(opened)
            if print_ and isinstance(opened, FacePrinter):
                opened.print_face(_test_face())
                result["printed"] = True
        finally:
            opened.give(bin)
    mute = result.get("atr") == b""
    if json:
        output.as_json(result | {"bin": bin.value})
    else:
        if "atr" in result:
            chip = about(result["atr"]) if result["atr"] else "does not answer; turn it or clean its contacts"
            output.say("chip: {chip}", chip=sentence(chip))
        if "tracks" in result:
            lengths = ", ".join(map(str, result["tracks"]))
            output.say("stripe: characters on tracks 1, 2 and 3: {lengths}", lengths=lengths)
        if result.get("printed"):
            output.say("the test picture was printed")
        output.say("card: {place}", place=text(_BINS[bin]))
    if mute:
        raise typer.Exit(1)


@contextmanager
def _opened(url: str) -> Iterator[CardMachine]:
    machine = open_machine(url)
    try:
        yield machine
    finally:
        machine.close()


def _fed(machine: CardMachine) -> None:
    """Take a card. Raises MachineFault where none comes."""
    if not machine.take(FEED_SECONDS):
        raise MachineFault(machine.name, MachineFaultCode.FEEDER_EMPTY)


def _facts(machine: CardMachine, shown: MachineStatus) -> Iterator[tuple[str, str]]:
    yield "model", " ".join(filter(None, (shown.model, shown.firmware, shown.serial_number))) or "unknown"
    yield "card", _PLACES[shown.place]
    yield "feeder", shown.feeder.value
    yield "reject bin", _yes_or_no(shown.reject_full, "full", "not full")
    yield "machine cover", _yes_or_no(shown.cover_open, "it is open", "it is shut")
    if machine.abilities.prints:
        yield "ribbon", shown.ribbon.value
        yield "kind of ribbon", shown.ribbon_kind or "unknown"
        yield "cleaning", _yes_or_no(shown.cleaning_due, "needed now", "not needed")
    for name, count in shown.counters.items():
        yield _COUNTERS.get(name, name), f"{count:,}"


def _yes_or_no(value: bool | None, yes: str, no: str) -> str:
    return "unknown" if value is None else yes if value else no


def _atr(machine: CardMachine) -> bytes:
    """The answer to reset of the card at the contact station; empty where it gives none."""
    from terminal.errors import NoCard

    try:
        transport = machine.reader.connect()
    except NoCard:
        return b""
    try:
        return transport.atr
    finally:
        transport.close()
        machine.reader.release(Disposition.KEEP)


def _track_lengths(machine: StripeEncoder) -> tuple[int, int, int]:
    """How many characters are on each track. What they are is not shown: cards may be in use."""
    read = machine.read_stripe()
    return len(read.track1), len(read.track2), len(read.track3)


def _test_face() -> PrintedFace:
    """Bars of the four colours, lines and a frame: what tells a worn head or a wrong ribbon."""
    from PIL import Image, ImageDraw

    from personalize.face.geometry import HEIGHT, WIDTH
    from personalize.machines.protocols import PrintedFace

    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    bars = ("#00a0e0", "#e0007a", "#ffe000", "#000000")
    step = WIDTH // len(bars)
    for place, colour in enumerate(bars):
        draw.rectangle((place * step, HEIGHT * 2 // 3, (place + 1) * step - 1, HEIGHT - 60), fill=colour)
    for place in range(40, WIDTH - 40, 12):
        draw.line((place, 40, place, 160), fill="black", width=1 + place // 300)
    draw.rectangle((30, 30, WIDTH - 30, HEIGHT - 30), outline="black", width=3)
    return PrintedFace(picture)
