"""The body of the card in a lane's machine: stripe and face, made from the dossier of its chip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.errors import LineStopped
from personalize.line.job import BodyMaking, FaceRenderer
from personalize.line.plan import PrintFace, WriteStripe, body_steps
from personalize.machines.faults import OF_THE_STRIPE, WAITS_FOR_A_PERSON, MachineFault, MachineFaultCode
from personalize.machines.protocols import (
    CardMachine,
    FacePrinter,
    MachineBin,
    PrintedFace,
    StripeEncoder,
    StripeTracks,
    Supply,
)
from personalize.reasons import RejectCode
from terminal.errors import TransportError

_LACKS: Final = {
    RejectCode.NO_ENCODER: "the cards of this batch have a stripe, and {machine} writes none",
    RejectCode.NO_PRINTER: "the cards of this batch have a printed face, and {machine} prints none",
    RejectCode.NO_DESIGN: "the cards of this batch have a printed face, and this station has no design to draw it",
    RejectCode.NO_REJECT_BIN: "{machine} has no bin for rejected cards, which would fall among the good ones",
}
_ELSEWHERE: Final = "; use another machine, or say that it is made elsewhere: --body elsewhere"


class CardBody:
    """Makes bodies with a machine; without one it makes none. ``render`` draws faces.

    ``wanted``: stripe and face are made here, for the dossiers that have them.
    """

    def __init__(
        self, machine: CardMachine | None, render: FaceRenderer | None = None, making: BodyMaking = BodyMaking.HERE
    ) -> None:
        self._machine, self._render = machine, render
        self.wanted = making is BodyMaking.HERE
        abilities = None if machine is None else machine.abilities
        self._encoder = machine if abilities and abilities.stripes and isinstance(machine, StripeEncoder) else None
        self._printer = machine if abilities and abilities.prints and isinstance(machine, FacePrinter) else None
        self._spoiler: MachineFault | None = None

    @property
    def name(self) -> str:
        return "this reader" if self._machine is None else self._machine.name

    def refuse_lacking(self, dossier: Dossier | None) -> None:
        """Raises LineStopped where the card of this dossier needs what the machine cannot do."""
        if self._machine is not None and MachineBin.REJECT not in self._machine.abilities.bins:
            self._stop(RejectCode.NO_REJECT_BIN)
        for step in body_steps(dossier) if dossier is not None and self.wanted else ():
            if isinstance(step, WriteStripe) and self._encoder is None:
                self._stop(RejectCode.NO_ENCODER)
            if isinstance(step, PrintFace) and self._printer is None:
                self._stop(RejectCode.NO_PRINTER)
            if isinstance(step, PrintFace) and self._render is None:
                self._stop(RejectCode.NO_DESIGN)

    def _stop(self, code: RejectCode) -> None:
        sentence = _LACKS[code].format(machine=self.name)
        if code is not RejectCode.NO_REJECT_BIN:
            sentence += _ELSEWHERE
        raise LineStopped(sentence, code, machine=self.name)

    def write_stripe(self, tracks: StripeTracks, *, written: bool) -> bool:
        """Write the stripe, at most twice, until what is read back agrees; whether it was written now. One that was
        ``written`` before and agrees stays as it is. Raises MachineFault, of the stripe (OF_THE_STRIPE) or of the
        machine."""
        if self._encoder is None:
            raise MachineFault(self.name, MachineFaultCode.LACKS)
        with self._linked():
            if written and self._agrees(self._encoder, tracks):
                return False
            for last in (False, True):
                try:
                    self._encoder.write_stripe(tracks)
                except MachineFault as fault:
                    if last or fault.code not in OF_THE_STRIPE:
                        raise
                    continue
                if self._agrees(self._encoder, tracks):
                    return True
        raise MachineFault(self.name, MachineFaultCode.STRIPE_DIFFERS)

    def _agrees(self, encoder: StripeEncoder, tracks: StripeTracks) -> bool:
        """Whether each track that was to be written reads as it should. Raises MachineFault for a fault that is not the
        stripe's."""
        try:
            read = encoder.read_stripe()
        except MachineFault as fault:
            if fault.code not in OF_THE_STRIPE:
                raise
            return False
        pairs = zip(_texts(tracks), _texts(read), strict=True)
        return all(back == wanted for wanted, back in pairs if wanted)

    def face(self, dossier: Dossier) -> PrintedFace:
        """The pictures of the card's faces. Raises PersonalizeError."""
        if self._render is None:
            raise LineStopped(_LACKS[RejectCode.NO_DESIGN], RejectCode.NO_DESIGN)
        return self._render(dossier)

    def ribbon(self) -> str:
        """The kind of ribbon, of a printer that is ready. Raises MachineFault for one that is not."""
        if self._machine is None:
            return ""
        with self._linked():
            status = self._machine.status()
        if status.cover_open:
            raise MachineFault(self.name, MachineFaultCode.COVER)
        if status.ribbon is Supply.EMPTY:
            raise MachineFault(self.name, MachineFaultCode.RIBBON)
        return status.ribbon_kind

    def print_face(self, face: PrintedFace) -> None:
        """Raises MachineFault, which says whether the card is spoiled."""
        if self._printer is None:
            raise MachineFault(self.name, MachineFaultCode.LACKS)
        try:
            with self._linked():
                self._printer.print_face(face)
        except MachineFault as fault:
            self._spoiler = fault if fault.spoiled else None
            raise

    def spoiler(self) -> MachineFault | None:
        """The fault that spoiled a card since the last call, if the machine needs something before it prints again."""
        fault, self._spoiler = self._spoiler, None
        return fault if fault is not None and fault.code in WAITS_FOR_A_PERSON else None

    @contextmanager
    def _linked(self) -> Iterator[None]:
        """A link that is lost, or cannot be opened again, is the machine's fault, and not the chip's."""
        try:
            yield
        except MachineFault:
            raise
        except TransportError as lost:
            raise MachineFault(self.name, MachineFaultCode.LINK, str(lost)) from lost


def _texts(tracks: StripeTracks) -> tuple[str, str, str]:
    return tracks.track1, tracks.track2, tracks.track3


NO_BODY: Final = CardBody(None, making=BodyMaking.ELSEWHERE)
"""The chip only."""
