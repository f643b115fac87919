"""Tables fit the terminal without parted words."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from membercard import output
from membercard.tables import wrapped

ROWS = [
    (
        "B20261122-001",
        "石家庄铁道大学工会后勤服务集团饮食服务中心第一分会",
        "running",
        "Wang Xiaoming (unproven)",
        1204,
    ),
    ("B20261122-002", "Federation of Provincial Telecommunications Engineering", "done", "李娜", 3),
]
COLUMNS = ("batch", "unit", "state", "imported by", "rows")


def lines(width: int, columns: tuple[str, ...] = COLUMNS, rows: list[tuple[object, ...]] | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(output.table("Batches", columns, ROWS if rows is None else rows, right=("rows",)))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in printed.splitlines()]


@pytest.mark.parametrize("width", [160, 100, 80, 60, 40])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_parted(width: int) -> None:
    printed = lines(width)
    assert max(map(cell_len, printed)) <= width
    words = {word for line in printed for word in line.split()}
    for row in ROWS:
        for cell in row:
            wanted = [word for word in str(cell).split() if word.isascii()]
            assert set(wanted) <= words, (width, cell)


def test_a_table_that_is_too_wide_becomes_a_list_of_fields() -> None:
    printed = lines(40)
    assert "batch        B20261122-001" in printed
    assert "imported by  李娜" in printed


def test_a_table_with_room_keeps_each_row_on_one_line() -> None:
    assert sum("B20261122" in line and "1204" in line for line in lines(160)) == 1


def test_chinese_is_parted_between_characters_but_not_before_punctuation() -> None:
    assert wrapped(Text("名单已过时，请更新"), 10).plain == "名单已过\n时，请更新"
    assert wrapped(Text("见 membercard 命令"), 12).plain == "见\nmembercard\n命令"


def test_brackets_and_colours_of_a_cell_stay() -> None:
    assert wrapped(Text("[red] text that is long", "green"), 10).style == "green"
    assert any("[Lane 1]" in line for line in lines(80, ("reader",), [("[Lane 1]",)]))
