"""The station's work on pages: the queue moved and dated, blank chips booked, and counts in the navigation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from reader_service.principal import Role
from tests.support.registry.registrar import UNIT, approved, rows
from tests.support.service.accounts import AccountsApp, Client, accounts_app


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("workload"))
    with served.registry:
        for role in (Role.OPERATOR, Role.REVIEWER, Role.REGISTRAR, Role.AUDITOR):
            served.person(role.value, role)
        yield served


@pytest.fixture
def batches(app: AccountsApp) -> list[str]:
    return [approved(app.registry, rows(1, number), f"d{number}") for number in (1, 2)]


def enter(app: AccountsApp, name: str) -> Client:
    client = app.signed_in(name)
    client.cookies.set("membercard-language", "en")
    return client


def shown(page: str) -> list[str]:
    """The batches of the Station page in their order."""
    return re.findall(r'id="row-(B[0-9-]+)"', page)


def counts(page: str) -> dict[str, str]:
    places = re.findall(r'<a href="/(\w+)" data-key="g \w"[^>]*>(.*?)</a>', page, re.DOTALL)
    return {name: number[1] for name, inside in places if (number := re.search(r'to do">([0-9,]+)<', inside))}


def test_a_batch_is_moved_and_dated_and_marked_when_it_is_late(app: AccountsApp, batches: list[str]) -> None:
    operator = enter(app, "operator")
    first, second = batches
    assert shown(operator.get("/station").text) == [first, second]
    assert operator.post(f"/station/batches/{second}/up").status_code in (204, 303)
    assert shown(operator.get("/station").text) == [second, first]
    assert operator.post(f"/station/batches/{second}/up").status_code == 409
    today = app.clock().date()
    due = {"priority": "urgent", "due": (today - timedelta(days=1)).isoformat()}
    assert operator.post(f"/station/batches/{first}/place", data=due).status_code == 303
    page = operator.get("/station").text
    assert shown(page) == [first, second]
    assert f"Late: {due['due']}" in page
    assert "Urgent" in page
    assert f'value="{due["due"]}"' in operator.get(f"/station/batches/{first}").text
    for wrong in ({"priority": "x"}, {"priority": "low", "due": "soon"}):
        assert operator.post(f"/station/batches/{first}/place", data=wrong).status_code == 422
    auditor = enter(app, "auditor")
    assert f"/station/batches/{first}/up" not in auditor.get("/station").text
    assert auditor.post(f"/station/batches/{second}/down").status_code == 403


def test_blank_chips_are_booked_by_batch_of_the_supplier_and_the_alarm_ends(
    app: AccountsApp, batches: list[str]
) -> None:
    operator = enter(app, "operator")
    assert 'id="blanks-short"' in operator.get("/station").text
    assert "2 are missing" in operator.get("/station/stock").text
    assert 'id="blanks-short"' not in enter(app, "auditor").get("/station").text
    book = {"count": "5", "supplier_batch": "L-2026-17"}
    assert operator.post("/station/stock/deliveries", data=book).status_code == 303
    assert 'id="blanks-short"' not in operator.get("/station").text
    spoilt = {**book, "count": "4", "reason": "受潮"}
    assert operator.post("/station/stock/spoilt", data=spoilt).status_code == 303
    page = operator.get("/station/stock").text
    assert "4 chips written off, 1 are left" in page
    assert "1 are missing" in page
    assert operator.post("/station/stock/spoilt", data=spoilt).status_code == 409
    for wrong in ({"count": "x"}, {"count": "0"}, {"supplier_batch": " "}):
        assert operator.post("/station/stock/deliveries", data={**book, **wrong}).status_code == 422
    assert enter(app, "reviewer").post("/station/stock/deliveries", data=book).status_code == 403


def test_each_role_sees_what_it_has_to_do(app: AccountsApp, batches: list[str]) -> None:
    draft = app.registry.rosters.import_roster(UNIT, rows(1, 30), [], source="f", digest="d30", by="registrar").id
    assert counts(enter(app, "registrar").get("/intake").text) == {"intake": "1"}
    assert counts(enter(app, "reviewer").get("/intake").text) == {}
    app.registry.reviews.submit(draft, by="registrar")
    assert counts(enter(app, "registrar").get("/intake").text) == {}
    assert counts(enter(app, "reviewer").get("/intake").text) == {"intake": "1"}
    operator = enter(app, "operator")
    assert counts(operator.get("/station").text) == {"station": "2"}
    assert operator.get("/api/v1/waiting/counts").json() == {"station": 2}
    assert app.bearing(app.token(Role.OPERATOR)).get("/api/v1/waiting/counts").json() == {}
    assert counts(enter(app, "auditor").get("/audit").text) == {}


def test_the_api_has_the_queue_and_the_stock(app: AccountsApp, batches: list[str]) -> None:
    operator = app.signed_in("operator")
    first, second = batches
    placed = operator.request("PUT", f"/api/v1/queue/{second}", json={"priority": "urgent", "due": "2026-12-01"})
    assert placed.json() == {
        "batch_id": second,
        "priority": "urgent",
        "due": "2026-12-01",
        "first": True,
        "last": True,
    }
    assert [one["batch_id"] for one in operator.get("/api/v1/queue").json()] == [second, first]
    assert operator.post(f"/api/v1/queue/{first}/move", json={"direction": "up"}).status_code == 409
    assert operator.post("/api/v1/stock/deliveries", json={"count": 3, "supplier_batch": "A"}).json()["left"] == 3
    spoilt = {"count": 2, "supplier_batch": "A", "reason": "x"}
    assert operator.post("/api/v1/stock/spoilt", json=spoilt).json()["spoilt"] == 2
    stock = operator.get("/api/v1/stock").json()
    assert (stock["needed"], stock["short"], stock["deliveries"][0]["left"]) == (2, 1, 1)
