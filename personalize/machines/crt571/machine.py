"""The CRT-571 as a machine of the line: ``crt571:/dev/ttyUSB0?rate=9600``; see the options beside.

A move whose answer is lost is not repeated before the machine said where its card is. The port is locked as long as the
machine is open; after a fault of the port the next call opens it again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final, NoReturn

from personalize.machines.crt571 import codes
from personalize.machines.crt571.conversation import Crt571Conversation, Unanswered
from personalize.machines.crt571.frames import MachineAnswer, MachineOrder
from personalize.machines.crt571.options import (
    SCHEME,
    CardAtStart,
    CardSource,
    CardStation,
    Crt571Settings,
    machine_url,
    parse_rest,
)
from personalize.machines.crt571.stations import StationReader
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.links import ByteLink, open_serial_link
from personalize.machines.protocols import MachineAbilities, MachineBin, MachinePlace, MachineStatus, Supply
from personalize.machines.tcp import TcpLink, tcp_address
from terminal.errors import ReaderFault, ReaderNotFound, TransportError

_POLL: Final = 0.2
"""Seconds between two looks for a card in the slot, or for cards in the stacker."""
_AT_START: Final = {CardAtStart.HOLD: 0x30, CardAtStart.REJECT: 0x31, CardAtStart.LEAVE: codes.LEAVE}
_STATIONS: Final = {
    MachinePlace.CHIP: codes.TO_CHIP,
    MachinePlace.ANTENNA: codes.TO_ANTENNA,
}
_TAKEN_TO: Final = {CardStation.CHIP: MachinePlace.CHIP, CardStation.ANTENNA: MachinePlace.ANTENNA}
_INSIDE: Final = frozenset({MachinePlace.INSIDE, MachinePlace.CHIP, MachinePlace.ANTENNA})
_OUT: Final = {
    MachineBin.OUTPUT: (codes.TO_EXIT, frozenset({MachinePlace.EXIT, MachinePlace.NONE})),
    MachineBin.REJECT: (codes.TO_REJECT, frozenset({MachinePlace.NONE})),
}
"""How a card is moved out, and where it may be then: a person takes it from the exit slot at any time."""


class Crt571Machine:
    """One machine: a CardMachine. ``open_link`` opens its line, at first and after each fault of it."""

    def __init__(
        self,
        device: str,
        options: Crt571Settings,
        open_link: Callable[[], ByteLink],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._device = device
        self._name = f"{SCHEME}:{device}"
        self._options = options
        self._open_link = open_link
        self._now = now
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._reader = StationReader(self)
        self._place = MachinePlace.UNKNOWN
        self._initialized = False
        self._restarted = False
        """Whether the machine lost its state since the last ``clear``."""
        self._standing: MachineFaultCode | None = None
        self._out_waits = False
        """Whether the card in the exit slot is one that was given out."""
        self._entry = False
        """Whether the slot takes cards."""
        self._texts = ("", "", "")
        self._link = Crt571Conversation(open_link(), self._name, options, now)

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return machine_url(self._device, self._options)

    @property
    def options(self) -> Crt571Settings:
        return self._options

    @property
    def abilities(self) -> MachineAbilities:
        return MachineAbilities(antenna=True, feeds=self._options.feed is CardSource.STACKER)

    @property
    def reader(self) -> StationReader:
        return self._reader

    def status(self) -> MachineStatus:
        with self._lock:
            self._ready_if_possible()
            answer = self.query(codes.STATUS)
            if answer.error:
                fault = self.fault(answer)
                if standing := self._faults(None):
                    return MachineStatus(MachinePlace.UNKNOWN, faults=standing)
                raise fault
            self._see(answer)
            model, serial_number, version = self._texts
            return MachineStatus(
                self._place,
                feeder=codes.SUPPLIES.get(answer.sensors[1], Supply.UNKNOWN),
                reject_full=codes.REJECT_FULL.get(answer.sensors[2]),
                counters=self._counters(),
                faults=self._faults(answer),
                model=model,
                firmware=version,
                serial_number=serial_number,
            )

    def _ready_if_possible(self) -> None:
        """Initialize the machine at its first use; a fault that stops it is told by the status."""
        if self._standing is None:
            try:
                self._ready()
            except Unanswered:
                raise
            except MachineFault as fault:
                self._standing = fault.code

    def _faults(self, answer: MachineAnswer | None) -> tuple[str, ...]:
        faults = []
        if answer is not None and answer.sensors[1] == 0x30 and self.abilities.feeds:
            faults.append(MachineFaultCode.FEEDER_EMPTY)
        if answer is not None and codes.REJECT_FULL.get(answer.sensors[2]):
            faults.append(MachineFaultCode.REJECT_FULL)
        if self._standing is not None:
            faults.append(self._standing)
        return tuple(faults)

    def _counters(self) -> dict[str, int]:
        answer = self.query(codes.REJECTED)
        text = answer.data.decode("ascii", "replace").strip()
        return {"rejected": int(text)} if not answer.error and text.isascii() and text.isdigit() else {}

    def take(self, timeout: float | None) -> bool:
        until = None if timeout is None else self._now() + timeout
        while not self._ended.is_set():
            with self._lock:
                # It may have been closed while this thread waited for the lock.
                if not self._ended.is_set() and self._take_now():
                    return True
            left = _POLL if until is None else min(_POLL, until - self._now())
            if left <= 0:
                break
            self._ended.wait(left)
        return False

    def _take_now(self) -> bool:
        """Take a card if one is there."""
        self._commanded()
        answer = self._look()
        if self._place in _INSIDE:
            self._set_entry(False)
            return True
        if self._place is MachinePlace.EXIT:
            if self._out_waits or self.abilities.feeds:
                return False  # A person takes it first.
        elif not self.abilities.feeds:
            self._out_waits = False
            self._set_entry(True)
            return False
        elif codes.SUPPLIES.get(answer.sensors[1]) is Supply.EMPTY:
            return False
        station = _TAKEN_TO[self._options.station]
        try:
            self._move(_STATIONS[station], frozenset({MachinePlace.INSIDE}))
        except MachineFault as fault:
            if fault.code is MachineFaultCode.FEEDER_EMPTY:
                return False
            raise
        self._place, self._out_waits = station, False
        self._set_entry(False)
        return True

    def _set_entry(self, wanted: bool) -> None:
        """Let a person put a card into the slot, or no more."""
        if wanted is not self._entry:
            self._checked(self.query(codes.ENTRY_ON if wanted else codes.ENTRY_OFF))
            self._entry = wanted

    def to_chip(self) -> None:
        self._to(MachinePlace.CHIP)

    def to_antenna(self) -> None:
        self._to(MachinePlace.ANTENNA)

    def _to(self, station: MachinePlace) -> None:
        with self._lock:
            self._commanded()
            if self._place is station:
                return
            # Without a card inside, the machine would take the next one.
            self._look()
            if self._place not in _INSIDE:
                self._refuse(MachineFaultCode.MOVED_BY_HAND, "no card is inside")
            self._move(_STATIONS[station], frozenset({MachinePlace.INSIDE}))
            self._place = station

    def give(self, bin: MachineBin) -> None:
        with self._lock:
            self._commanded()
            answer = self._look()
            if self._place not in _INSIDE:
                return
            if bin is MachineBin.REJECT and codes.REJECT_FULL.get(answer.sensors[2]):
                self._refuse(MachineFaultCode.REJECT_FULL, "the error bin is full")
            self._move(*_OUT[bin])
            self._out_waits = bin is MachineBin.OUTPUT

    def flip(self) -> None:
        self._refuse(MachineFaultCode.LACKS, "the machine does not turn cards over")

    def clear(self) -> None:
        with self._lock:
            if self._standing is MachineFaultCode.COUNTER:
                self.query(codes.REJECTED_RESET)
            self._initialize(codes.LEAVE)

    def close(self) -> None:
        """Waits for a move that is at work."""
        self._ended.set()
        with self._lock:
            self._reader.close()
            if self._link.link.open:
                # The machine may be off already.
                with contextlib.suppress(TransportError):
                    self._set_entry(False)
            self._link.link.close()

    # What the stations use.

    @property
    def place(self) -> MachinePlace:
        return self._place

    def look(self) -> MachinePlace:
        with self._lock:
            self._commanded()
            self._look()
            return self._place

    def query(self, order: MachineOrder) -> MachineAnswer:
        with self._lock:
            return self._conversation().query(order)

    def exchange(self, order: MachineOrder) -> MachineAnswer:
        with self._lock:
            return self._conversation().exchange(order)

    def fault(self, answer: MachineAnswer) -> MachineFault:
        """The fault of an answer, which the status shows if it lasts."""
        code, cause = codes.meaning(answer.error)
        if code in codes.STANDING:
            self._place = MachinePlace.UNKNOWN
            self._reader.end_session(lost=True)
            if code is MachineFaultCode.NOT_INITIALIZED:
                # One that could not be initialized is not restarted: it has another fault.
                self._restarted = self._restarted or self._initialized
                self._standing = code if self._initialized else self._standing or code
                self._initialized = False
            else:
                self._standing = code
        return MachineFault(self._name, code, cause)

    # Orders.

    def _conversation(self) -> Crt571Conversation:
        """The conversation over an open line. Raises ReaderFault, ReaderBusy."""
        if self._ended.is_set() and not self._link.link.open:
            raise ReaderFault(f"the machine {self._name} was closed")
        if not self._link.link.open:
            self._reader.end_session(lost=True)
            self._place = MachinePlace.UNKNOWN
            try:
                self._link = Crt571Conversation(self._open_link(), self._name, self._options, self._now)
            except ReaderNotFound as absent:
                # The port was there when the program began: it may come back.
                raise ReaderFault(str(absent)) from absent
        return self._link

    def _ready(self) -> None:
        """Initialize the machine at its first use."""
        if not self._initialized and not self._restarted:
            self._initialize(_AT_START[self._options.start])

    def _commanded(self) -> None:
        """Before a move: a machine that lost its state moves nothing until it is cleared."""
        if self._restarted:
            standing = self._standing or MachineFaultCode.NOT_INITIALIZED
            self._refuse(standing, "the machine was restarted" if standing is MachineFaultCode.NOT_INITIALIZED else "")
        self._ready()

    def _initialize(self, pm: int) -> None:
        self._reader.end_session()
        self._place = MachinePlace.UNKNOWN
        answer = self.query(
            MachineOrder(codes.INITIALIZE, pm + (codes.RETRACT_COUNTED if self._options.retract_counter else 0))
        )
        self._checked(answer)
        self._initialized, self._restarted, self._standing, self._entry = True, False, None, False
        self._see(answer)
        self._texts = (_text(answer), _text(self.query(codes.SERIAL_NUMBER)), _text(self.query(codes.VERSION)))

    def _look(self) -> MachineAnswer:
        """The machine's status now."""
        answer = self._checked(self.query(codes.STATUS))
        self._see(answer)
        return answer

    def _see(self, answer: MachineAnswer) -> None:
        """Note where the card is. The machine says of a card inside no more than that."""
        place = codes.PLACES.get(answer.sensors[0], MachinePlace.UNKNOWN)
        if place is not MachinePlace.INSIDE or self._place not in _INSIDE:
            if self._place in _INSIDE:
                self._reader.end_session(lost=True)
            self._place = place

    def _checked(self, answer: MachineAnswer) -> MachineAnswer:
        if answer.error:
            raise self.fault(answer)
        return answer

    def _refuse(self, code: MachineFaultCode, detail: str) -> NoReturn:
        raise MachineFault(self._name, code, detail)

    def _move(self, pm: int, there: frozenset[MachinePlace]) -> None:
        """Move the card, after which it is in one of the places ``there``.

        Without an answer the machine is asked for the card's place: a move that was executed is not repeated. One from
        station to station may be: the card is inside before and after.
        """
        self._reader.end_session()
        before, self._place = self._place, MachinePlace.UNKNOWN
        order = MachineOrder(codes.MOVE, pm)
        for left in reversed(range(self._options.tries)):
            try:
                answer = self._checked(self.exchange(order))
            except Unanswered:
                answer = self._checked(self.query(codes.STATUS))
                place = codes.PLACES.get(answer.sensors[0], MachinePlace.UNKNOWN)
                unmoved = place is (MachinePlace.INSIDE if before in _INSIDE else before)
                if unmoved and left:
                    continue
                if unmoved or place not in there:
                    raise
            self._see(answer)
            if self._place not in there:
                code = MachineFaultCode.FEED if before is MachinePlace.NONE else MachineFaultCode.CARD_LEFT
                self._standing = code
                self._refuse(code, f"the card did not arrive (sensor {answer.sensors[0]:02X})")
            self._standing = None
            return


def _text(answer: MachineAnswer) -> str:
    """The text of an answer; nothing where the machine does not give it."""
    return "" if answer.error else "".join(char for char in answer.data.decode("latin-1") if char.isprintable()).strip()


def open_machine(rest: str) -> Crt571Machine:
    """The machine at the port or address that ``DEVICE?options`` names. It is spoken to at the first call.

    Raises ReaderNotFound (no such port, with the ports present; no such host; a wrong option), ReaderBusy (in use, no
    permission), ReaderFault.
    """
    device, options = parse_rest(rest)
    address = tcp_address(device)

    def open_link() -> ByteLink:
        return TcpLink(*address) if address else open_serial_link(device, options.rate)

    return Crt571Machine(device, options, open_link)
