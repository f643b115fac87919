"""`membercard serve`: the readers of this machine over HTTP, events and web pages."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import output, settings, signals
from membercard.errors import SettingsError
from terminal import private_files

if TYPE_CHECKING:
    from membercard.demo.station import DemoStation
    from reader_service.listen import Listen
    from terminal.keys import SoftwareKeystore
    from terminal.secret import Secret

PORT = 8765
_COLLECTION_THRESHOLDS = (700, 10, 10)
"""Python's own, for a process that runs for months: a short command collects less often."""


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine's own needs TLS.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = PORT,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain (PEM).", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM, no password).", show_default=False)] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="Accept only clients with a certificate of this CA (PEM).", show_default=False)
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name to answer to, beside those of the certificate; may be given again."),
    ] = None,
    reader: Annotated[
        list[str] | None,
        typer.Option(help="URL of a reader to open beside those of the PC/SC service; may be given again."),
    ] = None,
    counter: Annotated[
        list[str] | None,
        typer.Option(help="URL of a reader that verifies each card put in, as pcsc:PART OF ITS NAME; may be repeated."),
    ] = None,
    pcsc: Annotated[bool, typer.Option(help="Watch the PC/SC service for readers.")] = True,
    demo: Annotated[bool, typer.Option("--demo", help="A station with sample data, deleted without --data.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Keeps the demo's station there; a later start goes on with it.", show_default=False),
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="Lines for people, or JSON for machines.")] = LogFormat.CONSOLE,
    log_level: Annotated[LogLevel, typer.Option(help="Lowest level that is logged; debug logs every request.")] = (
        LogLevel.INFO
    ),
) -> None:
    """Serve the readers of this machine: web pages for stations and counters, an API for programs.

    The first start creates the administrator `admin` and prints a one-time password. An unavailable database is waited
    for. SIGTERM and Ctrl-C end the service once the current cards are done.

    Example: membercard serve --host 0.0.0.0 --tls-cert station.pem --tls-key station.key
    """
    with ExitStack() as stack:
        _prepare_process(demo=demo, renewal=tls_cert is not None)
        if data is not None and not demo:
            raise typer.BadParameter("--data goes with --demo; the station's own directory is named by --data-dir")
        listen = _checked(host, port, tls_cert, tls_key, client_ca, tuple(name or ()))
        _set_up_logs(log_format, log_level)
        shown = _demo_station(stack, data) if demo else None
        _run(stack, listen, shown, list(reader or ()), list(counter or ()), pcsc)


def _prepare_process(*, demo: bool, renewal: bool) -> None:
    """Set limits of this process. Where no terminal could be closed, SIGHUP asks for a ``renewal`` of the TLS files:
    it waits for the server, which takes it, and never ends a service that starts or stops."""
    from reader_service import process

    process.raise_limit()
    process.bound_memory()
    if demo or process.has_terminal():
        signals.hang_up_ends()
    elif renewal:
        signals.hang_up_waits()
    else:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _checked(
    host: str, port: int, cert: Path | None, key: Path | None, client_ca: Path | None, names: tuple[str, ...]
) -> Listen:
    """Where to listen. Raises Invalid, NotPrivate."""
    from reader_service.listen import Listen

    listen = Listen(host, port, cert, key, client_ca, names)
    if key is not None:
        private_files.tighten(key, "the TLS key", required=True)
    listen.check()
    return listen


def _set_up_logs(form: LogFormat, level: LogLevel) -> None:
    from reader_service import logs

    logs.set_up(getattr(sys.stderr, "styled", sys.stderr), as_json=form is LogFormat.JSON, level=level.value)


def _run(
    stack: ExitStack, listen: Listen, demo: DemoStation | None, readers: list[str], counters: list[str], pcsc: bool
) -> None:
    from membercard.wiring.service import station_parts
    from reader_service import serving, waiting
    from reader_service.access.first_start import NAME, first_administrator
    from reader_service.app import create_app
    from reader_service.service import ReaderService

    gc.set_threshold(*_COLLECTION_THRESHOLDS)
    passwords: dict[str, Secret] = {}
    if demo is not None:
        readers, counters, passwords = [*readers, *demo.lanes], [*counters, demo.counter], dict(demo.passwords)
    keystore = _demo_keystore() if demo else settings.open_keystore()
    listener = stack.enter_context(listen.open())
    tls = listen.tls_files()
    attempt = partial(settings.open_registry, keystore)
    registry = waiting.opened(attempt, listen, listener, every=waiting.EVERY, tls=tls)
    if registry is None:
        return  # ended while the database was unavailable
    stack.enter_context(registry)
    named = {url: _counter_name(place) for place, url in enumerate(counters)}
    parts = station_parts(registry, keystore, readers=readers, counters=named, pcsc=pcsc and not demo)
    service = ReaderService(parts, listen.access_settings(tls))
    password = first_administrator(registry, service.accounts)
    if password is not None:
        passwords[NAME] = password
    stack.callback(service.close)
    service.start()
    ready = partial(_print_start, passwords)
    serving.serve(create_app(service), listen, stop=service.close, ready=ready, listener=listener, tls=tls)


def _demo_station(stack: ExitStack, data: Path | None) -> DemoStation:
    from membercard.demo.station import demo_station

    return stack.enter_context(demo_station(data))


def _demo_keystore() -> SoftwareKeystore:
    """The demo's own keystore, opened with its passphrase file whatever the environment says."""
    from terminal.keys import SoftwareKeystore
    from terminal.secret import Secret

    current = settings.load()
    if current.passphrase_file is None:
        raise SettingsError("the demo's settings name no passphrase file")
    return SoftwareKeystore.unlock(current.keystore, Secret(current.passphrase_file.read_bytes().rstrip(b"\r\n")))


def _print_start(passwords: Mapping[str, Secret], address: str) -> None:
    """Print the passwords once; they are in no log."""
    from reader_service.access.first_start import NAME

    for user, password in passwords.items():
        output.say(
            "Sign in as {user} with the password {password}, to be changed at once"
            if user == NAME
            else "Sign in as {user} with the password {password}",
            user=user,
            password=password.reveal().decode(),
        )
    output.say("Serving at {address}", address=address)
    sys.stdout.flush()


def _counter_name(place: int) -> str:
    return f"Counter {place + 1}" if place else "Counter"
