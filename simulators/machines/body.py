"""The body of a simulated machine: a feeder, a channel with places for one card, chip stations, an exit and two bins.

Cards are card files, and the directories they lie in are the places where they are: in the machine, in the output bin,
in the reject bin. With a small record beside them (:mod:`simulators.machines.record`) everything outlasts the machine's
power and the death of its process at any moment.

Moves take time, so they are generators: they yield the seconds until they go on. A move that is closed half-way, as by
a power cut, leaves its card in the channel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from simulators.machines.record import BodyPlace, BodyRecord
from simulators.machines.station import ChipStation, interface
from simulators.machines.supply import CardStack, CardSupply, StockSupply
from simulators.readers.protocols import CardInSlot
from simulators.readers.stock import BINS, SUFFIX, StockDirectory, move_card
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol
from terminal.errors import ReaderFault

Move = Generator[float, None, None]
OUTPUT, REJECT = "output", "reject"
MACHINES: Final = "machines"
"""Directory in a stock directory with one directory for each machine at it."""
_HANDS: Final = "taken"
_RECORD: Final = "machine.json"
_HELD: Final = "inside"


class BodyFault(StrEnum):
    """What can be wrong with a body. Those in ``LASTING`` stay until somebody repairs them; the others are what a move
    ends in."""

    JAM = "jam"
    SENSOR = "sensor"
    MOTOR = "motor"
    COVER = "cover"
    """Open."""
    MOVED = "moved"
    """A person moved the card by hand."""
    STUCK_CONTACTS = "stuck-contacts"
    """The contact station does not let the card go."""
    MAGNET = "magnet"
    """The contact station does not close."""
    CHIP_POSITION = "chip-position"
    """The card does not get to the contact station."""
    SHORT = "short"
    """The supply of the chip is shorted."""
    LONG_CARD = "long-card"
    SHORT_CARD = "short-card"
    EMPTY = "empty"
    REJECT_FULL = "reject-full"


LASTING: Final = frozenset(BodyFault) - {BodyFault.EMPTY, BodyFault.REJECT_FULL}
_AT_EACH_MOVE: Final = (BodyFault.COVER, BodyFault.JAM, BodyFault.SENSOR, BodyFault.MOTOR)
_AT_THE_FEEDER: Final = (BodyFault.LONG_CARD, BodyFault.SHORT_CARD)


class BodyStopped(Exception):
    """A move that ended in a fault."""

    def __init__(self, fault: BodyFault) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class BodyManner:
    """``seconds`` is the time of one move. ``few``: so many cards in the feeder or less are few. ``capacity``: so many
    cards fill the reject bin. ``dual``: chips with contacts answer at the antenna too. ``wrap``: see
    :class:`ChipStation`."""

    seconds: float = 0.0
    few: int = 10
    capacity: int = 100
    dual: bool = False
    wrap: Callable[[VirtualCard], CardInSlot] = lambda chip: chip


_USUAL: Final = BodyManner()


class MachineBody:
    """One body. A machine works it from one thread; what persons do to it may come from any other.

    ``directory`` has the record and the card inside; ``output`` and ``reject`` are the bins, where not named
    directories in it. Raises ReaderFault.
    """

    def __init__(
        self,
        directory: Path,
        supply: CardSupply,
        *,
        output: Path | None = None,
        reject: Path | None = None,
        manner: BodyManner = _USUAL,
    ) -> None:
        self.directory, self.supply, self.manner = directory, supply, manner
        self.bins = {OUTPUT: output or directory / OUTPUT, REJECT: reject or directory / REJECT}
        self.contacts, self.antenna = ChipStation(manner.wrap), ChipStation(manner.wrap)
        self.lock = threading.RLock()
        self._inside = directory / _HELD
        try:
            self._inside.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ReaderFault(f"creating {self._inside}: {error.strerror}") from error
        self.record = BodyRecord.load(directory / _RECORD)
        self._recover()

    @classmethod
    def at_stock(cls, stock: Path, name: str = "machine", manner: BodyManner = _USUAL) -> MachineBody:
        """A body that feeds from a stock directory and shares its bins; ``name`` distinguishes the machines at one
        stock. Raises ReaderNotFound, ReaderFault."""
        supply = StockSupply(StockDirectory(stock))
        output, reject = (stock / BINS[disposition] for disposition in (Disposition.DONE, Disposition.REJECT))
        return cls(machine_directory(stock, name), supply, output=output, reject=reject, manner=manner)

    @classmethod
    def of_cards(cls, directory: Path, cards: Iterable[Path], manner: BodyManner = _USUAL) -> MachineBody:
        """A body with these card files in its feeder, and bins of its own in ``directory``."""
        return cls(directory, CardStack(cards), manner=manner)

    def _recover(self) -> None:
        """Find out what a process that was killed left behind."""
        record = self.record
        card = self.card
        if record.bound_for and card is not None and (self.bins[record.bound_for] / card.name).exists():
            _move(card, self.bins[record.bound_for])
            card = None
        if record.bound_for and card is None:
            self._count(record.bound_for)
        elif card is None:
            record.place = BodyPlace.NONE
        elif record.place is BodyPlace.NONE or record.bound_for:
            record.place = BodyPlace.BETWEEN
        record.bound_for = ""
        self.save()

    def save(self) -> None:
        with self.lock:
            self.record.store(self.directory / _RECORD)

    # -- sensors ------------------------------------------------------------------------------------------------------

    @property
    def card(self) -> Path | None:
        """The file of the card inside. Raises ReaderFault."""
        try:
            return next((path for path in sorted(self._inside.iterdir()) if path.suffix == SUFFIX), None)
        except OSError as error:
            raise ReaderFault(f"reading {self._inside}: {error.strerror}") from error

    @property
    def place(self) -> BodyPlace:
        return self.record.place

    @property
    def supply_level(self) -> int:
        """0 empty, 1 few, 2 enough."""
        count = self.supply.count(self.manner.few + 1)
        return 0 if not count else 1 if count <= self.manner.few else 2

    @property
    def reject_full(self) -> bool:
        return self.record.in_reject >= self.manner.capacity

    def has(self, fault: BodyFault) -> bool:
        return fault in self.record.faults

    def chip_interface(self, *, antenna: bool = False) -> LinkProtocol | None:
        """How the chip of the card inside can be spoken to at the contacts or the antenna; None where it does not
        answer. Raises ReaderFault."""
        card = self.card
        kind = interface(card) if card is not None else None
        if antenna:
            return LinkProtocol.CONTACTLESS if kind is LinkProtocol.CONTACTLESS or (kind and self.manner.dual) else None
        return None if kind is LinkProtocol.CONTACTLESS else kind

    # -- moves --------------------------------------------------------------------------------------------------------

    def feed(self, place: BodyPlace) -> Move:
        """Take the next card from the feeder to a place. Raises BodyStopped, ReaderFault."""
        self._check(*_AT_EACH_MOVE)
        with self.lock:
            card = self.supply.take(self._inside)
            if card is None:
                raise BodyStopped(BodyFault.EMPTY)
            self.record.fed += 1
        yield from self._carry(place, *_AT_THE_FEEDER)

    def bring(self, place: BodyPlace) -> Move:
        """Move the card inside to a place. Raises BodyStopped."""
        self._check(*_AT_EACH_MOVE)
        self._let_go()
        yield from self._carry(place)

    def drop(self, bin_name: str) -> Move:
        """Move the card inside into a bin. Raises BodyStopped; a full reject bin leaves the card where it is."""
        self._check(*_AT_EACH_MOVE)
        if bin_name == REJECT and self.reject_full:
            raise BodyStopped(BodyFault.REJECT_FULL)
        self._let_go()
        yield from self._carry(BodyPlace.BETWEEN)
        self._put(bin_name)

    def _let_go(self) -> None:
        """Open the contact station."""
        if self.place is BodyPlace.CHIP:
            self._check(BodyFault.STUCK_CONTACTS)
        self.contacts.deactivate()
        self.antenna.deactivate()

    def _carry(self, place: BodyPlace, *faults: BodyFault) -> Move:
        if self.place is place is not BodyPlace.BETWEEN:
            return
        with self.lock:
            self._inside_still()
            self.record.place = BodyPlace.BETWEEN
            self.save()
        yield self.manner.seconds
        self._check(*faults, *_AT_EACH_MOVE)
        if place is BodyPlace.CHIP:
            self._check(BodyFault.CHIP_POSITION, BodyFault.MAGNET)
        with self.lock:
            self._inside_still()
            self.record.place = place
            self.save()

    def _put(self, bin_name: str) -> None:
        with self.lock:
            card = self._inside_still()
            self.record.bound_for = bin_name
            self.save()
            _move(card, self.bins[bin_name])
            self._count(bin_name)
            self.save()

    def _inside_still(self) -> Path:
        """The card inside. Raises BodyStopped where a person took it out meanwhile."""
        card = self.card
        if card is None:
            raise BodyStopped(BodyFault.MOVED)
        return card

    def _count(self, bin_name: str) -> None:
        record = self.record
        record.place, record.bound_for = BodyPlace.NONE, ""
        if bin_name == OUTPUT:
            record.output += 1
        else:
            record.reject += 1
            record.in_reject += 1

    def _check(self, *faults: BodyFault) -> None:
        for fault in faults:
            if self.has(fault):
                raise BodyStopped(fault)

    # -- persons ------------------------------------------------------------------------------------------------------

    def damage(self, *faults: BodyFault) -> None:
        """From now on something is wrong: a jam, an open cover, a card that somebody moves."""
        with self.lock:
            self.record.faults = tuple(sorted({*self.record.faults, *(fault for fault in faults if fault in LASTING)}))
            self.save()

    def repair(self, *faults: BodyFault) -> None:
        """The faults are over; without any named, all."""
        with self.lock:
            gone = faults or tuple(LASTING)
            self.record.faults = tuple(fault for fault in self.record.faults if fault not in gone)
            self.save()

    def insert(self, card: Path) -> bool:
        """Push a card in at the exit. False where a card is inside."""
        with self.lock:
            if self.card is not None:
                return False
            _move(card, self._inside)
            self.record.place = BodyPlace.HOLDING
            self.save()
            return True

    def take_from_exit(self) -> bool:
        """Take the card that waits in the exit: it counts as output. False where none does."""
        with self.lock:
            if self.place is not BodyPlace.EXIT:
                return False
            self._put(OUTPUT)
            return True

    def remove_card(self) -> Path | None:
        """Take the card out of the opened machine: its new path, in the directory ``taken``; None without a card."""
        with self.lock:
            card = self.card
            if card is None:
                return None
            self.contacts.cut()
            self.antenna.cut()
            _move(card, self.directory / _HANDS)
            self.record.place = BodyPlace.NONE
            self.save()
            return self.directory / _HANDS / card.name

    def empty_reject(self) -> None:
        """Empty the reject bin: the cards stay on record in its directory, and it has room again."""
        with self.lock:
            self.record.in_reject = 0
            self.save()


def machine_directory(stock: Path, name: str) -> Path:
    """Where a machine at a stock has its record and its card. Raises ReaderNotFound where there is no such stock."""
    return StockDirectory(stock).directory / MACHINES / name


def _move(card: Path, directory: Path) -> None:
    try:
        move_card(card, directory)
    except OSError as error:
        raise ReaderFault(f"putting {card.name} away: {error.strerror}") from error
