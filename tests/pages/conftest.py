"""One seeded station for a whole run; one service and one browser for the tests of each process.

The browser's driver runs an event loop in this thread as long as it lives: tests of other rooms need the thread free.
So the browser ends before the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from membercard.demo.station import DemoStation
from tests.support.service.pages import Served, Sessions, chromium, served
from tests.support.service.seeded_demo import copy_of_demo


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[DemoStation]:
    """What `membercard serve --demo` opens, with cards that answer at once."""
    own = tmp_path_factory.mktemp("pages")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    with copy_of_demo(shared, own) as copy:
        yield copy


@pytest.fixture(scope="session")
def at(station: DemoStation) -> Iterator[Served]:
    with served(station) as running:
        yield running


class _SharedBrowser:
    """Chromium, from the first test that asks for it until it is closed."""

    def __init__(self) -> None:
        self._ending = ExitStack()
        self._running: Browser | None = None

    def started(self) -> Browser:
        if self._running is None:
            self._running = self._ending.enter_context(chromium())
        return self._running

    def close(self) -> None:
        self._running = None
        self._ending.close()


_SHARED = _SharedBrowser()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The fixtures have ended before."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _SHARED.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[_SharedBrowser]:
    """Closed also where a run is interrupted."""
    yield _SHARED
    _SHARED.close()


@pytest.fixture(scope="module")
def _sessions(browser: _SharedBrowser, at: Served) -> Iterator[Sessions]:
    opened = Sessions(browser.started(), at)
    yield opened
    opened.end()


@pytest.fixture
def sessions(_sessions: Sessions) -> Iterator[Sessions]:
    """Pages by user. A page that does what it must not do fails its test."""
    yield _sessions
    assert _sessions.close_all() == []
