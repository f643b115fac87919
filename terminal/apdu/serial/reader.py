"""The serial transport: ``serial:/dev/ttyUSB0?rts=high&present=cts``; see :mod:`terminal.apdu.serial.options`.

A session holds the card; the port is locked as long as the reader is open. After a fault of the port the next call
opens it again, so that a reader that was plugged in again works.
"""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import Final

from terminal.apdu.protocols import Disposition, LinkProtocol
from terminal.apdu.serial.activation import ActiveCard, activate, answers
from terminal.apdu.serial.line import SerialLine
from terminal.apdu.serial.options import SerialOptions, parse_rest, serial_url
from terminal.apdu.serial.port import SerialPort
from terminal.errors import CardGone, DeadlineExceeded, NoCard, ReaderFault, ReaderNotFound, TransportError

_PAUSE: Final = 0.1
"""Seconds between two looks for a card."""


class SerialCard:
    """A powered card in a reader at a serial port: a Transport. Made by :meth:`SerialReader.connect`.

    After a fault the session is over until :meth:`reset`: card and terminal may be out of step.
    """

    def __init__(self, port: SerialLine, name: str, options: SerialOptions, echo: bool | None) -> None:
        self._port = port
        self._name = name
        self._options = options
        self._closed = False
        self._fault = ""
        self._card = self._activated(echo)
        self._exchange = self._card.link.exchange

    def _activated(self, echo: bool | None) -> ActiveCard:
        try:
            return activate(self._port, self._options, echo)
        except TransportError as fault:
            with contextlib.suppress(TransportError):
                self._port.hold_reset()
            raise type(fault)(f"connecting to the card in {self._name}: {fault}") from fault

    @property
    def atr(self) -> bytes:
        return self._card.atr

    @property
    def protocol(self) -> LinkProtocol:
        return LinkProtocol.T1 if self._card.protocol else LinkProtocol.T0

    @property
    def extended_length(self) -> bool:
        """Blocks of T=1 carry any length; T=0 carries short commands."""
        return self._card.protocol == 1

    @property
    def rate(self) -> float:
        """Bits per second in use."""
        return self._card.parameters.rate

    @property
    def echo(self) -> bool | None:
        """Whether the line returns what is sent; None as long as it is not known."""
        return self._card.echo

    @property
    def usable(self) -> bool:
        """Whether the session still takes commands."""
        return not (self._closed or self._fault)

    def exchange(self, apdu: bytes) -> bytes:
        if self._fault or self._closed:
            raise CardGone(f"the session with the card in {self._name} is {self._fault or 'closed'}")
        try:
            return self._exchange(apdu)
        except (CardGone, ReaderFault, DeadlineExceeded) as fault:
            self._fault = "over after a fault; connect again"
            raise self._explained(fault) from fault

    def _explained(self, fault: TransportError) -> TransportError:
        """``fault`` with the reader's name; CardGone where the presence line shows that the card was pulled."""
        with contextlib.suppress(TransportError):
            if self._port.card_present() is False:
                return CardGone(f"exchanging with the card in {self._name}: the card was taken out")
        return type(fault)(f"the card in {self._name}: {fault}")

    def reset(self) -> bytes:
        if self._closed:
            raise CardGone(f"the session with the card in {self._name} is closed")
        self._fault = "over after a failed reset; connect again"
        self._card = self._activated(self._card.echo)
        self._exchange = self._card.link.exchange
        self._fault = ""
        return self._card.atr

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # The port may be gone already.
        with contextlib.suppress(TransportError):
            self._port.hold_reset()


class SerialReader:
    """A reader at a serial port: a Reader. Its name is the port's path; one under /dev/serial/by-id survives a re-plug.

    With a presence line a card is seen without touching it. Without one each look resets the card, except while it is
    connected; a card that was pulled then shows at the next command.
    """

    def __init__(self, device: str, options: SerialOptions) -> None:
        self._name = device
        self._options = options
        self._port: SerialPort | None = SerialPort(device, options)
        self._card: SerialCard | None = None
        self._echo: bool | None = None
        self._finished = False
        self._ended = threading.Event()

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return serial_url(self._name, self._options)

    def wait_for_card(self, timeout: float | None) -> bool:
        """See :class:`terminal.apdu.Reader`. A finished card must be taken out first."""
        until = None if timeout is None else monotonic() + timeout
        while not self._ended.is_set():
            present = self._card_there()
            if present and not self._finished:
                return True
            self._finished = self._finished and present
            left = _PAUSE if until is None else min(_PAUSE, until - monotonic())
            if left <= 0:
                break
            self._ended.wait(left)
        return False

    def _card_there(self) -> bool:
        port = self._open_port()
        present = port.card_present()
        if present is None:
            present = (self._card is not None and self._card.usable) or answers(port, self._options)
        return present

    def connect(self) -> SerialCard:
        """See :class:`terminal.apdu.Reader`."""
        self._close_card()
        port = self._open_port()
        if port.card_present() is False:
            raise NoCard(f"connecting to the card in {self._name}: no card in the reader")
        self._card = SerialCard(port, self._name, self._options, self._echo)
        self._echo = self._card.echo
        return self._card

    def release(self, disposition: Disposition) -> None:
        """See :class:`terminal.apdu.Reader`. The reader has no bins: a person takes the card out."""
        self._close_card()
        self._finished = disposition is not Disposition.KEEP

    def close(self) -> None:
        self._ended.set()
        self._close_card()
        if self._port is not None:
            self._port.close()

    def _close_card(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def _open_port(self) -> SerialPort:
        """The open port, opened again after a fault. Raises ReaderFault, ReaderBusy."""
        if self._ended.is_set():
            raise ReaderFault(f"reader {self._name} was closed")
        if self._port is None or not self._port.open:
            self._close_card()
            self._port = self._echo = None
            try:
                self._port = SerialPort(self._name, self._options)
            except ReaderNotFound as absent:
                # The reader was there when the program began: it may come back.
                raise ReaderFault(str(absent)) from absent
        return self._port


def open_reader(rest: str) -> SerialReader:
    """The reader at the port that ``DEVICE?options`` names.

    Raises ReaderNotFound (no such port, with the ports present; a wrong option), ReaderBusy (in use, no permission),
    ReaderFault.
    """
    return SerialReader(*parse_rest(rest))
