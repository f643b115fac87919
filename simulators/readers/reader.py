"""Readers in this process: one virtual card (``sim:CARDFILE``), a feeder over a stock of them (``sim:DIR``), or a slot
worked by hand (``sim:slot/NAME``).

Options follow a question mark: ``sim:stock?timing=real&fault=tear-apdu:12+``.

    timing=real     each exchange takes the time it would on a real chip (simulators.readers.timing)
    timing=report   the time is counted and not waited for
    fault=…         a fault on demand, more than once if you like (simulators.readers.faults)
    card=FILE       the card that lies in a hand-fed slot at the start
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qsl

from simulators.card.memory import MemoryDamaged
from simulators.readers.faults import Faults, InjectedFault
from simulators.readers.manual_slot import ManualSlot, look_at
from simulators.readers.protocols import CardInSlot
from simulators.readers.stock import Stock, StockClaim
from simulators.readers.timing import TimedCard, TimingModel, Wire
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, InsertedCard, LinkProtocol
from terminal.errors import CardGone, CodecError, NoCard, ReaderNotFound, TransportError

_TIMINGS: Final = ("real", "report")
_BY_HAND: Final = "slot/"


class Slot(Protocol):
    """Where a reader's cards come from."""

    def fill(self) -> Path | None:
        """The card in the slot, the next one if it is empty; None when there is none."""
        ...

    def empty(self, disposition: Disposition) -> None:
        """DONE, REJECT and ASIDE let the card out; with KEEP it stays in the slot."""
        ...

    @property
    def here(self) -> Path | None:
        """The card in the slot just now; a feeder's next one is not in it yet."""
        ...

    def close(self) -> None:
        """Nobody feeds from this slot any more: its card is left to others."""
        ...


class SingleSlot:
    """One card file. Once let out the card is gone for this reader."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path

    def fill(self) -> Path | None:
        return self._path

    @property
    def here(self) -> Path | None:
        return self._path

    def empty(self, disposition: Disposition) -> None:
        if disposition is not Disposition.KEEP:
            self._path = None

    def close(self) -> None:
        """The card was never held."""


class StockSlot:
    """The next card of a stock directory, claimed so that other readers leave it alone."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._claim: StockClaim | None = None

    def fill(self) -> Path | None:
        if self._claim is None:
            self._claim = self._stock.claim()
        return self.here

    @property
    def here(self) -> Path | None:
        return self._claim.path if self._claim else None

    def empty(self, disposition: Disposition) -> None:
        """DONE, REJECT and ASIDE are bins; with KEEP the card stays in the slot."""
        if disposition is not Disposition.KEEP:
            self._let_go(disposition)

    def close(self) -> None:
        self._let_go(Disposition.KEEP)

    def _let_go(self, disposition: Disposition) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.let_go(disposition)


