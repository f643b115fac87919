"""Who may look at the card in a reader: whoever leased it, and at a counter everybody who may verify."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from reader_service.errors import LeaseLost
from reader_service.principal import Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode
from reader_service.readers.worker import ReaderSession

T = TypeVar("T")


def use_reader(
    hub: ReaderManager, p: Principal, reader_id: str, lease: str, job: Callable[[ReaderSession], T], deadline: float
) -> T:
    """Have ``job`` done on the reader's thread; without a ``lease``, where the reader is in counter mode. Raises
    NotFound, LeaseLost, ReaderOut, and what the job raises."""
    if lease:
        return hub.use(p, reader_id, lease, job, deadline)
    if hub.view(reader_id).mode is not Mode.COUNTER:
        raise LeaseLost(f"reader {reader_id} is in no counter mode; take a lease of it first", reader=reader_id)
    return hub.ask(reader_id, job, deadline)
