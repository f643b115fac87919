"""Pages on paper: A4 landscape, whole tables, the heading on each sheet, and nothing that can only be pressed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Page

from membercard.demo.station import EVERYTHING
from tests.support.service.pages import Served, Sessions, all_paths, paths
from tests.support.thorough import in_turn

MILLIMETRE = 72 / 25.4
A4_LANDSCAPE = (297, 210)
MARGIN = 12
"""Millimetres at the left and right; see print.css."""

PRINTED = (
    *("registry", "cards", "member", "intake", "batch", "progress", "units", "audit", "users", "person", "waiting"),
    *("station", "station batch", "counter", "developer"),
)
READ = ", ".join(
    (
        "h1",
        ".facts:visible > *",
        ".scroll:visible :is(th, td:not(:has(button, .button)))",
        *("table.sum > caption", "table.sum :is(th, td)", ".counts > div > *", ".batch .badge"),
        *(".tile :is(h2, .step)", ".readers .strong", "#verdict .word:visible"),
    )
)
"""What a page is printed for."""

CONTROLS = "button, .button:not([aria-current]), .places a, .tools a, dialog, textarea, [type=file], [type=search]"


def whole(text: str) -> str:
    """A text without its spaces and line breaks: on paper a line may end anywhere."""
    return "".join(text.split())


class Paper:
    """A printed page, read back."""

    def __init__(self, page: Page, path: Path) -> None:
        page.pdf(path=path, prefer_css_page_size=True)
        self._sheets = list(pypdfium2.PdfDocument(path))
        self._texts = [sheet.get_textpage() for sheet in self._sheets]

    @property
    def texts(self) -> list[str]:
        return [whole(text.get_text_range()) for text in self._texts]

    @property
    def sizes(self) -> set[tuple[int, int]]:
        """Width and height of the sheets, in millimetres."""
        sizes = (sheet.get_size() for sheet in self._sheets)
        return {(round(width / MILLIMETRE), round(height / MILLIMETRE)) for width, height in sizes}

    @property
    def right_edge(self) -> int:
        """Where what is farthest right ends, in whole millimetres from the left edge of the paper."""
        boxes = (ImageOps.invert(one).getbbox() for one in self._pictures)
        return max(box[2] for box in boxes if box) * A4_LANDSCAPE[0] // self._pictures[0].width

    @property
    def darkness(self) -> float:
        """The part of the first sheet that is dark."""
        histogram = self._pictures[0].histogram()
        return sum(histogram[:128]) / sum(histogram)

    @cached_property
    def _pictures(self) -> list[Image.Image]:
        return [sheet.render(scale=1).to_pil().convert("L") for sheet in self._sheets]


@pytest.mark.parametrize(("name", "language", "scheme"), in_turn(list(PRINTED), [("zh", "dark"), ("en", "light")]))
def test_a_page_is_printed_whole_on_a4_landscape_without_its_controls(
    sessions: Sessions, at: Served, tmp_path: Path, name: str, language: str, scheme: str
) -> None:
    path = "/registry?state=active" if name == "cards" else all_paths(at)[name]
    page = sessions.read_page(EVERYTHING, language, path=path, color_scheme=scheme)
    if name == "progress":
        page.wait_for_selector("#plots[data-drawn='6']")
    read = page.locator(READ).all_inner_texts()
    paper = Paper(page, tmp_path / "page.pdf")
    text = "".join(paper.texts)
    assert paper.sizes == {A4_LANDSCAPE}
    assert len(read) > (1 if name == "counter" else 5)
    assert [one for one in read if whole(one) not in text] == []
    assert paper.right_edge <= A4_LANDSCAPE[0] - MARGIN
    assert paper.darkness < 0.15, "dark on white, whatever the screen is"
    of = len(paper.texts)
    assert [text[: len(f"{at}/{of}")] for at, text in enumerate(paper.texts, 1)] == [
        f"{at}/{of}" for at in range(1, of + 1)
    ]
    page.emulate_media(media="print")
    assert page.locator(CONTROLS).filter(visible=True).all_inner_texts() == []


@pytest.mark.parametrize(("name", "rows"), [("registry", 200), ("progress", 80), ("audit", 300)])
def test_a_long_table_has_its_headings_on_each_sheet_and_loses_no_row(
    sessions: Sessions, at: Served, tmp_path: Path, name: str, rows: int
) -> None:
    page = sessions.read_page(EVERYTHING, path=paths(at)[name])
    table = page.locator(".scroll:visible table").first
    table.evaluate(
        """(table, rows) => {
          const body = table.tBodies[0];
          const first = body.rows[0];
          body.replaceChildren(...Array.from({ length: rows }, (_, at) => {
            const row = first.cloneNode(true);
            row.cells[1].textContent = `row ${at}.`;
            return row;
          }));
        }""",
        rows,
    )
    headings = [whole(one) for one in table.locator("th").all_inner_texts()]
    paper = Paper(page, tmp_path / "page.pdf")
    sheets = [text for text in paper.texts if "row" in text]
    assert len(sheets) > 2
    assert [[one for one in headings if one not in sheet] for sheet in sheets] == [[]] * len(sheets)
    text = "".join(sheets)
    assert [at for at in range(rows) if f"row{at}." not in text] == []


@pytest.mark.parametrize("name", ["registry", "batch", "progress", "audit", "users"])
def test_a_name_as_long_as_names_may_be_is_not_cut_at_the_edge(
    sessions: Sessions, at: Served, tmp_path: Path, name: str
) -> None:
    page = sessions.read_page(EVERYTHING, path=paths(at)[name])
    longest = "W" * 60 + "."
    cells = page.locator(".scroll:visible tbody tr:first-child").first.evaluate(
        """(row, text) => {
          const free = [...row.querySelectorAll("td:not(.nowrap, .number, :has(button)), td:has(a)")];
          for (const cell of free) (cell.querySelector("a") ?? cell).textContent = text;
          return free.length;
        }""",
        longest,
    )
    paper = Paper(page, tmp_path / "page.pdf")
    assert paper.right_edge <= A4_LANDSCAPE[0] - MARGIN
    assert "".join(paper.texts).count("W") >= 60 * cells


def test_the_paper_says_whose_data_it_shows_how_old_they_are_and_by_which_filter(
    sessions: Sessions, at: Served, tmp_path: Path
) -> None:
    page = sessions.read_page(EVERYTHING, path="/audit?actor=registrar&action=card.")
    text = Paper(page, tmp_path / "page.pdf").texts[0]
    assert f"会员卡服务站·站点：demo·{EVERYTHING}·数据截至20" in text
    assert "操作人:registrar" in text
    assert "对象" not in text.split("序号")[0], "an empty filter is left out"


def test_what_to_do_with_a_rejected_chip_is_printed_in_the_colour_of_the_text(sessions: Sessions) -> None:
    page = sessions.read_page(EVERYTHING, path="/station", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="light")
    order, text = page.locator(".tile").first.evaluate(
        """(tile) => {
          tile.querySelector(".now").outerHTML = '<div class="order bad"><p class="what">放入 2 号废卡盒</p></div>';
          return [tile.querySelector(".order"), document.body].map((one) => {
            const { color, backgroundColor } = getComputedStyle(one);
            return { color, backgroundColor };
          });
        }"""
    )
    assert order["color"] == text["color"]
    assert order["backgroundColor"] == "rgba(0, 0, 0, 0)"
