"""The PC/SC transport, on the plain SCard functions: ``pcsc:NAME``, ``pcsc:INDEX``.

Options follow a question mark: ``pcsc:ACR122?share=1&deadline=10``. By default a session holds its reader alone
(SCARD_SHARE_EXCLUSIVE), so that no other program can slip a command in between ours. With ``share=1`` the reader stays
shared and each session is one PC/SC transaction, for which others wait. ``deadline`` is the longest that one call may
take, in seconds (default 30).

After a restart of the PC/SC service or a re-plug, calls raise ReaderFault, which is retryable: the next connects anew.
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
from terminal.apdu.pcsc import errors as codes
from terminal.apdu.pcsc.events import ReaderEvent, ReaderInfo, Watch, describe_readers
from terminal.apdu.pcsc.features import carries_extended
from terminal.apdu.pcsc.names import DEADLINE, ReaderNames, choose, options, reader_url
from terminal.apdu.pcsc.service_socket import with_socket
from terminal.apdu.pcsc.watchdog import Watchdog, on_own_thread
from terminal.apdu.protocols import Disposition, LinkProtocol
from terminal.errors import AtrError, CardGone, DeadlineExceeded, NoCard, ReaderBusy, ReaderFault, TransportError

PLUG_AND_PLAY = "\\\\?PnP?\\Notification"
"""The pseudo reader whose state changes when readers come and go."""
_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
_SETTLE = 2.0  # Seconds in which the service must have noticed that a card was swapped.
_SLICE = 0.5  # A wait in C holds back Ctrl-C, so waits are cut into pieces of this many seconds.


class PcscService:
    """One connection to the PC/SC service (an SCARDCONTEXT), with a deadline on every call that touches a card.

    A call that overruns is freed by shutting down our end of the service's socket; where that socket cannot be found
    (another system than Linux), each call runs on a thread of its own instead, which costs more. Either way the
    connection is ``broken`` afterwards and a new one is needed. Raises ReaderFault when the service is not running.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self.deadline = deadline
        self.broken = False
        self._closed = False
        self.context, self._socket = with_socket(_establish, scard.SCardReleaseContext)
        self.watchdog = Watchdog(deadline, self._cut)

    def close(self) -> None:
        """Release the connection. Safe to call twice, and from another thread: calls raise ReaderFault from then on."""
        if self._closed:
            return
        self._closed = True
        self.watchdog.close()
        if self._socket is not None:
            self._socket.close()
        if self.broken and self._socket is None:
            # A call that hangs on its own thread holds the context's lock: the release waits for it, we do not.
            threading.Thread(target=scard.SCardReleaseContext, args=(self.context,), daemon=True).start()
        else:
            scard.SCardReleaseContext(self.context)

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` with the deadline; the raw function where the caller arms the watchdog itself."""
        if self._socket is not None:
            return function
        return on_own_thread(function, self.deadline, late=(codes.TIMEOUT, []))

    def call(self, doing: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What an SCard function gives besides its result code. Raises the fault of that code, DeadlineExceeded."""
        self.watchdog.due = monotonic() + self.deadline
        try:
            result = self.guard(function)(*arguments)
        finally:
            self.watchdog.due = None
        code, values = (result[0], result[1:]) if isinstance(result, (list, tuple)) else (result, ())
        code &= 0xFFFFFFFF
        if code or self.watchdog.fired:
            raise self.fault(code, doing)
        return values[0] if len(values) == 1 else values

    def fault(self, code: int, doing: str) -> TransportError:
        """The exception for a failed call; notes when it was the connection that failed."""
        if self.watchdog.fired or code == codes.TIMEOUT:
            self.broken = True
            return DeadlineExceeded(f"{doing}: no answer within {self.deadline:g} seconds")
        if code in codes.SERVICE_LOST:
            self.broken = True
        return codes.fault(code, doing)

    def readers(self) -> list[str]:
        """PC/SC names of the readers plugged in; empty when there are none."""
        code, names = scard.SCardListReaders(self.context, [])
        code &= 0xFFFFFFFF
        if code == codes.NO_READERS:
            return []
        if code:
            raise self.fault(code, "listing readers")
        return list(names)

    def states(self, known: Mapping[str, int], timeout: float) -> dict[str, tuple[int, bytes]]:
        """Wait until a reader's state differs from ``known``, at most ``timeout`` seconds; state and ATR of each."""
        query = [(name, state) for name, state in known.items()]
        code, states = scard.SCardGetStatusChange(self.context, int(timeout * 1000), query)
        code &= 0xFFFFFFFF
        if code not in (codes.SUCCESS, codes.TIMEOUT, codes.UNKNOWN_READER):
            raise self.fault(code, "watching readers")
        if code == codes.UNKNOWN_READER:
            return {name: (scard.SCARD_STATE_UNKNOWN, b"") for name in known}
        return {name: (state, bytes(atr)) for name, state, atr in states}


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
        connect = partial(scard.SCardConnect, self._service.context, self._system, self._mode, _PROTOCOLS)
        handle, protocol = self._service.call(f"connecting to the card in {self._name}", connect)
        return handle, protocol

    def _read_atr(self) -> bytes:
        values = self._service.call(f"reading the ATR in {self._name}", scard.SCardStatus, self._handle)
        return bytes(values[3])

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
        """What the reader says of itself (PC/SC Part 10, 2.6.14); one that says nothing is taken to be able."""
        if self._extended is None:
            self._extended = carries_extended(self._control)
        return self._extended

    def _control(self, code: int) -> bytes:
        try:
            return bytes(self._service.call(f"asking {self._name}", scard.SCardControl, self._handle, code, []))
        except TransportError:
            if self._service.broken:
                raise
            return b""

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
        """Drivers report a pulled card in many ways, even as success without an answer: look whether it is there."""
        doing = f"exchanging with the card in {self._name}"
        fault = self._service.fault(code, doing) if code else None
        if isinstance(fault, DeadlineExceeded) or self._service.watchdog.fired:
            return fault or self._service.fault(codes.TIMEOUT, doing)
        if code not in (codes.SUCCESS, codes.COMM_ERROR, codes.NOT_TRANSACTED, codes.READER_UNAVAILABLE) and fault:
            return fault
        try:
            state = self._state_after_poll()
        except TransportError as lost:
            return lost
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            return codes.fault(codes.READER_UNAVAILABLE, doing)
        if not state & scard.SCARD_STATE_PRESENT or not code:
            return CardGone(f"{doing}: the card was taken out or stopped answering")
        self._service.broken = False  # The service answered just now: the card's side failed.
        return fault or codes.fault(code, doing)

    def _state_after_poll(self) -> int:
        """The slot's state once the service has had time to look at it (it polls every 0.4 s)."""
        state, _ = self._service.states({self._system: scard.SCARD_STATE_UNAWARE}, 0)[self._system]
        if state & scard.SCARD_STATE_PRESENT:
            state, _ = self._service.states({self._system: state}, 1.0)[self._system]
        return state

    def reset(self) -> bytes:
        if self._handle is None:
            self._closed_transmit([])
        self._pci = self._service.call(
            f"resetting the card in {self._name}",
            scard.SCardReconnect,
            self._handle,
            self._mode,
            _PROTOCOLS,
            scard.SCARD_RESET_CARD,
        )
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
        # The card may be gone already; there is nothing left to lose, and the service forgets the handle either way.
        with contextlib.suppress(TransportError):
            self._service.call("", scard.SCardEndTransaction, handle, scard.SCARD_LEAVE_CARD)
        with contextlib.suppress(TransportError):
            self._service.call("", scard.SCardDisconnect, handle, scard.SCARD_UNPOWER_CARD)


class PcscReader:
    """One PC/SC reader slot: a Reader. It keeps its name while the service restarts and the reader is re-plugged."""

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
        """See :class:`terminal.apdu.Reader`. A card that was released as done must first be taken out."""
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
        # The upper half counts insertions and removals: it tells a second card from the first one still lying there.
        # A new service or a re-plugged reader counts from zero again, so what was finished is forgotten with the old.
        return bool(state & scard.SCARD_STATE_PRESENT) and state >> 16 != self._finished

    def connect(self) -> PcscCard:
        """See :class:`terminal.apdu.Reader`. Holds the reader until the card is closed."""
        until = monotonic() + _SETTLE
        while True:
            service, system = self._connected()
            # Noted before the attempt: a card that does not connect can be released as well.
            self._count = self._state(scard.SCARD_STATE_UNAWARE, 0) >> 16
            try:
                self._card = PcscCard(service, self._name, system, share=self._share)
            except CardGone as gone:
                # A card swapped within the service's polling interval (0.4 s): it still tells of the old one.
                if monotonic() > until:
                    raise NoCard(str(gone)) from gone
                time.sleep(_SETTLE / 20)
            else:
                return self._card

    def release(self, disposition: Disposition) -> None:
        """See :class:`terminal.apdu.Reader`. A PC/SC reader has no bins: a person takes the card out."""
        if self._card is not None:
            self._card.close()
            self._card = None
        if disposition is not Disposition.KEEP:
            self._finished = self._count

    def close(self) -> None:
        self._closed = True
        if self._card is not None:
            self._card.close()
            self._card = None
        if self._service is not None:
            self._service.close()
            self._service = None

    def _connected(self) -> tuple[PcscService, str]:
        """A live connection and this reader's PC/SC name of today."""
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

    Raises ReaderNotFound (with the readers present), ReaderFault when the PC/SC service is not running.
    """
    wanted, share, deadline = options(rest)
    service = PcscService()
    try:
        systems = service.readers()
    finally:
        service.close()
    named = ReaderNames().assign(systems)
    return PcscReader(named.get(wanted) or choose(wanted, list(named.values())), share=share, deadline=deadline)


def list_readers() -> list[ReaderInfo]:
    """The PC/SC readers plugged in now. Raises ReaderFault when the service is not running, with what to do."""
    service = PcscService()
    try:
        return describe_readers(service)
    finally:
        service.close()


def watch_readers(stop: threading.Event) -> Iterator[ReaderEvent]:
    """What happens at the PC/SC readers until ``stop`` is set: what is there first, then every change.

    A service that stops or is not running is an event too, and its return another.
    """
    return Watch(PcscService, PLUG_AND_PLAY, stop).events()