class SimReader:
    """A terminal.apdu.Reader over virtual cards in this process.

    ``timing`` is the model of the card in the slot, when asked for; ``chip`` the card that was connected last.
    """

    def __init__(self, rest: str, slot: Slot, faults: Faults, timing: str | None) -> None:
        self._rest, self._slot, self._faults, self._timing = rest, slot, faults, timing
        self._card: SimCard | None = None
        self._path: Path | None = None
        self._shown: CardInSlot | None = None
        self._told: Path | None = None
        self._tell: Callable[[InsertedCard | None], None] = lambda seen: None
        self.timing: TimingModel | None = None
        self.chip: VirtualCard | None = None

    @property
    def name(self) -> str:
        return self._rest.partition("?")[0]

    @property
    def url(self) -> str:
        return f"sim:{self._rest}"

    def wait_for_card(self, timeout: float | None) -> bool:
        """At once: True with a card in the slot, False when there is none left. Raises ReaderFault."""
        there = self._slot.fill() is not None
        self._tell_of(self._slot.here)
        return there

    def watch(self, tell: Callable[[InsertedCard | None], None]) -> None:
        """See :class:`terminal.apdu.WatchableReader`."""
        self._tell, self._told = tell, None
        tell(None)
        self._tell_of(self._slot.here)

    def _tell_of(self, path: Path | None) -> None:
        if path == self._told:
            return
        self._told = path
        try:
            self._tell(None if path is None else look_at(path))
        except TransportError:  # The card file cannot be read: whoever connects hears why.
            self._tell(InsertedCard(mute=True))

    def connect(self) -> SimCard:
        """Power the card. Raises NoCard (also for a chip too damaged to answer to reset), CardInUse, ReaderFault."""
        path = self._slot.fill()
        if path is None:
            raise NoCard(f"no card is left in {self.name}")
        try:
            return self._power(path)
        except MemoryDamaged as dead:
            raise NoCard(f"the card does not answer to reset: {dead}") from dead

    def _power(self, path: Path) -> SimCard:
        if path != self._path or self.chip is None or self._shown is None:
            self.chip = VirtualCard.open(path)
            self._shown, self._path = self._show(self.chip), path
        if self._card is not None:
            self._card.close()
        self._card = SimCard(self._shown, self.chip.config.protocol)
        return self._card

    def release(self, disposition: Disposition) -> None:
        """DONE, REJECT and ASIDE let the card out (a feeder: into its bin); KEEP leaves it in the slot."""
        self._let_go()
        self._slot.empty(disposition)
        self._tell_of(self._slot.here)

    def close(self) -> None:
        """Take the power away; a feeder leaves its card to others."""
        self._let_go()
        self._slot.close()

    def _let_go(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def _show(self, chip: VirtualCard) -> CardInSlot:
        """The card with the timing and the faults that were asked for."""
        card: CardInSlot = chip
        if self._timing is not None:
            wire = Wire(chip.config.protocol, chip.config.ta1)
            self.timing = TimingModel(wire, real=self._timing == "real")
            card = TimedCard(chip, self.timing)
        return self._faults.on(card, chip)


class ManualSlotReader(SimReader):
    """A slot worked by hand: also a terminal.apdu.Drawer. Its name is that of the URL, ``slot/NAME``."""

    def __init__(self, rest: str, slot: ManualSlot, faults: Faults, timing: str | None) -> None:
        super().__init__(rest, slot, faults, timing)
        self._drawer = slot
        self._turn = slot.turn

    def wait_for_card(self, timeout: float | None) -> bool:
        """Wait until a card is put in that was not let out yet."""
        return self._drawer.wait(timeout)

    def watch(self, tell: Callable[[InsertedCard | None], None]) -> None:
        """See :class:`terminal.apdu.WatchableReader`."""
        self._drawer.watch(tell)

    def connect(self) -> SimCard:
        """As SimReader; a card that was taken out and put in again is read anew."""
        if self._turn != self._drawer.turn:
            self._turn, self._path = self._drawer.turn, None
        return super().connect()

    def release(self, disposition: Disposition) -> None:
        """The card stays in the slot until it is taken out; let go of as done, it is not given again before."""
        self._let_go()
        self._drawer.let_out(self._turn, disposition)

    def insert(self, path: Path) -> None:
        """See :class:`terminal.apdu.Drawer`."""
        self._drawer.insert(path)

    def eject(self) -> None:
        """See :class:`terminal.apdu.Drawer`."""
        self._drawer.eject()

    def tear(self) -> None:
        """See :class:`terminal.apdu.Drawer`."""
        self._drawer.tear()

    def _show(self, chip: VirtualCard) -> CardInSlot:
        return self._drawer.show(super()._show(chip), chip)


class SimCard:
    """A terminal.apdu.Transport to a virtual card."""

    def __init__(self, card: CardInSlot, protocol: LinkProtocol) -> None:
        self._card = card
        self._protocol = protocol
        self._open = True
        self._atr = card.power_on()

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def protocol(self) -> LinkProtocol:
        return self._protocol

    @property
    def extended_length(self) -> bool:
        """T=0 has no extended length fields of its own. ISO/IEC 7816-3:2006, 12.2."""
        return self._protocol is not LinkProtocol.T0

    def exchange(self, apdu: bytes) -> bytes:
        """Raises CardGone once closed or without power, DeadlineExceeded from a card that fell mute."""
        if not self._open:
            raise CardGone("this card was let go of")
        return self._card.exchange(apdu)

    def reset(self) -> bytes:
        if not self._open:
            raise CardGone("this card was let go of")
        self._atr = self._card.reset()
        return self._atr

    def close(self) -> None:
        if self._open:
            self._open = False
            self._card.power_off()


def open_reader(rest: str) -> SimReader:
    """The reader of a ``sim:`` URL. Raises ReaderNotFound for a path that is not there or an unknown option."""
    place, _, query = rest.partition("?")
    faults, timing, card = _options(query)
    if place.startswith(_BY_HAND) and place != _BY_HAND:
        return ManualSlotReader(rest, ManualSlot(place, card), faults, timing)
    path = Path(place).expanduser()
    if card is not None:
        raise ReaderNotFound("reader option card=FILE goes with a slot worked by hand, sim:slot/NAME")
    if place and path.is_dir():
        return SimReader(rest, StockSlot(Stock(path)), faults, timing)
    if not path.is_file():
        raise ReaderNotFound(f"there is neither a card file nor a stock directory {place or '(empty)'}")
    return SimReader(rest, SingleSlot(path), faults, timing)


def _options(query: str) -> tuple[Faults, str | None, Path | None]:
    faults: list[InjectedFault] = []
    timing = card = None
    # A plus is part of a fault's name here, not a space.
    for key, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        if key == "fault":
            try:
                faults.append(InjectedFault.parse(value))
            except CodecError as error:
                raise ReaderNotFound(f"reader option fault: {error}") from error
        elif key == "timing" and value in _TIMINGS:
            timing = value
        elif key == "card" and value:
            card = Path(value).expanduser()
        else:
            known = "timing=real, timing=report, card=FILE or fault=…"
            raise ReaderNotFound(f"reader option {key}={value} is not known: {known}")
    try:
        return Faults(faults), timing, card
    except CodecError as error:
        raise ReaderNotFound(f"reader option fault: {error}") from error
