"""Blank chips: every command says the same of the stock, and blanks that no delivery booked give a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from membercard.commands.issuing.stock import shortage_warning
from membercard.language import Language, choose
from registry.values import StockAccounts
from tests.support.cli import Cli, Done, IssuerDirectory, csv_form

FED = "blank chips received 0 = verified 2 + rejected 0 + in reader 0 + left -2   ✗ NOT BALANCED"
WARNING = "warning: 2 of the 2 blank chips fed are in no delivery; count the blanks and book them with: membercard"
WARNING_ZH = "警告：已送入的 2 张空白卡中有 2 张没有入库记录；请清点空白卡并登记：membercard stock receive 数量"
CHECKED = ("0 blanks are booked", "nothing is printed", "a reader without", "digest")
SHORTAGE = "warning: 2 cards are to be made and 0 blank chips are booked as left"


@pytest.fixture(scope="module")
def unbooked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, str, Done]:
    """An issuer whose blanks nobody booked, its batch, and the run that made it."""
    root: Path = tmp_path_factory.mktemp("unbooked")
    cli = Cli(root / "data")
    cli.set_up()
    form = csv_form(root / "form.csv", 2)
    batch = cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", 2)
    run = ("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    assert cli.ok(*run, "--check", "--json").json["refused"] is False
    shown = cli.ok(*run, "--check")
    assert [line in " ".join(shown.out.split()) for line in CHECKED] == [True] * len(CHECKED)
    return cli, batch, cli.ok(*run)


def test_a_run_warns_before_it_takes_blanks_that_were_never_booked(unbooked: tuple[Cli, str, Done]) -> None:
    ran = unbooked[2]
    assert SHORTAGE in ran.err
    assert "警告" not in ran.err
    assert ran.err.index(SHORTAGE) < ran.err.index("verified")


def test_run_show_and_report_say_the_same_of_the_stock(unbooked: tuple[Cli, str, Done]) -> None:
    cli, batch, ran = unbooked
    for done in (ran, cli.ok("batch", "show", batch), cli.ok("batch", "report", batch)):
        assert FED in done.out
        assert WARNING in done.err
        assert "警告" not in done.err
    account = cli.run("stock", "show")
    assert account.status == 1
    assert WARNING in account.err


def test_a_warning_is_in_one_language(unbooked: tuple[Cli, str, Done]) -> None:
    cli, batch, _ = unbooked
    for words in (("batch", "show", batch), ("batch", "report", batch), ("stock", "show")):
        done = cli.run("--lang", "zh", *words)
        assert WARNING_ZH in done.err
        assert "warning" not in done.err


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (
            Language.CHINESE,
            "警告：待制 57 张卡，账面只剩 9 张空白卡；请登记入库：membercard stock receive 数量 --supplier-batch 批号",
        ),
        (
            Language.ENGLISH,
            "warning: 57 cards are to be made and 9 blank chips are booked as left; book deliveries with: membercard "
            "stock receive COUNT --supplier-batch NUMBER",
        ),
    ],
)
def test_a_shortage_is_named_in_one_language(chosen: Language, expected: str) -> None:
    choose(chosen)
    try:
        stock = StockAccounts(received=10, fed=1, verified=1, rejected=0, in_reader=0, foreign=0, left=9, balanced=True)
        assert shortage_warning(stock, 57) == expected
    finally:
        choose(None)


def test_json_has_the_account_and_the_html_report_the_warning(unbooked: tuple[Cli, str, Done]) -> None:
    cli, batch, _ = unbooked
    account = cli.run("stock", "show", "--json").json
    assert (account["received"], account["fed"], account["left"], account["balanced"]) == (0, 2, -2, False)
    assert cli.ok("batch", "show", batch, "--json").json["stock"] == account
    page = cli.data.parent / "report.html"
    cli.ok("batch", "report", batch, "--html", page)
    assert "2 of the 2 blank chips fed are in no delivery" in page.read_text("utf-8")


def test_booked_blanks_give_no_warning(home: IssuerDirectory) -> None:
    shown = home.cli.ok("batch", "show", home.done)
    assert "blank chips received 5 = verified 3 + rejected 0 + in reader 0 + left 2   ✓ balanced" in shown.out
    assert shown.err == ""


def test_an_empty_stock_is_not_mentioned(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    cli.set_up()
    batch = cli.ok("roster", "import", csv_form(tmp_path / "form.csv", 1), "--by", "clerk", "--json").json["batch"]
    shown = cli.ok("batch", "show", batch)
    assert "blank chips" not in shown.out + shown.err
