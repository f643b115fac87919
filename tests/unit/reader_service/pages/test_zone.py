"""Pages show times in the zone of the settings, and say which one it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reader_service.pages.words import LANGUAGES, words
from reader_service.principal import Role
from terminal.localtime import time_zone
from tests.support.service.page_app import PageApp, page_app

SHANGHAI = time_zone("Asia/Shanghai")
LATE = datetime(2026, 11, 22, 17, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageApp]:
    shared = page_app(tmp_path_factory.mktemp("pages"))
    service = shared.server.service
    service.parts = replace(service.parts, zone=SHANGHAI)
    with shared.server.registry:
        yield shared


def test_times_are_those_of_the_zone() -> None:
    t = words("en", SHANGHAI)
    assert (t.moment(LATE), t.clock(LATE), t.hour(LATE)) == ("2026-11-23 01:04", "01:04:05", "11-23 01:00")
    assert words("en").moment(LATE) == "2026-11-22 17:04"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_names_the_zone_with_its_offset(app: PageApp, language: str) -> None:
    name = f"person-{language}"
    client = app.server.signed_in(app.server.person(name, *Role))
    client.cookies.set("membercard-language", language)
    assert "Asia/Shanghai, UTC+08:00" in app.server.client().get("/login").text
    for path in ("/station", "/audit", "/users"):
        assert "Asia/Shanghai, UTC+08:00" in client.get(path).text, path


def test_the_days_of_the_audit_begin_at_midnight_of_the_zone(app: PageApp) -> None:
    app.server.clock.now = datetime(2026, 11, 25, 16, 30, tzinfo=UTC)
    client = app.server.signed_in(app.server.person("auditor", Role.AUDITOR))
    app.server.person("late")
    assert "user:late" in client.get("/audit?since=2026-11-26&until=2026-11-26").text
    assert "user:late" not in client.get("/audit?since=2026-11-25&until=2026-11-25").text
    assert client.get("/audit?since=0001-01-01").status_code == 422
