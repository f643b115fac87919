"""A queue of CUPS by commands on the path that a script plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from personalize.machines.cups.machine import CupsMachine, document, open_machine, parse_rest
from personalize.machines.cups.queue import PrintQueue
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import FacePrinter, MachinePlace, PrintedFace, Supply
from simulators.machines.evolis.slots import reader_inside
from terminal.errors import ReaderFault, ReaderNotFound

IDLE = "printer Zebra is idle.  enabled since Tue 01 Dec 2026\n\tDescription: Zebra ZC300\n\tAlerts: {}\n"
STOPPED = "printer Zebra disabled since Tue 01 Dec 2026 -\n\tUnplugged or turned off\n\tAlerts: paused\n"
JOB = "Zebra-12 user 1024 Tue 01 Dec 2026\n\tStatus: x\n\tAlerts: {}\n\tqueued for Zebra\n"
SCRIPT = """#!/bin/sh
cd {directory}
echo "${{0##*/}} $*" >> calls
case "${{0##*/}}" in
  lp) cat > page; cat request;;
  cancel) ;;
  lpstat) case "$2" in
    -p) cat error >&2; cat state;;
    completed) cat completed;;
    *) if [ -s looks ]; then sed -i 1d looks; cat job; cat next > state; fi;;
  esac;;
esac
"""
WHITE = Image.new("RGB", (1016, 648), "white")


class PlayedQueue:
    """What the commands of CUPS answer."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for command in ("lp", "lpstat", "cancel"):
            path = directory / command
            path.write_text(SCRIPT.format(directory=directory))
            path.chmod(0o755)
        self.set(state=IDLE.format("none"), error="", completed="", looks="", job=JOB.format("job-printing"))
        self.set(next=IDLE.format("none"), request="request id is Zebra-12 (0 file(s))\n")

    def set(self, **files: str) -> None:
        for name, text in files.items():
            (self._directory / name).write_text(text)

    @property
    def calls(self) -> list[str]:
        return [line for line in (self._directory / "calls").read_text().splitlines() if "lpstat" not in line]

    @property
    def page(self) -> bytes:
        return (self._directory / "page").read_bytes()


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedQueue:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return PlayedQueue(tmp_path)


def machine_of(options: str = "") -> Any:
    name, parsed = parse_rest(f"Zebra?reader=pcsc:0{options}")
    return CupsMachine("cups:Zebra", PrintQueue(name, pause=lambda _: None), parsed, reader_inside("lane-1"))


def test_a_face_is_printed_when_cups_has_handed_it_over(queue: PlayedQueue) -> None:
    machine, lines = machine_of("&media=CR80&sides=two-sided-short-edge"), []
    machine.screen.show = lines.append
    queue.set(looks="1\n2\n3\n", completed=JOB.format("job-completed-successfully"))

    machine.print_face(PrintedFace(WHITE, WHITE))

    assert queue.calls == ["lp -d Zebra -t membercard -omedia=CR80 -osides=two-sided-short-edge -"]
    assert len(pypdfium2.PdfDocument(queue.page)) == 2
    assert lines == ["put the card into the printer's feeder"]
    assert isinstance(machine, FacePrinter)
    assert machine.abilities.prints
    assert machine.name == "cups:Zebra"


@pytest.mark.parametrize(("bleed", "size"), [(False, (1011, 638)), (True, (1016, 648))])
def test_the_document_has_the_dots_of_the_face(bleed: bool, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (648, 1016, 3)).astype(np.uint8)
    page = pypdfium2.PdfDocument(document(PrintedFace(Image.fromarray(noise)), bleed=bleed))[0]

    assert [round(length / 72 * 300) for length in page.get_size()] == list(size)
    shown = np.asarray(next(iter(page.get_objects())).get_bitmap().to_pil().convert("RGB"))
    assert (shown == (noise if bleed else noise[5:643, 2:1013])).all()


