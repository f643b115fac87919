"""A person as the machine: feeds a reader by hand, and puts each card where the screen says.

``manual:READER-URL``, as ``manual:pcsc:0?stripe=msr605:/dev/ttyUSB1``: any reader, with a stripe encoder beside it that
the person swipes the cards through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, NoReturn
from urllib.parse import unquote

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.msr605 import SCHEME, Msr605, open_msr605
from personalize.machines.protocols import (
    MachineAbilities,
    MachineBin,
    MachinePlace,
    MachineStatus,
    OperatorScreen,
    StripeTracks,
)
from terminal.apdu import Disposition, Reader
from terminal.apdu.readers import open_reader
from terminal.errors import ReaderNotFound

PUT: Final = {
    MachineBin.OUTPUT: "put the card with the finished ones",
    MachineBin.REJECT: "put the card into the reject bin",
}
"""What a screen says of each bin, in English."""
_DISPOSITIONS: Final = {MachineBin.OUTPUT: Disposition.DONE, MachineBin.REJECT: Disposition.REJECT}
_STRIPE: Final = "stripe="


class ManualMachine:
    """A reader that a person feeds. ``screen`` says into which bin each card goes, and when to swipe it."""

    def __init__(
        self,
        url: str,
        reader: Reader,
        *,
        encoder: Callable[[Callable[[str], None]], Msr605] | None = None,
    ) -> None:
        self.screen = OperatorScreen()
        self._url, self._reader = url, reader
        self._place = MachinePlace.NONE
        self._lock = threading.Lock()
        self._open_encoder = encoder
        self._encoder = self._opened(encoder) if encoder else None
        self._closed = False

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def url(self) -> str:
        return self._url

    @property
    def abilities(self) -> MachineAbilities:
        return MachineAbilities(stripes=self._encoder is not None, feeds=False)

    @property
    def reader(self) -> Reader:
        return self._reader

    def status(self) -> MachineStatus:
        """The place is EXIT while a card that was given out was not taken, and CHIP from ``take`` until it is given
        out: a person swipes it in between."""
        if self._place is not MachinePlace.CHIP and self._lock.acquire(blocking=False):
            try:
                if self._reader.wait_for_card(0):
                    self._place = MachinePlace.INSIDE
            finally:
                self._lock.release()
        return MachineStatus(self._place)

    def take(self, timeout: float | None) -> bool:
        """See :class:`personalize.machines.protocols.CardMachine`. A card of before may have been taken out since."""
        with self._lock:
            if not self._reader.wait_for_card(timeout):
                if self._place is not MachinePlace.EXIT:
                    self._place = MachinePlace.NONE
                return False
            self._place = MachinePlace.CHIP
            return True

    def to_chip(self) -> None:
        if not self.take(0):
            raise MachineFault(self.name, MachineFaultCode.COMMAND, "no card is inside")

    def to_antenna(self) -> None:
        self._lacks("it has no antenna besides its reader")

    def give(self, bin: MachineBin) -> None:
        with self._lock:
            if self._place not in (MachinePlace.CHIP, MachinePlace.INSIDE):
                return
            self._reader.release(_DISPOSITIONS[bin])
            self._place = MachinePlace.EXIT
        self.screen.show(PUT[bin])

    def flip(self) -> None:
        self._lacks("it turns no cards")

    def clear(self) -> None:
        """Nothing is wrong with a person."""

    def write_stripe(self, tracks: StripeTracks) -> None:
        self._stripes().write_stripe(tracks)

    def read_stripe(self) -> StripeTracks:
        return self._stripes().read_stripe()

    def close(self) -> None:
        self._closed = True
        self._reader.close()
        if self._encoder is not None:
            self._encoder.close()

    def _stripes(self) -> Msr605:
        """The encoder, opened again where its link was lost. Raises ReaderNotFound, ReaderBusy, ReaderFault."""
        if self._encoder is None or self._open_encoder is None:
            self._lacks("no stripe encoder is named (stripe=)")
        if not self._encoder.open and not self._closed:
            self._encoder = self._opened(self._open_encoder)
        return self._encoder

    def _opened(self, encoder: Callable[[Callable[[str], None]], Msr605]) -> Msr605:
        return encoder(lambda sentence: self.screen.show(sentence))

    def _lacks(self, what: str) -> NoReturn:
        raise MachineFault(self.name, MachineFaultCode.LACKS, what)


def parse_rest(rest: str) -> tuple[str, str]:
    """The reader's URL, with its own options, and the encoder's, which may be empty.

    An ``&`` in the encoder's URL is written ``%26``. Raises ReaderNotFound.
    """
    reader, mark, tail = rest.partition("?")
    options = tail.split("&") if mark else []
    own = [option for option in options if option.startswith(_STRIPE)]
    others = [option for option in options if not option.startswith(_STRIPE)]
    if not reader or len(own) > 1:
        raise ReaderNotFound(f"manual:{rest} names no reader; give one, as in manual:pcsc:0")
    return "?".join([reader, "&".join(others)] if others else [reader]), unquote(own[0][len(_STRIPE) :]) if own else ""


def open_machine(rest: str) -> ManualMachine:
    """The machine of ``manual:REST``; an entry point of ``personalize.machines``. Raises ReaderNotFound, ReaderBusy,
    ReaderFault, MachineFault."""
    url, stripe = parse_rest(rest)
    scheme, _, device = stripe.partition(":")
    if stripe and scheme != SCHEME:
        raise ReaderNotFound(f"stripe={stripe} names no stripe encoder; give one, as in stripe=msr605:/dev/ttyUSB1")
    reader = open_reader(url)
    try:
        encoder = (lambda prompt: open_msr605(device, prompt)) if stripe else None
        return ManualMachine(f"manual:{rest}", reader, encoder=encoder)
    except BaseException:
        reader.close()
        raise
