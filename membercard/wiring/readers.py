"""Readers behind URLs, opened for as long as a command needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import typer

from terminal.apdu import Disposition, Reader, Transport, list_readers, open_reader
from terminal.errors import NoCard, ReaderNotFound


def only_reader() -> str:
    """The URL of the one PC/SC reader of this machine, for a command without --reader.

    Raises ReaderNotFound where there is none, or more than one; ReaderFault without the PC/SC service.
    """
    urls = [reader.url for reader in list_readers()]
    if not urls:
        raise ReaderNotFound("no reader is plugged in; virtual cards need none: --reader sim:CARDFILE")
    if len(urls) > 1:
        raise ReaderNotFound(f"there are {len(urls)} readers, so name one with --reader: {', '.join(urls)}")
    return urls[0]


def reader_or_only(context: typer.Context, param: typer.CallbackParam, url: str) -> str:
    """Callback of an option --reader. Shell completion and help look for no reader, and an empty URL, as of a variable
    that is not set, means none: it is refused when it is opened."""
    source = context.get_parameter_source(str(param.name))
    absent = source is None or source.name.startswith("DEFAULT")
    return only_reader() if absent and not context.resilient_parsing else url


def readers_or_only(context: typer.Context, urls: list[str]) -> list[str]:
    """The same for an option that takes several readers."""
    return urls if urls or context.resilient_parsing else [only_reader()]


@contextmanager
def card_in(url: str, wait: float) -> Iterator[Transport]:
    """The powered card behind a reader URL, released afterwards. Raises NoCard, ReaderNotFound, ReaderBusy."""
    reader = open_reader(url)
    try:
        if not reader.wait_for_card(wait):
            raise NoCard(f"there is no card in {reader.name}: insert one, or wait for one with --wait SECONDS")
        transport = reader.connect()
        try:
            yield transport
        finally:
            transport.close()
            reader.release(Disposition.KEEP)
    finally:
        reader.close()


@contextmanager
def open_readers(readers: Sequence[str | Reader]) -> Iterator[list[Reader]]:
    """The readers behind these URLs, closed at the end, and those that are open already, which stay open."""
    with ExitStack() as stack:
        opened = []
        for reader in readers:
            if isinstance(reader, str):
                reader = open_reader(reader)
                stack.callback(reader.close)
            opened.append(reader)
        yield opened
