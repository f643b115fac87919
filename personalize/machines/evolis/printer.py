"""The driver of Evolis card printers: feeder, contact station, antenna, stripe encoder, print head, reject box."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Final

from personalize.machines.evolis.answers import WORDS
from personalize.machines.evolis.exchange import PrinterExchange
from personalize.machines.evolis.options import EvolisOptions, RejectBox, StripeCoercivity, TrackReading, parse_rest
from personalize.machines.evolis.panels import back_commands, front_commands
from personalize.machines.faults import MachineFault
from personalize.machines.faults import MachineFaultCode as Code
from personalize.machines.inner_reader import InnerReader
from personalize.machines.links import ByteLink, open_serial_link
from personalize.machines.protocols import (
    MachineAbilities,
    MachineBin,
    MachinePlace,
    MachineStatus,
    PrintedFace,
    StripeTracks,
    Supply,
)
from personalize.machines.tcp import TcpLink, tcp_address
from terminal.apdu import Reader
from terminal.apdu.readers import open_reader
from terminal.errors import TransportError

_AGAIN: Final = 1.0
"""Seconds until an empty feeder is tried again."""
_CLEARED: Final = frozenset({Code.COVER, Code.RIBBON, Code.FEED, Code.FEEDER_EMPTY, Code.CLEANING})
"""Errors whose cause a person removes without opening the card's way; the next order clears them in the printer."""
_STOPS: Final = _CLEARED | {Code.JAM, Code.MOTOR, Code.REJECT_FULL}
_COUNTERS: Final = {"cards": "Rco;p", "inserted": "Rco;i", "rejected": "Rco;r", "since-cleaning": "Rco;c"}
_PRESENT: Final = frozenset({MachinePlace.INSIDE, MachinePlace.CHIP, MachinePlace.ANTENNA})
_ISO: Final = "123"


