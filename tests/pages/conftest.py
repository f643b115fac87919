"""One seeded station for a whole run, one service for the tests of each process, and one browser for each file.

The browser's driver runs an event loop in this thread as long as it lives: tests of other rooms need the thread free.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from membercard.demo.station import DemoStation
from tests.support.service.pages import Served, Sessions, chromium, served
from tests.support.service.seeded_demo import copy_of_demo


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[DemoStation]:
    """What `membercard serve --demo` opens, with cards that answer at once."""
    own = tmp_path_factory.mktemp("pages")
    shared = tmp_path_factory.getbasetemp().parent if hasattr(request.config, "workerinput") else own
    with copy_of_demo(shared, own) as copy:
        yield copy


@pytest.fixture(scope="session")
def at(station: DemoStation) -> Iterator[Served]:
    with served(station) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def _sessions(browser: Browser, at: Served) -> Sessions:
    return Sessions(browser, at)


@pytest.fixture
def sessions(_sessions: Sessions) -> Iterator[Sessions]:
    """Pages by user. A page that does what it must not do fails its test."""
    yield _sessions
    assert _sessions.close_all() == []
