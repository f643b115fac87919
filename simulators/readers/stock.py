"""Blank cards in a directory: made by the supplier, taken one by one by readers, put into bins when they leave.

Layout of a stock directory::

    chip-….card     blank cards, and cards whose work was broken off
    .begun/         one file for each card that a reader holds (locked) or held when its work broke off (not locked)
    issued/  rejects/  aside/     the bins

The lock in ``.begun`` is how any number of lanes, processes and slots share one directory. A lock dies with its
process, its file does not: what was broken off is found again, and comes first.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition
from terminal.errors import ReaderFault, ReaderNotFound

SUFFIX: Final = ".card"
BEGUN: Final = ".begun"
BINS: Final = {Disposition.DONE: "issued", Disposition.REJECT: "rejects", Disposition.ASIDE: "aside"}


def make_stock(
    directory: Path, count: int, config: CardConfig, *, random: Callable[[int], bytes] = os.urandom
) -> Iterator[Path]:
    """Blank cards as ``config`` says, each with a chip serial of its own; their files one by one as they are made.

    Batch number and first serial are drawn at random, so that no two runs make the same chip. Raises FileExistsError
    rather than overwrite one, and OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    batch = int.from_bytes(random(2), "big")
    first = int.from_bytes(random(4), "big") % (0x1_0000_0000 - count)
    for serial in range(first, first + count):
        chip = replace(config.chip, serial=serial, batch=batch)
        path = directory / f"chip-{chip.chip_serial}{SUFFIX}"
        VirtualCard.create(path, replace(config, chip=chip))
        yield path


def blank(random: Callable[[int], bytes] = os.urandom) -> ProductionData:
    """A chip with a random serial number."""
    return ProductionData(int.from_bytes(random(4), "big"), batch=int.from_bytes(random(2), "big"))


@dataclass(slots=True, eq=False)
class StockClaim:
    """A card of the stock that this reader alone holds. ``let_go`` ends it; so does the end of the process."""

    stock: Stock
    path: Path
    _lock: int
    _size: int

    @property
    def changed(self) -> bool:
        """Whether the card wrote to its memory since it was claimed."""
        return self.path.stat().st_size != self._size

    def let_go(self, disposition: Disposition) -> None:
        """Into its bin; or with KEEP back to the stock, marked as begun if it was changed. Raises ReaderFault."""
        marker = self.stock.begun / self.path.name
        try:
            if disposition is not Disposition.KEEP:
                self.stock.put(self.path, BINS[disposition])
            if disposition is not Disposition.KEEP or not self.changed:
                marker.unlink(missing_ok=True)
        except OSError as error:
            raise ReaderFault(f"putting {self.path.name} away: {error.strerror}") from error
        finally:
            os.close(self._lock)


class Stock:
    """A stock directory as one reader sees it. Raises ReaderNotFound when there is no such directory."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise ReaderNotFound(f"there is no stock directory {directory}")
        self.directory = directory
        self.begun = directory / BEGUN
        self._fresh: deque[str] = deque()

    def claim(self) -> StockClaim | None:
        """The next card: first those whose work was broken off, furthest first, then blanks by name; or None.

        Raises ReaderFault when the directory cannot be written.
        """
        try:
            self.begun.mkdir(exist_ok=True)
            for name in sorted(os.listdir(self.begun), key=self._most_written):
                if claimed := self._claim(name):
                    return claimed
            while self._fresh or self._look():
                if claimed := self._claim(self._fresh.popleft()):
                    return claimed
        except OSError as error:
            raise ReaderFault(f"taking a card from {self.directory}: {error.strerror}") from error
        return None

    def put(self, path: Path, bin_name: str) -> None:
        """Move a card into a bin; never over another card."""
        target = self.directory / bin_name / path.name
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(path, target)
        except FileExistsError:
            if not os.path.samefile(path, target):
                raise
        os.unlink(path)

    def _most_written(self, name: str) -> tuple[int, str]:
        """Cards that were written to come before those only looked at: work waits for them."""
        try:
            return -(self.directory / name).stat().st_size, name
        except FileNotFoundError:
            return 0, name

    def _look(self) -> bool:
        """List the blanks anew: True when one is there that nobody holds or held."""
        begun = set(os.listdir(self.begun))
        names = (name for name in os.listdir(self.directory) if name.endswith(SUFFIX) and not name.startswith("."))
        self._fresh.extend(sorted(set(names) - begun))
        return bool(self._fresh)

    def _claim(self, name: str) -> StockClaim | None:
        """Lock the marker of a card, or None when another reader holds the card or has put it away."""
        marker, path = self.begun / name, self.directory / name
        lock = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        # Between open and lock another reader may have let go of the card and removed the marker.
        if not _still(lock, marker):
            os.close(lock)
            return None
        try:
            return StockClaim(self, path, lock, path.stat().st_size)
        except FileNotFoundError:
            marker.unlink(missing_ok=True)
            os.close(lock)
            return None


def _still(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
