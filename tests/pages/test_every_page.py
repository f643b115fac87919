"""Every page in both languages: it opens, says what it is, obeys its policy, and everybody can use it (axe-core)."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from membercard.demo.station import EVERYTHING
from tests.support.service.pages import PAGES, TABLET, Served, Sessions, paths
from tests.support.thorough import in_turn

NAMES = [*PAGES, "waiting", "batch", "review", "edit", "member", "cards", "person"]
SERIOUS = ("serious", "critical")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def problems(page: Page) -> list[str]:
    """What axe-core finds grave, with the place."""
    page.evaluate(AXE_SCRIPT)
    violations = page.evaluate("axe.run({ resultTypes: ['violations'] }).then((results) => results.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {one['nodes'][0]['html'][:160]}"
        for one in violations
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize(("name", "language", "scheme"), in_turn(NAMES, [("zh", "light"), ("en", "dark")]))
def test_a_page_opens_speaks_its_language_and_is_accessible(
    sessions: Sessions, at: Served, name: str, language: str, scheme: str
) -> None:
    page = sessions.read_page(EVERYTHING, language, path=paths(at)[name], color_scheme=scheme)
    title = page.inner_text("h1")
    assert title
    assert page.get_attribute("html", "lang") == {"zh": "zh-CN", "en": "en"}[language]
    own_words = re.sub(r"[\w*]*\*+", "", title)
    assert bool(CHINESE.search(own_words)) == (language == "zh")
    assert page.locator("main h1").count() == 1
    assert problems(page) == []
    page.set_viewport_size(TABLET)
    wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= room, "it does not fit a tablet"


def test_the_sign_in_page_is_accessible_says_when_a_password_is_wrong_and_lets_in(
    sessions: Sessions, at: Served
) -> None:
    page, watch = sessions.open_page(EVERYTHING, path=None)
    page.context.clear_cookies()
    watch.expected |= {401, 422}
    page.goto("/login")
    assert problems(page) == []
    page.fill("input[name=name]", "nobody")
    page.fill("input[name=password]", "not the password")
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("[aria-invalid=true], .notice.bad, .error")
    assert page.url.endswith("/login")
    page.fill("input[name=name]", "reviewer")
    page.fill("input[name=password]", at.station.passwords["reviewer"].reveal().decode())
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/intake")
    page.click("button[name=language]")
    page.wait_for_selector("html[lang=en]")


def test_the_focus_stays_in_what_is_drawn_anew_and_a_message_is_read_out_each_time(sessions: Sessions) -> None:
    page, _ = sessions.open_page("operator", path=None)
    # What is drawn anew here is drawn by this test.
    silence = "retry: 60000\n\n"
    page.route("**/station/live", lambda route: route.fulfill(content_type="text/event-stream", body=silence))
    page.goto("/station")
    tile = page.locator("article.tile").first.get_attribute("id")
    page.focus(f"#{tile}-start")
    anew = f'<article id="{tile}"><button id="off" disabled>-</button><button id="next">-</button></article>'
    page.evaluate("(html) => import('/static/live.js').then(({ patch }) => patch(html))", anew)
    assert page.evaluate("document.activeElement.id") == "next"
    # A button that was pressed stays until its answer is there, or nobody would see it.
    page.evaluate("document.getElementById('next').classList.add('htmx-request')")
    page.evaluate("(html) => import('/static/live.js').then(({ patch }) => patch(html))", anew.replace("next", "last"))
    assert page.locator("#next").count() == 1
    page.evaluate(
        "const next = document.getElementById('next'); next.classList.remove('htmx-request');"
        " const detail = { xhr: new XMLHttpRequest() };"
        " next.dispatchEvent(new CustomEvent('htmx:afterRequest', { bubbles: true, detail }))"
    )
    assert page.evaluate("document.activeElement.id") == "last"
    announced = page.evaluate(
        """async () => {
          const { announce } = await import("/static/live.js");
          const heard = [];
          const place = document.getElementById("announce");
          new MutationObserver(() => place.textContent && heard.push(place.textContent))
            .observe(place, { childList: true });
          for (const text of ["once", "once"]) {
            const before = heard.length;
            announce(text);
            for (let turn = 0; turn < 200 && heard.length === before; turn += 1)
              await new Promise((done) => setTimeout(done, 25));
          }
          return heard;
        }"""
    )
    assert announced == ["once", "once"]


def test_every_page_is_reached_and_worked_by_keyboard(sessions: Sessions) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/audit")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/intake")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("dialog#keys").is_hidden()
    page.goto("/station")
    page.keyboard.press("B")  # caps lock changes nothing
    expect(page.locator("#begin")).to_be_focused()
