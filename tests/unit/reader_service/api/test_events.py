"""Events to listeners: who hears what, resuming, falling behind, being signed out. Over a real server."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import websockets
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from reader_service import logs
from reader_service.access.settings import AccessSettings
from reader_service.api import events
from reader_service.events import Event, EventBus
from reader_service.http.middleware import API_POLICY
from reader_service.http.resource import still_in
from reader_service.pages import live
from reader_service.principal import Permission, Principal, Role
from tests.support.service.accounts import AccountsApp, accounts_app
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE

KINDS = [*events.MAY_HEAR, "something.new"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path_factory.mktemp("events"), AccessSettings(listeners=20))
    rig.person("admin", Role.ADMINISTRATOR, Role.OPERATOR)
    yield rig
    rig.registry.close()


@pytest.fixture(scope="module")
def web(rig: AccountsApp) -> Iterator[Web]:
    with Web(rig.app) as running:
        yield running


def listen(web: Web, token: str, query: str = "", **headers: str) -> connect:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(
        f"{web.address.replace('http', 'ws')}/api/v1/events{query}", additional_headers={**bearer, **headers}
    )


async def heard(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while len(events) < count:
            batch = json.loads(await socket.recv())
            assert isinstance(batch, list)
            events += batch
    return events


async def seated(web: Web, count: int) -> None:
    """Until so many listen."""
    async with asyncio.timeout(PATIENCE):
        while f"membercard_event_listeners {float(count)}" not in (await asyncio.to_thread(web.get, "/metrics")).text:
            await asyncio.sleep(0.01)


def may_hear(role: Role, kind: str) -> bool:
    permission = events.MAY_HEAR.get(kind)
    return permission is not None and Principal("somebody", frozenset({role})).may(permission)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_hears_what_it_may_see_and_nothing_else(rig: AccountsApp, web: Web, role: Role) -> None:
    bus = rig.service.bus
    expected = [kind for kind in KINDS if may_hear(role, kind)]

    async def run() -> list[str]:
        async with listen(web, rig.token(role), f"?after={bus.last_id()}") as socket:
            for kind in KINDS:
                bus.publish(kind, "r1", {"unit": "第一工会"})
            kinds = [event["kind"] for event in await heard(socket, len(expected))]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.1)
            return kinds

    assert asyncio.run(run()) == expected


def test_a_listener_that_reconnects_gets_what_it_missed_and_a_notice_of_a_gap(rig: AccountsApp, web: Web) -> None:
    bus, token = rig.service.bus, rig.token(Role.OPERATOR)
    last = bus.last_id()
    for number in range(3):
        bus.publish("lane.state", "lane", {"n": number})

    async def after(query: str, count: int) -> list[dict[str, Any]]:
        async with listen(web, token, query) as socket:
            return await heard(socket, count)

    missed = asyncio.run(after(f"?after={last}", 3))
    assert [event["data"]["n"] for event in missed] == [0, 1, 2]
    assert [event["data"]["n"] for event in asyncio.run(after(f"?after={missed[0]['id']}", 2))] == [1, 2]
    assert asyncio.run(after("?after=00000000-7", 1))[0]["kind"] == "gap"


def refused_with(web: Web, token: str, query: str = "", **headers: str) -> tuple[int, str]:
    """Status and code of the problem that comes instead of a WebSocket."""

    async def run() -> tuple[int, str]:
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with listen(web, token, query, **headers):
                pass
        answer = refused.value.response
        assert answer.headers["content-security-policy"] == API_POLICY
        assert answer.headers["content-type"] == "application/problem+json"
        body = json.loads(answer.body or b"")
        assert body["status"] == answer.status_code
        return int(answer.status_code), str(body["code"])

    return asyncio.run(run())


def test_nobody_listens_without_being_known_and_no_other_sites_page_with_a_cookie(rig: AccountsApp, web: Web) -> None:
    secret = rig.signed_in("admin").cookies["membercard"]
    cookie = f"membercard={secret}"
    assert refused_with(web, "") == (401, "not-signed-in")
    assert refused_with(web, "mc_" + "A" * 43) == (401, "not-signed-in")
    assert refused_with(web, "", Cookie=cookie, Origin="https://evil.example") == (403, "csrf")
    assert refused_with(web, rig.token(Role.OPERATOR), Host="evil.example") == (421, "wrong-host")
    assert refused_with(web, rig.token(Role.OPERATOR), "?after=nonsense") == (422, "invalid")
    assert refused_with(web, rig.token(Role.OPERATOR), "-of-nobody") == (404, "not-found")

    async def own_page() -> list[dict[str, Any]]:
        async with listen(web, "", f"?after={rig.service.bus.last_id()}", Cookie=cookie, Origin=web.address) as socket:
            rig.service.bus.publish("reader.state", "r1", {})
            return await heard(socket, 1)

    assert asyncio.run(own_page())[0]["topic"] == "r1"


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_address_of_a_websocket_and_what_it_hears_are_in_no_log(rig: AccountsApp, web: Web, level: str) -> None:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, before = root.handlers[:], root.level
    token = rig.token(Role.OPERATOR)

    async def run() -> None:
        async with listen(web, token, "?after=1-1&password=hunter2") as socket:
            await heard(socket, 1)
            rig.service.bus.publish("lane.state", "l", {"name": "hunter2"})
            await heard(socket, 1)

    try:
        logs.set_up(stream, as_json=True, level=level)
        asyncio.run(run())
        assert refused_with(web, "", "?password=hunter2")[0] == 401
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)
        logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)
        logging.getLogger("uvicorn.access").disabled = False
    server = [line for line in map(json.loads, stream.getvalue().splitlines()) if line["logger"] != "websockets.client"]
    assert "hunter2" not in str(server)
    refused = next(line for line in server if line["event"] == "request" and line["method"] == "WEBSOCKET")
    assert (refused["status"], refused["who"]) == (401, "")


def test_somebody_who_is_signed_out_hears_no_more(rig: AccountsApp, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.1)
    client = rig.signed_in("admin")

    async def run() -> int:
        async with listen(web, "", Cookie=f"membercard={client.cookies['membercard']}", Origin=web.address) as socket:
            await asyncio.to_thread(lambda: rig.registry.sessions.end_all("admin", by="tests"))
            rig.accounts.authenticator.forget()
            async with asyncio.timeout(PATIENCE):
                await socket.wait_closed()
            return int(socket.close_code or 0)

    assert asyncio.run(run()) == events.LEFT


def test_listeners_are_counted_and_there_is_an_end_to_them(rig: AccountsApp, web: Web) -> None:
    token = rig.token(Role.OPERATOR)

    async def run() -> int:
        sockets = [await listen(web, token) for _ in range(20)]
        await seated(web, 20)
        async with listen(web, token) as one_more:
            await one_more.wait_closed()
        for socket in sockets:
            await socket.close()
        await seated(web, 0)
        return int(one_more.close_code or 0)

    assert asyncio.run(run()) == events.FULL


class Quiet:
    """A live page on which nothing happens."""

    async def whole(self) -> str:
        return "<p id='all'></p>"

    async def after(self, _events: list[Event]) -> str:
        return ""


def test_live_pages_count_as_listeners_too(rig: AccountsApp, web: Web) -> None:
    router = APIRouter()

    @router.get("/quiet/live")
    async def quiet(request: Request) -> Response:
        return live.stream(rig.service.bus, Quiet(), lambda kind: True, lambda: still_in(request), tick=0.05)

    rig.app.include_router(router)
    secret = rig.signed_in("admin").cookies["membercard"]
    client = httpx.AsyncClient(base_url=web.address, cookies={"membercard": secret}, timeout=PATIENCE)

    async def run() -> httpx.Response:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(client)
            for _ in range(20):
                answer = await stack.enter_async_context(client.stream("GET", "/quiet/live"))
                assert answer.status_code == 200
            await seated(web, 20)
            refused = await client.get("/quiet/live")
            assert (await client.get("/api/v1/events/stream")).status_code == 429
        await seated(web, 0)
        return refused

    refused = asyncio.run(run())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")


def test_a_listener_who_falls_behind_is_let_go(rig: AccountsApp, web: Web) -> None:
    token = rig.token(Role.OPERATOR)

    async def run() -> int:
        async with listen(web, token) as socket:
            await seated(web, 1)
            # On the server's own loop, so that no listener is served in between.
            loop = rig.service.bus._loop
            assert loop is not None
            loop.call_soon_threadsafe(lambda: [rig.service.bus.publish("lane.state", "l", {}) for _ in range(6000)])
            async with asyncio.timeout(10):
                while True:
                    try:
                        await socket.recv()
                    except websockets.ConnectionClosed as closed:
                        return int(closed.rcvd.code if closed.rcvd else 0)

    assert asyncio.run(run()) == events.SLOW


def lines_of(web: Web, token: str, count: int, **headers: str) -> list[str]:
    """The first lines of the stream that are not blank."""
    lines: list[str] = []
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.stream(
        "GET", f"{web.address}/api/v1/events/stream", headers={**bearer, **headers}, timeout=PATIENCE
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        for line in answer.iter_lines():
            lines += [line] if line else []
            if len(lines) >= count:
                break
    return lines


def test_the_same_events_come_as_a_stream_for_browsers(rig: AccountsApp, web: Web) -> None:
    bus = rig.service.bus
    last = bus.last_id()
    event = bus.publish("verdict", "counter", {"code": "ACTIVE"})
    lines = lines_of(web, rig.token(Role.COUNTER), 4, **{"Last-Event-ID": last})
    assert lines[0].startswith(":")
    assert lines[1:] == [f"id: {event.id}", "event: verdict", f"data: {event.json}"]


def test_a_quiet_stream_shows_that_it_lives(rig: AccountsApp, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.05)
    assert lines_of(web, rig.token(Role.COUNTER), 3) == [": here"] * 3


def test_an_id_that_is_none_is_refused(rig: AccountsApp, web: Web) -> None:
    bearer = f"Bearer {rig.token(Role.COUNTER)}"
    answer = web.get("/api/v1/events/stream?after=abc", Authorization=bearer)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_text_is_written_once_for_all_who_hear_the_same(rig: AccountsApp) -> None:
    bus, written = EventBus(), []
    form = events._Form("counted", lambda batch: written.append(len(batch)) or f"{len(batch)}")  # type: ignore[func-returns-value]
    audience = events.Audience(bus, events.Measures())

    async def one(texts: AsyncIterator[str]) -> str:
        return await anext(texts)

    async def run() -> list[str]:
        operator = Principal("somebody", frozenset({Role.OPERATOR}))
        waiting = [asyncio.ensure_future(one(audience.texts(operator, None, form))) for _ in range(50)]
        await asyncio.sleep(0.05)
        bus.publish("lane.state", "lane", {})
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*waiting)

    assert asyncio.run(run()) == ["1"] * 50
    assert written == [1]


def test_whoever_is_accepted_misses_nothing_from_then_on(
    rig: AccountsApp, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, published = WebSocket.accept, list[Event]()

    async def accepted_at_an_event(socket: WebSocket, *given: Any, **named: Any) -> None:
        await accept(socket, *given, **named)
        published.append(rig.service.bus.publish("verdict", "counter", {"code": "ACTIVE"}))

    monkeypatch.setattr(WebSocket, "accept", accepted_at_an_event)

    async def run() -> list[dict[str, Any]]:
        async with listen(web, rig.token(Role.COUNTER)) as socket:
            return await heard(socket, 1)

    assert [event["id"] for event in asyncio.run(run())] == [published[0].id]


def test_a_stream_holds_what_came_before_its_first_line_was_read(rig: AccountsApp) -> None:
    bus = EventBus()
    texts = events.Audience(bus, events.Measures()).texts(
        Principal("somebody", frozenset({Role.OPERATOR})), None, events.STREAM
    )
    event = bus.publish("lane.state", "lane", {})

    async def first() -> str:
        async with asyncio.timeout(PATIENCE):
            return await anext(texts)

    assert asyncio.run(first()) == f"id: {event.id}\nevent: lane.state\ndata: {event.json}\n\n"


def test_every_kind_that_somebody_hears_is_somebodys_permission() -> None:
    given = {
        permission for role in Role for permission in Permission if Principal("x", frozenset({role})).may(permission)
    }
    assert set(events.MAY_HEAR.values()) <= given
