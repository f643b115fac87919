"""The PC/SC transport, on the plain SCard functions: ``pcsc:NAME``, ``pcsc:INDEX``.

Options follow a question mark: ``pcsc:ACR122?share=1&deadline=10``. By default a session holds its reader exclusively
(SCARD_SHARE_EXCLUSIVE), so that no other program can send commands between those of the session. With ``share=1`` the
reader stays shared and each session is one PC/SC transaction, for which other programs wait. ``deadline`` is the
longest that one call may take, in seconds (default 30).

After a restart of the PC/SC service or a re-plug, calls raise ReaderFault, which is retryable: the next call connects
again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, NoReturn

from smartcard import scard

from terminal.apdu.atr import Atr
from terminal.apdu.pcsc import codes
from terminal.apdu.pcsc.events import ReaderEvent, ReaderInfo, ReaderWatch, describe_readers
from terminal.apdu.pcsc.features import supports_extended_length
from terminal.apdu.pcsc.named_calls import NamedCalls, PyscardCalls, pcsc_lite
from terminal.apdu.pcsc.names import ReaderNames, choose
from terminal.apdu.pcsc.service_socket import with_socket
from terminal.apdu.pcsc.url import DEADLINE, parse_rest, reader_url
from terminal.apdu.pcsc.watchdog import Watchdog, on_own_thread
from terminal.apdu.protocols import Disposition, LinkProtocol
from terminal.errors import AtrError, CardGone, DeadlineExceeded, NoCard, ReaderBusy, ReaderFault, TransportError

PLUG_AND_PLAY = "\\\\?PnP?\\Notification"
"""The pseudo reader whose state changes when a reader is plugged in or unplugged."""
_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
_PULLED = (codes.SUCCESS, codes.COMM_ERROR, codes.NOT_TRANSACTED, codes.READER_UNAVAILABLE)
"""What drivers report of an exchange whose card was pulled."""
_SETTLE = 2.0  # Seconds within which the service notices that a card was swapped.
_SLICE = 0.5  # Seconds of one wait: Ctrl-C has no effect before a wait in C returns.


_CALLS: NamedCalls = pcsc_lite() or PyscardCalls(scard)


class PcscService:
    """One connection to the PC/SC service (an SCARDCONTEXT), with a deadline on every call that touches a card.

    A call that overruns is ended by shutting down this process' end of the service's socket; where that socket cannot
    be identified (outside Linux), each call runs on a thread of its own instead, at a higher cost. The connection is
    ``broken`` afterwards and a new one is needed. Raises ReaderFault when the service is not running.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self.deadline = deadline
        self.broken = False
        self._closed = False
        self.context, self._socket = with_socket(_establish, scard.SCardReleaseContext)
        self.watchdog = Watchdog(deadline, self._interrupt)

    def close(self) -> None:
        """Release the connection. Safe to call twice and from another thread; later calls raise ReaderFault."""
        if self._closed:
            return
        self._closed = True
        self.watchdog.close()
        if self._socket is not None:
            self._socket.close()
        if self.broken and self._socket is None:
            # A call that hangs on its own thread holds the context's lock: only a thread may wait for the release.
            threading.Thread(target=scard.SCardReleaseContext, args=(self.context,), daemon=True).start()
        else:
            scard.SCardReleaseContext(self.context)

    def _interrupt(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` with the deadline: the function itself where the caller sets the watchdog, else on a thread."""
        if self._socket is not None:
            return function
        return on_own_thread(function, self.deadline, late=(codes.TIMEOUT, []))

    def call(self, operation: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The results of an SCard function without its code. Raises the fault of that code, DeadlineExceeded."""
        self.watchdog.due = monotonic() + self.deadline
        try:
            result = self.guard(function)(*arguments)
        finally:
            self.watchdog.due = None
        code, values = (result[0], result[1:]) if isinstance(result, (list, tuple)) else (result, ())
        code &= 0xFFFFFFFF
        if code or self.watchdog.fired:
            raise self.fault(code, operation)
        return values[0] if len(values) == 1 else values

    def fault(self, code: int, operation: str) -> TransportError:
        """The exception for a failed call; sets ``broken`` when the connection failed."""
        if self.watchdog.fired or code == codes.TIMEOUT:
            self.broken = True
            return DeadlineExceeded(f"{operation}: no answer within {self.deadline:g} seconds")
        if code in codes.SERVICE_LOST:
            self.broken = True
        return codes.fault(code, operation)

    def readers(self) -> list[str]:
        """PC/SC names of the readers that are plugged in."""
        code, names = _CALLS.list_readers(self.context)
        code &= 0xFFFFFFFF
        if code == codes.NO_READERS:
            return []
        if code:
            raise self.fault(code, "listing readers")
        return names

    def states(self, known: Mapping[str, int], timeout: float) -> dict[str, tuple[int, bytes]]:
        """State and ATR of each reader, once one differs from ``known`` or ``timeout`` seconds are over."""
        code, states = _CALLS.status_change(self.context, int(timeout * 1000), list(known.items()))
        code &= 0xFFFFFFFF
        if code not in (codes.SUCCESS, codes.TIMEOUT, codes.UNKNOWN_READER):
            raise self.fault(code, "watching readers")
        if code == codes.UNKNOWN_READER:
            return {name: (scard.SCARD_STATE_UNKNOWN, b"") for name in known}
        return {name: (state, atr) for name, state, atr in states}


def _establish() -> Any:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code:
        raise codes.fault(code & 0xFFFFFFFF, "connecting to the PC/SC service")
    return context


class PcscCard:
    """A powered card in a PC/SC reader: a Transport. Made by :meth:`PcscReader.connect`."""

    def __init__(self, service: PcscService, name: str, system: str, *, share: bool) -> None:
        self._service = service
        self._watchdog = service.watchdog
        self._name = name
        self._system = system
        self._mode = scard.SCARD_SHARE_SHARED if share else scard.SCARD_SHARE_EXCLUSIVE
        self._extended: bool | None = None
        self._handle: int | None = None
        self._transmit: Callable[[list[int]], Any] = self._closed_transmit
        try:
            self._handle, self._pci = self._connect()
            self._bind()
            service.call(f"reserving {name}", scard.SCardBeginTransaction, self._handle)
            self._atr = self._read_atr()
        except DeadlineExceeded as late:
            if not share:
                raise
            raise ReaderBusy(f"connecting to the card in {name}: another program is in a long transaction") from late
        except TransportError:
            self.close()
            raise

    def _bind(self) -> None:
        self._transmit = partial(self._service.guard(scard.SCardTransmit), self._handle, self._pci)

    def _connect(self) -> tuple[Any, int]:
        connect = partial(_CALLS.connect, self._service.context, self._system, self._mode, _PROTOCOLS)
        handle, protocol = self._service.call(f"connecting to the card in {self._name}", connect)
        return handle, protocol

    def _read_atr(self) -> bytes:
        return bytes(self._service.call(f"reading the ATR in {self._name}", _CALLS.atr, self._handle))

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def protocol(self) -> LinkProtocol:
        with contextlib.suppress(AtrError):
            if Atr.parse(self._atr).contactless:
                return LinkProtocol.CONTACTLESS
        return LinkProtocol.T0 if self._pci == scard.SCARD_PROTOCOL_T0 else LinkProtocol.T1

    @property
    def extended_length(self) -> bool:
        """As the reader reports (PC/SC Part 10, 2.6.14); True for a reader that does not report it."""
        if self._extended is None:
            self._extended = supports_extended_length(self._control)
        return self._extended

    def _control(self, code: int) -> bytes:
        try:
            answer = self._service.call(f"querying {self._name}", scard.SCardControl, self._handle, code, [])
        except TransportError:
            if self._service.broken:
                raise
            return b""
        return bytes(answer)

    def exchange(self, apdu: bytes) -> bytes:
        watchdog = self._watchdog
        watchdog.due = monotonic() + watchdog.limit
        try:
            code, answer = self._transmit(list(apdu))
        finally:
            watchdog.due = None
        if code or len(answer) < 2 or watchdog.fired:
            raise self._exchange_fault(code & 0xFFFFFFFF)
        return bytes(bytearray(answer))  # A list goes into a bytearray twice as fast as into bytes.

    def _exchange_fault(self, code: int) -> TransportError:
        """Drivers report a pulled card in many ways, even as success without an answer: so the slot's state decides."""
        operation = f"exchanging with the card in {self._name}"
        fault = self._service.fault(code, operation) if code else None
        if isinstance(fault, DeadlineExceeded) or self._service.watchdog.fired:
            return fault or self._service.fault(codes.TIMEOUT, operation)
        if fault and code not in _PULLED:
            return fault
        try:
            state = self._state_after_poll()
        except TransportError as lost:
            return lost
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            return codes.fault(codes.READER_UNAVAILABLE, operation)
        if not state & scard.SCARD_STATE_PRESENT or not code:
            return CardGone(f"{operation}: the card was taken out or stopped answering")
        self._service.broken = False  # The service has just answered: the card or reader failed.
        return fault or codes.fault(code, operation)

    def _state_after_poll(self) -> int:
        """The slot's state once the service has polled it (every 0.4 s)."""
        state, _ = self._service.states({self._system: scard.SCARD_STATE_UNAWARE}, 0)[self._system]
        if state & scard.SCARD_STATE_PRESENT:
            state, _ = self._service.states({self._system: state}, 1.0)[self._system]
        return state

    def reset(self) -> bytes:
        if self._handle is None:
            self._closed_transmit([])
        reconnect = partial(scard.SCardReconnect, self._handle, self._mode, _PROTOCOLS, scard.SCARD_RESET_CARD)
        self._pci = self._service.call(f"resetting the card in {self._name}", reconnect)
        self._bind()
        self._atr = self._read_atr()
        return self._atr

    def _closed_transmit(self, apdu: list[int]) -> NoReturn:
        raise CardGone(f"the session with the card in {self._name} is closed")

    def close(self) -> None:
        if self._handle is None:
            return
        handle, self._handle, self._transmit = self._handle, None, self._closed_transmit
        if self._service.broken:
            return
        # The card may be gone already; the service frees the handle either way.
        with contextlib.suppress(TransportError):
            self._service.call("", scard.SCardEndTransaction, handle, scard.SCARD_LEAVE_CARD)
        with contextlib.suppress(TransportError):
            self._service.call("", scard.SCardDisconnect, handle, scard.SCARD_UNPOWER_CARD)


class PcscReader:
    """One PC/SC reader slot: a Reader. Its name survives restarts of the service and re-plugging."""

    def __init__(self, name: str, *, share: bool = False, deadline: float = DEADLINE) -> None:
        self._name = name
        self._share = share
        self._deadline = deadline
        self._names = ReaderNames()
        self._service: PcscService | None = None
        self._card: PcscCard | None = None
        self._count: int | None = None
        self._finished: int | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return reader_url(self._name, share=self._share, deadline=self._deadline)

    def wait_for_card(self, timeout: float | None) -> bool:
        """See :class:`terminal.apdu.Reader`. A finished card must be taken out first."""
        until = None if timeout is None else monotonic() + timeout
        known = scard.SCARD_STATE_UNAWARE
        while not self._closed:
            left = _SLICE if until is None else min(_SLICE, until - monotonic())
            try:
                known = self._state(known, max(left, 0))
            except TransportError:
                if self._closed:
                    break
                raise
            if self._is_new(known):
                self._count = known >> 16
                return True
            if left <= 0:
                break
        return False

    def _state(self, known: int, timeout: float) -> int:
        service, system = self._connected()
        state, _ = service.states({system: known}, timeout)[system]
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise ReaderFault(f"reader {self._name} was unplugged; plug it in again")
        return state

    def _is_new(self, state: int) -> bool:
        # The upper half counts insertions and removals: it distinguishes a second card from the first one still in the
        # slot. A new service or a re-plugged reader counts from zero again, so ``_finished`` is reset with them.
        return bool(state & scard.SCARD_STATE_PRESENT) and state >> 16 != self._finished

    def connect(self) -> PcscCard:
        """See :class:`terminal.apdu.Reader`. Holds the reader until the card is closed."""
        until = monotonic() + _SETTLE
        while True:
            service, system = self._connected()
            # Read before the attempt: a card that does not connect can be released as well.
            self._count = self._state(scard.SCARD_STATE_UNAWARE, 0) >> 16
            try:
                self._card = PcscCard(service, self._name, system, share=self._share)
            except CardGone as gone:
                # A card swapped within the service's polling interval (0.4 s): the state is still that of the old card.
                if monotonic() > until:
                    raise NoCard(str(gone)) from gone
                time.sleep(_SETTLE / 20)
            else:
                return self._card

    def release(self, disposition: Disposition) -> None:
        """See :class:`terminal.apdu.Reader`. A PC/SC reader has no bins: a person takes the card out."""
        self._close_card()
        if disposition is not Disposition.KEEP:
            self._finished = self._count

    def close(self) -> None:
        self._closed = True
        self._close_card()
        if self._service is not None:
            self._service.close()
            self._service = None

    def _close_card(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def _connected(self) -> tuple[PcscService, str]:
        """A live connection and this reader's present PC/SC name."""
        if self._closed:
            raise ReaderFault(f"reader {self._name} was closed")
        if self._service is not None and self._service.broken:
            self._service.close()
            self._service = None
        if self._service is None:
            self._service, self._finished = PcscService(self._deadline), None
        named = self._names.assign(self._service.readers())
        for system, name in named.items():
            if name == self._name:
                return self._service, system
        self._finished = None
        present = "; ".join(named.values()) or "none"
        raise ReaderFault(f"reader {self._name} is not there; plug it in again (present: {present})")


def open_reader(rest: str) -> PcscReader:
    """The reader that ``NAME``, a unique part of it, or ``INDEX`` names, with options after ``?``.

    Raises ReaderNotFound (whose message lists the readers present), ReaderFault when the PC/SC service is not running.
    """
    wanted, share, deadline = parse_rest(rest)
    service = PcscService()
    try:
        systems = service.readers()
    finally:
        service.close()
    named = ReaderNames().assign(systems)
    return PcscReader(named.get(wanted) or choose(wanted, list(named.values())), share=share, deadline=deadline)


def list_readers() -> list[ReaderInfo]:
    """The PC/SC readers plugged in now. Raises ReaderFault, which says how to start a service that is not running."""
    service = PcscService()
    try:
        return describe_readers(service)
    finally:
        service.close()


def watch_readers(stop: threading.Event) -> Iterator[ReaderEvent]:
    """Events of the PC/SC readers until ``stop`` is set: first the readers and cards present, then every change.

    A service that stops or is not running is an event too, and so is its return.
    """
    return ReaderWatch(PcscService, PLUG_AND_PLAY, stop).events()
