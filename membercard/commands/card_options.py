"""Options of every command that reads a card."""

from __future__ import annotations

from typing import Annotated

import typer

from membercard.wiring.readers import reader_or_only

ReaderUrl = Annotated[
    str,
    typer.Option(
        "--reader",
        help="pcsc:NAME, pcsc:INDEX, serial:PORT or sim:CARDFILE; not needed with exactly one reader.",
        default_factory=str,
        callback=reader_or_only,
        show_default=False,
    ),
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for a card in the reader.", min=0)]
