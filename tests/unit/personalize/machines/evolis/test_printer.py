"""The driver of Evolis printers against commands and answers written down from programming guide A5013."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from personalize.machines.evolis.printer import open_machine
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import (
    FacePrinter,
    MachineBin,
    MachinePlace,
    PrintedFace,
    StripeEncoder,
    StripeTracks,
    Supply,
)
from simulators.card.config import CardConfig
from simulators.readers.stock import blank
from simulators.virtual_card import VirtualCard
from terminal.errors import NoCard, ReaderFault, ReaderNotFound
from tests.support.machines.printer_script import AWAKE, LOST, PrinterScript

ACK = b"\x06"
INSERTED = ("Si", ACK)
WHITE = Image.new("RGB", (1016, 648), "white")
TRACKS = StripeTracks("B6228480123456789^ZHANG/SAN^29122010000", "6228480123456789=29122010000")
K = "?ribbon=k&compress=none&flip=1"


@pytest.fixture
def chip(tmp_path: Path) -> str:
    path = tmp_path / "chip.card"
    VirtualCard.create(path, CardConfig(chip=blank()))
    return f"sim:{path}"


def test_a_card_goes_to_the_chip_and_out(scripted: Any, chip: str) -> None:
    machine = scripted(f"?reader={chip}", ("Sis", ACK), ("Se", ACK))

    assert machine.take(None)
    assert machine.take(0)
    machine.to_chip()
    session = machine.reader.connect()
    assert session.atr
    session.close()
    assert machine.abilities.chip
    machine.give(MachineBin.OUTPUT)
    machine.give(MachineBin.OUTPUT)


@pytest.mark.parametrize(("box", "command"), [("output", "Ser"), ("feeder", "Seb")])
def test_a_rejected_card_goes_into_the_box(scripted: Any, box: str, command: str) -> None:
    machine = scripted(f"?reject={box}", INSERTED, (command, ACK))

    assert machine.take(1)
    machine.give(MachineBin.REJECT)


def test_a_printer_without_a_box_says_so(scripted: Any) -> None:
    machine = scripted("?reject=none", links=(PrinterScript(),))

    assert machine.abilities.bins == {MachineBin.OUTPUT}
    with pytest.raises(MachineFault, match="it has no reject box") as fault:
        machine.give(MachineBin.REJECT)
    assert fault.value.code is MachineFaultCode.LACKS


def test_the_station_and_the_antenna_are_reached_and_left(scripted: Any, chip: str) -> None:
    machine = scripted(
        f"?reader={chip}&antenna={chip}&offset=1158",
        *(("Pos;=;1158", ACK), ("Sis", ACK), ("Sic", ACK), ("Sis", ACK)),
    )

    machine.take(1)
    machine.to_chip()
    contacts = machine.reader
    machine.to_antenna()
    machine.to_antenna()
    assert machine.reader is not contacts
    machine.to_chip()
    assert machine.reader is contacts


def test_a_chip_that_its_reader_does_not_see_is_no_card(scripted: Any, tmp_path: Path) -> None:
    machine = scripted(f"?reader=sim:{tmp_path}", ("Sis", ACK))

    machine.take(1)
    with pytest.raises((NoCard, ReaderFault)):
        machine.reader.connect()


def test_what_the_printer_lacks_is_refused_before_anything_is_sent(scripted: Any) -> None:
    machine = scripted("", links=(PrinterScript(),))
    orders = [
        machine.to_chip,
        machine.to_antenna,
        machine.flip,
        machine.read_stripe,
        lambda: machine.write_stripe(TRACKS),
        lambda: machine.print_face(PrintedFace(WHITE, WHITE)),
        lambda: machine.reader,
    ]
    for order in orders:
        with pytest.raises(MachineFault, match=r"evolis:/dev/ttyS9: .*=\); use a machine that can do this") as fault:
            order()
        assert (fault.value.code, fault.value.retryable) == (MachineFaultCode.LACKS, False)
    abilities = machine.abilities
    assert (abilities.chip, abilities.antenna, abilities.flip, abilities.prints, abilities.stripes) == (
        *(False, False, False),
        *(True, False),
    )
    assert isinstance(machine, FacePrinter)
    assert isinstance(machine, StripeEncoder)


@pytest.mark.parametrize(
    ("letter", "words", "code", "sentence"),
    [
        ("1", None, "command", "the printer does not know the command, or not now"),
        ("2", None, "command", "the printer does not take a parameter of the command"),
        ("C", None, "cover", "the cover is open; close the cover"),
        ("R", None, "ribbon", "the ribbon is out, torn, absent or not the one of the print; look at the ribbon"),
        ("T", "CARD JAM", "jam", "a card is jammed; open the machine, take the card out"),
        ("T", "ERROR TIME OUT", "jam", "the mechanics did not finish in time"),
        ("T", "HOPPER FULL", "reject-full", "the box for cards is full"),
        ("F", "OK", "feed", "the feeder gave no card; fan the cards"),
        ("K", None, "stripe-write", "the checksum of the stripe is wrong"),
        ("D", None, "stripe-write", "the stripe does not hold data of the track's format"),
        ("W", None, "stripe-write", "the stripe was not written; clean the stripe head"),
    ],
)
def test_each_letter_after_nack_is_a_fault_with_what_to_do(
    scripted: Any, letter: str, words: str | None, code: str, sentence: str
) -> None:
    turns = [("Si", b"\x15" + letter.encode())]
    machine = scripted("", *turns, *([("Rlr", b"\x06" + words.encode() + b"\r")] if words else []))

    with pytest.raises(MachineFault) as fault:
        machine.take(1)
    assert str(fault.value).startswith(f"machine evolis:/dev/ttyS9: {sentence}")
    assert fault.value.code == f"machine-{code}"
    assert not fault.value.spoiled


def test_an_empty_feeder_is_waited_for_and_no_fault(scripted: Any) -> None:
    empty = [("Si", b"\x15F"), ("Rlr", b"\x06FEEDER EMPTY\r"), ("Scs", ACK)]
    machine = scripted("", *empty, *empty, INSERTED)

    assert machine.take(None)
    assert machine.status is not None


def test_a_take_ends_with_its_time(scripted: Any) -> None:
    machine = scripted("", ("Si", b"\x15F"), ("Rlr", b"\x06FEEDER EMPTY\r"))

    assert not machine.take(0)
    machine.give(MachineBin.OUTPUT)  # Nothing is inside.


def test_a_cover_that_was_closed_is_cleared_by_the_next_order(scripted: Any) -> None:
    machine = scripted("", ("Si", b"\x15C"), ("Scs", ACK), INSERTED)

    with pytest.raises(MachineFault, match="the cover is open"):
        machine.take(1)
    assert machine.take(1)


def test_a_jam_waits_for_a_person_to_clear_it(scripted: Any) -> None:
    machine = scripted("", ("Si", b"\x15T"), ("Rlr", b"\x06CARD JAM\r"), ("Scs", ACK), INSERTED)

    with pytest.raises(MachineFault, match="a card is jammed"):
        machine.take(1)
    machine.clear()
    assert machine.take(1)


def test_a_face_is_printed_in_the_panels_of_its_ribbon(scripted: Any) -> None:
    machine = scripted(
        "?ribbon=ymckok&flip=1",
        *(INSERTED, ("Pr;ymckok", ACK), ("Ss", ACK), ("Sr", ACK)),
        *(("Db;y;128;", ACK), ("Db;m;128;", ACK), ("Db;c;128;", ACK), ("Dbc;k;2;", ACK), ("Dbc;o;2;", ACK)),
        *(("Sv", ACK), ("Dbc;k;2;", ACK), ("Se", ACK)),
    )

    machine.take(1)
    machine.print_face(PrintedFace(WHITE, WHITE))
    machine.give(MachineBin.OUTPUT)


@pytest.mark.parametrize("at", ["Pr;k", "Ss", "Sr"])
def test_a_fault_before_the_first_panel_spoils_no_card(scripted: Any, at: str) -> None:
    before = [("Pr;k", ACK), ("Ss", ACK), ("Sr", ACK)]
    turns = before[: [command for command, _ in before].index(at)]
    again = before if at != "Sr" else [before[0], before[2]]
    machine = scripted(K, INSERTED, *turns, (at, b"\x15R"), ("Scs", ACK), *again, ("Db;k;2;", ACK))

    machine.take(1)
    with pytest.raises(MachineFault) as fault:
        machine.print_face(PrintedFace(WHITE))
    assert (fault.value.code, fault.value.spoiled) == (MachineFaultCode.RIBBON, False)
    machine.print_face(PrintedFace(WHITE))


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([("Db;k;2;", b"\x15R")], MachineFaultCode.RIBBON),
        ([("Db;k;2;", b"")], MachineFaultCode.NO_ANSWER),
        ([("Db;k;2;", ACK), ("Sv", b"\x15T"), ("Rlr", b"\x06CARD JAM\r")], MachineFaultCode.JAM),
        ([("Db;k;2;", ACK), ("Sv", ACK), ("Db;k;2;", b"\x15C")], MachineFaultCode.COVER),
    ],
)
def test_a_fault_from_the_first_panel_on_spoils_the_card(scripted: Any, turns: Any, code: MachineFaultCode) -> None:
    machine = scripted(K, INSERTED, ("Pr;k", ACK), ("Ss", ACK), ("Sr", ACK), *turns)

    machine.take(1)
    with pytest.raises(MachineFault) as fault:
        machine.print_face(PrintedFace(WHITE, WHITE))
    assert (fault.value.code, fault.value.spoiled) == (code, True)


def test_nothing_is_printed_without_a_card(scripted: Any) -> None:
    machine = scripted("?ribbon=k&encoder=1", INSERTED, ("Se", ACK))

    with pytest.raises(MachineFault, match="whether a card is inside is not known"):
        machine.print_face(PrintedFace(WHITE))
    machine.take(1)
    machine.give(MachineBin.OUTPUT)
    with pytest.raises(MachineFault, match="no card is inside"):
        machine.print_face(PrintedFace(WHITE))
    with pytest.raises(MachineFault, match="no card is inside"):
        machine.write_stripe(TRACKS)


def test_a_stripe_is_loaded_written_and_read_in_the_sequence_of_its_print(scripted: Any) -> None:
    machine = scripted(
        "?encoder=1&coercivity=low&ribbon=k&tracks=12",
        *(INSERTED, ("Ss", ACK), ("Pmc;l", ACK)),
        *(("Pmt;1;1", ACK), (f"Dm;1;{TRACKS.track1}", ACK), ("Pmt;2;2", ACK), (f"Dm;2;{TRACKS.track2}", ACK)),
        *(("Smw", ACK), ("Smr;1", b"\x06%s\r" % TRACKS.track1.encode()), ("Smr;2", b"\x06\r")),
        *(("Pr;k", ACK), ("Sr", ACK), ("Dbc;k;2;", ACK), ("Se", ACK)),
    )

    machine.take(1)
    machine.write_stripe(TRACKS)
    assert machine.read_stripe() == StripeTracks(TRACKS.track1, "")
    machine.print_face(PrintedFace(WHITE))
    machine.give(MachineBin.OUTPUT)


def test_a_stripe_that_is_not_readable_is_no_blank_one(scripted: Any) -> None:
    machine = scripted("?encoder=1", INSERTED, ("Ss", ACK), ("Smr;1", b"\x15K"))

    machine.take(1)
    with pytest.raises(MachineFault, match="the checksum of the stripe is wrong") as fault:
        machine.read_stripe()
    assert fault.value.code is MachineFaultCode.STRIPE_READ


def test_firmware_that_reads_into_a_buffer_gives_the_text_of_it(scripted: Any) -> None:
    machine = scripted(
        "?encoder=1&reading=buffer&tracks=2", INSERTED, ("Ss", ACK), ("Smr;2", ACK), ("Rmb;2", b"\x0612=34\r")
    )

    machine.take(1)
    assert machine.read_stripe() == StripeTracks("", "12=34")


@pytest.mark.parametrize("text", ["1\r2", "1\x1b", "人"])
def test_a_track_that_would_end_its_command_is_not_sent(scripted: Any, text: str) -> None:
    machine = scripted("?encoder=1", INSERTED)

    machine.take(1)
    with pytest.raises(MachineFault, match="the text of track 2 has characters that no track holds") as fault:
        machine.write_stripe(StripeTracks(track2=text))
    assert text not in str(fault.value)


def test_a_track_that_is_not_read_back_is_not_written(scripted: Any) -> None:
    """Its card would be rejected, and the next one, too."""
    machine = scripted("?encoder=1&tracks=2", INSERTED)

    machine.take(1)
    with pytest.raises(MachineFault, match=r"have track 1, which it does not read back \(tracks=\)") as fault:
        machine.write_stripe(TRACKS)
    assert (fault.value.code, fault.value.retryable) == (MachineFaultCode.LACKS, False)


def test_words_that_may_be_a_stripe_are_not_shown(scripted: Any) -> None:
    machine = scripted(
        "?encoder=1&tracks=2&answers=words&reading=buffer",
        links=(
            PrinterScript(
                *(("Pem;2", b"OK\r"), ("Rfv", b"1.05\r"), ("Si", b"OK\r"), ("Ss", b"OK\r")),
                ("Smr;2", TRACKS.track2.encode() + b"\r"),
            ),
        ),
    )

    machine.take(1)
    with pytest.raises(MachineFault, match="a text that is none of its errors") as fault:
        machine.read_stripe()
    assert "6228" not in str(fault.value)


def test_the_status_says_what_the_printer_says(scripted: Any) -> None:
    machine = scripted(
        "?ribbon=k",
        *(("Rlr", b"\x06COVER OPEN\r"), ("Rsn", b"\x0612345\r"), ("Rtp", b"\x06Dualys3\r")),
        *(("Rco;p", b"\x061204\r"), ("Rco;i", b"\x061230\r"), ("Rco;r", b"\x152"), ("Rco;c", b"\x06204\r")),
        *(("Rlr", b"\x06OK\r"), ("Rco;p", b"\x061204\r"), ("Rco;i", b"\x061230\r"), ("Rco;c", b"\x06204\r")),
    )

    status = machine.status()
    assert (status.model, status.firmware, status.serial_number) == ("Dualys3", "Dualys 0410", "12345")
    assert (status.place, status.cover_open, status.faults) == (MachinePlace.UNKNOWN, True, ("machine-cover",))
    assert status.counters == {"cards": 1204, "inserted": 1230, "since-cleaning": 204}
    assert (status.ribbon_kind, status.ribbon, status.feeder) == ("k", Supply.UNKNOWN, Supply.UNKNOWN)
    assert machine.status().faults == ()


def test_a_move_whose_answer_is_lost_is_not_repeated(scripted: Any) -> None:
    machine = scripted("", ("Si", b""), *AWAKE, ("Rlr", LOST))

    with pytest.raises(MachineFault, match="the printer does not answer; look whether the machine is on") as fault:
        machine.take(1)
    assert fault.value.code is MachineFaultCode.NO_ANSWER
    with pytest.raises(ReaderFault):
        machine.status()
    machine.close()


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one(scripted: Any) -> None:
    late = (("Pem;2", ACK), ("Pem;4", ACK), ("Rfv", b"\x06\x06Dualys 0410\r"))
    machine = scripted("", ("Si", b""), *late, ("Si", b"\x15C"))

    with pytest.raises(MachineFault, match="does not answer"):
        machine.take(1)
    with pytest.raises(MachineFault, match="the cover is open"):
        machine.take(1)


def test_a_setting_whose_answer_is_lost_is_sent_again(scripted: Any) -> None:
    machine = scripted(K, INSERTED, ("Pr;k", b""), *AWAKE, ("Pr;k", ACK), ("Ss", ACK), ("Sr", ACK), ("Db;k;2;", ACK))

    machine.take(1)
    machine.print_face(PrintedFace(WHITE))


def test_a_link_that_was_lost_is_opened_again(scripted: Any, chip: str) -> None:
    machine = scripted(
        f"?reader={chip}",
        links=(
            PrinterScript(*AWAKE, ("Sis", ACK), ("Se", LOST)),
            PrinterScript(*AWAKE, ("Sis", ACK), ("Se", ACK)),
        ),
    )

    machine.take(1)
    with pytest.raises(ReaderFault, match="the link was lost"):
        machine.give(MachineBin.OUTPUT)
    assert machine.status is not None
    assert machine.take(1)  # A card that is inside still is moved; without one the feeder gives the next.
    machine.give(MachineBin.OUTPUT)


def test_after_a_restart_no_card_is_printed_before_it_was_taken_again(scripted: Any) -> None:
    """Whoever asked for the status learned of the lost link, and the lane did not."""
    printed = (("Pr;k", ACK), ("Ss", ACK), ("Sr", ACK), ("Db;k;2;", ACK))
    machine = scripted(
        "?ribbon=k&compress=none&encoder=1",
        links=(
            PrinterScript(*AWAKE, INSERTED, ("Rlr", LOST)),
            PrinterScript(*AWAKE, INSERTED, *printed),
        ),
    )

    machine.take(1)
    with pytest.raises(ReaderFault):
        machine.status()
    for order in (lambda: machine.print_face(PrintedFace(WHITE)), lambda: machine.write_stripe(TRACKS)):
        with pytest.raises(MachineFault, match="whether a card is inside is not known"):
            order()
    machine.take(1)
    machine.print_face(PrintedFace(WHITE))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"\x07", "the printer answers 07, which is no answer to a command"),
        (b"\x15?", r"the printer refuses for an unknown reason \(3F\)"),
        (b"\x15", "the printer does not answer"),
    ],
)
def test_an_answer_that_is_none_is_a_fault_of_the_line(scripted: Any, answer: bytes, sentence: str) -> None:
    machine = scripted("", ("Si", answer))

    with pytest.raises(MachineFault, match=sentence) as fault:
        machine.take(1)
    assert fault.value.code in {MachineFaultCode.LINK, MachineFaultCode.NO_ANSWER}


def test_firmware_that_answers_in_words_is_understood(scripted: Any) -> None:
    machine = scripted(
        "?answers=words",
        links=(
            PrinterScript(
                *(("Pem;2", b"OK\r"), ("Rfv", b"1.05\0"), ("Si", b"OK\r"), ("Se", b"COVER OPEN\r"), ("Scs", b"OK\r")),
                *(("Se", b"OK\0"), ("Si", b"ERROR 42\r")),
            ),
        ),
    )

    machine.take(1)
    with pytest.raises(MachineFault, match="the cover is open"):
        machine.give(MachineBin.OUTPUT)
    machine.give(MachineBin.OUTPUT)
    with pytest.raises(MachineFault, match="the printer answers “ERROR 42”; look at the machine's model") as fault:
        machine.take(1)
    assert fault.value.code is MachineFaultCode.COMMAND


def test_firmware_that_acknowledges_after_a_text_is_understood(scripted: Any) -> None:
    machine = scripted(
        "?answers=text-first&encoder=1&tracks=2",
        links=(
            PrinterScript(
                *(("Pem;2", ACK), ("Pem;4", ACK), ("Rfv", b"1.05\r\x06"), ("Si", ACK), ("Ss", ACK)),
                ("Smr;2", b"12=34\r\x06"),
            ),
        ),
    )

    machine.take(1)
    assert machine.read_stripe().track2 == "12=34"


def test_a_printer_that_does_not_answer_is_named(scripted: Any) -> None:
    machine = scripted("", links=(PrinterScript(("Pem;2", b""), ("Pem;4", b""), ("Rfv", b"")),))

    with pytest.raises(MachineFault, match="evolis:/dev/ttyS9: the printer does not answer; look whether"):
        machine.take(1)


def test_a_closed_machine_stays_closed(scripted: Any) -> None:
    machine = scripted("", links=(PrinterScript(),))
    machine.close()
    machine.close()

    with pytest.raises(ReaderFault, match="is closed"):
        machine.take(1)


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("", r"evolis: names no printer; give one, as in evolis:tcp://192\.168\.1\.20:9100"),
        ("tcp://printer", "is not an address"),
        ("/dev/ttyS9?reder=pcsc:0", "reder is not an option of evolis: .it has rate, reader, antenna, answers"),
        ("/dev/ttyS9?levels=256", "levels=256 is not possible for evolis: .possible: 32, 64, 128"),
        ("/dev/ttyS9?reader=nonsense", "'nonsense' is not a URL of this kind"),
    ],
)
def test_a_wrong_url_is_refused_with_what_is_possible(rest: str, sentence: str) -> None:
    with pytest.raises(ReaderNotFound, match=sentence):
        open_machine(rest)
