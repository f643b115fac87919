"""A virtual card in a real PC/SC slot: the card's side of the protocol of the vsmartcard reader driver.

The card connects to the driver over TCP; while connected it is inserted. Every message is a two-byte big-endian length
and a body. Bodies of one byte are control: 00 power off, 01 power on, 02 reset, 04 get ATR (the only one with a
response); longer bodies are command APDUs, answered with data and status word.
vsmartcard documentation, Virtual Smart Card, "Creating a virtual smart card".
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Self

from simulators.readers.protocols import CardInSlot
from terminal.errors import TransportError

POWER_OFF, POWER_ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"

EMPTY_FOR: Final = 1.0
"""Seconds that a slot stays empty between two cards. pcscd polls every 0.4 s; after a faster change it may take the
slot for empty and never notice the new card."""

_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0
_SILENCE: Final = 3.0
"""pcscd asks for the ATR several times a second; a driver that is silent for this many seconds serves another card."""


class VpcdSlot:
    """One slot of the driver at ``host:port``; cards are inserted and pulled from any thread.

    While a card is inserted, a thread serves the driver, and reconnects after a restart of pcscd. When a card stops
    responding or loses its power, pcscd sees it removed and, a second later, inserted again. ``report`` gets one line
    for each event that an operator should know.
    """

    def __init__(self, host: str, port: int, *, report: Callable[[str], None] = lambda _: None) -> None:
        self.host, self.port = host, port
        self._report = report
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._card: CardInSlot | None = None
        self._link: socket.socket | None = None
        self._powered = False
        self._off_since = 0.0
        self._commands = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"vpcd {host}:{port}", daemon=True)
        self._thread.start()

    @property
    def card(self) -> CardInSlot | None:
        return self._card

    @property
    def commands(self) -> int:
        """Commands answered since the card was inserted."""
        return self._commands

    @property
    def idle(self) -> float:
        """Seconds since the driver powered the card off; 0 while it is powered and before its first power-on."""
        with self._lock:
            return time.monotonic() - self._off_since if self._off_since and not self._powered else 0.0

    def insert(self, card: CardInSlot) -> None:
        """Insert a card. Raises ValueError when the slot is not empty."""
        with self._changed:
            if self._card is not None:
                raise ValueError("there is a card in this slot")
            self._card, self._commands, self._off_since = card, 0, 0.0
            self._changed.notify_all()

    def pull(self) -> CardInSlot | None:
        """Take the card out, whatever it is doing, and return it powered off; None when the slot is empty."""
        with self._changed:
            card, self._card = self._card, None
            if self._link is not None:
                with contextlib.suppress(OSError):  # the driver closed it first
                    self._link.shutdown(socket.SHUT_RDWR)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._link is None)
        if card is not None:
            card.power_off()
        return card

    def close(self) -> None:
        """Pull the card and end the thread."""
        with self._changed:
            self._closing = True
        self.pull()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait = _FIRST_WAIT
        while not self._closing:
            with self._changed:
                self._changed.wait_for(lambda: self._card is not None or self._closing)
                card = self._card
            if card is None:
                return
            link = self._connect()
            if link is None:
                if wait == _FIRST_WAIT:
                    self._report(
                        f"no reader driver answers at {self.host}:{self.port} yet; trying again (is pcscd running?)"
                    )
                self._pause(card, wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            wait = _FIRST_WAIT
            try:
                if self._attach(link, card):
                    self._serve(link, card)
            except TransportError as fault:
                self._report(f"{fault}; taken out and put in again")
                card.power_off()  # before the link is released: afterwards pull may have passed the card on
                self._detach(link)
                self._pause(card, EMPTY_FOR)
            except OSError:
                self._report(f"the reader driver at {self.host}:{self.port} went away; connecting again")
            finally:
                self._detach(link)

    def _connect(self) -> socket.socket | None:
        try:
            link = socket.create_connection((self.host, self.port), timeout=2)
        except OSError:
            return None
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.settimeout(_SILENCE)
        return link

    def _attach(self, link: socket.socket, card: CardInSlot) -> bool:
        """Register the link that ``pull`` shuts down; False when the card was pulled meanwhile."""
        with self._changed:
            if self._card is card:
                self._link = link
        return self._link is link

    def _detach(self, link: socket.socket) -> None:
        link.close()
        with self._changed:
            self._link, self._powered = None, False
            self._changed.notify_all()

    def _pause(self, card: CardInSlot, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._card is not card or self._closing, seconds)

    def _serve(self, link: socket.socket, card: CardInSlot) -> None:
        """Answer the driver until the link is shut down. Raises TransportError (the card), OSError (the driver)."""
        for body in self._messages(link):
            if len(body) > 1:
                response = card.exchange(body)
                self._commands += 1
            elif body == ATR:
                response = card.atr
            else:
                self._power(card, body)
                continue
            link.sendall(len(response).to_bytes(2, "big") + response)
        if self._card is card:
            raise ConnectionResetError

    def _messages(self, link: socket.socket) -> Iterator[bytes]:
        """Bodies as they arrive. The driver sends length and body separately; without TCP_QUICKACK its Nagle algorithm
        waits 40 ms for the delayed acknowledgement. The kernel drops the option by itself, so each turn sets it."""
        buffer, silent = bytearray(), True
        while True:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            try:
                part = link.recv(65538)
            except TimeoutError:
                if silent:
                    self._report(
                        f"the reader driver at {self.host}:{self.port} is silent: perhaps another card is in that slot"
                    )
                silent = False
                continue
            if not part:
                return
            buffer += part
            while len(buffer) >= 2 and len(buffer) >= (end := 2 + int.from_bytes(buffer[:2], "big")):
                body = bytes(buffer[2:end])
                del buffer[:end]
                if body:
                    yield body

    def _power(self, card: CardInSlot, control: bytes) -> None:
        if control == POWER_OFF:
            card.power_off()
        elif control == POWER_ON:
            card.power_on()
        elif control == RESET:
            card.reset()
        else:
            return
        with self._lock:
            self._powered = control != POWER_OFF
            self._off_since = 0.0 if self._powered else time.monotonic()
