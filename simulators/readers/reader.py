"""Readers in this process: one virtual card (``sim:CARDFILE``), a feeder over a stock (``sim:DIR``), or a manual slot
(``sim:slot/NAME``).

Options follow a question mark: ``sim:stock?timing=real&fault=tear-apdu:12+``.

    timing=real     each exchange takes as long as on a real chip (simulators.readers.timing)
    timing=report   the time is computed but not waited for
    fault=…         a fault on demand, may be repeated (simulators.readers.faults)
    card=FILE       the card in a manual slot at the start
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from simulators.card.memory import MemoryDamaged
from simulators.readers.faults import Faults, InjectedFault
from simulators.readers.manual_slot import ManualSlot, inserted_card
from simulators.readers.protocols import CardInSlot, Slot
from simulators.readers.stock import StockClaim, StockDirectory
from simulators.readers.timing import TimedCard, TimingModel, Wire
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, InsertedCard, LinkProtocol
from terminal.errors import CardGone, CodecError, NoCard, ReaderNotFound, TransportError

_TIMINGS: Final = ("real", "report")
_MANUAL: Final = "slot/"


class SingleSlot:
    """One card file. A released card does not come back to this reader."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path

    def next_card(self) -> Path | None:
        return self._path

    @property
    def current(self) -> Path | None:
        return self._path

    def release(self, disposition: Disposition) -> None:
        if disposition is not Disposition.KEEP:
            self._path = None

    def close(self) -> None:
        """Nothing to give back: a card file is not claimed."""


class StockSlot:
    """The next card of a stock directory, claimed so that no other reader takes it."""

    def __init__(self, stock: StockDirectory) -> None:
        self._stock = stock
        self._claim: StockClaim | None = None

    def next_card(self) -> Path | None:
        if self._claim is None:
            self._claim = self._stock.claim()
        return self.current

    @property
    def current(self) -> Path | None:
        return self._claim.path if self._claim else None

    def release(self, disposition: Disposition) -> None:
        """DONE, REJECT and ASIDE move the card to their bin; KEEP leaves it in the slot."""
        if disposition is not Disposition.KEEP:
            self._release_claim(disposition)

    def close(self) -> None:
        self._release_claim(Disposition.KEEP)

    def _release_claim(self, disposition: Disposition) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release(disposition)


