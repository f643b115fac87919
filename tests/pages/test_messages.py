"""Messages: a success is read out and leaves by itself, an error stays until somebody closes it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from membercard.demo.station import EVERYTHING
from tests.support.service.pages import Sessions, opener

STAYS = 10_000
"""Milliseconds; see messages.js."""
SUCCESS = "#messages .notice.ok"
ERROR = "#messages .notice.bad"


def with_message(sessions: Sessions, unit: str) -> Page:
    """A page that came with a success, and whose time is this test's: member 1 was moved to this unit."""
    page, _ = sessions.open_page(EVERYTHING, path=None)
    page.clock.install()
    page.goto("/registry/1")
    page.click(opener("transfer"))
    page.fill("#transfer [name=unit]", unit)
    page.fill("#transfer-reason", "moved")
    page.click("#transfer button.primary")
    expect(page.locator(SUCCESS)).to_be_visible()
    expect(page.locator("#announce")).not_to_be_empty()  # the scripts have run
    return page


def test_a_success_is_read_out_and_leaves_after_some_seconds(sessions: Sessions) -> None:
    page = with_message(sessions, "unit 1")
    text = page.locator(SUCCESS).inner_text()
    page.clock.run_for(STAYS - 1_000)
    assert page.inner_text("#announce") == text
    expect(page.locator(SUCCESS)).to_be_visible()
    page.clock.run_for(2_000)
    expect(page.locator(SUCCESS)).to_have_count(0)
    assert page.get_attribute("#messages", "aria-live") == "polite"


def test_a_success_stays_while_the_pointer_or_the_focus_is_on_it(sessions: Sessions) -> None:
    page = with_message(sessions, "unit 2")
    page.hover(SUCCESS)
    page.clock.run_for(5 * STAYS)
    expect(page.locator(SUCCESS)).to_be_visible()
    page.focus(f"{SUCCESS} [data-close]")
    page.mouse.move(5, 500)
    page.clock.run_for(5 * STAYS)
    expect(page.locator(SUCCESS)).to_be_visible()
    page.focus("main")
    page.clock.run_for(STAYS + 1_000)
    expect(page.locator(SUCCESS)).to_have_count(0)


def test_an_error_stays_until_it_is_closed_and_the_focus_goes_to_the_page(sessions: Sessions) -> None:
    page, watch = sessions.open_page(EVERYTHING, path=None)
    watch.expected.add(422)
    page.clock.install()
    page.goto("/registry/1")
    page.evaluate("htmx.ajax('POST', '/registry/1/transfer', {values: {unit: '', reason: 'x'}, source: document.body})")
    expect(page.locator(ERROR)).to_be_visible()
    page.clock.run_for(60 * STAYS)
    expect(page.locator(ERROR)).to_be_visible()
    page.click(f"{ERROR} [data-close]")
    expect(page.locator(ERROR)).to_have_count(0)
    expect(page.locator("main")).to_be_focused()


def test_a_message_is_seen_wherever_the_page_is_scrolled_to(sessions: Sessions) -> None:
    page = with_message(sessions, "unit 3")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(SUCCESS)).to_be_in_viewport(ratio=1)
