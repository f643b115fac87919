"""The page of the figures keeps its text and the figures of the benchmarks that were not run."""

import importlib
import inspect

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.page import with_section
from benchmarks.table import Row
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "figures.md").read_text("utf-8")
ROW = Row("a call", "2 ms against 1 ms", 2.0, "≤ 3", True)


def titles(page: str) -> list[str]:
    return [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]


def test_each_benchmark_has_a_section_of_the_page_and_a_run() -> None:
    assert tuple(titles(PAGE)) == BENCHMARKS
    for name in BENCHMARKS:
        assert all(
            parameter.default is not inspect.Parameter.empty
            for parameter in inspect.signature(
                importlib.import_module(f"benchmarks.bench_{name}").run
            ).parameters.values()
        )


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_section_is_replaced_and_nothing_else(name: str) -> None:
    written = with_section(PAGE, name, [ROW], "Measured today.", BENCHMARKS)
    before, _, rest = PAGE.partition(f"## {name}\n")
    after = rest.partition("\n## ")[2]
    assert written.startswith(before)
    assert written.rstrip().endswith(after.rstrip())
    assert "| a call | 2 ms against 1 ms | 2 | ≤ 3 | ✓ |\n\nMeasured today." in written
    assert with_section(written, name, [ROW], "Measured today.", BENCHMARKS) == written


def test_a_page_begins_with_one_section_and_further_ones_stand_in_order() -> None:
    page = with_section("# Figures\n", "tlv", [ROW], "Measured today.", BENCHMARKS)
    page = with_section(page, "start", [ROW], "Measured today.", BENCHMARKS)
    assert (page[:10], titles(page)) == ("# Figures\n", ["start", "tlv"])
