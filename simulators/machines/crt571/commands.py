"""The commands of a CRT-571 on the body of a machine: what each does, and with which error it fails."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from simulators.machines.body import OUTPUT, REJECT, BodyFault, BodyStopped, MachineBody, Move
from simulators.machines.crt571.frames import CommandFrame
from simulators.machines.crt571.options import Crt571Options, ResetAnswer
from simulators.machines.record import BodyPlace
from simulators.machines.station import ChipStation
from terminal.apdu import LinkProtocol
from terminal.errors import DeadlineExceeded, NoCard, TransportError

Work = Generator[float, None, bytes]
"""The work of a command: it yields seconds until it goes on, and returns the data of the answer."""
_Rows = dict[int, Callable[[CommandFrame], Work]]

UNKNOWN, PARAMETER, SEQUENCE, LACKING, DATA = "00", "01", "02", "03", "04"
NOT_RECYCLABLE, MOVED, COUNTER = "40", "45", "50"
ACTIVATION, UNSUPPORTED, INACTIVE, NOT_NOW, TRANSMISSION, TOO_LATE = "61", "62", "65", "66", "67", "68"
NOT_INITIALIZED: Final = "B0"
_CODES: Final = {
    BodyFault.STUCK_CONTACTS: "05",
    BodyFault.JAM: "10",
    BodyFault.SENSOR: "12",
    BodyFault.LONG_CARD: "13",
    BodyFault.SHORT_CARD: "14",
    BodyFault.MAGNET: "41",
    BodyFault.CHIP_POSITION: "43",
    BodyFault.MOVED: MOVED,
    BodyFault.MOTOR: "51",
    BodyFault.SHORT: "60",
    BodyFault.COVER: LACKING,
    BodyFault.EMPTY: "A0",
}
_COUNTER_END: Final = 9999
_PLACES: Final = {0x30: BodyPlace.HOLDING, 0x31: BodyPlace.CHIP, 0x32: BodyPlace.ANTENNA}
_NO_DATA: Final = frozenset({0x30, 0x31, 0x32, 0x33, 0x50, 0xA2, 0xA3, 0xA4, 0xA5})
_SHORTEST_APDU: Final = 4
_T0, _T1 = b"\x30", b"\x31"
_OF_THE_CARD: Final = frozenset({0x32, 0x50, 0x51, 0x60})
"""Commands that notice when a person moved the card."""


class CommandFailed(Exception):
    """A command that ends with an error code, E1 E0."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Crt571Commands:
    """The command table. ``initialized`` is over when the power fails."""

    def __init__(self, body: MachineBody, options: Crt571Options) -> None:
        self._body, self._options = body, options
        self.initialized = False
        self._entry = False
        self._antenna_on = True
        steps: _Rows = dict.fromkeys((0x30, 0x31, 0x33, 0x34, 0x35, 0x37), self._initialize)
        moves: _Rows = dict.fromkeys((0x30, 0x31, 0x32, 0x33, 0x39), self._move)
        apdus: _Rows = dict.fromkeys((0x33, 0x34, 0x39), self._apdu)
        texts: dict[int, _Rows] = {cm: {0x30: self._text} for cm in (0xA2, 0xA3, 0xA4)}
        self._table: dict[int, _Rows] = {
            0x30: steps,
            0x31: {0x30: self._nothing, 0x31: self._sensors},
            0x32: moves,
            0x33: {0x30: self._enable_entry, 0x31: self._enable_entry},
            0x50: {0x30: self._chip_kind, 0x31: self._antenna_kind},
            0x51: {0x30: self._cold, 0x31: self._off, 0x32: self._chip_state, 0x38: self._warm} | apdus,
            0x60: {
                0x30: self._start_antenna,
                0x31: self._stop_antenna,
                0x34: self._antenna_apdu,
                0x35: self._antenna_apdu,
                0x39: self._enable_antenna,
            },
            **texts,
            0xA5: {0x30: self._counter, 0x31: self._counter},
        }

    @property
    def state(self) -> bytes:
        """ST0 ST1 ST2."""
        body = self._body
        card = {BodyPlace.NONE: 0x30, BodyPlace.EXIT: 0x31}.get(body.place, 0x32)
        if body.place is BodyPlace.HOLDING and self._options.holding_at_exit:
            card = 0x31
        return bytes((card, 0x30 + body.supply_level, 0x30 + body.reject_full))

    @property
    def entry(self) -> bool:
        """Whether a person can push a card in at the gate."""
        return self._entry

    def power_off(self) -> None:
        self._body.contacts.deactivate()
        self._body.antenna.deactivate()
        self.initialized = self._entry = False
        self._antenna_on = True

    def execute(self, command: CommandFrame) -> Work:
        """Raises CommandFailed; ReaderFault for card files that cannot be read or written."""
        row = self._table.get(command.cm)
        if row is None:
            raise CommandFailed(UNKNOWN)
        if not self.initialized and command.cm != 0x30:
            raise CommandFailed(NOT_INITIALIZED)
        if command.pm not in row:
            raise CommandFailed(PARAMETER)
        if command.data and command.cm in _NO_DATA:
            raise CommandFailed(DATA)
        if command.cm in _OF_THE_CARD and self._body.has(BodyFault.MOVED):
            at_exit = command.cm == 0x32 and self._body.place is BodyPlace.EXIT
            raise CommandFailed(NOT_RECYCLABLE if at_exit else MOVED)
        try:
            return (yield from row[command.pm](command))
        except BodyStopped as stopped:
            raise CommandFailed(_CODES.get(stopped.fault) or self._options.full_code) from stopped

    # -- machine and moves --------------------------------------------------------------------------------------------

    def _initialize(self, command: CommandFrame) -> Work:
        body = self._body
        self.power_off()
        body.repair(BodyFault.MOVED)
        if body.card is not None:
            if command.pm in (0x31, 0x35):
                yield from self._reject(counted=command.pm == 0x35)
            else:
                place = BodyPlace.HOLDING if command.pm in (0x30, 0x34) else body.place
                yield from body.bring(place)
        elif body.has(BodyFault.JAM) or body.has(BodyFault.SENSOR) or body.has(BodyFault.MOTOR):
            yield from body.bring(BodyPlace.NONE)
        self.initialized = True
        return self._options.model.encode("ascii")

    def _nothing(self, _: CommandFrame) -> Work:
        yield from ()
        return b""

    def _sensors(self, _: CommandFrame) -> Work:
        """One byte for each sensor: gate, holding position, contacts, antenna, feeder, error bin."""
        yield from ()
        body = self._body
        places = (BodyPlace.EXIT, BodyPlace.HOLDING, BodyPlace.CHIP, BodyPlace.ANTENNA)
        covered = [body.place is place for place in places]
        return bytes(0x30 + on for on in (*covered, body.supply_level > 0, body.reject_full))

    def _move(self, command: CommandFrame) -> Work:
        body, pm = self._body, command.pm
        fed = body.card is None
        if pm in _PLACES:
            if pm == 0x32 and not self._options.antenna:
                raise CommandFailed(LACKING)
            yield from body.feed(_PLACES[pm]) if fed else body.bring(_PLACES[pm])
            return b""
        if fed:
            yield from body.feed(BodyPlace.HOLDING)
        if pm == 0x33:
            yield from self._reject(counted=True)
        elif self._options.exit_holds:
            yield from body.bring(BodyPlace.EXIT)
        else:
            yield from body.drop(OUTPUT)
        return b""

    def _reject(self, *, counted: bool) -> Move:
        record = self._body.record
        if counted and record.counter >= _COUNTER_END:
            raise CommandFailed(COUNTER)
        yield from self._body.drop(REJECT)
        if counted:
            record.counter += 1
            self._body.save()

    def _enable_entry(self, command: CommandFrame) -> Work:
        yield from ()
        self._entry = command.pm == 0x30
        return b""

    def _text(self, command: CommandFrame) -> Work:
        yield from ()
        options = self._options
        configuration = f"ADDR={options.address:02d}"
        text = {0xA2: options.serial_number, 0xA3: configuration, 0xA4: options.model}[command.cm]
        return text.encode("ascii")

    def _counter(self, command: CommandFrame) -> Work:
        yield from ()
        record = self._body.record
        if command.pm == 0x31:
            record.counter = 0
            self._body.save()
            return b""
        return f"{record.counter:04d}".encode("ascii")

    # -- contacts -----------------------------------------------------------------------------------------------------

    def _at(self, place: BodyPlace) -> None:
        if self._body.place is not place:
            raise CommandFailed(SEQUENCE)

    def _chip_kind(self, _: CommandFrame) -> Work:
        yield from ()
        self._at(BodyPlace.CHIP)
        kinds = {LinkProtocol.T0: b"10", LinkProtocol.T1: b"11"}
        return kinds.get(self._body.chip_interface() or LinkProtocol.CONTACTLESS, b"00")

    def _cold(self, command: CommandFrame) -> Work:
        yield from ()
        if command.data not in (b"", b"\x30"):
            raise CommandFailed(DATA)
        self._at(BodyPlace.CHIP)
        if self._body.has(BodyFault.SHORT):
            raise CommandFailed(_CODES[BodyFault.SHORT])
        card = self._body.card
        if card is None or self._body.chip_interface() is None:
            raise CommandFailed(ACTIVATION)
        return self._answer_to_reset(lambda: self._body.contacts.activate(card))

    def _warm(self, command: CommandFrame) -> Work:
        yield from ()
        self._without_data(command)
        self._at(BodyPlace.CHIP)
        self._active(self._body.contacts)
        return self._answer_to_reset(self._body.contacts.reset)

    def _answer_to_reset(self, reset: Callable[[], bytes]) -> bytes:
        try:
            atr = reset()
        except (NoCard, DeadlineExceeded):
            raise CommandFailed(ACTIVATION) from None
        except TransportError:
            raise CommandFailed(TRANSMISSION) from None
        protocol = _T0 if self._body.contacts.protocol is LinkProtocol.T0 else _T1
        match self._options.reset_answer:
            case ResetAnswer.PROTOCOL_FIRST:
                return protocol + atr
            case ResetAnswer.ATR_FIRST:
                return atr + protocol
            case _:
                return atr

    def _off(self, command: CommandFrame) -> Work:
        yield from ()
        self._without_data(command)
        self._body.contacts.deactivate()
        return b""

    def _chip_state(self, command: CommandFrame) -> Work:
        """30: without power; 31: T=0; 32: T=1."""
        yield from ()
        self._without_data(command)
        contacts = self._body.contacts
        if not contacts.active:
            return b"\x30"
        return b"\x31" if contacts.protocol is LinkProtocol.T0 else b"\x32"

    def _apdu(self, command: CommandFrame) -> Work:
        yield from ()
        contacts = self._body.contacts
        self._active(contacts)
        wanted = {0x33: LinkProtocol.T0, 0x34: LinkProtocol.T1}.get(command.pm, contacts.protocol)
        if wanted is not contacts.protocol:
            raise CommandFailed(UNSUPPORTED)
        return self._exchange(contacts, command.data)

    def _exchange(self, station: ChipStation, apdu: bytes) -> bytes:
        if len(apdu) < _SHORTEST_APDU:
            raise CommandFailed(DATA)
        try:
            return station.exchange(apdu)
        except DeadlineExceeded:
            raise CommandFailed(TOO_LATE) from None
        except TransportError:
            raise CommandFailed(TRANSMISSION) from None

    def _active(self, station: ChipStation) -> None:
        if not station.active:
            raise CommandFailed(INACTIVE)

    def _without_data(self, command: CommandFrame) -> None:
        if command.data:
            raise CommandFailed(DATA)

    # -- antenna ------------------------------------------------------------------------------------------------------

    def _antenna_kind(self, _: CommandFrame) -> Work:
        yield from ()
        self._at(BodyPlace.ANTENNA)
        return b"00" if self._body.chip_interface(antenna=True) is None else b"20"

    def _start_antenna(self, command: CommandFrame) -> Work:
        """The data of the answer: the type of the card, ATQA, the length of its UID and this, SAK, and ATS."""
        yield from ()
        self._enabled()
        self._at(BodyPlace.ANTENNA)
        card = self._body.card
        if card is None or self._body.chip_interface(antenna=True) is None:
            raise CommandFailed(ACTIVATION)
        try:
            atr = self._body.antenna.activate(card, LinkProtocol.CONTACTLESS)
        except NoCard:
            raise CommandFailed(ACTIVATION) from None
        if not self._options.rf_details:
            return b"A"
        historical = atr[4:-1]
        answer_to_select = bytes((5 + len(historical), 0x78, 0x80, 0x70, 0x02)) + historical
        return b"A" + bytes.fromhex("000404 08112233 20") + answer_to_select

    def _stop_antenna(self, command: CommandFrame) -> Work:
        yield from ()
        self._without_data(command)
        self._body.antenna.deactivate()
        return b""

    def _antenna_apdu(self, command: CommandFrame) -> Work:
        """Virtual cards are of type A."""
        yield from ()
        self._enabled()
        self._active(self._body.antenna)
        if command.pm == 0x35:
            raise CommandFailed(UNSUPPORTED)
        return self._exchange(self._body.antenna, command.data)

    def _enable_antenna(self, command: CommandFrame) -> Work:
        yield from ()
        if command.data not in (b"\x30", b"\x31"):
            raise CommandFailed(DATA)
        self._antenna_on = command.data == b"\x30"
        if not self._antenna_on:
            self._body.antenna.deactivate()
        return b""

    def _enabled(self) -> None:
        if not self._options.antenna:
            raise CommandFailed(LACKING)
        if not self._antenna_on:
            raise CommandFailed(NOT_NOW)
