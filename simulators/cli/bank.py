"""The test bank as a program."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from simulators.cli.common import POLL_INTERVAL, address_of, reporter
from simulators.issuer.file import CHINA, load_issuer
from simulators.issuer.http import IssuerServer


def issuer(
    context: typer.Context,
    keys: Annotated[Path, typer.Option(help="Keys and accounts of the test bank (JSON).", show_default=False)],
    listen: Annotated[str, typer.Option(help="HOST:PORT of this machine alone; port 0 takes any.")] = "127.0.0.1:8583",
    zone: Annotated[
        str, typer.Option(envvar="MEMBERCARD_TIME_ZONE", help="Time zone of the bank's day, as in the settings.")
    ] = CHINA,
) -> None:
    """Run a test bank: verify cryptograms, authorize, respond with ARPC and scripts, until Ctrl-C.

    POST {"data": HEX} to /authorize: data objects in, data objects out. The keys in the file are in clear: for tests.

    Example: membercard sim issuer --keys bank.json --listen 127.0.0.1:8583
    """
    address, port = address_of(listen, "--listen", least=0)
    report_line = reporter(context)
    with IssuerServer(load_issuer(keys, zone), address, port, report_line) as server:
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, _interrupt)
            report_line(f"the issuer answers POST {server.url}; Ctrl-C ends it")
            server.serve_forever(poll_interval=POLL_INTERVAL)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
