"""The cards that are put into a reader one after the other, by their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from membercard import language, output, settings
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.member_application import member_aid
from terminal.apdu import Disposition, Reader, open_reader, stack
from terminal.errors import CardError, CodecError, TransportError
from terminal.member.lists import CounterLists
from terminal.member.verdict import verify

_WAIT = 3600.0


def inserted_cards(url: str) -> Iterator[str]:
    """Number and sequence of each card put in, until Ctrl+C, or for a virtual card of a file once. A card that is not
    genuine or cannot be read is named on standard error. Raises ReaderNotFound, ReaderBusy."""
    lists = load_lists(None, None, None)
    reader = open_reader(url)
    once = url.startswith("sim:")
    if not once:
        output.say("Put in card after card; Ctrl+C ends.", err=True)
    try:
        while reader.wait_for_card(_WAIT):
            try:
                yield _number(reader, lists)
            except (CardError, CodecError, TransportError) as e:
                typer.echo(f"membercard: {language.sentence(str(e))}", err=True)
            if once:
                return
    finally:
        reader.close()


def _number(reader: Reader, lists: CounterLists) -> str:
    """Number and sequence of a card whose chip signed for them. Raises CodecError, CardError, TransportError."""
    transport = reader.connect()
    try:
        at, aid = settings.load().now(), member_aid()
        proven = verify(stack(transport), trust=lists.trust, hotlist=None, at=at, policy=lists.policy, aid=aid).card
        if proven is None:
            raise CodecError("the card in the reader is no genuine member card that can be read: put it aside")
        return f"{proven.card_number}-{proven.sequence}"
    finally:
        transport.close()
        reader.release(Disposition.KEEP)