class EvolisMachine:
    """One printer. No command says where a card is: the place is what the orders made of it, and unknown at the
    beginning and after an order whose answer was lost. ``take`` then brings a card that is inside to the station."""

    def __init__(
        self, url: str, device: str, options: EvolisOptions, *, reader: Reader | None, antenna: Reader | None
    ) -> None:
        self._url, self._device, self._options = url, device, options
        self._place = MachinePlace.UNKNOWN
        self._sequence = False
        self._uncleared = False
        self._closed = threading.Event()
        self._lock = threading.RLock()
        self._identity: dict[str, str] = {}
        self._absent: set[str] = set()
        self._reader = InnerReader(self.name, reader) if reader else None
        self._antenna = InnerReader(self.name, antenna) if antenna else None
        self._status = MachineStatus(self._place)
        offset = [] if options.offset is None else [f"Pos;=;{options.offset:.0f}"]
        self._exchange = PrinterExchange(
            self.name,
            self._connect,
            options.answers,
            deadline=options.deadline,
            settings=offset,
            restarted=self._restarted,
        )

    def _connect(self) -> ByteLink:
        address = tcp_address(self._device)
        return TcpLink(*address) if address else open_serial_link(self._device, self._options.rate)

    @property
    def name(self) -> str:
        return f"evolis:{self._device}"

    @property
    def url(self) -> str:
        return self._url

    @property
    def abilities(self) -> MachineAbilities:
        rejects = self._options.reject is not RejectBox.NONE
        return MachineAbilities(
            chip=self._reader is not None,
            antenna=self._antenna is not None,
            flip=self._options.flip,
            prints=True,
            stripes=self._options.encoder,
            bins=frozenset(MachineBin) if rejects else frozenset({MachineBin.OUTPUT}),
        )

    def status(self) -> MachineStatus:
        """As the printer answers now; while an order is under way, as it was before, with the place of now."""
        if not self._lock.acquire(blocking=False):
            return replace(self._status, place=self._place)
        try:
            self._status = self._inquired()
            return self._status
        finally:
            self._lock.release()

    def take(self, timeout: float | None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                if self._place in _PRESENT:
                    return True
                try:
                    self._insert("Sis" if self._reader else "Si")
                except MachineFault as fault:
                    if fault.code is not Code.FEEDER_EMPTY:
                        raise
                    self._place = MachinePlace.NONE
                else:
                    return True
            left = _AGAIN if until is None else min(_AGAIN, until - time.monotonic())
            if left <= 0 or self._closed.wait(left):
                return False

    def to_chip(self) -> None:
        with self._lock:
            if self._reader is None:
                raise MachineFault(self.name, Code.LACKS, "no reader in its contact station is named (reader=)")
            if self._place is not MachinePlace.CHIP:
                self._check_not_empty()
                self._insert("Sis")

    def to_antenna(self) -> None:
        with self._lock:
            if self._antenna is None:
                raise MachineFault(self.name, Code.LACKS, "no reader at its antenna is named (antenna=)")
            if self._place is not MachinePlace.ANTENNA:
                self._check_not_empty()
                self._insert("Sic")

    @property
    def reader(self) -> Reader:
        reader = self._antenna if self._place is MachinePlace.ANTENNA else self._reader
        if reader is None:
            raise MachineFault(self.name, Code.LACKS, "no reader in its contact station is named (reader=)")
        return reader

    def give(self, bin: MachineBin) -> None:
        with self._lock:
            command = "Se"
            if bin is MachineBin.REJECT:
                if self._options.reject is RejectBox.NONE:
                    raise MachineFault(self.name, Code.LACKS, "it has no reject box (reject=)")
                command = "Ser" if self._options.reject is RejectBox.OUTPUT else "Seb"
            if self._place is MachinePlace.NONE:
                return
            self._move(command)
            self._place, self._sequence = MachinePlace.NONE, False

    def flip(self) -> None:
        with self._lock:
            if not self._options.flip:
                raise MachineFault(self.name, Code.LACKS, "it has no flip-over station (flip=)")
            self._check_present()
            self._begin()
            self._move("Sv")
            self._place = MachinePlace.INSIDE

    def clear(self) -> None:
        with self._lock:
            self._sequence = self._uncleared = False
            self._order("Scs")

    def close(self) -> None:
        self._closed.set()
        self._exchange.close()
        for reader in (self._reader, self._antenna):
            if reader is not None:
                reader.close()

    def write_stripe(self, tracks: StripeTracks) -> None:
        with self._lock:
            self._check_stripe()
            texts = dict(zip(_ISO, (tracks.track1, tracks.track2, tracks.track3), strict=True))
            for number, text in texts.items():
                if text and number not in self._options.tracks:
                    detail = f"the cards have track {number}, which it does not read back (tracks=)"
                    raise MachineFault(self.name, Code.LACKS, detail)
                if not (text.isascii() and text.isprintable()):
                    raise MachineFault(
                        self.name, Code.STRIPE_WRITE, f"the text of track {number} has characters that no track holds"
                    )
            self._begin()
            self._exchange.set("Pmc;h" if self._options.coercivity is StripeCoercivity.HIGH else "Pmc;l")
            for number, text in texts.items():
                if text:
                    self._exchange.set(f"Pmt;{number};{number}")
                    self._exchange.set(f"Dm;{number};{text}")
            self._order("Smw")
            self._place = MachinePlace.INSIDE

    def read_stripe(self) -> StripeTracks:
        with self._lock:
            self._check_stripe()
            self._begin()
            tracks = {f"track{number}": self._track(number) for number in self._options.tracks}
            self._place = MachinePlace.INSIDE
            return StripeTracks(**tracks)

    def print_face(self, face: PrintedFace) -> None:
        with self._lock:
            if face.back is not None and not self._options.flip:
                raise MachineFault(self.name, Code.LACKS, "it prints one side only (flip=)")
            self._check_present()
            # Whatever is wrong with the pictures is so before the first dot is printed.
            front = front_commands(face, self._options.panels)
            back = back_commands(face, self._options.panels)
            self._clear_before()
            self._setting(f"Pr;{self._options.ribbon}")
            self._begin()
            self._order("Sr")
            self._place = MachinePlace.INSIDE
            for command in front:
                self._order(command, spoils=True)
            if back:
                self._order("Sv", spoils=True)
                for command in back:
                    self._order(command, spoils=True)

    def _track(self, number: str) -> str:
        try:
            self._clear_before()
            if self._options.reading is TrackReading.DIRECT:
                return self._exchange.reading(f"Smr;{number}")
            self._exchange.order(f"Smr;{number}")
            return self._exchange.query(f"Rmb;{number}")
        except MachineFault as fault:
            self._uncleared = fault.code in _CLEARED
            if fault.code is Code.STRIPE_WRITE:
                raise MachineFault(self.name, Code.STRIPE_READ, fault.detail) from fault
            raise

    def _check_stripe(self) -> None:
        if not self._options.encoder:
            raise MachineFault(self.name, Code.LACKS, "it has no stripe encoder (encoder=)")
        self._check_present()

    def _check_not_empty(self) -> None:
        """Orders without a card inside would feed one."""
        if self._place is MachinePlace.NONE:
            raise MachineFault(self.name, Code.COMMAND, "no card is inside")

    def _check_present(self) -> None:
        """A card of which nothing is known is neither printed nor striped."""
        self._exchange.ready()
        self._check_not_empty()
        if self._place not in _PRESENT:
            raise MachineFault(self.name, Code.COMMAND, "whether a card is inside is not known")

    def _begin(self) -> None:
        if not self._sequence:
            self._order("Ss")
            self._sequence = True

    def _insert(self, command: str) -> None:
        self._move(command)
        self._place = {"Sis": MachinePlace.CHIP, "Sic": MachinePlace.ANTENNA}.get(command, MachinePlace.INSIDE)

    def _move(self, command: str) -> None:
        """An order after which the card is elsewhere; after a fault nobody knows where."""
        before, self._place = self._place, MachinePlace.UNKNOWN
        try:
            self._order(command)
        except MachineFault as fault:
            if fault.code in {Code.COMMAND, Code.LACKS}:
                self._place = before
            raise

    def _order(self, command: bytes | str, *, spoils: bool = False) -> None:
        self._clear_before()
        try:
            self._exchange.order(command, spoils=spoils)
        except MachineFault as fault:
            fault = self._explained(fault)
            self._uncleared = fault.code in _CLEARED
            raise fault from fault.__cause__

    def _setting(self, command: str) -> None:
        try:
            self._exchange.set(command)
        except MachineFault as fault:
            self._uncleared = fault.code in _CLEARED
            raise

    def _clear_before(self) -> None:
        if self._uncleared:
            self._uncleared = False
            self._exchange.order("Scs")

    def _explained(self, fault: MachineFault) -> MachineFault:
        """The same fault with what the printer has to say of it: a letter stands for several."""
        if fault.code not in {Code.FEED, Code.JAM}:
            return fault
        try:
            error = WORDS.get(self._exchange.query("Rlr"))
        except (MachineFault, TransportError):
            return fault
        return MachineFault(self.name, error.code, error.detail, spoiled=fault.spoiled) if error else fault

    def _inquired(self) -> MachineStatus:
        last = self._exchange.query("Rlr")
        fault = WORDS[last].code if last in WORDS else None
        for name, command in (("serial_number", "Rsn"), ("model", "Rtp")):
            if name not in self._identity:
                self._identity[name] = self._exchange.query(command)
        return MachineStatus(
            place=self._place,
            feeder=Supply.EMPTY if fault is Code.FEEDER_EMPTY else Supply.UNKNOWN,
            reject_full=True if fault is Code.REJECT_FULL else None,
            cover_open=True if fault is Code.COVER else None,
            ribbon=Supply.EMPTY if fault is Code.RIBBON else Supply.UNKNOWN,
            ribbon_kind=str(self._options.ribbon),
            cleaning_due=True if fault is Code.CLEANING else None,
            counters=self._counters(),
            faults=(fault,) if fault and fault in _STOPS else (),
            firmware=self._exchange.firmware,
            **self._identity,
        )

    def _counters(self) -> dict[str, int]:
        counters = {}
        for name, command in _COUNTERS.items():
            if name in self._absent:
                continue
            try:
                text = self._exchange.query(command)
            except MachineFault as fault:
                if fault.code is not Code.COMMAND:
                    raise
                text = ""
            if text.isdecimal():
                counters[name] = int(text)
            else:
                self._absent.add(name)
        return counters

    def _restarted(self, *, opened: bool) -> None:
        """A card inside is so still, wherever. Where the link was ``opened`` again the printer may have been off: a
        person took the card, or the printer put it out as it started, and another is fed, whose chip is asked first."""
        self._sequence = False
        if self._place in _PRESENT:
            self._place = MachinePlace.UNKNOWN if opened else MachinePlace.INSIDE


def open_machine(rest: str) -> EvolisMachine:
    """The printer of ``evolis:REST``; an entry point of ``personalize.machines``.

    Raises ReaderNotFound, ReaderBusy and ReaderFault, of its link and of the readers inside.
    """
    device, options = parse_rest(rest)
    readers: list[Reader | None] = []
    try:
        for url in (options.reader, options.antenna):
            readers.append(open_reader(url) if url else None)
        return EvolisMachine(f"evolis:{rest}", device, options, reader=readers[0], antenna=readers[1])
    except TransportError:
        for reader in filter(None, readers):
            reader.close()
        raise
