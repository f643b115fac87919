"""Filters with a count open exactly that many rows, and rejected rows come first."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date

import pytest

from reader_service.principal import Role
from registry.admin.plans import UnitPlan
from registry.values import AcceptedRow, KnownRow, RejectedRow
from tests.support.issuer import custody
from tests.support.registry.registrar import UNIT, approved, claimed, ready, row, rows
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.registry_rig import carded

CHOICE = re.compile(r'<a class="button small" href="([^"]+)"[^>]*>([^<]+) <span class="number">([0-9,]+)</span></a>')


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("filters"))
    with served.registry:
        fill(served)
        yield served


def fill(served: AccountsApp) -> None:
    """Batches in every state, one of them with rows of every kind."""
    registry = served.registry
    served.person("chef", Role.REGISTRAR, Role.REVIEWER)
    carded(registry, 4)
    ready(registry, custody(), 1, "d2", 10)
    running = ready(registry, custody(), 2, "d3", 20)
    claimed(registry, running, 20)
    approved(registry, rows(1, 30), "d4")
    registry.batches.discard(approved(registry, rows(1, 31), "d5"), "li", reason="重复")
    sent = registry.rosters.import_roster(UNIT, rows(1, 40), [], source="f", digest="d6", by="li").id
    registry.reviews.submit(sent, by="li")
    back = registry.rosters.import_roster(UNIT, rows(1, 41), [], source="f", digest="d7", by="li").id
    registry.reviews.submit(back, by="li")
    registry.reviews.give_back(back, by="wang", reason="缺照片")
    registry.members.withdraw(3, by="li", reason="退休")
    noted = AcceptedRow(80, 80, row(50).person, UNIT, ("PHONE_NORMALIZED",))
    returning = row(3)
    rejected = [RejectedRow(number, number, ("PHONE_MISSING",), "没有填写手机号码。", "孙*") for number in (90, 91, 92)]
    changed = row(1, name="欧阳新").person
    known = [
        KnownRow(95, 95, changed, UNIT, ("NAME_CHANGED",), "", True),
        KnownRow(96, 96, row(2).person, UNIT, ("UNCHANGED",), "", False),
    ]
    registry.rosters.import_roster(
        UNIT, [noted, returning, row(51)], rejected, source="f", digest="d8", by="li", known=known
    )
    registry.plans.put([UnitPlan(UNIT, "", 99, date(2026, 11, 1)), UnitPlan("乙", "", 9, date(2027, 1, 1))], by="li")


@pytest.fixture(scope="module")
def client(app: AccountsApp) -> Client:
    signed_in = app.signed_in("chef")
    signed_in.cookies.set("membercard-language", "en")
    return signed_in


def choices(page: str, part: str) -> dict[str, tuple[str, int]]:
    """Filters of one part of the page: address and count, by their words."""
    section = page[page.index(part) :]
    section = section[: section.index("</nav>")]
    return {text: (html.unescape(href), int(count)) for href, text, count in CHOICE.findall(section)}


def opened(client: Client, path: str, heading: str) -> int:
    page = client.get(path.partition("#")[0]).text
    table = page[page.index(heading) :].partition("<tbody>")[2].partition("</tbody>")[0]
    return table.count("<tr")


def test_a_batch_filter_opens_as_many_batches_as_it_says(client: Client, app: AccountsApp) -> None:
    filters = choices(client.get("/intake").text, 'id="batches-title"')
    assert {text: count for text, (_, count) in filters.items()} == {
        "All": 8,
        "Draft": 1,
        "Waiting for review": 1,
        "Returned": 1,
        "To prepare": 1,
        "Ready": 1,
        "Running": 1,
        "Done": 1,
        "Discarded": 1,
    }
    for text, (path, count) in filters.items():
        assert opened(client, path, 'id="batches-title"') == count, text
    by_state = {batch.state.value for batch in app.registry.batches.all()}
    assert by_state - {"draft"} <= set(app.registry.batches.state_counts())


def test_a_filter_of_rows_and_of_changes_opens_as_many_as_it_says(client: Client, app: AccountsApp) -> None:
    draft = next(batch for batch in app.registry.batches.all() if batch.rejected).id
    page = client.get(f"/intake/{draft}?only=all").text
    of_rows = choices(page, 'id="rows-title"')
    assert sorted(count for _, count in of_rows.values()) == [1, 1, 1, 3, 3, 8]
    for text, (path, count) in of_rows.items():
        assert opened(client, path, 'id="rows-title"') == count, text
    of_changes = choices(page, 'id="changes-title"')
    assert sorted(count for _, count in of_changes.values()) == [1, 1, 1, 2]
    for text, (path, count) in of_changes.items():
        assert opened(client, path, 'id="changes-title"') == count, text


def test_rejected_rows_come_first(client: Client, app: AccountsApp) -> None:
    draft = next(batch for batch in app.registry.batches.all() if batch.rejected).id
    first = app.registry.rosters.page(draft, None, 4, rejected_first=True)
    further = app.registry.rosters.page(draft, first.next, 4, rejected_first=True)
    numbers = [line.sheet_row for line in (*first.items, *further.items)]
    assert numbers == [90, 91, 92, 5, 53, 80, 95, 96]
    assert further.next is None
    assert client.get(f"/intake/{draft}").text.count("孙*") == 3


def test_late_units_are_opened_by_their_number(client: Client) -> None:
    page = client.get("/progress").text
    assert 'units=late#units-title">1</a>' in page
    for text, (path, count) in choices(page, 'id="units-title"').items():
        assert opened(client, path, 'id="units-title"') == count, text
