"""The simulated printer: each command of the guide with the bytes of its answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulators.machines.body import BodyFault
from simulators.machines.evolis.answers import PrinterError
from simulators.machines.record import BodyPlace
from simulators.machines.stripe.stripe import StripeFile
from terminal.errors import CardGone, NoCard, ReaderFault
from tests.unit.simulators.machines.evolis.conftest import PrinterBench

Open = Callable[..., PrinterBench]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("Rfv", b"\x061846\r"),
        ("Rsn", b"\x0610000001\r"),
        ("Rtp", b"\x06Primacy\r"),
        ("Rlr", b"\x06OK\r"),
        ("Rco;p", b"\x060\r"),
        ("Pem;2", b"\x06"),
        ("Pem;4", b"\x06"),
        ("Pos;=;1158", b"\x06"),
        ("Pr;ymcko", b"\x06"),
        ("Pr;k", b"\x06"),
        ("Pmc;h", b"\x06"),
        ("Pmt;2;2", b"\x06"),
        ("Pmd;2;75", b"\x06"),
        ("Pc;k;=;10", b"\x06"),
        ("Pmi;F;s", b"\x06"),
        ("Dm;2;6210=2812220", b"\x06"),
        ("Ss", b"\x06"),
        ("Se", b"\x06"),
        ("Ser", b"\x06"),
        ("Scs", b"\x06"),
        ("Srs", b"\x06"),
        ("Xyz", b"\x151"),
        ("R", b"\x151"),
        ("Rmb;1", b"\x151"),
        ("Sx", b"\x151"),
        ("Sr", b"\x151"),
        ("Sv", b"\x151"),
        ("Rfv;1", b"\x152"),
        ("Rco", b"\x152"),
        ("Rco;z", b"\x152"),
        ("Pem;7", b"\x152"),
        ("Pr;rgb", b"\x152"),
        ("Pos;1158", b"\x152"),
        ("Pmc;x", b"\x152"),
        ("Pmt;4;1", b"\x152"),
        ("Pmd;1;300", b"\x152"),
        ("Sis;1", b"\x152"),
        ("Smr", b"\x152"),
        ("Dm;4;1", b"\x152"),
        ("Dm;2;ABC", b"\x15D"),
        ("Dm;1;%ABC?", b"\x15D"),
        ("Smw", b"\x15D"),
    ],
)
def test_a_command_and_its_answer(bench: Open, command: str, answer: bytes) -> None:
    assert bench().ask(command) == answer


def test_without_the_protocol_only_texts_are_answered(bench: Open) -> None:
    opened = bench(ack=False)
    assert opened.ask("Rfv") == b"1846\r"
    assert opened.ask("Ss") == opened.ask("Xyz") == opened.ask("Sis") == b""
    assert opened.ask("Pem;4") == b"\x06"
    assert opened.ask("Xyz") == b"\x151"


def test_firmware_that_answers_in_words(bench: Open) -> None:
    opened = bench(ack=False, words=True)
    assert [opened.ask(text) for text in ("Ss", "Xyz", "Pr;x", "Rfv")] == [
        b"OK\r", b"ERROR CDE\r", b"ERROR PARAMETRES\r", b"1846\r"
    ]  # fmt: skip


def test_firmware_that_acknowledges_after_its_text(bench: Open) -> None:
    assert bench(text_first=True).ask("Rfv") == b"1846\r\x06"


def test_parts_that_a_printer_does_not_have(bench: Open) -> None:
    opened = bench(encodes=False, contactless=False, flips=False)
    assert {opened.ask(text) for text in ("Dm;1;A", "Pmc;h", "Smw", "Smr;1", "Sic")} == {b"\x151"}
    assert opened.words == "OPT NOT AVAILABLE"
    opened.done("Ss", "Sr")
    assert opened.ask("Sv") == b"\x151"


def test_a_card_goes_to_the_contacts_and_into_the_output(bench: Open) -> None:
    opened = bench()
    assert not opened.reader.wait_for_card(0)
    opened.done("Pem;2", "Sis")
    assert opened.body.place is BodyPlace.CHIP
    assert opened.reader.wait_for_card(0)
    card = opened.reader.connect()
    assert card.exchange(bytes.fromhex("00A4040000"))[-2:] == b"\x90\x00"
    opened.done("Sis", "Se")
    with pytest.raises(CardGone):
        card.exchange(bytes.fromhex("00A4040000"))
    with pytest.raises(NoCard):
        opened.reader.connect()
    assert (opened.cards("output"), opened.cards("inside")) == (["chip-01.card"], [])
    assert (opened.ask("Rco;i"), opened.ask("Rco;r")) == (b"\x061\r", b"\x060\r")


@pytest.mark.parametrize("command", ["Ser", "Seb"])
def test_a_rejected_card_goes_into_the_box(bench: Open, command: str) -> None:
    opened = bench()
    opened.done("Pem;2", "Sic", "Sis", command)
    assert (opened.cards("reject"), opened.cards("output")) == (["chip-01.card"], [])
    assert (opened.body.record.reject, opened.ask("Rco;r")) == (1, b"\x061\r")


def test_an_empty_feeder_stops_the_printer_until_it_is_cleared(bench: Open) -> None:
    opened = bench()
    opened.done("Pem;2", "Si", "Se", "Si", "Se", "Si", "Se")
    assert opened.ask("Sis") == b"\x15F"
    assert opened.words == "FEEDER EMPTY"
    assert opened.ask("Se") == b"\x15F", "no move is done before the error is cleared"
    assert opened.ask("Rco;i") == b"\x063\r", "and other commands are answered"
    opened.done("Scs", "Se")
    assert opened.words == "OK"


def test_without_the_host_the_printer_recovers_by_itself(bench: Open) -> None:
    opened = bench()
    opened.done("Pem;2", "Pem;0")
    opened.body.damage(BodyFault.COVER)
    assert opened.ask("Sis") == b"\x15C"
    opened.body.repair()
    opened.done("Sis")


@pytest.mark.parametrize(
    ("fault", "answer", "words"),
    [
        (BodyFault.COVER, b"\x15C", "COVER OPEN"),
        (BodyFault.JAM, b"\x15T", "CARD JAM"),
        (BodyFault.MOTOR, b"\x15T", "ERROR TIME OUT"),
        (BodyFault.SHORT_CARD, b"\x15F", "FEEDER EMPTY"),
        (BodyFault.CHIP_POSITION, b"\x15T", "ERROR TIME OUT"),
    ],
)
def test_a_fault_of_the_body_has_its_letter(bench: Open, fault: BodyFault, answer: bytes, words: str) -> None:
    opened = bench()
    opened.body.damage(fault)
    opened.done("Pem;2")
    assert opened.ask("Sis") == answer
    assert opened.words == words
    opened.body.repair()
    opened.done("Scs", "Sis")
    assert opened.body.place is BodyPlace.CHIP


def test_a_card_that_does_not_come_out_stays_in_the_feeder(bench: Open) -> None:
    opened = bench()
    opened.printer.misfeeds = 1
    opened.done("Pem;2")
    assert opened.ask("Sis") == b"\x15F"
    assert opened.body.card is None
    opened.done("Scs", "Sis")
    assert opened.body.record.fed == 1


def test_a_full_box_leaves_the_card_inside(bench: Open) -> None:
    opened = bench()
    opened.body.record.in_reject = 100
    opened.done("Pem;2", "Sis")
    assert opened.ask("Ser") == b"\x15T"
    assert opened.words == "HOPPER FULL"
    opened.body.empty_reject()
    opened.done("Scs", "Ser")
    assert opened.cards("reject") == ["chip-01.card"]


def test_a_card_that_a_person_takes_out_is_gone(bench: Open) -> None:
    opened = bench()
    opened.done("Pem;2", "Sis")
    assert opened.body.remove_card() is not None
    opened.done("Se", "Sis")
    assert opened.reader.connect().exchange(bytes.fromhex("00A4040000"))[-2:] == b"\x90\x00"
    opened.done("Se")
    assert (opened.cards("taken"), opened.cards("output")) == (["chip-01.card"], ["chip-02.card"])


def test_a_stripe_is_written_and_read_back(bench: Open) -> None:
    opened = bench()
    opened.done("Pem;2", "Sis", "Pmc;h", "Pmt;1;1", "Ss", "Dm;1;B6210^WANG/FANG^2812220", "Dm;2;6210=2812220", "Smw")
    assert opened.ask("Smr;1") == b"\x06B6210^WANG/FANG^2812220\r"
    assert opened.ask("Smr;2") == b"\x066210=2812220\r"
    assert opened.ask("Smr;3") == b"\x06\r", "a blank track"
    opened.done("Se")
    stripe = StripeFile(opened.body.directory / "output" / "chip-01.card").read()
    assert (stripe.text(2), stripe.coercivity) == ("6210=2812220", "high")
    assert opened.cards("output") == ["chip-01.card", "chip-01.stripe"]


def test_a_text_may_have_semicolons_where_the_track_takes_them(bench: Open) -> None:
    opened = bench()
    opened.done("Dm;1;A;B", "Smw")
    assert opened.ask("Smr;1") == b"\x06A;B\r"


def test_tracks_may_be_read_apart(bench: Open) -> None:
    opened = bench(read_apart=True)
    opened.done("Dm;2;6210", "Smw", "Smr;2")
    assert opened.ask("Rmb;2") == b"\x066210\r"


@pytest.mark.parametrize(
    ("error", "answer"),
    [(PrinterError.WRITE, b"\x15W"), (PrinterError.CHECKSUM, b"\x15K"), (PrinterError.DATA, b"\x15D")],
)
def test_faults_of_the_encoder(bench: Open, error: PrinterError, answer: bytes) -> None:
    opened = bench()
    opened.done("Pem;2", "Dm;2;6210")
    opened.printer.encoder.next_error = error
    assert opened.ask("Smw") == answer
    assert opened.words == error.words
    opened.done("Dm;2;6210", "Smw")
    assert opened.ask("Smr;2") == b"\x066210\r", "it stops nothing"


def test_a_weak_field_does_not_write_a_stripe_of_high_coercivity(bench: Open) -> None:
    opened = bench()
    opened.done("Dm;2;6210", "Pmc;l")
    assert opened.ask("Smw") == b"\x15W"
    assert opened.ask("Smr;2") == b"\x06\r"
    low = bench(stripe="low")
    low.done("Dm;2;6210", "Pmc;l", "Smw")


def test_a_track_of_another_format_or_density_is_not_readable(bench: Open) -> None:
    opened = bench()
    opened.done("Dm;2;6210", "Smw", "Pmd;2;210")
    assert opened.ask("Smr;2") == b"\x15D"
    opened.done("Pmd;2;75", "Pmt;2;1")
    assert opened.ask("Smr;2") == b"\x15D"
    opened.done("Pmt;2;2")
    assert opened.ask("Smr;2") == b"\x066210\r"


def test_the_printer_wants_to_be_cleaned(bench: Open) -> None:
    opened = bench(clean_every=2)
    opened.done("Sis", "Se", "Sis")
    assert opened.ask("Rco;c") == b"\x062\r"
    opened.done("Se")
    assert opened.words == "NEED CLEANING"
    opened.printer.clean()
    opened.done("Scs")
    assert (opened.words, opened.ask("Rco;c")) == ("OK", b"\x060\r")


def test_counters_ribbon_and_the_card_inside_outlast_the_process(bench: Open) -> None:
    first = bench()
    first.done("Sis", "Se", "Sis")
    second = bench()
    assert (second.ask("Rco;i"), second.ask("Rco;c")) == (b"\x062\r", b"\x062\r")
    assert (second.body.place, second.body.card and second.body.card.name) == (BodyPlace.CHIP, "chip-02.card")
    assert second.reader.wait_for_card(0), "the card lies under the contacts still"
    second.done("Ser")
    assert (second.cards("output"), second.cards("reject")) == (["chip-01.card"], ["chip-02.card"])


def test_a_record_of_another_machine_is_a_fault(bench: Open) -> None:
    opened = bench()
    opened.body.record.settings = {"printed": "many"}
    opened.body.save()
    with pytest.raises(ReaderFault, match="is no record of a machine"):
        bench()


def test_what_cannot_be_written_down_is_a_time_out(bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = bench()

    def full() -> None:
        raise ReaderFault("writing machine.json: no space left")

    monkeypatch.setattr(opened.printer.settings, "save", full)
    assert opened.ask("Rfv") == b"\x15T"
    monkeypatch.undo()
    assert opened.ask("Rfv") == b"\x061846\r"
