from __future__ import annotations

from personalize.machines.evolis.options import AnswerForm, EvolisOptions, parse_rest
from personalize.machines.evolis.panels import ChipSide, Compression, PanelSettings, PrinterRibbon


def test_options_have_defaults() -> None:
    assert parse_rest("tcp://192.168.1.20:9100") == ("tcp://192.168.1.20:9100", EvolisOptions())


def test_the_url_of_the_reader_inside_may_have_options_itself() -> None:
    _, options = parse_rest("/dev/ttyUSB1?rate=38400&reader=pcsc:Evolis%20IC?share=1%26deadline=9&answers=words")

    assert (options.rate, options.answers) == (38400.0, AnswerForm.WORDS)
    assert options.reader == "pcsc:Evolis IC?share=1&deadline=9"


def test_the_options_of_a_print_are_those_of_its_panels() -> None:
    _, options = parse_rest("x?ribbon=ymckok&levels=32&compress=all&contacts=back&encoder=1&gamma=1.2&turn-back=1")

    assert options.panels == PanelSettings(
        PrinterRibbon.YMCKOK, 32, Compression.ALL, ChipSide.BACK, stripe=True, gamma=1.2, turn_back=True
    )
