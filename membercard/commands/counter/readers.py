"""`membercard readers`: list readers and serial ports, and watch PC/SC readers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from json import dumps
from typing import Annotated, Any

import typer

from membercard import output, settings, signals
from membercard.language import sentence, text
from terminal.apdu import Atr, ReaderEvent, ReaderInfo, list_readers, watch_readers
from terminal.apdu.serial.port import serial_ports
from terminal.apdu.serial.ports import SerialPortInfo
from terminal.errors import AtrError, ReaderFault

app = typer.Typer()


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List the connected readers, with the URL for --reader and the card in each.

    Serial ports are listed too: a reader without a driver may be at one. Exit code 3 when the PC/SC service is not
    running.
    """
    ports = serial_ports()
    try:
        readers = list_readers()
    except ReaderFault:
        _show_ports(ports, json)
        raise
    if json:
        output.as_json([_info(reader) for reader in readers] + [_port_info(port) for port in ports])
        return
    if not readers:
        output.say("No reader is plugged in. Virtual cards need none: use --reader sim:CARDFILE.")
    else:
        rows = [(r.index, r.url, sentence(_card(r)), text("in use") if r.busy else text("free")) for r in readers]
        output.show(output.table("Readers", ("#", "--reader", "card", "state"), rows, right=("#",)))
    _show_ports(ports, json)


@app.command("watch")
def watch(
    seconds: Annotated[float | None, typer.Option(help="Stop after so long; else with Ctrl-C.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Watch readers and cards, one line for each event, until Ctrl-C.

    The PC/SC service may stop and start meanwhile; that is an event too.
    """
    stop = threading.Event()
    timer = threading.Timer(seconds or 0, stop.set)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        for event in watch_readers(stop):
            typer.echo(_json_line(event) if json else _line(event))
    except (KeyboardInterrupt, signals.Ended):
        stop.set()  # Ctrl-C and SIGTERM end a watch; they are no fault.
    finally:
        timer.cancel()


def _show_ports(ports: Sequence[SerialPortInfo], json: bool) -> None:
    if ports and not json:
        rows = [(port.url, port.description, port.hardware) for port in ports]
        output.show(output.table("Serial ports", ("--reader", "description", "hardware"), rows))


def _port_info(port: SerialPortInfo) -> dict[str, Any]:
    return {"name": port.device, "url": port.url, "description": port.description, "hardware": port.hardware}


def _info(reader: ReaderInfo) -> dict[str, Any]:
    present = reader.atr is not None
    return {
        "index": reader.index,
        "name": reader.name,
        "url": reader.url,
        "card_present": present,
        "atr": (reader.atr or b"").hex().upper() or None,
        "card": _card(reader) if present else None,
        "busy": reader.busy,
    }


def _card(reader: ReaderInfo) -> str:
    if reader.atr is None:
        return "none"
    return about(reader.atr) if reader.atr else "does not answer; turn it or clean its contacts"


def about(atr: bytes) -> str:
    """An answer to reset in short, such as ``T=1, 129 kbit/s``."""
    try:
        parsed = Atr.parse(atr)
    except AtrError as error:
        return f"{atr.hex().upper()} ({error})"
    if parsed.storage_card is not None:
        return parsed.storage_card.name or "contactless storage card"
    if parsed.contactless:
        return "contactless"
    protocols = "/".join(f"T={protocol}" for protocol in parsed.protocols)
    rate = parsed.bit_rate()
    return protocols if rate is None else f"{protocols}, {rate / 1000:.0f} kbit/s"


def _line(event: ReaderEvent) -> str:
    parts = [event.reader, sentence(about(event.atr)) if event.atr else "", sentence(event.detail)]
    line = ": ".join([text(event.kind.value), *filter(None, parts)])
    return f"{settings.load().now():%H:%M:%S}  {line}"


def _json_line(event: ReaderEvent) -> str:
    at = settings.load().now().isoformat(timespec="milliseconds")
    shown = {"at": at, "event": event.kind.value, "reader": event.reader or None}
    return dumps({**shown, "atr": event.atr.hex().upper() or None, "detail": event.detail or None})
