"""`membercard figures`: the forms of a year, cards by unit and month."""

from __future__ import annotations

from tests.support.cli import IssuerDirectory

DAYS = ("--from", "2000-01-01", "--to", "2099-12-31")


def test_the_figures_of_a_year_in_each_form(home: IssuerDirectory) -> None:
    figures = home.cli.ok("figures", "year", *DAYS, "--json").json
    assert (figures["registered"], figures["cards"], figures["claims_paid"]) == (3, 0, 0)
    forms = ("all", "beijing", "centre")
    whole, beijing, centre = (home.cli.ok("figures", "year", *DAYS, "--form", one).out for one in forms)
    assert ("cards handed over" in beijing, "matters opened" in beijing) == (True, False)
    assert ("cards handed over" in centre, "matters opened" in centre) == (False, True)
    assert len(whole.splitlines()) == len(beijing.splitlines()) + 7
    refused = home.cli.run("figures", "year", *DAYS, "--form", "other")
    assert "the form is all, beijing or centre" in refused.err


def test_months_and_units_of_cards(home: IssuerDirectory) -> None:
    shown = home.cli.ok("figures", "coverage", "--from", "2026-01-15", "--to", "2026-03-01", "--json").json
    assert [one["month"] for one in shown["months"]] == ["2026-01", "2026-02", "2026-03"]
    assert home.cli.ok("figures", "benefits", *DAYS, "--json").json == []
