"""The scripted years: each comes to the figures that its script expects, and tells them in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from membercard import language, settings
from membercard.demo.programmes import scripts
from membercard.demo.programmes.clock import YearClock
from membercard.demo.programmes.report import Bar, BarPlot, Chapter, HeadFigure, Incident, ReportTable, YearReport
from membercard.language import Language
from tests.support.thorough import in_turn, repeats

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture
def _settings() -> Iterator[None]:
    yield
    language.choose(None)
    settings.activate(None)


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize(("name", "chosen"), in_turn(sorted(scripts.SCRIPTS), [(one,) for one in Language]))
def test_a_year_comes_to_what_its_script_expects(name: str, chosen: Language, tmp_path: Path) -> None:
    language.choose(chosen)
    report = scripts.run(name, tmp_path / "year", part=repeats(8, 1))
    assert report.unlike == []
    assert report.incidents
    assert {figure.value for figure in report.figures}.isdisjoint({"0", "0.00"})
    page = report.page(scripts.words())
    assert all(chapter.title in page for chapter in report.chapters)
    titles = " ".join(chapter.title for chapter in report.chapters)
    assert bool(CHINESE.search(titles)) == (chosen is Language.CHINESE)


def test_the_clock_of_a_year_never_goes_back() -> None:
    clock = YearClock(UTC, 2027)
    clock.at(3, 1, 12)
    first, second = clock(), clock()
    assert first < second < datetime(clock.year, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=1)
    with pytest.raises(ValueError, match="03-01 11:59"):
        clock.at(3, 1, 11, 59)


def test_a_report_escapes_what_people_typed_and_scales_its_bars() -> None:
    report = YearReport("<b>year</b>", "2027")
    report.figures.append(HeadFigure("cards", "3", "of <4>"))
    plot = BarPlot("by month", [Bar("01", 2, "two"), Bar("02", 4, "four", target=1)])
    table = ReportTable(["unit", "cards"], [("甲\u202e", "1"), ("total", "1")], total=True)
    report.chapters.append(Chapter("What members got", "lead", [table], [plot], ["a <point>"]))
    report.incidents.append(Incident("01-12", "torn", "by its log", "once"))
    page = report.page(scripts.words())
    assert "&lt;b&gt;year&lt;/b&gt;" in page
    assert "&lt;point&gt;" in page
    assert "\u202e" not in page
    assert (plot.scale, "width: 50.00%" in page, "left: 25.00%" in page) == (25, True, True)
    assert '<tr class="total"><td>total</td><td class="n">1</td></tr>' in page
    assert BarPlot("none", []).scale == 0


def test_what_is_not_as_expected_stands_in_the_report() -> None:
    report = YearReport("year")
    report.expect("cards", 3, 3)
    report.expect("uses", 4, 5)
    assert report.unlike == ["uses: 4 != 5"]
    assert "uses: 4 != 5" in report.page(scripts.words())
