"""Applications in one process share their routes and nothing else: each answers for its own service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import APIRouter
from websockets.asyncio.client import connect

from reader_service.access.settings import AccessSettings
from reader_service.app import api_document
from reader_service.principal import Role
from registry.errors import RegistryUnavailable
from tests.support.service.accounts import AccountsApp, Client, accounts_app, problem
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE

NAMES = ("anna", "boris")
ROUNDS = 12


@pytest.fixture
def rigs(tmp_path: Path) -> Iterator[list[AccountsApp]]:
    """Two services, each with an administrator of its own and a limit of one listener."""
    started = []
    for name in NAMES:
        directory = tmp_path / name
        directory.mkdir()
        rig = accounts_app(directory, AccessSettings(listeners=1))
        rig.person(name, *Role)
        started.append(rig)
    yield started
    for rig in started:
        rig.registry.close()


@pytest.fixture
def clients(rigs: list[AccountsApp]) -> list[Client]:
    return [rig.signed_in(name) for rig, name in zip(rigs, NAMES, strict=True)]


def test_requests_to_two_services_at_once_are_answered_by_their_own_registries(clients: list[Client]) -> None:
    def look(client: Client) -> list[tuple[list[str], list[bool]]]:
        seen = []
        for _ in range(ROUNDS):
            names = [user["name"] for user in client.get("/api/v1/users").json()["items"]]
            pages = [client.get(path).text for path in ("/users", "/audit", "/password")]
            seen.append((names, [name in text for name in NAMES for text in pages]))
        return seen

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(look, clients)
    assert first == [(["anna"], [True] * 3 + [False] * 3)] * ROUNDS
    assert second == [(["boris"], [False] * 3 + [True] * 3)] * ROUNDS


def test_who_is_signed_in_at_one_service_is_a_stranger_at_the_other(
    rigs: list[AccountsApp], clients: list[Client]
) -> None:
    cookie = {"membercard": clients[0].cookies["membercard"]}
    stranger = rigs[1].client()
    stranger.cookies.update(cookie)
    assert problem(stranger.get("/api/v1/users"))["code"] == "not-signed-in"
    assert stranger.get("/users").headers["location"].startswith("/login")
    clients[0].post(
        "/logout", data={"csrf": clients[0].headers["X-CSRF-Token"]}, headers={"Origin": "http://localhost"}
    )
    assert clients[0].get("/api/v1/users").status_code == 401
    assert clients[1].get("/api/v1/users").status_code == 200


def test_each_service_counts_its_own_requests(clients: list[Client]) -> None:
    clients[0].get("/api/v1/units")
    counted = 'membercard_requests_total{method="GET",route="/api/v1/units",status="200"} 1.0'
    assert [counted in client.get("/metrics").text for client in clients] == [True, False]


def test_each_service_is_ready_by_itself(rigs: list[AccountsApp], monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise RegistryUnavailable("away")

    monkeypatch.setattr(rigs[0].registry.users, "page", away)
    assert [rig.client().get("/health/ready").status_code for rig in rigs] == [503, 200]


def test_each_service_tells_its_events_to_its_own_listeners(rigs: list[AccountsApp]) -> None:
    tokens = [rig.token(Role.OPERATOR) for rig in rigs]

    async def listen(addresses: list[str]) -> list[str]:
        """The only place of each service is taken; each publishes an event with its own name."""
        sockets = [
            await connect(
                f"{address.replace('http', 'ws')}/api/v1/events",
                additional_headers={"Authorization": f"Bearer {token}"},
            )
            for address, token in zip(addresses, tokens, strict=True)
        ]
        for rig, name in zip(rigs, NAMES, strict=True):
            rig.service.bus.publish("reader.added", name, {})
        async with asyncio.timeout(PATIENCE):
            heard = [json.loads(await socket.recv()) for socket in sockets]
        for socket in sockets:
            await socket.close()
        return [event["topic"] for events in heard for event in events]

    with Web(rigs[0].app) as first, Web(rigs[1].app) as second:
        assert asyncio.run(listen([first.address, second.address])) == list(NAMES)


def test_a_route_that_one_application_adds_is_not_in_the_other(rigs: list[AccountsApp], clients: list[Client]) -> None:
    extra = APIRouter()

    @extra.get("/api/v1/extra")
    def more() -> dict[str, bool]:
        return {"extra": True}

    rigs[0].app.include_router(extra)
    assert [client.get("/api/v1/extra").status_code for client in clients] == [200, 404]
    assert "/api/v1/extra" not in api_document()["paths"]
    assert rigs[0].app.openapi() is rigs[1].app.openapi()
