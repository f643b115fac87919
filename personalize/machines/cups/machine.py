"""A card printer behind a queue of CUPS, and a reader beside it: ``cups:QUEUE?reader=pcsc:0``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fpdf import FPDF
from PIL import Image

from personalize.machines.cups.queue import QUEUE_NAME, PrintQueue
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.manual import ManualMachine
from personalize.machines.protocols import TO_PRINTER, MachineAbilities, MachineStatus, PrintedFace, Supply
from terminal.apdu import Reader
from terminal.apdu.readers import open_reader
from terminal.apdu.url_options import UrlOption, choice, number, parse_options
from terminal.errors import ReaderNotFound

_BLEED: Final = (2, 5, 1013, 643)
"""The card within a face of 1016 × 648 dots."""
_DOTS_A_MM: Final = 300 / 25.4
_SUPPLIES: Final = {
    MachineFaultCode.FEEDER_EMPTY: "feeder",
    MachineFaultCode.RIBBON: "ribbon",
}


@dataclass(frozen=True, slots=True)
class CupsOptions:
    """``reader``: URL of the reader beside the printer. ``media`` and ``sides``: options of the print, empty for those
    of the queue. ``bleed``: the driver takes the face with its bleed. ``deadline``: seconds for one print."""

    reader: str = ""
    media: str = ""
    sides: str = ""
    bleed: bool = False
    deadline: float = 180.0


_OPTIONS: Final[dict[str, UrlOption]] = {
    "reader": (str, "a reader URL, as pcsc:0"),
    "media": (str, "a medium of the queue, as CR80; lpoptions -p QUEUE -l lists them"),
    "sides": choice({name: name for name in ("one-sided", "two-sided-long-edge", "two-sided-short-edge")}),
    "bleed": choice({"1": True, "0": False}),
    "deadline": (number(1, 3600), "1 ... 3600 s"),
}


def parse_rest(rest: str) -> tuple[str, CupsOptions]:
    """Queue and options of what follows ``cups:``. Raises ReaderNotFound."""
    queue, mark, tail = rest.partition("?")
    # The reader's own URL may have a question mark too: the first one is that of this URL.
    queue, values = parse_options("cups", queue + mark + tail.replace("?", "%3F"), _OPTIONS)
    if not QUEUE_NAME.fullmatch(queue) or not values.get("reader"):
        raise ReaderNotFound(f"cups:{rest} names no queue and reader; give both, as in cups:Zebra?reader=pcsc:0")
    return queue, CupsOptions(**values)


class CupsMachine(ManualMachine):
    """A person feeds the reader, then the printer, which takes its cards itself and holds none for us."""

    def __init__(self, url: str, queue: PrintQueue, options: CupsOptions, reader: Reader) -> None:
        super().__init__(url, reader)
        self._queue, self._options = queue, options

    @property
    def name(self) -> str:
        return self._queue.name

    @property
    def abilities(self) -> MachineAbilities:
        return replace(super().abilities, prints=True)

    def status(self) -> MachineStatus:
        state, status = self._queue.state(), super().status()
        codes = state.faults if state.enabled else state.faults or (MachineFaultCode.NO_ANSWER,)
        supplies = {name: Supply.EMPTY for code, name in _SUPPLIES.items() if code in codes}
        return replace(
            status,
            cover_open=True if MachineFaultCode.COVER in codes else None,
            feeder=supplies.get("feeder", Supply.UNKNOWN),
            ribbon=supplies.get("ribbon", Supply.UNKNOWN),
            faults=tuple(codes),
        )

    def print_face(self, face: PrintedFace) -> None:
        """See :class:`personalize.machines.protocols.FacePrinter`. It returns when CUPS has handed everything to the
        printer, which may print on for some seconds."""
        page = document(face, bleed=self._options.bleed)
        wanted = {"media": self._options.media, "sides": self._options.sides}
        if face.back is not None and not wanted["sides"]:
            raise MachineFault(self.name, MachineFaultCode.LACKS, "its queue prints one side only (sides=)")
        self.screen.show(TO_PRINTER)
        self._queue.print(page, [f"{name}={value}" for name, value in wanted.items() if value], self._options.deadline)


def document(face: PrintedFace, *, bleed: bool) -> bytes:
    """The face as PDF without loss: a page of the card's size for each side."""
    sides = [side if bleed else side.crop(_BLEED) for side in (face.front, face.back) if side is not None]
    width, height = (length / _DOTS_A_MM for length in sides[0].size)
    pdf = FPDF(unit="mm", format=(width, height))
    pdf.set_margin(0)
    pdf.set_auto_page_break(False)
    pdf.set_creator("membercard")
    pdf.set_image_filter("FlateDecode")
    for side in sides:
        pdf.add_page()
        pdf.image(_plain(side), 0, 0, width, height)
    return bytes(pdf.output())


def _plain(side: Image.Image) -> Image.Image:
    return side if side.mode == "RGB" else side.convert("RGB")


def open_machine(rest: str) -> CupsMachine:
    """The printer of ``cups:REST``; an entry point of ``personalize.machines``. Raises ReaderNotFound, ReaderBusy,
    ReaderFault."""
    queue, options = parse_rest(rest)
    return CupsMachine(f"cups:{rest}", PrintQueue(queue), options, open_reader(options.reader))
