"""A machine of a card printing station, as the line sees it: it moves cards, and what else it can do it says.

A driver implements :class:`CardMachine` and, where its machine can, :class:`StripeEncoder` and :class:`FacePrinter`.
It moves one card at a time and is used by one thread; ``status`` and ``close`` may come from any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from terminal.apdu import Reader

if TYPE_CHECKING:
    from PIL.Image import Image


class MachinePlace(StrEnum):
    """Where the machine's card is."""

    NONE = "none"
    """No card is inside."""
    INSIDE = "inside"
    """At the holding position, or at a place that the machine does not name."""
    CHIP = "chip"
    ANTENNA = "antenna"
    EXIT = "exit"
    """In the exit slot: a person can take it."""
    UNKNOWN = "unknown"


class Supply(StrEnum):
    """How much is left of something: blanks in the feeder, ribbon on the roll."""

    EMPTY = "empty"
    LOW = "low"
    ENOUGH = "enough"
    UNKNOWN = "unknown"


class MachineBin(StrEnum):
    """Where a card leaves the machine."""

    OUTPUT = "output"
    """Finished cards: an output hopper, or an exit slot where a person takes them."""
    REJECT = "reject"
    """Rejected cards and cards put aside: the error bin, the reject box."""


@dataclass(frozen=True, slots=True)
class MachineAbilities:
    """What a machine can do. ``bins`` are those it has; a move to another one raises MachineFault (LACKS)."""

    chip: bool = True
    antenna: bool = False
    flip: bool = False
    prints: bool = False
    stripes: bool = False
    feeds: bool = True
    """It takes cards from a feeder by itself; False where a person inserts each."""
    bins: frozenset[MachineBin] = frozenset(MachineBin)


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """The machine now. ``faults`` are those that stop it until a person comes, as codes (MachineFaultCode).

    ``counters`` hold what the machine counts by itself, by a plain name: ``cards``, ``rejected``, ``cleaning``, and
    ``ribbon-left`` in prints. ``firmware`` and ``serial_number`` are empty where it does not give them.
    """

    place: MachinePlace
    feeder: Supply = Supply.UNKNOWN
    reject_full: bool | None = None
    """None: the machine does not say."""
    cover_open: bool | None = None
    ribbon: Supply = Supply.UNKNOWN
    ribbon_kind: str = ""
    cleaning_due: bool | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    model: str = ""
    firmware: str = ""
    serial_number: str = ""


class CardMachine(Protocol):
    """One machine. Every method but ``close`` raises MachineFault (personalize.machines.faults), which says what to do,
    and the faults of its link: ReaderNotFound, ReaderBusy, ReaderFault.

    A move is over when the method returns. After a fault of a move the card's place is not known until ``status``.
    """

    @property
    def name(self) -> str:
        """Stable identity, as of a Reader."""
        ...

    @property
    def url(self) -> str: ...

    @property
    def abilities(self) -> MachineAbilities: ...

    def status(self) -> MachineStatus: ...

    def take(self, timeout: float | None) -> bool:
        """Take the next card from the feeder, or wait for one that a person inserts, at most ``timeout`` seconds (None:
        without limit; the move itself may take longer). True at once where a card is inside; False when none came."""
        ...

    def to_chip(self) -> None:
        """Move the card to the contact station; without effect where it is there."""
        ...

    def to_antenna(self) -> None: ...

    @property
    def reader(self) -> Reader:
        """The reader whose slot is the contact station or, after ``to_antenna``, the antenna: a PC/SC reader inside the
        machine, or the machine's own. Its ``release`` moves nothing."""
        ...

    def give(self, bin: MachineBin) -> None:
        """Move the card out. Without effect where no card is inside."""
        ...

    def flip(self) -> None:
        """Turn the card over, for a machine that prints one side."""
        ...

    def clear(self) -> None:
        """Clear an error state after a person removed its cause, and initialize the machine. A card inside stays
        inside."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class StripeTracks:
    """The text of tracks 1, 2 and 3 without sentinels and check characters; an empty track is not written.

    ISO/IEC 7813 (tracks 1 and 2), ISO/IEC 4909 (track 3).
    """

    track1: str = ""
    track2: str = ""
    track3: str = ""

    def __bool__(self) -> bool:
        return bool(self.track1 or self.track2 or self.track3)

    def describe(self) -> str:
        """Lengths only: tracks hold card numbers and check values."""
        return f"{len(self.track1)}+{len(self.track2)}+{len(self.track3)} characters"

    def __repr__(self) -> str:
        return f"<StripeTracks {self.describe()}>"


@runtime_checkable
class StripeEncoder(Protocol):
    """Writes and reads the stripe of the card inside, or of the card that a person swipes."""

    def write_stripe(self, tracks: StripeTracks) -> None:
        """Raises MachineFault (STRIPE_WRITE and its kind)."""
        ...

    def read_stripe(self) -> StripeTracks:
        """Raises MachineFault (STRIPE_READ) for a stripe that is not readable; a blank track is empty."""
        ...


@dataclass(frozen=True, slots=True)
class PrintedFace:
    """A card's faces as pictures (RGB, 1016 × 648 dots at 300 dpi with bleed); ``back`` is None where it stays as it
    is. The pictures show personal data: they are not stored.

    ``front_resin`` and ``back_resin`` (L, of the same size) are what a colour printer prints with black resin and not
    with dye: 0 none to 255 all of the dot. None leaves it to the driver, which looks for black text by itself.
    """

    front: Image
    back: Image | None = None
    front_resin: Image | None = None
    back_resin: Image | None = None


@runtime_checkable
class FacePrinter(Protocol):
    """Prints the card inside."""

    def print_face(self, face: PrintedFace) -> None:
        """Returns when the print is done; the card is inside still, or on its way to the output where the machine
        cannot hold a printed card. Raises MachineFault (RIBBON and its kind), which says whether the card is spoiled;
        after a fault of the link it is."""
        ...


SWIPE_TO_WRITE: Final = "Swipe the card through the encoder to write its stripe."
SWIPE_TO_READ: Final = "Swipe the card once more: its stripe is read and compared."
SWIPE_AGAIN: Final = "Swipe the card again, evenly, with the stripe towards the head."
TO_PRINTER: Final = "put the card into the printer's feeder"
"""What a person does in the middle of a card."""


@dataclass
class OperatorScreen:
    """Where a person reads what to do now. ``show`` gets an English sentence; whoever displays it sets it."""

    show: Callable[[str], None] = lambda sentence: None


@runtime_checkable
class OperatedMachine(Protocol):
    """A machine of which a person does a part: feeds it, swipes cards, puts them into the bins."""

    @property
    def screen(self) -> OperatorScreen: ...
