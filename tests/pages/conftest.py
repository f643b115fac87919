"""One seeded station, one service and one browser for all tests of the pages."""

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def _desk(browser: Browser, at: Served) -> Desk:
    return Desk(browser, at)


@pytest.fixture
def desk(_desk: Desk) -> Iterator[Desk]:
    """Whoever sits down is watched: a page that does what it must not do fails its test."""
    yield _desk
    assert _desk.rise() == []
