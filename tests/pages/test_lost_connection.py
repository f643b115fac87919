"""A page whose connection is lost says so where people look, also in an open dialog, and goes on once it is back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from membercard.demo.station import EVERYTHING
from tests.support.service.pages import Sessions, opener
from tests.support.waiting import eventually

LOST = {"zh": "连接已断开", "en": "connection to the local service is lost"}
FETCHED = [
    ("/station", "article.tile [hx-get]", "dialog#name", "#reader-name", "**/station/readers/*/name"),
    ("/progress", "[aria-label='修改省地质局工会的计划']", "dialog#plan", "#plan-group", "**/progress/plan?*"),
]


def seen(page: Page, selector: str) -> bool:
    """Whether a person comes to see it and can reach it: neither hidden nor behind something else."""
    return eventually(
        lambda: page.locator(selector).evaluate(
            "(one) => { const { x, y, width, height } = one.getBoundingClientRect();"
            " return one.contains(document.elementFromPoint(x + width / 2, y + height / 2)); }"
        )
    )


@pytest.mark.parametrize(("path", "press", "dialog", "field", "address"), FETCHED)
def test_a_dialog_whose_contents_do_not_arrive_says_so_and_fills_itself_later(
    sessions: Sessions, path: str, press: str, dialog: str, field: str, address: str
) -> None:
    page, watch = sessions.open_page(EVERYTHING, path=path)
    page.wait_for_load_state()
    watch.cut = True
    page.route(address, lambda route: route.abort())
    page.locator(press).first.click()
    expect(page.locator(f"{dialog} .notice.bad")).to_have_text("内容未能加载。")
    expect(page.locator(f"{dialog} [data-again]")).to_be_focused()
    expect(page.locator(f"{dialog} .loading")).to_have_count(0)
    page.unroute(address)
    page.keyboard.press("Enter")
    expect(page.locator(field)).to_be_focused()
    expect(page.locator("#connection")).to_be_hidden()


def test_a_dialog_fills_itself_when_the_connection_comes_back(sessions: Sessions) -> None:
    page, watch = sessions.open_page(EVERYTHING, path="/progress")
    page.wait_for_load_state()
    watch.cut = True
    page.context.set_offline(True)
    page.locator(FETCHED[1][1]).click()
    expect(page.locator("dialog#plan #connection")).to_contain_text(LOST["zh"])
    page.context.set_offline(False)
    expect(page.locator("#plan-group")).to_be_focused()
    expect(page.locator("#connection")).to_be_hidden()


def elsewhere(route: Route) -> None:
    """The request for a reader that is gone: an address in the page would not outlast the next live update."""
    route.continue_(url=re.sub("readers/[^/]+", "readers/nowhere", route.request.url))


def test_a_reader_that_is_gone_is_named_as_that_in_the_dialog(sessions: Sessions) -> None:
    page, watch = sessions.open_page(EVERYTHING, path="/station")
    page.wait_for_load_state()
    watch.expected.add(404)
    page.route(FETCHED[0][4], elsewhere)
    page.locator("article.tile [hx-get]").first.click()
    expect(page.locator("dialog#name .notice.bad")).to_be_visible()
    expect(page.locator("dialog#name .loading")).to_have_count(0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_banner_of_a_lost_connection_is_in_front_of_an_open_dialog(sessions: Sessions, language: str) -> None:
    page, watch = sessions.open_page(EVERYTHING, language, path="/station")
    page.wait_for_load_state()
    watch.cut = True
    page.evaluate("document.dispatchEvent(new Event('htmx:sendError'))")
    page.route("**/station/**", lambda route: route.abort())
    expect(page.locator("#connection")).to_contain_text(LOST[language])
    for dialog in ("stop-all", "keys"):
        page.locator(opener(dialog)).first.click()
        page.evaluate("document.dispatchEvent(new Event('htmx:sendError'))")
        expect(page.locator(f"dialog#{dialog} #connection")).to_be_visible()
        assert seen(page, "#connection")
        page.keyboard.press("Escape")
        expect(page.locator("body > #notices + #messages")).to_have_count(1)


def test_a_form_that_could_not_be_sent_stays_with_its_text_and_takes_effect_once_sent_again(sessions: Sessions) -> None:
    page, watch = sessions.open_page("administrator", "en", path="/users")
    page.wait_for_load_state()
    watch.cut = True
    page.click(opener("make-token"))
    page.fill("dialog#make-token input[name=label]", "till 11")
    page.check("dialog#make-token input[value=counter]")
    page.context.set_offline(True)
    page.click("dialog#make-token button[type=submit]")
    expect(page.locator("dialog#make-token #connection")).to_contain_text(LOST["en"])
    assert seen(page, "#connection")
    expect(page.locator("dialog#make-token input[name=label]")).to_have_value("till 11")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()
    page.click("dialog#make-token button[type=submit]")
    expect(page.locator("#once code")).to_contain_text("mc_")
    expect(page.locator("dialog#make-token")).to_be_hidden()


def test_a_refusal_is_shown_in_the_dialog_whose_text_it_is_about(sessions: Sessions) -> None:
    page, watch = sessions.open_page("administrator", path="/users")
    page.wait_for_load_state()
    watch.expected.add(409)
    page.click(opener("add"))
    page.fill("dialog#add input[name=name]", "operator")
    page.check("dialog#add input[value=counter]")
    page.click("dialog#add button[type=submit]")
    expect(page.locator("dialog#add #messages .notice.bad")).to_be_visible()
    assert seen(page, "#messages .notice.bad")
    expect(page.locator("dialog#add input[name=name]")).to_have_value("operator")
    page.keyboard.press("Escape")
    expect(page.locator("body > #messages .notice.bad")).to_be_visible()


def test_a_page_whose_script_does_not_arrive_offers_to_load_it_again(sessions: Sessions) -> None:
    page, watch = sessions.open_page(EVERYTHING, path=None)
    watch.cut = True
    held: list[Route] = []
    page.route("**/static/vendor/htmx*", lambda route: held.append(route) or route.abort())
    page.goto("/progress")
    expect(page.locator("#incomplete")).to_contain_text("未能加载")
    page.locator(opener("keys")).first.click()
    assert seen(page, "#incomplete")
    page.unroute_all()
    page.locator("#incomplete a").click()
    expect(page.locator("#incomplete")).to_be_hidden()
    assert held
    watch.faults[:] = [fault for fault in watch.faults if "htmx is not defined" not in fault]
