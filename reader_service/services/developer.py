"""Developer tools: APDUs to a card, their explanation, and the virtual cards of a simulation."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from reader_service.errors import Conflict, Invalid, LeaseHeld, NotFound
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.leases import holder
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import ReaderView
from reader_service.readers.worker import ReaderSession
from terminal.apdu import CardSlot, Command, Response, Trace
from terminal.apdu.describe import describe
from terminal.emv.data.conversation import Conversation
from terminal.emv.data.explain import Explained, Explainer
from terminal.errors import ApduError, CodecError, NoCard, ReaderBusy, TransportError

REMEMBERED: Final = 500
"""Exchanges of a session that ``history`` still has."""
AT_ONCE: Final = 256
"""Commands of one request."""
_MOST_FILES: Final = 500
_DEADLINE: Final = 60.0


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """One command and its response in hex. ``sw`` is empty where ``fault`` says why no response came. ``said`` explains
    both, personal data masked; ``meaning`` names the command, ``sw_text`` the status word. ``number`` counts the
    exchanges of a session."""

    number: int
    command: str
    response: str
    sw: str
    sw_text: str
    meaning: str
    milliseconds: float
    fault: str
    said: tuple[Explained, ...]


@dataclass(frozen=True, slots=True)
class CardFileView:
    """A virtual card that can be inserted into a virtual slot. ``name`` is the path of its file in the card folder."""

    name: str
    size: int


class LiveTrace(Trace):
    """A redacted trace that publishes each exchange as it happens and stores none."""

    def __init__(self, publish: Callable[[str], None]) -> None:
        super().__init__(limit=1)
        self._publish = publish

    def add(self, command: Command, response: Response | None, seconds: float, fault: str = "") -> None:
        super().add(command, response, seconds, fault)
        self._publish(str(self.entries[-1]))


_Raw = tuple[bytes, Command]


@dataclass(eq=False, slots=True)
class _ExchangeLog:
    """The exchanges with a card under one lease."""

    lease: str
    talk: Conversation
    count: int = 0
    exchanges: deque[ExchangeView] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def add(
        self, raw: bytes, command: Command, response: Response | None, seconds: float, fault: Exception | None
    ) -> ExchangeView:
        """Record one exchange: the bytes, and their explanation with personal data masked."""
        trace = Trace(reveal=True)
        trace.add(command, response, seconds)
        self.count += 1
        exchange = ExchangeView(
            number=self.count,
            command=raw.hex().upper(),
            response=response.data.hex().upper() if response else "",
            sw=f"{response.sw:04X}" if response else "",
            sw_text=str(response.sw) if response else "",
            meaning=describe(*command.header),
            milliseconds=round(seconds * 1000, 3),
            fault=str(fault) if fault else "",
            said=self.talk.entry(trace.entries[0]),
        )
        self.exchanges.append(exchange)
        return exchange


class DeveloperService:
    """Event: trace (topic: reader id, data: {"reader", "line"}), redacted, while ``trace`` is on for a reader: the
    exchanges there in verifications and sessions."""

    def __init__(self, parts: ServiceParts, bus: EventBus, readers: ReaderManager) -> None:
        self._parts, self._bus, self._readers = parts, bus, readers
        self._lock = threading.Lock()
        self._logs: dict[str, _ExchangeLog] = {}
        self.traces: dict[str, Trace] = {}
        """The live trace of each reader that somebody watches."""
        self._inserted: dict[str, str] = {}

    # --- APDUs -------------------------------------------------------------------------------------------------------

    def connect(self, p: Principal, reader_id: str, lease: str, *, reset: bool = False) -> str:
        """APDU. Power or reset the card and give its ATR in hex. It stays powered until disconnect or the end of the
        lease. Raises NotFound, LeaseLost, ReaderOut."""
        p.need(Permission.APDU)

        def power(session: ReaderSession) -> str:
            log = self._log_of(reader_id, lease)
            log.talk = self._talk()
            if reset and session.powered_card is not None:
                return session.powered_card.reset().hex().upper()
            session.drop()
            return session.powered().atr.hex().upper()

        return self._readers.use(p, reader_id, lease, power)

    def disconnect(self, p: Principal, reader_id: str, lease: str) -> None:
        """APDU. Power the card down, if it has power. Raises NotFound, LeaseLost, ReaderOut."""
        p.need(Permission.APDU)
        self._readers.use(p, reader_id, lease, ReaderSession.drop)

    def transmit(self, p: Principal, reader_id: str, lease: str, apdus: Sequence[bytes]) -> list[ExchangeView]:
        """APDU. Send commands unchanged, without GET RESPONSE; powers the card first where necessary. Stops at the
        first command without a response. Raises Invalid (not an APDU), NotFound, LeaseLost, ReaderOut."""
        p.need(Permission.APDU)
        commands = _commands(apdus)
        return self._readers.use(p, reader_id, lease, partial(self._transmit, reader_id, lease, commands), _DEADLINE)

    def history(self, p: Principal, reader_id: str, lease: str) -> list[ExchangeView]:
        """APDU. The last 500 of this lease, oldest first. Raises LeaseLost."""
        p.need(Permission.APDU)
        self._readers.leases.check(p, reader_id, lease)
        with self._lock:
            log = self._logs.get(reader_id)
            return list(log.exchanges) if log is not None and log.lease == lease else []

    def decode(self, p: Principal, data: bytes, *, tag: int | None = None) -> tuple[Explained, ...]:
        """DECODE. Explain data objects, or the value of one element. Raises Invalid."""
        p.need(Permission.DECODE)
        explainer = Explainer(dictionary=self._parts.dictionary)
        try:
            return explainer.data(data) if tag is None else (explainer.element(tag, data),)
        except CodecError as fault:
            raise Invalid(f"these are no data objects: {fault}", {"data": str(fault)}) from fault

    def trace(self, p: Principal, reader_id: str, on: bool) -> None:
        """APDU. Raises NotFound."""
        p.need(Permission.APDU)
        self._readers.view(reader_id)
        if on:
            self.traces[reader_id] = LiveTrace(partial(self._publish_line, reader_id))
        else:
            self.traces.pop(reader_id, None)

    # --- virtual cards -----------------------------------------------------------------------------------------------

    def virtual_cards(self, p: Principal) -> list[CardFileView]:
        """APDU. The virtual cards; empty where nothing is simulated."""
        p.need(Permission.APDU)
        return [CardFileView(name, path.stat().st_size) for name, path in sorted(self._files().items())]

    def insert(self, p: Principal, reader_id: str, name: str) -> ReaderView:
        """APDU. Insert a virtual card into a virtual slot. Raises NotFound, Conflict (the slot has a card, the card is
        in another slot, no virtual slot), LeaseHeld."""
        slot = self._slot_for(p, reader_id)
        path = self._files().get(name)
        if path is None:
            raise NotFound("there is no such virtual card", what="card file")
        with self._lock:
            elsewhere = next((at for at, lying in self._inserted.items() if lying == name and at != reader_id), None)
            if elsewhere is not None:
                raise Conflict(f"this card lies in slot {elsewhere}; take it out there first", reader=elsewhere)
            try:
                slot.insert(path)
            except (ReaderBusy, TransportError) as fault:
                raise Conflict(f"the card was not put in: {fault}", reader=reader_id) from fault
            self._inserted[reader_id] = name
        return self._readers.view(reader_id)

    def eject(self, p: Principal, reader_id: str) -> ReaderView:
        """APDU. Remove the card after the current command. Raises NotFound, Conflict, LeaseHeld."""
        return self._take_out(reader_id, self._slot_for(p, reader_id).eject)

    def tear(self, p: Principal, reader_id: str) -> ReaderView:
        """APDU. Remove the card at once, in the middle of a command. Raises NotFound, Conflict, LeaseHeld."""
        return self._take_out(reader_id, self._slot_for(p, reader_id).tear)

    def forget(self, reader_id: str) -> None:
        """Forget a removed reader."""
        with self._lock:
            self._logs.pop(reader_id, None)
            self._inserted.pop(reader_id, None)
        self.traces.pop(reader_id, None)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _transmit(
        self, reader_id: str, lease: str, commands: Sequence[_Raw], session: ReaderSession
    ) -> list[ExchangeView]:
        log, live = self._log_of(reader_id, lease), self.traces.get(reader_id)
        card = session.powered()
        done: list[ExchangeView] = []
        for raw, command in commands:
            session.beat(_DEADLINE)
            response, fault = None, None
            began = time.perf_counter()
            try:
                response = Response.decode(card.exchange(raw))
            except (TransportError, ApduError) as gone:
                fault = gone
            seconds = time.perf_counter() - began
            if live is not None:
                live.add(command, response, seconds, type(fault).__name__ if fault else "")
            with self._lock:
                done.append(log.add(raw, command, response, seconds, fault))
            if fault is not None:
                session.drop()
                break
        return done

    def _log_of(self, reader_id: str, lease: str) -> _ExchangeLog:
        """The log of this lease; that of an earlier lease is dropped."""
        with self._lock:
            log = self._logs.get(reader_id)
            if log is None or log.lease != lease:
                log = self._logs[reader_id] = _ExchangeLog(lease, self._talk())
            return log

    def _talk(self) -> Conversation:
        return Conversation(Explainer(dictionary=self._parts.dictionary))

    def _publish_line(self, reader_id: str, line: str) -> None:
        self._bus.publish("trace", reader_id, {"reader": reader_id, "line": line})

    def _files(self) -> dict[str, Path]:
        """Card files by their path below the folder, so that no name leads outside it."""
        folder = self._parts.card_folder
        if folder is None or not folder.is_dir():
            return {}
        paths = sorted(path for path in folder.rglob("*.card") if path.is_file() and not path.is_symlink())
        return {path.relative_to(folder).as_posix(): path for path in paths[:_MOST_FILES]}

    def _slot_for(self, p: Principal, reader_id: str) -> CardSlot:
        p.need(Permission.APDU)
        slot, lease = self._readers.slot(reader_id), self._readers.view(reader_id).lease
        if lease is not None and lease.holder != holder(p):
            raise LeaseHeld(f"reader {reader_id} is leased to {lease.holder}", reader=reader_id, holder=lease.holder)
        return slot

    def _take_out(self, reader_id: str, how: Callable[[], None]) -> ReaderView:
        try:
            how()
        except NoCard as fault:
            raise Conflict(f"no card lies in slot {reader_id}", reader=reader_id) from fault
        with self._lock:
            self._inserted.pop(reader_id, None)
        return self._readers.view(reader_id)


def _commands(apdus: Sequence[bytes]) -> list[_Raw]:
    """Raises Invalid with the place of the first faulty command."""
    if not 1 <= len(apdus) <= AT_ONCE:
        raise Invalid(f"1 to {AT_ONCE} commands at once", {"apdus": f"1 to {AT_ONCE}"})
    commands = []
    for place, raw in enumerate(apdus):
        try:
            commands.append((raw, Command.decode(raw)))
        except ApduError as fault:
            raise Invalid(f"command {place + 1} is no APDU: {fault}", {f"apdus.{place}": str(fault)}) from fault
    return commands