@pytest.mark.parametrize(
    ("state", "code", "sentence"),
    [
        (IDLE.format("cover-open-error"), "cover", "the cover is open; close the cover"),
        (IDLE.format("media-empty-error"), "feeder-empty", "the feeder is empty; put blank cards into the feeder"),
        (IDLE.format("marker-supply-empty-error"), "ribbon", "the ribbon is out or absent; look at the ribbon"),
        (IDLE.format("media-jam"), "jam", "a card is jammed; open the machine"),
        (STOPPED, "no-answer", r"its queue is stopped \(Unplugged or turned off\)"),
    ],
)
def test_a_printer_that_cannot_print_spoils_no_card(queue: PlayedQueue, state: str, code: str, sentence: str) -> None:
    machine = machine_of()
    queue.set(state=state)

    with pytest.raises(MachineFault, match=f"cups:Zebra: {sentence}") as fault:
        machine.print_face(PrintedFace(WHITE))
    assert (fault.value.code, fault.value.spoiled) == (f"machine-{code}", False)
    assert not [call for call in queue.calls if call.startswith("lp ")]
    status = machine.status()
    assert status.faults == (f"machine-{code}",)
    assert (status.feeder is Supply.EMPTY, status.cover_open) == (code == "feeder-empty", code == "cover" or None)
    assert status.place is MachinePlace.NONE


def test_a_warning_stops_nothing(queue: PlayedQueue) -> None:
    queue.set(state=IDLE.format("marker-supply-empty-warning"))
    machine_of().print_face(PrintedFace(WHITE))
    assert queue.calls == ["lp -d Zebra -t membercard -"]


def test_a_print_that_stops_is_cancelled_and_not_printed_on_the_next_card(queue: PlayedQueue) -> None:
    machine = machine_of()
    queue.set(looks="1\n2\n3\n", next=STOPPED)

    with pytest.raises(MachineFault, match="its queue is stopped") as fault:
        machine.print_face(PrintedFace(WHITE))
    assert fault.value.spoiled
    assert queue.calls[-1] == "cancel Zebra-12"


def test_a_print_that_does_not_end_is_cancelled(queue: PlayedQueue) -> None:
    name, parsed = parse_rest("Zebra?reader=pcsc:0&deadline=5")
    clock = iter(range(0, 1000, 3))
    printer = PrintQueue(name, clock=lambda: float(next(clock)), pause=lambda _: None)
    queue.set(looks="1\n" * 9)

    with pytest.raises(MachineFault, match="the print did not end within 5 s") as fault:
        CupsMachine("cups:Zebra", printer, parsed, reader_inside("lane-1")).print_face(PrintedFace(WHITE))
    assert (fault.value.code, fault.value.spoiled) == (MachineFaultCode.NO_ANSWER, True)
    assert queue.calls[-1] == "cancel Zebra-12"


@pytest.mark.parametrize("alert", ["job-canceled-by-user", "aborted-by-system"])
def test_a_print_that_cups_ended_is_no_print(queue: PlayedQueue, alert: str) -> None:
    queue.set(completed=JOB.replace("Zebra-12", "Zebra-11").format("job-completed-successfully") + JOB.format(alert))

    with pytest.raises(MachineFault, match="CUPS ended the print before its end") as fault:
        machine_of().print_face(PrintedFace(WHITE))
    assert fault.value.spoiled


def test_a_print_that_is_not_accepted_spoils_no_card(queue: PlayedQueue) -> None:
    queue.set(request="")

    with pytest.raises(MachineFault, match="CUPS did not accept the print") as fault:
        machine_of().print_face(PrintedFace(WHITE))
    assert not fault.value.spoiled


def test_a_back_needs_a_queue_that_prints_both_sides(queue: PlayedQueue) -> None:
    with pytest.raises(MachineFault, match=r"its queue prints one side only \(sides=\)"):
        machine_of().print_face(PrintedFace(WHITE, WHITE))


def test_a_queue_that_is_not_there_is_not_found(queue: PlayedQueue) -> None:
    queue.set(state="", error='lpstat: Invalid destination name in list "Zebra".\n')
    with pytest.raises(ReaderNotFound, match="CUPS has no queue Zebra; lpstat -e lists those there are"):
        machine_of()
    queue.set(error="lpstat: Bad file descriptor\n")
    with pytest.raises(ReaderFault, match="CUPS does not run; systemctl start cups"):
        machine_of()


def test_a_machine_without_cups_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReaderNotFound, match="lpstat is not installed; apt install cups-client"):
        open_machine("Zebra?reader=pcsc:0")


@pytest.mark.parametrize("rest", ["", "Zebra", "-d?reader=pcsc:0", "a/b?reader=pcsc:0", "?reader=pcsc:0"])
def test_a_wrong_url_is_refused(rest: str) -> None:
    with pytest.raises(ReaderNotFound, match="names no queue and reader; give both"):
        open_machine(rest)
