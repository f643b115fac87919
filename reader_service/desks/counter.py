"""The counter: a card in, a verdict out within a second, with the database or without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from reader_service.principal import Principal
from terminal.member.outcome import Verdict


@dataclass(frozen=True, slots=True)
class ListsAge:
    """The lists that verdicts are given by. ``live`` says that they are of now, and not of a kept edition because the
    database is away. ``hotlist_seconds`` is None where there is no hotlist."""

    trust_version: int
    trust_current: bool
    hotlist_version: int | None
    hotlist_seconds: int | None
    hotlist_current: bool
    live: bool

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A verdict at a reader. ``seconds`` from the card's power to the verdict."""

    reader: str
    name: str
    seconds: float
    verdict: Verdict
    lists: ListsAge

    def to_json(self) -> dict[str, Any]:
        """Verdict.to_json() and {"reader", "reader_name", "seconds", "lists"}; identity and card number are masked."""
        lists = self.lists.to_json()
        own = {"reader": self.reader, "reader_name": self.name, "seconds": round(self.seconds, 4), "lists": lists}
        return self.verdict.to_json() | own


class CounterDesk(Protocol):
    """Event: verdict (topic: reader id, data: VerdictView.to_json()), for every verdict at a reader."""

    def verify(self, p: Principal, reader_id: str, *, lease: str = "", at: datetime | None = None) -> VerdictView:
        """VERIFY. The card in a reader that the caller leased, or that is in counter mode. Whatever the card does is a
        verdict. Raises NotFound, LeaseLost, ReaderOut (no card, lost, hung), Unavailable (no lists at all)."""
        ...

    def watch(self, p: Principal, reader_id: str, on: bool) -> None:
        """VERIFY. Counter mode on: each card put in is verified at once. Raises NotFound, LeaseHeld."""
        ...

    def lists_age(self, p: Principal) -> ListsAge:
        """VERIFY. Raises Unavailable where there are no lists at all."""
        ...

    def refresh(self) -> None:
        """Read the lists anew soon: a card was lost, an edition published. From any thread."""
        ...
