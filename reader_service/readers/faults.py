"""Faults of readers as sentences and codes."""

from __future__ import annotations

import contextlib
import logging
from concurrent.futures import Future
from typing import Final

from reader_service.errors import ReaderOut
from reader_service.readers.worker import ReaderSession
from terminal.errors import CardGone, CardTooSlow, DeadlineExceeded, MembercardError, NoCard, ReaderBusy, TransportError

UNPLUGGED: Final = "the reader was unplugged, or its PC/SC service stopped; it comes back by itself"
HUNG: Final = (
    "the reader's driver does not answer; unplug the reader and plug it in again, or restart the PC/SC service"
)
_CODES: Final[tuple[tuple[type[TransportError], str], ...]] = (
    (NoCard, "no-card"),
    (CardGone, "card-gone"),
    (ReaderBusy, "busy"),
    (CardTooSlow, "slow"),
    (DeadlineExceeded, "timeout"),
)
_log = logging.getLogger(__name__)


def out(reader_id: str, sentence: str, code: str) -> ReaderOut:
    """The error for a reader that cannot be used."""
    return ReaderOut(f"reader {reader_id}: {sentence}", reader=reader_id, code=code)


def out_of(reader_id: str, fault: TransportError) -> ReaderOut:
    """The error for a fault of the transport to a card."""
    return out(reader_id, str(fault), next((code for kind, code in _CODES if isinstance(fault, kind)), "lost"))


def look_again(session: ReaderSession) -> None:
    """Make the first call after a restart of the PC/SC service, which fails on the old connection, so that the first
    card meets a new one."""
    with contextlib.suppress(TransportError):
        session.wait_for_card(0)


def unforeseen(work: str, done: Future[None]) -> None:
    """Log an unexpected fault of ``work`` whose result nobody waits for."""
    fault = done.exception()
    if fault is not None and not isinstance(fault, MembercardError):
        _log.error("%s at a reader failed", work, exc_info=fault)
