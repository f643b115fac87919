"""A card machine in memory: it feeds chips, writes stripes, prints, counts its bins, and fails or loses power on order.

It is written from ``personalize.machines.protocols`` alone, and goes on existing when the line that drives it dies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from PIL import Image

from personalize.dossiers.dossier import Dossier
from personalize.line.job import Job
from personalize.line.lanes import LaneEvent, LaneResult
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import (
    MachineAbilities,
    MachineBin,
    MachinePlace,
    MachineStatus,
    PrintedFace,
    StripeTracks,
    Supply,
)
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from registry.values import MemberToPrepare
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, Reader, Transport
from terminal.errors import CardGone, NoCard
from tests.support import issuer
from tests.support.cards.card_bench import Bench
from tests.support.waiting import PATIENCE

T = TypeVar("T")
Around = Callable[[str, Callable[[], object]], object]
"""Called with the name of what the machine is about to do, and with what does it."""


@dataclass(eq=False)
class Blank:
    """A card: its chip, its stripe, and the faces that were printed on it, one over the other."""

    chip: VirtualCard
    stripe: StripeTracks = field(default_factory=StripeTracks)
    faces: list[str] = field(default_factory=list)
    mute: bool = False

    @property
    def serial(self) -> str:
        return self.chip.chip_serial


class CountingMachine:
    """Implements CardMachine, StripeEncoder and FacePrinter. ``around`` may fail, cut the power or kill the caller
    before or after anything the machine does; ``done`` lists what it did."""

    def __init__(self, cards: Iterable[Blank] = (), *, name: str = "machine 1", room: int = 10_000) -> None:
        self.feeder = deque(cards)
        self.inside: Blank | None = None
        self.bins: dict[MachineBin, list[Blank]] = {bin: [] for bin in MachineBin}
        self.name, self.url, self.room = name, f"counting:{name}", room
        self.abilities = MachineAbilities(prints=True, stripes=True)
        self.state = MachineStatus(MachinePlace.NONE, ribbon_kind="ymcko", ribbon=Supply.ENOUGH)
        self.around: Around = lambda what, action: action()
        self.done: list[str] = []
        self.off = False
        self.reader = ContactStation(self)
        self._place = MachinePlace.NONE
        self.started = True

    def act(self, what: str, action: Callable[[], T]) -> T:
        """Do something that the test may disturb."""
        if self.off:
            raise MachineFault(self.name, MachineFaultCode.POWER)
        if not self.started and what != "clear":
            raise MachineFault(self.name, MachineFaultCode.NOT_INITIALIZED)

        def noted() -> T:
            self.done.append(what)
            return action()

        return self.around(what, noted)  # type: ignore[return-value]

    def cut_power(self) -> None:
        """The power fails, and is back when the status was asked for once."""
        self.off, self.started = True, False
        self.reader.power_off()

    # --- CardMachine --------------------------------------------------------------------------------------------------

    def status(self) -> MachineStatus:
        if self.off:
            self.off = False
            raise MachineFault(self.name, MachineFaultCode.POWER)
        feeder = Supply.ENOUGH if self.feeder else Supply.EMPTY
        full = len(self.bins[MachineBin.REJECT]) >= self.room
        return replace(self.state, place=self._place, feeder=feeder, reject_full=full)

    def take(self, timeout: float | None) -> bool:
        if self.inside is None:
            self.act("take", self._take)
        return True

    def _take(self) -> None:
        if not self.feeder:
            raise MachineFault(self.name, MachineFaultCode.FEEDER_EMPTY)
        self.inside, self._place = self.feeder.popleft(), MachinePlace.INSIDE

    def to_chip(self) -> None:
        if self._place is not MachinePlace.CHIP:
            self.act("to chip", lambda: self._move(MachinePlace.CHIP))

    def to_antenna(self) -> None:
        raise MachineFault(self.name, MachineFaultCode.LACKS)

    def _move(self, place: MachinePlace) -> None:
        if self.inside is None:
            raise MachineFault(self.name, MachineFaultCode.MOVED_BY_HAND)
        self._place = place

    def give(self, bin: MachineBin) -> None:
        if self.inside is not None:
            self.act(f"give {bin}", lambda: self._give(bin))

    def _give(self, bin: MachineBin) -> None:
        if bin is MachineBin.REJECT and len(self.bins[bin]) >= self.room:
            raise MachineFault(self.name, MachineFaultCode.REJECT_FULL)
        assert self.inside is not None
        self.reader.power_off()
        self.bins[bin].append(self.inside)
        self.inside, self._place = None, MachinePlace.NONE

    def take_out(self) -> Blank:
        """What a person does with a card that is stuck."""
        assert self.inside is not None
        card, self.inside, self._place = self.inside, None, MachinePlace.NONE
        return card

    def flip(self) -> None:
        raise MachineFault(self.name, MachineFaultCode.LACKS)

    def clear(self) -> None:
        self.act("clear", lambda: setattr(self, "started", True))

    def close(self) -> None:
        self.reader.power_off()

    # --- StripeEncoder, FacePrinter -----------------------------------------------------------------------------------

    def write_stripe(self, tracks: StripeTracks) -> None:
        self.act("write stripe", lambda: self._write_stripe(tracks))

    def _write_stripe(self, tracks: StripeTracks) -> None:
        assert self.inside is not None
        self.inside.stripe, self._place = tracks, MachinePlace.INSIDE

    def read_stripe(self) -> StripeTracks:
        assert self.inside is not None
        card = self.inside
        return self.act("read stripe", lambda: card.stripe)

    def print_face(self, face: PrintedFace) -> None:
        self.act("print", lambda: self._print(face))

    def _print(self, face: PrintedFace) -> None:
        assert self.inside is not None
        self.inside.faces.append(face.front.info["text"])
        self._place = MachinePlace.INSIDE


class ContactStation:
    """The machine's own reader."""

    def __init__(self, machine: CountingMachine) -> None:
        self._machine = machine
        self._card: SimCard | None = None
        self.name, self.url = "contact station", "contact:"

    def wait_for_card(self, timeout: float | None) -> bool:
        return self._machine.status().place is MachinePlace.CHIP

    def connect(self) -> Transport:
        card = self._machine.inside
        if card is None or card.mute or not self.wait_for_card(0):
            raise NoCard("the card does not answer to reset")
        self._card = SimCard(card.chip, card.chip.config.protocol)
        return _StationCard(self._card, self._machine)

    def release(self, disposition: Disposition) -> None:
        assert disposition is Disposition.KEEP, "a machine's own reader moves nothing"
        self.power_off()

    def power_off(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def close(self) -> None:
        self.power_off()


class _StationCard:
    def __init__(self, card: SimCard, machine: CountingMachine) -> None:
        self._card, self._machine = card, machine
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.reset, self.close = card.reset, card.close

    def exchange(self, apdu: bytes) -> bytes:
        if self._machine.off:
            raise CardGone("the machine has no power")
        return self._machine.around("exchange", lambda: self._card.exchange(apdu))  # type: ignore[return-value]


# --- lanes ----------------------------------------------------------------------------------------------------------


def run_until_empty(
    bench: Bench,
    reader: Reader,
    job: Job,
    on_event: Callable[[LaneEvent], None] = lambda event: None,
    **settings: object,
) -> LaneResult:
    """One lane until its batch is done or the feeder is empty, however long a fault lasts before."""

    def watched(event: LaneEvent) -> None:
        on_event(event)
        if event.reason.code == MachineFaultCode.FEEDER_EMPTY:
            line.stop()

    line = bench.line(job=job, on_event=watched, **({"idle": PATIENCE} | settings))
    (result,) = line.run([reader])
    return result


# --- dossiers with a body ---------------------------------------------------------------------------------------------


class BodyPreparer(Preparer):
    """Makes dossiers with stripe and face."""

    def prepare(self, member: MemberToPrepare, card_number: str, *others: object) -> Dossier:  # type: ignore[override]
        dossier = super().prepare(member, card_number, *others)  # type: ignore[arg-type]
        stripe = ("", f"{card_number}={member.sequence:02d}", "")
        return replace(dossier, stripe=stripe, face={"number": f"{card_number}-{member.sequence}"})


def body_preparer(profile: Profile | None = None) -> BodyPreparer:
    usual = issuer.preparer(profile)
    return BodyPreparer(usual.profile, issuer.custody(), today=issuer.TODAY, chain=usual.chain)


def plain_face(dossier: Dossier) -> PrintedFace:
    """A small picture that carries its text."""
    picture = Image.new("RGB", (16, 10), "white")
    picture.info["text"] = dossier.face["number"]
    return PrintedFace(picture)
