"""Every page on a phone, under a finger, and on a wide screen."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.sync_api import Page

from membercard.demo.station import EVERYTHING
from terminal.member.outcome import VerdictCode
from tests.support.service.page_app import verdict
from tests.support.service.pages import PHONE, TABLET, WIDE, Served, Sessions, all_paths
from tests.support.waiting import eventually

FINGER = 44
"""Least width and height of a control, in CSS pixels: WCAG 2.2, 2.5.5."""

OUTSIDE = """() => {
  const room = document.documentElement.clientWidth;
  const scrolls = ".scroll, .exchanges, .trace, .explained, .hidden-text, .skip";
  const beyond = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && !one.closest(scrolls)
    && (one.getBoundingClientRect().right > room + 1 || one.getBoundingClientRect().left < -1));
  const sideways = [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth + 1);
  const named = (one) => `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 40)}`;
  return [...beyond, ...sideways].map(named);
}"""
"""What is cut by the edge of the screen, and tables that have to be moved sideways."""

SPILLED = """() => [...document.querySelectorAll("#verdict *")].filter((one) => one.scrollWidth > one.clientWidth + 1
  && getComputedStyle(one).display !== "inline" && one.clientWidth).map((one) => one.outerHTML.slice(0, 80))"""
"""What is wider than the box it stands in."""

UNLABELLED = """() => [...document.querySelectorAll(".stacks tbody tr")].flatMap((row) => {
  const headings = [...row.closest("table").querySelectorAll("thead > tr > *")].map((one) => one.textContent);
  return [...row.cells].filter((cell, at) => cell.textContent.trim() && headings[at]
    && getComputedStyle(cell, "::before").content !== `"${headings[at]}" / ""`).map((cell) => cell.outerHTML);
})"""

SMALL = """(least) => {
  const controls = 'a[href], button, summary, select, textarea, input:not([type=hidden])';
  const measured = (root) => [...root.querySelectorAll(controls)]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .map((one) => one.matches("input") && one.closest("label") || one)
    .filter((one) => one.offsetWidth < least || one.offsetHeight < least)
    .map((one) => `${one.outerHTML.slice(0, 120)} ${one.offsetWidth} x ${one.offsetHeight}`);
  const found = measured(document);
  for (const menu of document.querySelectorAll("details")) menu.open = true;
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.showModal();
    found.push(...measured(dialog));
    dialog.close();
  }
  return [...new Set([...found, ...measured(document)])];
}"""


def on_every_page(page: Page, at: Served, *scripts: tuple[str, object]) -> dict[str, list[str]]:
    """What the scripts, each with its argument, find, by page; pages where they find nothing are left out."""
    breaches: dict[str, list[str]] = {}
    for name, path in all_paths(at).items():
        page.goto(path)
        if name == "progress":
            page.wait_for_selector("#plots[data-drawn]")
        breaches[name] = [place for script, argument in scripts for place in page.evaluate(script, argument)]
    return {name: places for name, places in breaches.items() if places}


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_a_phone_shows_every_page_without_moving_it_sideways(
    sessions: Sessions, at: Served, language: str, scheme: str
) -> None:
    page, _ = sessions.open_page(
        EVERYTHING, language, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme
    )
    assert on_every_page(page, at, (OUTSIDE, None)) == {}


def shows(page: Page, at: Served, code: VerdictCode) -> bool:
    """Whether the page shows a verdict, which is published again: the page may not have listened before."""
    shown = verdict(code, name="阿卜杜勒艾则孜·阿卜杜热合曼江", unit="广州市第一机械厂工会委员会" * 2)
    at.service.bus.publish("verdict", "counter", shown.to_json())
    return page.locator(f"#verdict[data-verdict='{code}']").is_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_phone_shows_every_verdict_without_moving_it_sideways(sessions: Sessions, at: Served, language: str) -> None:
    page, _ = sessions.open_page(
        EVERYTHING, language, path="/counter?reader=counter", viewport=PHONE, has_touch=True, is_mobile=True
    )
    page.wait_for_selector("#verdict[data-waits]")
    breaches = {}
    for code in VerdictCode:
        assert eventually(partial(shows, page, at, code), 0.1)
        breaches[code] = page.evaluate(OUTSIDE) + page.evaluate(SPILLED)
    assert {code: places for code, places in breaches.items() if places} == {}


def test_a_phone_shows_each_value_of_a_row_beside_the_heading_of_its_column(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, viewport=PHONE, path="/registry")
    assert page.locator(".stacks tbody td").count() > 50
    assert on_every_page(page, at, (UNLABELLED, None)) == {}
    page.goto("/registry")
    row = page.locator(".stacks tbody tr").first
    values = [cell.bounding_box() for cell in row.locator("td").all()]
    tops = [box["y"] for box in values if box]
    assert len(tops) == 7
    assert tops == sorted(set(tops)), "each value has a line of its own"


@pytest.mark.parametrize(("size", "mobile"), [(PHONE, True), (TABLET, False)])
def test_a_finger_hits_every_control(sessions: Sessions, at: Served, size: dict[str, int], mobile: bool) -> None:
    page, _ = sessions.open_page(EVERYTHING, viewport=size, has_touch=True, is_mobile=mobile)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    assert on_every_page(page, at, (SMALL, FINGER)) == {}


def test_a_mouse_keeps_rows_close_together(sessions: Sessions) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/audit")
    row = page.locator("table tbody tr").first.bounding_box()
    assert row
    assert row["height"] < FINGER


LONG_LINES = """(most) => [...document.querySelectorAll("main p, main .notice, main .hint")]
  .filter((one) => one.checkVisibility() && !one.closest(".verdict, .scroll")).flatMap((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    const widest = Math.max(...[...range.getClientRects()].map((line) => line.width));
    return widest > most ? [`${one.textContent.trim().slice(0, 60)}: ${widest}`] : [];
  })"""

NARROW_TABLES = """(least) => [...document.querySelectorAll(".scroll")]
  .filter((one) => one.checkVisibility() && !one.closest("details, .plot, .panel") && one.offsetWidth < least)
  .map((one) => `${one.getAttribute("aria-label")}: ${one.offsetWidth}`)"""


def test_a_wide_screen_is_used_for_tables_and_not_for_longer_lines(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, "en", viewport=WIDE)
    assert on_every_page(page, at, (NARROW_TABLES, 1200), (LONG_LINES, 720)) == {}
    for path in ("/registry", "/progress", "/audit", "/intake", "/registry/1"):
        page.goto(path)
        edges = [one.bounding_box() for one in page.locator("main > *").filter(visible=True).all()]
        assert max(box["x"] + box["width"] for box in edges if box) >= 1880
        assert min(box["x"] for box in edges if box) <= 40


def test_two_things_stand_beside_each_other_on_a_wide_screen_and_one_below_the_other_on_a_narrow_one(
    sessions: Sessions, at: Served
) -> None:
    page, _ = sessions.open_page(EVERYTHING, viewport=WIDE)
    for path in ("/intake", f"/intake/{at.station.draft}", "/registry/1", f"/station/batches/{at.station.prepared}"):
        page.goto(path)
        halves = page.locator(".beside > *")
        page.set_viewport_size(WIDE)
        left, right = (half.bounding_box() for half in halves.all())
        assert left
        assert right
        assert left["x"] + left["width"] < right["x"]
        assert left["y"] == right["y"]
        page.set_viewport_size(TABLET)
        above, below = (half.bounding_box() for half in halves.all())
        assert above
        assert below
        assert above["y"] + above["height"] < below["y"]
