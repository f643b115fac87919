"""Every page on a phone, under a finger, and on a wide screen."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page

from membercard.demo.station import EVERYTHING
from terminal.member.outcome import VerdictCode
from tests.support.service.page_app import verdict
from tests.support.service.pages import PHONE, TABLET, WIDE, Served, Sessions, all_paths
from tests.support.thorough import repeats
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

EDGES = """() => [...document.querySelectorAll("main > *")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.offsetWidth && one.offsetHeight)
  .map((one) => [one.getBoundingClientRect().left, one.getBoundingClientRect().right])"""
"""Where the parts of a page begin and end."""

TOUCH = {"has_touch": True, "is_mobile": True}

Look = tuple[str, dict[str, int], object]
"""A script that looks for something, the size of the screen, and the script's argument."""
Findings = dict[str, dict[str, Any]]
"""What was found, by what was looked for and by page."""
PHONE_LOOKS: dict[str, Look] = {
    "outside": (OUTSIDE, PHONE, None),
    "unlabelled": (UNLABELLED, PHONE, None),
    "small on a phone": (SMALL, PHONE, FINGER),
    "small on a tablet": (SMALL, TABLET, FINGER),
}
WIDE_LOOKS: dict[str, Look] = {
    "narrow tables": (NARROW_TABLES, WIDE, 1200),
    "long lines": (LONG_LINES, WIDE, 720),
    "edges": (EDGES, WIDE, None),
}


def walk(page: Page, at: Served, looks: dict[str, Look], every: int = 1) -> Findings:
    """Open every page, once for all looks, or each ``every``-th."""
    findings: Findings = {what: {} for what in looks}
    for name, path in list(all_paths(at).items())[::every]:
        page.set_viewport_size(next(iter(looks.values()))[1])
        page.goto(path)
        if name == "progress":
            page.wait_for_selector("#plots[data-drawn]")
        for what, (script, size, argument) in looks.items():
            page.set_viewport_size(size)
            findings[what][name] = page.evaluate(script, argument)
    return findings


def breaches(findings: Findings, what: str) -> dict[str, list[str]]:
    """Pages where nothing was found are left out."""
    return {name: places for name, places in findings[what].items() if places}


@pytest.fixture(scope="module")
def walks() -> dict[str, Findings]:
    """The walks through all pages that were made."""
    return {}


@pytest.fixture
def phone(sessions: Sessions, at: Served, walks: dict[str, Findings]) -> Findings:
    """Every page in Chinese, under a finger."""
    if "phone" not in walks:
        page, _ = sessions.open_page(EVERYTHING, viewport=PHONE, color_scheme="dark", **TOUCH)
        assert page.evaluate("matchMedia('(pointer: coarse)').matches")
        walks["phone"] = walk(page, at, PHONE_LOOKS)
    return walks["phone"]


def test_a_phone_shows_every_page_without_moving_it_sideways(phone: Findings) -> None:
    assert breaches(phone, "outside") == {}


def test_a_phone_shows_every_page_in_english_without_moving_it_sideways(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, "en", viewport=PHONE, color_scheme="light", **TOUCH)
    findings = walk(page, at, {"outside": PHONE_LOOKS["outside"]}, repeats(2, 1))
    assert breaches(findings, "outside") == {}


def shows(page: Page, at: Served, code: VerdictCode) -> bool:
    """Whether the page shows a verdict, which is published again: the page may not have listened before."""
    shown = verdict(code, name="阿卜杜勒艾则孜·阿卜杜热合曼江", unit="广州市第一机械厂工会委员会" * 2)
    at.service.bus.publish("verdict", "counter", shown.to_json())
    return page.locator(f"#verdict[data-verdict='{code}']").is_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_phone_shows_every_verdict_without_moving_it_sideways(sessions: Sessions, at: Served, language: str) -> None:
    page, _ = sessions.open_page(EVERYTHING, language, path="/counter?reader=counter", viewport=PHONE, **TOUCH)
    page.wait_for_selector("#verdict[data-waits]")
    findings = {}
    for code in VerdictCode:
        assert eventually(partial(shows, page, at, code), 0.02)
        findings[code] = page.evaluate(OUTSIDE) + page.evaluate(SPILLED)
    assert {code: places for code, places in findings.items() if places} == {}


def test_a_phone_shows_each_value_of_a_row_beside_the_heading_of_its_column(
    sessions: Sessions, phone: Findings
) -> None:
    assert breaches(phone, "unlabelled") == {}
    page, _ = sessions.open_page(EVERYTHING, viewport=PHONE, path="/registry")
    assert page.locator(".stacks tbody td").count() > 50
    row = page.locator(".stacks tbody tr").first
    values = [cell.bounding_box() for cell in row.locator("td").all()]
    tops = [box["y"] for box in values if box]
    assert len(tops) == 7
    assert tops == sorted(set(tops)), "each value has a line of its own"


@pytest.mark.parametrize("screen", ["phone", "tablet"])
def test_a_finger_hits_every_control(phone: Findings, screen: str) -> None:
    assert breaches(phone, f"small on a {screen}") == {}


def test_a_mouse_keeps_rows_close_together(sessions: Sessions) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/audit")
    row = page.locator("table tbody tr").first.bounding_box()
    assert row
    assert row["height"] < FINGER


def test_a_wide_screen_is_used_for_tables_and_not_for_longer_lines(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, "en", viewport=WIDE)
    findings = walk(page, at, WIDE_LOOKS)
    assert breaches(findings, "narrow tables") == {}
    assert breaches(findings, "long lines") == {}
    for name in ("registry", "progress", "audit", "intake", "member"):
        edges = findings["edges"][name]
        assert max(right for _, right in edges) >= 1880, name
        assert min(left for left, _ in edges) <= 40, name


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
