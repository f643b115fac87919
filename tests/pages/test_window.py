"""The window's page in Chromium, with a reader in counter mode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

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
