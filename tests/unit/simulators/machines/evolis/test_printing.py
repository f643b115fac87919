"""Print sequences: what is on the card afterwards, and what of the ribbon is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from simulators.machines.body import BodyFault
from simulators.machines.evolis.ribbon import Ribbon
from tests.unit.simulators.machines.evolis.conftest import PrinterBench

Open = Callable[..., PrinterBench]
LINES = 1016
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FULL_DYE = b"\xff" * 576_072


def compressed(first: int) -> bytes:
    """A panel k or o whose first line is black or white, and whose other lines are white."""
    return b"Dbc;k;2;1016;" + bytes((first,)) + bytes(1015)


def pixel(path: Path, x: int, y: int) -> object:
    with Image.open(path) as picture:
        return picture.getpixel((x, y))


def test_a_card_is_printed_on_both_sides(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k", 10))
    opened.done("Pem;2", "Sis", "Pr;k", "Ss", "Sr", compressed(0xFF), "Sv", b"Db;k;2;" + bytes(82_295) + b"\x01", "Se")
    assert opened.cards("output") == ["chip-01.back.png", "chip-01.card", "chip-01.front.png"]
    front, back = (opened.body.directory / "output" / f"chip-01.{side}.png" for side in ("front", "back"))
    assert [pixel(front, x, y) for x, y in ((0, 0), (0, 647), (1, 0))] == [BLACK, BLACK, WHITE]
    assert [pixel(back, x, y) for x, y in ((1015, 0), (1015, 1), (0, 0))] == [BLACK, WHITE, WHITE]
    assert (opened.ask("Rco;p"), opened.ask("Rco;i")) == (b"\x061\r", b"\x061\r"), "the card was inserted once"
    assert opened.printer.settings.ribbon == Ribbon("k", 8 * LINES)


def test_a_colour_card_takes_one_set_of_panels(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("ymcko", 3))
    opened.done("Pr;ymcko", "Ss", b"Db;y;128;" + FULL_DYE, b"Db;m;128;" + FULL_DYE, b"Db;c;128;" + bytes(576_072))
    opened.done(b"Dbc;k;2;1016;" + b"\xff" + bytes(1015), b"Dbc;o;2;1016;" + b"\xff" * 1016, "Se")
    front = opened.body.directory / "output" / "chip-01.front.png"
    assert [pixel(front, x, 300) for x in (0, 1, 1015)] == [BLACK, (255, 0, 0), (255, 0, 0)]
    assert pixel(front.with_name("chip-01.front-overlay.png"), 500, 500) == 255
    assert opened.printer.settings.ribbon == Ribbon("ymcko", 2 * 5 * LINES)


def test_the_first_panel_inserts_a_card(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"))
    opened.done("Ss")
    assert opened.body.card is None
    opened.done(compressed(0xFF))
    assert (opened.body.place, opened.body.record.fed) == ("head", 1)


def test_a_printed_card_can_still_be_rejected(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"))
    opened.done("Ss", compressed(0xFF), "Ser")
    assert opened.cards("reject") == ["chip-01.card", "chip-01.front.png"]
    assert opened.ask("Rco;p") == b"\x061\r"


def test_a_printer_that_prints_at_the_end(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"), at_end=True)
    opened.done("Sis", "Ss", compressed(0xFF))
    assert opened.body.place == "chip"
    opened.done("Se")
    assert opened.cards("output") == ["chip-01.card", "chip-01.front.png"]
    opened.done("Sis", "Ss", compressed(0xFF), "Ser")
    assert opened.cards("reject") == ["chip-02.card"], "a rejected card is not printed"
    opened.done("Ss", compressed(0xFF), "Sv", compressed(0xFF), "Se")
    assert opened.cards("output")[2:] == ["chip-03.back.png", "chip-03.card", "chip-03.front.png"]


@pytest.mark.parametrize("ribbon", [None, Ribbon.new("ymcko"), Ribbon.new("k", 0)], ids=["none", "another", "empty"])
def test_a_ribbon_that_is_not_there_is_an_error(bench: Open, ribbon: Ribbon | None) -> None:
    opened = bench(ribbon=ribbon)
    opened.done("Pem;2", "Pr;k", "Sis", "Ss")
    assert opened.ask(compressed(0xFF)) == b"\x15R"
    assert (opened.words, opened.ask("Se")) == ("ERROR RIBBON", b"\x15R")
    opened.done("Scs", "Ser")
    assert opened.cards("reject")[0] == "chip-01.card"


def test_a_panel_that_the_ribbon_does_not_have_is_an_error(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"))
    opened.done("Pem;2", "Ss")
    assert opened.ask(b"Db;y;128;" + FULL_DYE) == b"\x15R"


def test_a_ribbon_that_ends_in_a_panel_leaves_half_of_it_on_the_card(bench: Open) -> None:
    opened = bench(ribbon=Ribbon("ymcko", LINES + 100))
    opened.done("Pem;2", "Ss", b"Db;y;128;" + FULL_DYE)
    assert opened.ask(b"Db;m;128;" + FULL_DYE) == b"\x15R"
    front = opened.body.directory / "inside" / "chip-01.front.png"
    assert [pixel(front, x, 0) for x in (99, 100)] == [(255, 0, 0), (255, 255, 0)]
    opened.printer.settings.ribbon = Ribbon.new("ymcko")
    opened.done("Scs", "Se")
    printed = front.parents[1] / "output" / "chip-01.front.png"
    assert pixel(printed, 1015, 0) == (255, 0, 0), "the panel was in the memory still"


def test_a_rejected_card_takes_its_panels_with_it(bench: Open) -> None:
    opened = bench(ribbon=Ribbon("k", 0))
    opened.done("Pem;2", "Ss")
    assert opened.ask(compressed(0xFF)) == b"\x15R"
    opened.printer.settings.ribbon = Ribbon.new("k")
    opened.done("Scs", "Ser", "Sis", "Se")
    assert [name for name in opened.cards("output") if "png" in name] == []


def test_a_cover_that_opens_while_it_prints(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"), seconds=2.0)
    opened.done("Pem;2", "Ss")
    assert opened.ask(compressed(0xFF), 3.0) == b""
    opened.body.damage(BodyFault.COVER)
    assert opened.line.read(10.0) == b"\x15C"
    opened.body.repair()
    opened.done("Scs", "Se")
    assert opened.cards("output") == ["chip-01.card", "chip-01.front.png"]


@pytest.mark.parametrize(
    "panel",
    [
        b"Db;k;32;" + bytes(411_480),
        b"Dbc;k;2;1015;" + bytes(1015),
        b"Dbc;k;2;3;abcd",
        b"Dbc;y;2;1016;" + bytes(1016),
        b"Db;k",
    ],
    ids=["levels", "lines", "length", "dye", "fields"],
)
def test_a_panel_that_is_none_is_refused_and_nothing_moves(bench: Open, panel: bytes) -> None:
    opened = bench(ribbon=Ribbon.new("k"))
    opened.done("Ss")
    assert opened.ask(panel) == b"\x152"
    assert opened.body.card is None


def test_a_panel_outside_a_sequence_is_refused(bench: Open) -> None:
    opened = bench(ribbon=Ribbon.new("k"))
    assert opened.ask(compressed(0xFF)) == b"\x151"
    opened.done("Ss", "Srs")
    assert opened.ask(compressed(0xFF)) == b"\x151"
