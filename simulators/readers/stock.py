"""A stock of blank cards in a directory: readers claim cards one by one and move them to bins when they are done.

Layout of a stock directory::

    chip-….card     blank cards, and cards whose job was interrupted
    .begun/         one marker for each card that a reader claims (locked) or whose job was interrupted (not locked)
    issued/  rejects/  aside/     the bins

The locks in ``.begun`` let any number of lanes, processes and slots share one directory. A lock ends with its process,
the marker stays: cards of interrupted jobs are claimed first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from simulators.card.cardfile import same_file
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition
from terminal.errors import ReaderFault, ReaderNotFound

SUFFIX: Final = ".card"
BESIDE: Final = (".stripe", ".front.png", ".front-overlay.png", ".back.png", ".back-overlay.png")
"""Files of a card beside its card file, which go where it goes."""
BEGUN: Final = ".begun"
BINS: Final = {Disposition.DONE: "issued", Disposition.REJECT: "rejects", Disposition.ASIDE: "aside"}


def make_stock(
    directory: Path, count: int, config: CardConfig, *, random: Callable[[int], bytes] = os.urandom
) -> Iterator[Path]:
    """Create ``count`` blank cards of ``config``, each with its own chip serial; yields their paths.

    Batch number and first serial are drawn at random, so that two runs do not create the same chip. Raises
    FileExistsError rather than overwrite a card, and OSError.
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
    """A card of the stock that one reader holds. ``release`` ends the claim; so does the end of the process."""

    stock: StockDirectory
    path: Path
    _lock: int
    _size: int

    @property
    def changed(self) -> bool:
        """Whether the card wrote to its memory since it was claimed."""
        return self.path.stat().st_size != self._size

    def release(self, disposition: Disposition) -> None:
        """Move the card to its bin; with KEEP it stays in the stock, marked as begun if changed. Raises ReaderFault."""
        if disposition is Disposition.KEEP:
            self._end(None)
        else:
            self._end(self.stock.directory / BINS[disposition])

    def take_out(self, directory: Path) -> Path:
        """Move the card out of the stock into ``directory``, so that it outlasts the claim; its new path. Raises
        ReaderFault."""
        self._end(directory)
        return directory / self.path.name

    def _end(self, directory: Path | None) -> None:
        """End the claim, the card moved to ``directory`` or (None) where it is."""
        try:
            if directory is not None:
                move_card(self.path, directory)
            if directory is not None or not self.changed:
                (self.stock.begun / self.path.name).unlink(missing_ok=True)
        except OSError as error:
            raise ReaderFault(f"putting {self.path.name} away: {error.strerror}") from error
        finally:
            os.close(self._lock)


class StockDirectory:
    """A stock directory as one reader sees it. Raises ReaderNotFound when there is no such directory."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise ReaderNotFound(f"there is no stock directory {directory}")
        self.directory = directory
        self.begun = directory / BEGUN
        self._blanks: deque[str] = deque()

    def claim(self) -> StockClaim | None:
        """The next card: those of interrupted jobs, the most written first, then blanks by name; None without any.

        Raises ReaderFault when the directory cannot be written.
        """
        try:
            self.begun.mkdir(exist_ok=True)
            for name in sorted(os.listdir(self.begun), key=self._most_written):
                if claim := self._claim(name):
                    return claim
            while self._blanks or self._list_blanks():
                if claim := self._claim(self._blanks.popleft()):
                    return claim
        except OSError as error:
            raise ReaderFault(f"taking a card from {self.directory}: {error.strerror}") from error
        return None

    def put(self, path: Path, bin_name: str) -> None:
        """Move a card into a bin; never over another card."""
        move_card(path, self.directory / bin_name)

    def count(self, limit: int) -> int:
        """How many cards nobody has begun, at most ``limit``. Raises ReaderFault."""
        try:
            begun = set(os.listdir(self.begun)) if self.begun.is_dir() else set()
            with os.scandir(self.directory) as entries:
                names = (entry.name for entry in entries if _is_card(entry.name) and entry.name not in begun)
                return sum(1 for _ in islice(names, limit))
        except OSError as error:
            raise ReaderFault(f"counting the cards of {self.directory}: {error.strerror}") from error

    def _most_written(self, name: str) -> tuple[int, str]:
        """Sort key: cards that a job has written to come before those it only read."""
        try:
            return -(self.directory / name).stat().st_size, name
        except FileNotFoundError:
            return 0, name

    def _list_blanks(self) -> bool:
        """List the blanks again: True when there is one without a marker."""
        begun = set(os.listdir(self.begun))
        names = (name for name in os.listdir(self.directory) if _is_card(name))
        self._blanks.extend(sorted(set(names) - begun))
        return bool(self._blanks)

    def _claim(self, name: str) -> StockClaim | None:
        """Lock the marker of a card; None when another reader holds the card or has moved it to a bin."""
        marker, path = self.begun / name, self.directory / name
        lock = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        # Between open and lock another reader may have released the card and removed the marker.
        if not same_file(lock, marker):
            os.close(lock)
            return None
        try:
            return StockClaim(self, path, lock, path.stat().st_size)
        except FileNotFoundError:
            marker.unlink(missing_ok=True)
            os.close(lock)
            return None


def move_card(path: Path, directory: Path) -> None:
    """Move a card file into a directory, created if missing, and what lies beside it: its stripe, its faces. Never over
    another card. A process killed meanwhile leaves the file in both places, and the same call completes the move.
    Raises OSError."""
    target = directory / path.name
    directory.mkdir(exist_ok=True, parents=True)
    try:
        os.link(path, target)
    except FileExistsError:
        if not os.path.samefile(path, target):
            raise
    for suffix in BESIDE:
        with contextlib.suppress(FileNotFoundError):
            os.replace(path.with_suffix(suffix), target.with_suffix(suffix))
    os.unlink(path)


def _is_card(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")
