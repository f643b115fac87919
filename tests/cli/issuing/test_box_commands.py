"""`membercard box`: a batch is boxed, ticked off by a scanner, closed, handed over, signed for, and taken back."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pypdfium2
import pytest

from tests.support.cli import Cli, csv_form


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str]:
    """An issuer with a batch of three finished cards."""
    root: Path = tmp_path_factory.mktemp("issued")
    cli = Cli(root / "data")
    cli.set_up()
    form = csv_form(root / "form.csv", 3)
    batch = cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", 3)
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    return cli, batch


def test_a_batch_goes_all_its_way_to_the_units_and_back(issued: tuple[Cli, str], tmp_path: Path) -> None:
    cli, batch = issued
    (box,) = cli.ok("box", "create", batch, "--by", "packer", "--json").json
    shown = cli.ok("box", "show", box["id"], "--json").json
    cards = [card["card_number"] for card in shown["cards"]]
    assert len(cards) == 3
    first = cli.ok("box", "tick", box["id"], cards[0], "--by", "packer")
    assert f"{cards[0]}-1: ticked off, 2 left" in first.out
    refused = cli.run("box", "close", box["id"], "--by", "packer")
    assert (refused.status, f"{cards[1]}-1, {cards[2]}-1 is missing" in refused.err) == (1, True)
    foreign = cli.run("box", "tick", box["id"], "6212269999999999999", cards[1], cards[2], "--by", "packer")
    assert (foreign.status, "put it aside" in foreign.err, "is complete" in foreign.out) == (1, True, True)
    closed = cli.ok("box", "close", box["id"], "--by", "packer", "--json").json
    assert (closed["step"], closed["cards"]) == ("close", 3)
    assert cli.ok("box", "places", batch, "--json").json["packed"] == 3
    cli.ok("box", "hand-over", box["id"], "--level", "district", "--to", "Zhao", "--by", "packer")
    wrong = cli.run("box", "hand-over", box["id"], "--level", "city", "--to", "Chen", "--by", "packer")
    assert "the next level is below that" in wrong.complaint
    cli.ok("box", "hand-over", box["id"], "--level", "unit", "--to", "Zhou", "--by", "packer")
    signed = ("box", "receipt", box["id"], "--signed-by", "Zhou", "--unsigned", "2", "--signed", "2", "--by", "packer")
    receipt = cli.ok(*signed, "--json").json
    assert (receipt["cards"], receipt["unsigned"]) == (3, 1)
    cli.ok("box", "return", "--box", box["id"], "--reason", "on leave", "--by", "packer")
    places = cli.ok("box", "places", batch, "--json").json
    assert (places["delivered"], places["stock"], sum(places.values())) == (2, 1, 3)
    steps = [(step["step"], step["undoable"]) for step in cli.ok("box", "steps", "--json").json]
    assert steps == [("return", True), ("receipt", False), ("hand-over", False), ("hand-over", False), ("close", False)]


def test_many_cards_take_a_step_and_it_is_undone(issued: tuple[Cli, str]) -> None:
    cli, batch = issued
    box = cli.ok("box", "create", batch, "--by", "packer", "--json").json[0]
    cards = [card["card_number"] for card in cli.ok("box", "show", box["id"], "--json").json["cards"]]
    move = cli.ok("box", "step", "pack", *cards, "--reason", "by hand", "--by", "packer", "--json").json
    done = cli.ok("--lang", "zh", "box", "undo", move["id"], "--reason", "wrong", "--by", "packer")
    assert f"装箱：已撤销，{len(cards)} 张卡恢复原状" in done.out
    cli.ok("box", "discard", box["id"], "--reason", "test", "--by", "packer")
    assert [one["id"] for one in cli.ok("box", "list", "--stage", "discarded", "--json").json] == [box["id"]]


def test_the_list_is_written_with_names_and_nobody_else_reads_it(issued: tuple[Cli, str], tmp_path: Path) -> None:
    cli, batch = issued
    box = cli.ok("box", "create", batch, "--by", "packer", "--json").json[0]["id"]
    for name, more in (("list.pdf", ()), ("list.xlsx", ()), ("labels.pdf", ("--labels",))):
        cli.ok("box", "list-sheet", box, tmp_path / name, *more, "--by", "packer")
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    text = pypdfium2.PdfDocument(tmp_path / "list.pdf")[1].get_textpage().get_text_range()
    assert "工会会员服务卡发放表" in text
    assert openpyxl.load_workbook(tmp_path / "list.xlsx").worksheets[0].cell(4, 3).value.startswith(box)
    assert "labels are a .pdf file" in cli.run("box", "list-sheet", box, tmp_path / "x.xlsx", "--labels").err
    cli.ok("box", "discard", box, "--reason", "test", "--by", "packer")
