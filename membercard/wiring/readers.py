"""Readers behind URLs, opened for as long as a command needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from terminal.apdu import Disposition, Reader, Transport, open_reader
from terminal.errors import NoCard


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
def open_readers(urls: Sequence[str]) -> Iterator[list[Reader]]:
    """The readers behind these URLs, closed at the end."""
    with ExitStack() as stack:
        opened = []
        for url in urls:
            reader = open_reader(url)
            stack.callback(reader.close)
            opened.append(reader)
        yield opened