class SimReader:
    """A terminal.apdu.Reader over virtual cards in this process.

    ``timing`` is the timing model of the card in the slot, None without the option; ``chip`` the card connected last.
    """

    def __init__(self, rest: str, slot: Slot, faults: Faults, timing: str | None) -> None:
        self._rest, self._slot, self._faults, self._timing = rest, slot, faults, timing
        self._card: SimCard | None = None
        self._path: Path | None = None
        self._wrapped: CardInSlot | None = None
        self._reported: Path | None = None
        self._on_change: Callable[[InsertedCard | None], None] = lambda card: None
        self.timing: TimingModel | None = None
        self.chip: VirtualCard | None = None

    @property
    def name(self) -> str:
        return self._rest.partition("?")[0]

    @property
    def url(self) -> str:
        return f"sim:{self._rest}"

    def wait_for_card(self, timeout: float | None) -> bool:
        """Does not wait: True with a card in the slot, False when none is left. Raises ReaderFault."""
        present = self._slot.next_card() is not None
        self._report(self._slot.current)
        return present

    def watch(self, notify: Callable[[InsertedCard | None], None]) -> None:
        """See :class:`terminal.apdu.WatchableReader`."""
        self._on_change, self._reported = notify, None
        notify(None)
        self._report(self._slot.current)

    def _report(self, path: Path | None) -> None:
        if path == self._reported:
            return
        self._reported = path
        try:
            self._on_change(None if path is None else inserted_card(path))
        except TransportError:  # The card file cannot be read; ``connect`` raises the reason.
            self._on_change(InsertedCard(mute=True))

    def connect(self) -> SimCard:
        """Power the card. Raises NoCard (also for a card too damaged to answer to reset), CardInUse, ReaderFault."""
        path = self._slot.next_card()
        if path is None:
            raise NoCard(f"no card is left in {self.name}")
        try:
            return self._power(path)
        except MemoryDamaged as error:
            raise NoCard(f"the card does not answer to reset: {error}") from error

    def _power(self, path: Path) -> SimCard:
        if path != self._path or self.chip is None or self._wrapped is None:
            self.chip = VirtualCard.open(path)
            self._wrapped, self._path = self._wrap(self.chip), path
        if self._card is not None:
            self._card.close()
        self._card = SimCard(self._wrapped, self.chip.config.protocol)
        return self._card

    def release(self, disposition: Disposition) -> None:
        """DONE, REJECT and ASIDE take the card out (a feeder: into its bin); KEEP leaves it in the slot."""
        self._power_off()
        self._slot.release(disposition)
        self._report(self._slot.current)

    def close(self) -> None:
        """Power the card off; a feeder gives its card back to the stock."""
        self._power_off()
        self._slot.close()

    def _power_off(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def _wrap(self, chip: VirtualCard) -> CardInSlot:
        """The card behind the timing model and the faults of the reader's options."""
        card: CardInSlot = chip
        if self._timing is not None:
            wire = Wire(chip.config.protocol, chip.config.ta1)
            self.timing = TimingModel(wire, real=self._timing == "real")
            card = TimedCard(chip, self.timing)
        return self._faults.on(card, chip)


class ManualSlotReader(SimReader):
    """A reader with a manual slot: also a terminal.apdu.CardSlot. Its name is that of the URL, ``slot/NAME``."""

    def __init__(self, rest: str, slot: ManualSlot, faults: Faults, timing: str | None) -> None:
        super().__init__(rest, slot, faults, timing)
        self._manual_slot = slot
        self._insertion = slot.insertion

    def wait_for_card(self, timeout: float | None) -> bool:
        """Wait until a card is inserted that was not released yet."""
        return self._manual_slot.wait(timeout)

    def watch(self, notify: Callable[[InsertedCard | None], None]) -> None:
        """See :class:`terminal.apdu.WatchableReader`."""
        self._manual_slot.watch(notify)

    def connect(self) -> SimCard:
        """As SimReader; a card that was removed and inserted again is read from its file again."""
        if self._insertion != self._manual_slot.insertion:
            self._insertion, self._path = self._manual_slot.insertion, None
        return super().connect()

    def release(self, disposition: Disposition) -> None:
        """The card stays in the slot until it is taken out; unless kept, it is not given to a job again before that."""
        self._power_off()
        self._manual_slot.finish(self._insertion, disposition)

    def insert(self, path: Path) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        self._manual_slot.insert(path)

    def eject(self) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        self._manual_slot.eject()

    def tear(self) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        self._manual_slot.tear()

    def _wrap(self, chip: VirtualCard) -> CardInSlot:
        return self._manual_slot.wrap(super()._wrap(chip), chip)


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
        """Raises CardGone once closed or without power, DeadlineExceeded from a mute card."""
        if not self._open:
            raise CardGone("this card was released")
        return self._card.exchange(apdu)

    def reset(self) -> bytes:
        if not self._open:
            raise CardGone("this card was released")
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
    if place.startswith(_MANUAL) and place != _MANUAL:
        return ManualSlotReader(rest, ManualSlot(place, card), faults, timing)
    path = Path(place).expanduser()
    if card is not None:
        raise ReaderNotFound("reader option card=FILE goes with a manual slot, sim:slot/NAME")
    if place and path.is_dir():
        return SimReader(rest, StockSlot(StockDirectory(path)), faults, timing)
    if not path.is_file():
        raise ReaderNotFound(f"there is neither a card file nor a stock directory {place or '(empty)'}")
    return SimReader(rest, SingleSlot(path), faults, timing)


def _options(query: str) -> tuple[Faults, str | None, Path | None]:
    faults: list[InjectedFault] = []
    timing = card = None
    # A plus belongs to the name of a fault; it is no space.
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
