"""The cards that are put into a reader one after the other, by their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from membercard import language, output
from membercard.wiring.member_application import member_aid
from terminal.apdu import Disposition, Reader, open_reader, stack
from terminal.errors import CardError, CodecError, TransportError
from terminal.member.contents import read_contents
from terminal.member.elements import CARD_NUMBER, SEQUENCE

_WAIT = 3600.0


def inserted_cards(url: str) -> Iterator[str]:
    """Number and sequence of each card put in, until Ctrl+C, or for a virtual card of a file once. A card that cannot
    be read is named on standard error. Raises ReaderNotFound, ReaderBusy."""
    reader = open_reader(url)
    once = url.startswith("sim:")
    if not once:
        output.say("Put in card after card; Ctrl+C ends.", err=True)
    try:
        while reader.wait_for_card(_WAIT):
            try:
                yield _number(reader)
            except (CardError, CodecError, TransportError) as e:
                typer.echo(f"membercard: {language.sentence(str(e))}", err=True)
            if once:
                return
    finally:
        reader.close()


def _number(reader: Reader) -> str:
    transport = reader.connect()
    try:
        card = read_contents(stack(transport), member_aid())
        return f"{card.need(CARD_NUMBER)}-{card.need(SEQUENCE)}"
    finally:
        transport.close()
        reader.release(Disposition.KEEP)
