"""Chips at the stations of a CRT-571: its contact station and its antenna, as one reader.

The machine speaks ISO/IEC 7816-3 with the chip itself; here are APDUs. One whose answer is lost is never sent again.
"""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import Final, Protocol

from personalize.machines.crt571 import codes
from personalize.machines.crt571.conversation import Unanswered
from personalize.machines.crt571.frames import MachineAnswer, MachineOrder
from personalize.machines.crt571.options import ApduCommand, AtrForm, Crt571Settings, RfType
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachinePlace
from terminal.apdu import Atr, Disposition, LinkProtocol
from terminal.errors import AtrError, CardGone, LineFault, NoCard, TransportError

_POLL: Final = 0.2
_PROTOCOLS: Final = {0x30: LinkProtocol.T0, 0x31: LinkProtocol.T1}
_CONTACTLESS_ATR: Final = bytes.fromhex("3B80800101")
"""What a contactless reader composes for a card without historical bytes. PC/SC Part 3, 3.1.3.2.3."""
_UNKNOWN_OUTCOME: Final = "whether the card executed the command is not known"
_SHORT_APDU: Final = 261


class StationHost(Protocol):
    """The machine around its stations. Raises MachineFault and the faults of its link."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def options(self) -> Crt571Settings: ...
    @property
    def place(self) -> MachinePlace:
        """Where the card is, by the last answer and the last move."""
        ...

    def look(self) -> MachinePlace:
        """Where the machine says that it is now."""
        ...

    def query(self, order: MachineOrder) -> MachineAnswer: ...
    def exchange(self, order: MachineOrder) -> MachineAnswer: ...
    def fault(self, answer: MachineAnswer) -> MachineFault: ...


def reset_answer(data: bytes, form: AtrForm) -> tuple[bytes, LinkProtocol]:
    """ATR and protocol of the DATA of a reset: one byte, 30 or 31, before or behind the ATR, or none.

    Raises AtrError.
    """
    first = data[:1] in (b"0", b"1") if form is AtrForm.AUTO else form is AtrForm.PROTOCOL_FIRST
    if first:
        return Atr.parse(data[1:]).raw, _PROTOCOLS.get(data[0], LinkProtocol.T0)
    if form is AtrForm.AUTO:
        with contextlib.suppress(AtrError):
            atr = Atr.parse(data)
            return atr.raw, LinkProtocol.T1 if atr.default_protocol == 1 else LinkProtocol.T0
    return Atr.parse(data[:-1]).raw, _PROTOCOLS.get(data[-1] if data else 0, LinkProtocol.T0)


class StationCard:
    """A powered chip at a station: a Transport. Made by :meth:`StationReader.connect`.

    After a fault, and once the machine moves the card, the session is over.
    """

    def __init__(self, host: StationHost, place: MachinePlace) -> None:
        self._host = host
        self._antenna = place is MachinePlace.ANTENNA
        self._over = ""
        self._atr, self._protocol, self._apdu = self._power(warm=False)

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def protocol(self) -> LinkProtocol:
        return self._protocol

    @property
    def extended_length(self) -> bool:
        return self._host.options.extended and self._protocol is not LinkProtocol.T0

    def _power(self, *, warm: bool) -> tuple[bytes, LinkProtocol, tuple[int, int]]:
        """ATR, protocol, and CM and PM of APDUs."""
        options = self._host.options
        if self._antenna:
            data = self._reset(MachineOrder(codes.RF, codes.RF_START, bytes.fromhex(options.rf_data)))
            atr = _CONTACTLESS_ATR
            with contextlib.suppress(AtrError):
                atr = Atr.parse(data).raw
            type_b = options.rf is RfType.B or (options.rf is RfType.AUTO and data[:1] == b"B")
            return atr, LinkProtocol.CONTACTLESS, (codes.RF, codes.RF_TYPE_B if type_b else codes.RF_TYPE_A)
        data = self._reset(codes.CHIP_WARM if warm else codes.CHIP_ON)
        try:
            atr, protocol = reset_answer(data, options.atr)
        except AtrError as fault:
            raise NoCard(self._connecting(f"the card's answer to reset is not valid ({fault})")) from fault
        pm = codes.APDU_T1 if protocol is LinkProtocol.T1 else codes.APDU_T0
        return atr, protocol, (codes.CHIP, codes.APDU_ANY if options.apdu is ApduCommand.MACHINE else pm)

    def _reset(self, order: MachineOrder) -> bytes:
        answer = self._host.query(order)
        if answer.error in codes.CHIP_ERRORS:
            raise NoCard(self._connecting(codes.meaning(answer.error)[1]))
        if answer.error:
            raise self._host.fault(answer)
        return answer.data

    def _connecting(self, cause: str) -> str:
        return f"connecting to the card in {self._host.name}: {cause}"

    def exchange(self, apdu: bytes) -> bytes:
        if self._over:
            raise CardGone(f"the session with the card in {self._host.name} is {self._over}")
        if len(apdu) > _SHORT_APDU and not self.extended_length:
            raise MachineFault(self._host.name, MachineFaultCode.LACKS, "it carries short commands only (extended=0)")
        cm, pm = self._apdu
        self._over = "over after a fault; connect again"
        try:
            answer = self._host.exchange(MachineOrder(cm, pm, apdu))
        except Unanswered as lost:
            raise MachineFault(self._host.name, lost.code, f"{lost.detail}; {_UNKNOWN_OUTCOME}") from lost
        if answer.error:
            raise self._chip_fault(answer)
        if len(answer.data) < 2:
            raise LineFault(f"the card in {self._host.name}: the response has no status word")
        self._over = ""
        return answer.data

    def _chip_fault(self, answer: MachineAnswer) -> TransportError:
        cause = codes.meaning(answer.error)[1]
        if answer.error in codes.CHIP_GONE:
            return CardGone(f"the card in {self._host.name}: {cause}")
        if answer.error == codes.CHIP_LINE:
            return LineFault(f"the card in {self._host.name}: {cause}; {_UNKNOWN_OUTCOME}")
        if answer.error in codes.CHIP_ERRORS:
            return MachineFault(self._host.name, *codes.meaning(answer.error))
        return self._host.fault(answer)

    def reset(self) -> bytes:
        if self._over == "closed":
            raise CardGone(f"the session with the card in {self._host.name} is closed")
        self._over = "over after a failed reset; connect again"
        if self._antenna:
            self._host.query(codes.RF_OFF)
        self._atr, self._protocol, self._apdu = self._power(warm=True)
        self._over = ""
        return self._atr

    def close(self) -> None:
        if self._over == "closed":
            return
        self._over = "closed"
        # The machine may be off already.
        with contextlib.suppress(TransportError):
            self._host.query(codes.RF_OFF if self._antenna else codes.CHIP_OFF)

    def lost(self) -> None:
        """The machine lost or moved the card: nothing more is sent to it."""
        self._over = "closed"


class StationReader:
    """The reader whose slot is the station where the machine's card is: a Reader. It moves nothing."""

    def __init__(self, host: StationHost) -> None:
        self._host = host
        self._card: StationCard | None = None
        self._ended = threading.Event()

    @property
    def name(self) -> str:
        return self._host.name

    @property
    def url(self) -> str:
        return self._host.url

    def wait_for_card(self, timeout: float | None) -> bool:
        """See :class:`terminal.apdu.Reader`: whether the machine's card is at a station."""
        until = None if timeout is None else monotonic() + timeout
        while not self._ended.is_set():
            if self._host.look() in (MachinePlace.CHIP, MachinePlace.ANTENNA):
                return True
            left = _POLL if until is None else min(_POLL, until - monotonic())
            if left <= 0:
                break
            self._ended.wait(left)
        return False

    def connect(self) -> StationCard:
        """See :class:`terminal.apdu.Reader`."""
        self.end_session()
        place = self._host.place
        if place not in (MachinePlace.CHIP, MachinePlace.ANTENNA):
            raise NoCard(f"connecting to the card in {self._host.name}: no card at the station")
        self._card = StationCard(self._host, place)
        return self._card

    def release(self, disposition: Disposition) -> None:
        """See :class:`terminal.apdu.Reader`. The card stays where it is."""
        self.end_session()

    def end_session(self, *, lost: bool = False) -> None:
        """Power the chip down; ``lost``: it has no power any more."""
        card, self._card = self._card, None
        if card is not None:
            card.lost() if lost else card.close()

    def close(self) -> None:
        self._ended.set()
        self.end_session()
