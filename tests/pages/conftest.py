"""One seeded station and one service for all tests of the pages, and one browser for each file.

The browser's driver runs an event loop in this thread as long as it lives: tests of other rooms need the thread free.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from membercard.serve_demo import DemoStation, demo_station
from tests.support.pages import Desk, Served, chromium, served


@pytest.fixture(scope="session")
def station() -> Iterator[DemoStation]:
    """What `membercard serve --demo` opens, with cards that answer at once."""
    with demo_station(real_time=False) as made:
        yield made


@pytest.fixture(scope="session")
def at(station: DemoStation) -> Iterator[Served]:
    with served(station) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def _desk(browser: Browser, at: Served) -> Desk:
    return Desk(browser, at)


@pytest.fixture
def desk(_desk: Desk) -> Iterator[Desk]:
    """Whoever sits down is watched: a page that does what it must not do fails its test."""
    yield _desk
    assert _desk.rise() == []
