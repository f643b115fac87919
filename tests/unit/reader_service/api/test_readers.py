"""Readers, lanes, verdicts and the developer's tools over HTTP, with virtual cards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from reader_service.api.developer import ExchangeResponse
from reader_service.api.verify import MemberFactsResponse, VerdictResponse
from reader_service.principal import Role
from reader_service.readers.values import ReaderView
from reader_service.services.issuing.lane_status import LaneStatus
from tests.support import issuer
from tests.support.service.accounts import problem
from tests.support.service.reader_app import ReaderApp
from tests.support.waiting import eventually


@pytest.fixture
def here(tmp_path: Path) -> Iterator[ReaderApp]:
    app = ReaderApp(tmp_path)
    yield app
    app.close()


def documented(sent: dict[str, Any], model: type) -> None:
    """A response written by hand has the fields of the documented type, and values that fit it."""
    adapter = TypeAdapter(model)
    assert set(sent) == set(adapter.json_schema(mode="serialization")["properties"])
    adapter.validate_json(json.dumps(sent), strict=True)


def test_readers_are_listed_named_and_leased(here: ReaderApp) -> None:
    operator, other = here.client_as(Role.OPERATOR), here.client_as(Role.COUNTER)
    shown = {reader["id"]: reader for reader in operator.get("/readers").json()}
    assert list(shown) == ["counter", "lane-1", "lane-2"]
    assert (shown["counter"]["state"], shown["counter"]["drawer"], shown["counter"]["lease"]) == ("empty", True, None)
    named = operator.request("PATCH", "/readers/counter", json={"name": "Window 3"})
    assert (named.json()["name"], operator.get("/readers/counter").json()["name"]) == ("Window 3", "Window 3")
    assert problem(other.request("PATCH", "/readers/counter", json={"name": "x"}))["code"] == "forbidden"
    assert problem(operator.get("/readers/nothing"))["code"] == "not-found"

    lease = operator.post("/readers/counter/lease", json={"seconds": 30})
    assert lease.status_code == 201
    held = problem(other.post("/readers/counter/lease", json={}))
    assert (held["status"], held["code"], "operator" in held["params"]["holder"]) == (409, "lease-held", True)
    token = {"Lease-Token": lease.json()["token"]}
    assert problem(operator.request("PUT", "/readers/counter/lease", json={}))["fields"].keys() == {"lease-token"}
    assert operator.request("PUT", "/readers/counter/lease", json={"seconds": 60}, headers=token).status_code == 200
    wrong = {"Lease-Token": "x"}
    assert problem(operator.delete("/readers/counter/lease", headers=wrong))["code"] == "lease-lost"
    assert lease.json()["token"] not in other.get("/readers").text
    assert operator.delete("/readers/counter/lease", headers=token).status_code == 204
    assert other.post("/readers/counter/lease", json={}).status_code == 201
    assert problem(operator.post("/readers/counter/lease", json={"seconds": 601}))["fields"].keys() == {"seconds"}


def test_lanes_make_cards_and_the_counter_knows_them(here: ReaderApp, tmp_path: Path) -> None:
    operator, counter = here.client_as(Role.OPERATOR), here.client_as(Role.COUNTER)
    developer = here.client_as(Role.DEVELOPER)
    batch_id = issuer.prepared(here.registry, 2, tmp_path)
    wanted = {"batch": batch_id, "readers": ["lane-1", "lane-2"]}
    assert problem(operator.post("/lanes", json={**wanted, "readers": ["lane-1", "nothing"]}))["code"] == "not-found"
    started = operator.post("/lanes", json=wanted)
    assert (started.status_code, [lane["batch"] for lane in started.json()]) == (201, [batch_id] * 2)
    assert eventually(lambda: here.registry.batches.batch(batch_id).verified == 2)
    for lane in ("lane-1", "lane-2"):
        assert operator.post(f"/lanes/{lane}/stop").status_code in (200, 404)
    assert eventually(lambda: all(lane["state"] == "ended" for lane in operator.get("/lanes").json()))
    assert [(lane["ok"], lane["last"]["outcome"]) for lane in operator.get("/lanes").json()] == [(1, "verified")] * 2
    documented(operator.get("/lanes").json()[0], LaneStatus)
    documented(operator.get("/readers/lane-1").json(), ReaderView)
    for step in ("pause", "resume"):
        assert problem(operator.post(f"/lanes/lane-1/{step}"))["code"] == "not-found"

    cards = developer.get("/developer/drawer").json()
    assert developer.post("/developer/readers/counter/insert", json={"name": cards[0]["name"]}).status_code == 200
    token = {"Lease-Token": counter.post("/readers/counter/lease", json={}).json()["token"]}
    verdict = counter.post("/verify", json={"reader": "counter"}, headers=token).json()
    assert (verdict["verdict"], verdict["proven"], verdict["lists"]["live"]) == ("ACTIVE", "offline dynamic", True)
    assert verdict["member"]["card_number"].count("*") > 4
    documented(verdict, VerdictResponse)
    documented(verdict["member"], MemberFactsResponse)
    assert problem(counter.post("/verify", json={"reader": "counter"}))["code"] == "lease-lost"
    assert counter.get("/verify/lists").json()["trust_current"] is True
    counter.delete("/readers/counter/lease", headers=token)

    assert counter.request("PUT", "/readers/counter/counter", json={"on": True}).status_code == 204
    assert counter.get("/readers/counter").json()["mode"] == "counter"
    assert counter.post("/verify", json={"reader": "counter"}).json()["verdict"] == "ACTIVE"
    assert counter.request("PUT", "/readers/counter/counter", json={"on": False}).status_code == 204
    developer.post("/developer/readers/counter/eject")
    token = {"Lease-Token": counter.post("/readers/counter/lease", json={}).json()["token"]}
    out = problem(counter.post("/verify", json={"reader": "counter"}, headers=token))
    assert (out["status"], out["code"], out["params"]["code"]) == (409, "reader-out", "no-card")


def test_a_developer_sends_commands_to_a_card_and_sees_their_meaning(here: ReaderApp) -> None:
    developer = here.client_as(Role.DEVELOPER)
    token = {"Lease-Token": developer.post("/readers/lane-1/lease", json={}).json()["token"]}
    atr = developer.post("/developer/readers/lane-1/connect", json={}, headers=token).json()["atr"]
    assert bytes.fromhex(atr)[0] in (0x3B, 0x3F)
    exchanges = developer.post(
        "/developer/readers/lane-1/apdu", json={"apdus": ["00A4040000", "80CA9F7F00"]}, headers=token
    ).json()
    assert [exchange["number"] for exchange in exchanges] == [1, 2]
    documented(exchanges[0], ExchangeResponse)
    assert (exchanges[0]["sw"], "SELECT" in exchanges[0]["meaning"]) == ("9000", True)
    assert developer.get("/developer/readers/lane-1/history", headers=token).json() == exchanges
    body = problem(developer.post("/developer/readers/lane-1/apdu", json={"apdus": ["00"]}, headers=token))
    assert body["fields"].keys() == {"apdus.0"}
    odd = problem(developer.post("/developer/readers/lane-1/apdu", json={"apdus": ["00A"]}, headers=token))
    assert odd["fields"].keys() == {"apdus.0"}
    assert developer.post("/developer/readers/lane-1/disconnect", headers=token).status_code == 204
    (counter,) = developer.post("/developer/decode", json={"data": "9F3602000A"}).json()
    assert (counter["tag"], counter["text"]) == ("9F36", "10")
    (value,) = developer.post("/developer/decode", json={"data": "000A", "tag": "9F36"}).json()
    assert value["text"] == "10"
    assert problem(developer.post("/developer/decode", json={"data": "9F36"}))["fields"].keys() == {"data"}
    assert developer.request("PUT", "/developer/readers/lane-1/trace", json={"on": True}).status_code == 204
    assert developer.request("PUT", "/developer/readers/lane-1/trace", json={"on": False}).status_code == 204


def test_virtual_cards_are_put_in_and_torn_out(here: ReaderApp) -> None:
    developer = here.client_as(Role.DEVELOPER)
    cards = developer.get("/developer/drawer").json()
    assert len(cards) == 2
    assert problem(developer.post("/developer/readers/lane-1/insert", json={"name": cards[0]["name"]}))["status"] == 409
    assert developer.post("/developer/readers/lane-1/eject").json()["state"] == "empty"
    inserted = developer.post("/developer/readers/counter/insert", json={"name": cards[0]["name"]})
    assert inserted.status_code == 200, inserted.text
    assert eventually(lambda: developer.get("/readers/counter").json()["state"] == "card")
    assert developer.post("/developer/readers/counter/tear").json()["state"] == "empty"
    assert problem(developer.post("/developer/readers/counter/tear"))["code"] == "conflict"
    assert problem(developer.post("/developer/readers/counter/insert", json={"name": "none"}))["code"] == "not-found"
    assert problem(developer.post("/developer/readers/counter/insert", json={"name": "../x"}))["code"] == "not-found"
    assert problem(here.client_as(Role.COUNTER).get("/developer/drawer"))["code"] == "forbidden"
    assert developer.post("/readers/counter/restart").status_code == 200


def test_a_reader_that_is_gone_is_forgotten_and_one_that_is_there_is_not(here: ReaderApp) -> None:
    operator = here.client_as(Role.OPERATOR)
    refused = problem(operator.delete("/readers/counter"))
    assert (refused["status"], refused["code"], refused["params"]["reason"]) == (409, "conflict", "there")
    here.service.readers._entries["counter"].shut = "the reader does not open"
    assert operator.delete("/readers/counter").status_code == 204
    assert problem(operator.delete("/readers/counter"))["code"] == "not-found"
    assert [reader["id"] for reader in operator.get("/readers").json()] == ["lane-1", "lane-2"]
