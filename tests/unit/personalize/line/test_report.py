"""The batch's report with names as people and readers have them."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from personalize.line.report import BatchReport, collect, render
from registry.line.doubled import DoubledChip
from registry.line.machines import MachineAccount
from registry.values import Timing
from tests.support.cards.card_bench import Bench, fast_directory

AT = datetime(2026, 11, 22, 22, 5, tzinfo=timezone(timedelta(hours=8)))
NAMES = {
    "ACS $x_1$ 00": "ACS $x_1$ 00",
    r"$\frac{1}{": r"$\frac{1}{",
    "_hidden": "_hidden",
    "读卡器 1": "读卡器 1",
    "<script>x</script>": "&lt;script&gt;x&lt;/script&gt;",
    "{{ 7*7 }}": "{{ 7*7 }}",
    "lane\x1b[2J\u202e": r"lane\u001b[2J\u202e",
}


def timing(lane: str, seconds: float) -> Timing:
    return Timing("9000130000000000018", lane, "station", AT, seconds)


@pytest.fixture(scope="module")
def report() -> BatchReport:
    with fast_directory() as directory:
        bench = Bench(directory, 1)
        collected = collect(bench.registry, bench.batch)
        bench.registry.close()
    return collected


@pytest.mark.parametrize("lane", NAMES, ids=range(len(NAMES)))
def test_a_name_is_text_in_the_report_and_not_part_of_the_plot(report: BatchReport, lane: str) -> None:
    timings = [timing(lane, 1.5), timing("lane 2", 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = render([replace(report, timings=timings)], created_at=AT)
    plot = page[page.index("<svg") : page.index("</svg>")]
    assert f"</span> {NAMES[lane]}</td>" in page
    assert lane not in plot
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_report_has_its_date_with_the_offset(report: BatchReport) -> None:
    assert "Made 2026-11-22 22:05:00 +08:00." in render([report], created_at=AT)


def test_the_report_lists_the_serials_that_two_chips_have(report: BatchReport) -> None:
    assert "Serials that two chips have" not in render([report], created_at=AT)
    doubled = DoubledChip("4790<1>", "verified", "9000130000000000018", 2, AT.astimezone(UTC), "east, lane 2")
    page = render([replace(report, doubled=[doubled])], created_at=AT)
    assert "Serials that two chips have 两个芯片使用的序列号" in page
    assert "<code>4790&lt;1&gt;</code></td><td><code>9000130000000000018-02</code>" in page
    assert "<td>2026-11-22 22:05:00 +08:00</td><td>east, lane 2</td>" in page


def test_each_lane_has_the_colour_and_the_sign_of_its_dots(report: BatchReport) -> None:
    timings = [timing(f"lane {number}", 1) for number in range(1, 9)]
    lanes = replace(report, timings=timings).lanes
    assert len({(lane.colour, lane.sign) for lane in lanes}) == 8


def test_the_report_lists_what_each_machine_did_and_used(report: BatchReport) -> None:
    assert "Machines and what they used" not in render([report], created_at=AT)
    used = MachineAccount("east", "printer <2>", 40, 3, 1, 0, 43, 42, {"k": 2, "ymcko": 80})
    page = render([replace(report, machines=[used])], created_at=AT)
    assert "printer &lt;2&gt;" in page
    row = page[page.index("printer &lt;2&gt;") :].partition("</tr>")[0]
    assert re.findall(r'class="n">(\d+)<', row) == ["40", "3", "1", "0", "43", "42"]
    assert "k 2 · ymcko 80" in row
