"""Where the feeder of a simulated machine has its cards from: a stock directory, or a list of card files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from simulators.readers.stock import StockDirectory, move_card
from terminal.errors import ReaderFault


class CardSupply(Protocol):
    """The feeder's cards. Both methods raise ReaderFault."""

    def take(self, directory: Path) -> Path | None:
        """Move the next card file into ``directory``; its new path, None without any."""
        ...

    def count(self, limit: int) -> int:
        """How many cards there are, at most ``limit``."""
        ...


class StockSupply:
    """A stock directory, which other machines and readers may share."""

    def __init__(self, stock: StockDirectory) -> None:
        self._stock = stock

    def take(self, directory: Path) -> Path | None:
        claim = self._stock.claim()
        return claim.take_out(directory) if claim is not None else None

    def count(self, limit: int) -> int:
        return self._stock.count(limit)


class CardStack:
    """Card files in the order in which the feeder takes them; files that are not there any more are left out."""

    def __init__(self, cards: Iterable[Path]) -> None:
        self._cards = deque(cards)

    def add(self, cards: Iterable[Path]) -> None:
        self._cards.extend(cards)

    def take(self, directory: Path) -> Path | None:
        while self._cards:
            path = self._cards.popleft()
            if path.is_file():
                try:
                    move_card(path, directory)
                except OSError as error:
                    raise ReaderFault(f"feeding {path.name}: {error.strerror}") from error
                return directory / path.name
        return None

    def count(self, limit: int) -> int:
        return min(limit, sum(path.is_file() for path in self._cards))
