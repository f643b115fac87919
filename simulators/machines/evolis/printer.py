"""A simulated card printer of Evolis: commands of the programming guide A5013 over the body of a machine.

What the guide leaves open is a choice of :class:`~simulators.machines.evolis.answers.PrinterManner`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Final

from simulators.machines.body import OUTPUT, REJECT, BodyFault, BodyStopped, MachineBody, Move
from simulators.machines.evolis.answers import OK, Answers, PrinterError, PrinterManner, PrinterRefusal
from simulators.machines.evolis.commands import HostCommand
from simulators.machines.evolis.encoder import PrinterEncoder
from simulators.machines.evolis.printing import SIDES, PrintSequence
from simulators.machines.evolis.settings import PrinterSettings
from simulators.machines.record import BodyPlace
from terminal.apdu import CardSlot
from terminal.errors import NoCard, TransportError

Work = Generator[float, None, bytes]
Run = Generator[float, None, str | None]

_USUAL: Final = PrinterManner()
_INSERTIONS: Final = {"Si": BodyPlace.HEAD, "Sis": BodyPlace.CHIP, "Sic": BodyPlace.ANTENNA}
_EJECTIONS: Final = {"Se": OUTPUT, "Ser": REJECT, "Seb": REJECT}
_IGNORED: Final = frozenset({"Pc", "Pl", "Ps", "Pmi"})
"""Contrast, brightness, speed, where cards come from: they change nothing here."""
_OWN_RECOVERY, _HOST_RECOVERY, _ACKNOWLEDGED = "0", "2", "4"
_OF_BODY: Final = {
    BodyFault.JAM: PrinterError.JAM,
    BodyFault.COVER: PrinterError.COVER,
    BodyFault.EMPTY: PrinterError.FEEDER,
    BodyFault.LONG_CARD: PrinterError.FEEDER,
    BodyFault.SHORT_CARD: PrinterError.FEEDER,
    BodyFault.REJECT_FULL: PrinterError.FULL,
}
"""Faults of the body as the printer reports them; any other is a time-out of the mechanics."""


class EvolisPrinter:
    """The printer's commands. ``execute`` does one and gives its answer; faults are answers, and nothing is raised.

    ``contacts`` and ``antenna`` are the slots of the chip readers inside, into which the card is inserted when it is at
    their place. ``print_seconds``: the time of one panel. Persons change ``settings.ribbon`` and ``misfeeds`` (so many
    times the feeder gives no card), and call ``clean``, between commands.
    """

    def __init__(
        self,
        body: MachineBody,
        manner: PrinterManner = _USUAL,
        *,
        contacts: CardSlot | None = None,
        antenna: CardSlot | None = None,
        print_seconds: float = 0.0,
    ) -> None:
        self.body, self.manner = body, manner
        self.settings = PrinterSettings(body)
        self.encoder = PrinterEncoder(manner.stripe)
        self.misfeeds = 0
        self._slots = {BodyPlace.CHIP: contacts, BodyPlace.ANTENNA: antenna}
        self._occupied: CardSlot | None = None
        self._print_seconds = print_seconds
        self._sequence = PrintSequence(self.settings, at_end=manner.at_end)
        self._error: PrinterError | None = None
        self.power_on()

    @property
    def cleaning_due(self) -> bool:
        return self.settings.since_cleaning >= self.manner.clean_every

    def clean(self) -> None:
        """A person runs the cleaning card."""
        self.settings.since_cleaning = 0
        self.settings.save()

    def power_on(self) -> None:
        """Settings are as at first; downloaded panels and tracks are gone. A card inside stays inside."""
        self._answers = Answers(self.manner)
        self._recovers = True
        self._reset()
        with contextlib.suppress(TransportError):  # a card file that cannot be read: the reader inside sees no card
            self._offer()

    def power_off(self) -> None:
        """Also in the middle of a move, whose generator is closed then, and of a command of the chip."""
        slot, self._occupied = self._occupied, None
        if slot is not None:
            with contextlib.suppress(NoCard):  # a person took it out
                slot.tear()

    def execute(self, command: HostCommand) -> Work:
        """Do one command: yields seconds until it goes on, and returns the bytes of the answer."""
        try:
            try:
                text = yield from self._run(command)
            finally:
                self.settings.save()
        except PrinterRefusal as refusal:
            return self.refused(refusal.error)
        except BodyStopped as stopped:
            return self.refused(_OF_BODY.get(stopped.fault, PrinterError.TIMEOUT))
        except TransportError:  # a file of the card cannot be read or written: the mechanics of a virtual card
            return self.refused(PrinterError.TIMEOUT)
        if command.name != "Rlr":
            self._last = "NEED CLEANING" if self.cleaning_due else OK
        return self._answers.done(text)

    def refused(self, error: PrinterError) -> bytes:
        """The answer to a command that failed."""
        self._last = error.words
        if error.stops and not self._recovers:
            self._error = error
        return self._answers.refused(error)

    def _run(self, command: HostCommand) -> Run:
        name, fields = command.name, command.fields
        if name in ("Db", "Dbc"):
            yield from self._panel(command)
        elif name in _INSERTIONS or name in _EJECTIONS or name in SIDES or name in ("Ss", "Smw", "Smr"):
            if self._error is not None:
                raise PrinterRefusal(self._error)
            return (yield from self._move(name, fields))
        elif name.startswith("R"):
            return self._read(name, fields)
        else:
            self._set(name, fields)
        return None

    def timed_out(self) -> bytes:
        """The answer to a command that did not arrive whole."""
        self._last = PrinterError.TIMEOUT.words
        return self._answers.refused(PrinterError.TIMEOUT)

    # -- texts and settings -------------------------------------------------------------------------------------------

    def _read(self, name: str, fields: tuple[str, ...]) -> str:
        counters = {"p": self.settings.printed, "i": self.body.record.fed, "r": self.body.record.reject}
        counters["c"] = self.settings.since_cleaning
        match name, fields:
            case "Rfv", ():
                return self.manner.firmware
            case "Rsn", ():
                return self.manner.serial_number
            case "Rtp", ():
                return self.manner.model
            case "Rlr", ():
                return self._last
            case "Rco", (letter,) if letter in counters:
                return str(counters[letter])
            case "Rmb", (track,) if self.manner.read_apart:
                return self.encoder.last(track)
            case (("Rfv" | "Rsn" | "Rtp" | "Rlr" | "Rco"), _):
                raise PrinterRefusal(PrinterError.PARAMETER)
        raise PrinterRefusal(PrinterError.COMMAND)

    def _set(self, name: str, fields: tuple[str, ...]) -> None:
        if name in ("Dm", "Pmt", "Pmc", "Pmd") and not self.manner.encodes:
            raise PrinterRefusal(PrinterError.LACKS)
        match name, fields:
            case "Pem", (mode,):
                self._set_errors(mode)
            case "Pr", (kind,):
                self._sequence.select(kind)
            case "Pos", ("=", offset) if offset.isdecimal():
                return  # where the contacts are, in dots: no chip is missed here
            case "Pmc", (letter,):
                self.encoder.set_coercivity(letter)
            case "Pmt", (track, number):
                self.encoder.set_format(track, number)
            case "Pmd", (track, density):
                self.encoder.set_density(track, density)
            case "Dm", (track, *texts) if texts:
                self.encoder.load(track, ";".join(texts))
            case "Scs", ():
                self._error = None
            case "Srs", ():
                self._reset()
            case (("Pem" | "Pr" | "Pos" | "Pmc" | "Pmt" | "Pmd" | "Dm" | "Scs" | "Srs"), _):
                raise PrinterRefusal(PrinterError.PARAMETER)
            case _ if name not in _IGNORED:
                raise PrinterRefusal(PrinterError.COMMAND)

    def _set_errors(self, mode: str) -> None:
        if mode == _ACKNOWLEDGED:
            self._answers.ack = True
        elif mode not in (_OWN_RECOVERY, _HOST_RECOVERY):
            raise PrinterRefusal(PrinterError.PARAMETER)
        self._recovers = mode == _OWN_RECOVERY
        if self._recovers:
            self._error = None

    def _reset(self) -> None:
        self._error = None
        self._last = OK
        self._sequence.close()
        self.encoder.reset()

    # -- moves --------------------------------------------------------------------------------------------------------

    def _panel(self, command: HostCommand) -> Move:
        if not self._sequence.open:
            raise PrinterRefusal(PrinterError.COMMAND)
        self._sequence.download(command)
        if self._sequence.due:
            yield from self._print()

    def _move(self, name: str, fields: tuple[str, ...]) -> Run:
        if name == "Smr":
            return (yield from self._read_stripe(fields))
        if fields:
            raise PrinterRefusal(PrinterError.PARAMETER)
        if name == "Ss":
            self._sequence.start()
        elif name in SIDES:
            yield from self._turn(SIDES[name])
        elif name in _INSERTIONS:
            yield from self._insert(_INSERTIONS[name])
        elif name == "Smw":
            yield from self._write_stripe()
        else:
            yield from self._eject(_EJECTIONS[name])
        return None

    def _insert(self, place: BodyPlace) -> Move:
        """Bring the card to a place, or the next one where none is inside."""
        if place is BodyPlace.ANTENNA and not self.manner.contactless:
            raise PrinterRefusal(PrinterError.LACKS)
        if self.body.card is None:
            self._withdraw()  # a person may have taken the card out
            if self.misfeeds:
                self.misfeeds -= 1
                raise PrinterRefusal(PrinterError.FEEDER)
            yield from self.body.feed(place)
            self.settings.since_cleaning += 1
        elif self.body.place is not place:
            self._withdraw()
            yield from self.body.bring(place)
        self._offer()

    def _offer(self) -> None:
        """Insert the card into the slot of the place where it is."""
        slot, card = self._slots.get(self.body.place), self.body.card
        if slot is not None and card is not None and self._occupied is None:
            slot.insert(card)
            self._occupied = slot

    def _withdraw(self) -> None:
        slot, self._occupied = self._occupied, None
        if slot is not None:
            with contextlib.suppress(NoCard):  # a person took it out
                slot.eject()

    def _turn(self, side: str) -> Move:
        if not self._sequence.open:
            raise PrinterRefusal(PrinterError.COMMAND)
        if side == self._sequence.side:
            return
        if not self.manner.flips:
            raise PrinterRefusal(PrinterError.LACKS)
        if self._sequence.unprinted:
            yield from self._print()
        yield self.body.manner.seconds
        self._sequence.turn(side)

    def _print(self) -> Move:
        if self._error is not None:
            raise PrinterRefusal(self._error)
        yield from self._insert(BodyPlace.HEAD)
        yield self._print_seconds * self._sequence.unprinted
        if self.body.has(BodyFault.COVER):
            raise PrinterRefusal(PrinterError.COVER)
        if (card := self.body.card) is not None:
            self._sequence.print(card)

    def _eject(self, bin_name: str) -> Move:
        if self._sequence.unprinted and bin_name == OUTPUT:
            yield from self._print()
        if self.body.card is not None:
            self._withdraw()
            yield from self.body.drop(bin_name)
        self.settings.printed += self._sequence.sides > 0
        self._sequence.close()
        self.encoder.drop()

    def _write_stripe(self) -> Move:
        self._needs_encoder()
        yield from self._insert(BodyPlace.HOLDING)
        if (card := self.body.card) is not None:
            self.encoder.write(card)

    def _read_stripe(self, fields: tuple[str, ...]) -> Run:
        self._needs_encoder()
        if len(fields) != 1:
            raise PrinterRefusal(PrinterError.PARAMETER)
        yield from self._insert(BodyPlace.HOLDING)
        card = self.body.card
        text = self.encoder.read(card, fields[0]) if card is not None else ""
        return None if self.manner.read_apart else text

    def _needs_encoder(self) -> None:
        if not self.manner.encodes:
            raise PrinterRefusal(PrinterError.LACKS)
