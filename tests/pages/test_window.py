"""The window's page in Chromium, with a reader in counter mode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from membercard.demo.station import EVERYTHING
from registry.members.wanted import UpdateKind, UpdateState
from terminal.member.presentation import NOT_HANDED_OVER
from tests.pages.test_every_page import problems
from tests.support.service.pages import TABLET, Served, Sessions, served
from tests.support.service.seeded_demo import copy_of_demo


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    own = tmp_path_factory.mktemp("window")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    with copy_of_demo(shared, own) as copy, served(copy) as running:
        yield running


@pytest.fixture
def sessions(browser: object, window: Served) -> Iterator[Sessions]:
    opened = Sessions(browser.started(), window)  # type: ignore[attr-defined]
    yield opened
    assert opened.close_all() == []


def shot(page: Page, name: str) -> None:
    """A picture for people, where they ask for one."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page: Page) -> bool:
    page.set_viewport_size(TABLET)
    wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(wide <= room)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_window_is_accessible_and_fits_a_tablet(sessions: Sessions, window: Served, language: str) -> None:
    page, _ = sessions.open_page("registrar", language, path="/registry/window")
    shot(page, f"window-{language}")
    assert problems(page) == []
    assert fits(page)


def test_a_card_of_a_box_is_refused_and_a_delivered_one_activated_by_keyboard(
    sessions: Sessions, window: Served
) -> None:
    chinese, _ = sessions.open_page(EVERYTHING, "zh", path="/counter?reader=counter")
    english, _ = sessions.open_page("counter", "en", path="/counter?reader=counter")
    slot = window.service.readers.slot("counter")
    slot.insert(window.station.slot_cards / "7-boxed.card")
    expect(chinese.locator("#verdict .word", has_text="未发放")).to_be_visible()
    expect(english.locator("#verdict .next", has_text=NOT_HANDED_OVER.next.en)).to_be_visible()
    shot(chinese, "boxed-zh")
    shot(english, "boxed-en")
    assert problems(chinese) == []
    assert chinese.locator("#activate").count() == 0
    slot.eject()
    slot.insert(window.station.slot_cards / "8-to-activate.card")
    where = "City service centre, Yuhua service centre; telephone 12351"
    expect(english.locator("#verdict .next", has_text=where)).to_be_visible()
    assert english.locator("#activate").count() == 0, "a counter without the setting activates nothing"
    expect(chinese.locator("#verdict .next", has_text="核对会员本人的身份证件后在此激活")).to_be_visible()
    expect(chinese.locator("#activate-now")).to_be_focused()
    shot(english, "activate-en")
    shot(chinese, "activate-zh")
    assert problems(chinese) == []
    chinese.keyboard.press("Enter")
    for page, counted in ((chinese, "此页已激活 1 张卡"), (english, "One card activated on this page")):
        expect(page.locator("#verdict")).to_have_attribute("data-verdict", "ACTIVE")
        expect(page.locator("#verdict")).to_contain_text(counted)
    shot(chinese, "activated-zh")
    shot(english, "activated-en")
    slot.eject()


@pytest.mark.parametrize(("language", "done"), [("zh", "卡内已更新：新密码"), ("en", "Changed on the card: new PIN")])
def test_a_member_types_a_new_pin_which_is_on_the_card_then(
    sessions: Sessions, window: Served, language: str, done: str
) -> None:
    slot = window.service.readers.slot("counter")
    slot.insert(window.station.slot_cards / "1-good.card")
    try:
        page, watch = sessions.open_page("registrar", language, path="/registry/window")
        watch.expected.add(422)
        page.fill("#pin", "2580")
        page.fill("#again", "2581")
        page.click("#change-pin button[type=submit]")
        expect(page.locator("#messages .notice.bad")).to_be_visible()
        page.fill("#pin", "2580")
        page.fill("#again", "2580")
        page.click("#change-pin button[type=submit]")
        expect(page.locator("#messages")).to_contain_text(done)
        (newest, *_) = window.service.registry.updates.page().items
        row = page.locator("tbody tr", has=page.locator("td.number", has_text=str(newest.id))).first
        expect(row.locator(".badge.ok")).to_be_visible()
        assert (newest.kind, newest.state) == (UpdateKind.PIN_CHANGE, UpdateState.DONE)
        shot(page, f"window-done-{language}")
    finally:
        slot.eject()
