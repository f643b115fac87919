"""Writes: done once however often they come, and only once their body is whole."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, UploadFile

from reader_service.access.settings import AccessSettings
from reader_service.errors import Conflict, TooMany
from reader_service.http.bodies import Body
from reader_service.http.idempotency import InMemoryIdempotencyStore
from reader_service.http.resource import Caller
from reader_service.principal import Role
from registry.admin.idempotency import Begun, IdempotencyKeyReused, RequestInProgress, StoredReply
from registry.errors import RegistryUnavailable
from tests.support.service.accounts import BASE, AccountsApp, accounts_app, problem
from tests.support.waiting import PATIENCE

SMALL = AccessSettings(body=1000, upload=50_000)
IMPATIENT = AccessSettings(chunk_seconds=0.4, body_seconds=1.0)


class CountingEndpoint:
    """Counts what was done."""

    def __init__(self) -> None:
        self.done = 0
        self.fault: Exception | None = None
        self.go = threading.Event()
        self.go.set()

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.post("/api/v1/things", status_code=201)
        def do(p: Caller, what: dict[str, Any]) -> dict[str, Any]:
            assert self.go.wait(PATIENCE)
            if self.fault is not None:
                raise self.fault
            self.done += 1
            return {"done": self.done, "by": p.name, **what}

        @router.post("/api/v1/readers/one/do")
        @router.post("/api/v1/readers/one/reset")
        def here(p: Caller) -> dict[str, int]:
            self.done += 1
            return {"done": self.done}

        @router.post("/api/v1/upload")
        def upload(p: Caller, file: UploadFile) -> dict[str, int]:
            self.done += 1
            return {"bytes": len(file.file.read())}

        @router.post("/form")
        async def form() -> dict[str, int]:
            self.done += 1
            return {"done": self.done}

        return router


@pytest.fixture
def endpoint() -> CountingEndpoint:
    return CountingEndpoint()


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path, endpoint: CountingEndpoint) -> Iterator[AccountsApp]:
    """With the settings that a test gives as the fixture's parameter, else SMALL."""
    rig = accounts_app(tmp_path, getattr(request, "param", SMALL))
    rig.app.include_router(endpoint.router())
    rig.person("admin", Role.ADMINISTRATOR)
    yield rig
    rig.registry.close()


def keyed(key: str = "11111111-2222-4333-8444-555555555555") -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_the_same_write_again_gets_the_same_answer_and_is_done_once(
    rig: AccountsApp, endpoint: CountingEndpoint
) -> None:
    client = rig.signed_in("admin")
    first, again = (client.post("/api/v1/things", json={"a": 1}, headers=keyed()) for _ in range(2))
    assert endpoint.done == 1
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.headers["content-type"] == "application/json"
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def test_the_reset_of_a_card_again_is_no_disclosure(rig: AccountsApp, endpoint: CountingEndpoint) -> None:
    """It would have to wait for the audit, and work at readers goes on while the database is away."""
    client = rig.signed_in("admin")
    before = rig.registry.audit.page(None, 1).items
    for _ in range(2):
        assert client.post("/api/v1/readers/one/reset", headers=keyed()).json() == {"done": 1}
    assert rig.registry.audit.page(None, 1).items == before


def test_a_key_belongs_to_one_request_and_one_person(rig: AccountsApp, endpoint: CountingEndpoint) -> None:
    client = rig.signed_in("admin")
    assert client.post("/api/v1/things", json={"a": 1}, headers=keyed()).status_code == 201
    for path, sent in (("/api/v1/things", {"a": 2}), ("/api/v1/things?x=1", {"a": 1}), ("/api/v1/users", {"a": 1})):
        refused = client.post(path, json=sent, headers=keyed())
        assert (refused.status_code, problem(refused)["code"]) == (422, "idempotency-key-reused")
    rig.person("Li Na", Role.OPERATOR)
    assert rig.signed_in("li na").post("/api/v1/things", json={"a": 2}, headers=keyed()).json()["by"] == "Li Na"
    assert endpoint.done == 2


def test_a_token_must_send_a_key_and_a_session_may(rig: AccountsApp, endpoint: CountingEndpoint) -> None:
    till = rig.bearing(rig.token(Role.COUNTER))
    missing = till.post("/api/v1/things", json={})
    assert (missing.status_code, problem(missing)["code"]) == (400, "idempotency-key-missing")
    assert till.post("/api/v1/things", json={}, headers=keyed()).status_code == 201
    assert till.post("/api/v1/things", json={}, headers=keyed('"11111111-2222-4333-8444-555555555555"')).json() == {
        "done": 1,
        "by": "till (token 1)",
    }
    assert rig.signed_in("admin").post("/api/v1/things", json={}).status_code == 201


@pytest.mark.parametrize("key", ["with blank", "x" * 256, "\xe9"])
def test_a_key_that_is_none_is_refused(rig: AccountsApp, endpoint: CountingEndpoint, key: str) -> None:
    sent = {"Idempotency-Key": key.encode("latin-1")}
    refused = rig.signed_in("admin").post("/api/v1/things", json={}, headers=sent)
    assert set(problem(refused)["fields"]) == {"Idempotency-Key"}
    assert endpoint.done == 0


def test_the_same_write_twice_at_once_is_done_once(
    rig: AccountsApp, endpoint: CountingEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, refused = rig.registry.idempotency_keys.begin, []

    def counted(*given: Any) -> Begun | StoredReply:
        try:
            return begin(*given)
        except RequestInProgress as no:
            refused.append(no)
            if len(refused) == 3:
                endpoint.go.set()
            raise

    client = rig.signed_in("admin")
    monkeypatch.setattr(rig.registry.idempotency_keys, "begin", counted)
    endpoint.go.clear()
    answers = client.at_once(4, "POST", "/api/v1/things", json={"a": 1}, headers=keyed())
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {problem(answer)["code"] for answer in answers if answer.status_code == 409} == {"request-in-progress"}
    assert endpoint.done == 1


def test_a_refusal_by_rule_is_stored_and_one_that_did_nothing_may_be_tried_again(
    rig: AccountsApp, endpoint: CountingEndpoint
) -> None:
    client = rig.signed_in("admin")
    endpoint.fault = Conflict("a rule stands against it")
    assert client.post("/api/v1/things", json={}, headers=keyed("kept")).status_code == 409
    for number, fault in enumerate((TooMany("later", 1), RegistryUnavailable("away"), ZeroDivisionError())):
        endpoint.fault = fault
        assert client.post("/api/v1/things", json={}, headers=keyed(f"again-{number}")).status_code in (429, 503, 500)
    endpoint.fault = None
    assert client.post("/api/v1/things", json={}, headers=keyed("kept")).status_code == 409
    assert endpoint.done == 0
    for number in range(3):
        assert client.post("/api/v1/things", json={}, headers=keyed(f"again-{number}")).status_code == 201
    assert endpoint.done == 3


def test_what_is_about_this_machines_readers_needs_no_database(
    rig: AccountsApp, endpoint: CountingEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = rig.signed_in("admin")

    def away(*_: object, **__: object) -> None:
        raise RegistryUnavailable("the database cannot be reached")

    monkeypatch.setattr(rig.registry.idempotency_keys, "begin", away)
    assert problem(client.post("/api/v1/things", json={}, headers=keyed()))["code"] == "unavailable"
    answers = [client.post("/api/v1/readers/one/do", headers=keyed()).json() for _ in range(2)]
    assert answers == [{"done": 1}, {"done": 1}]


def test_an_upload_that_comes_again_is_the_same_though_its_boundary_differs(
    rig: AccountsApp, endpoint: CountingEndpoint
) -> None:
    client = rig.signed_in("admin")
    file = {"file": ("roster.xlsx", b"row\n" * 8000)}
    first, again = (client.post("/api/v1/upload", files=file, headers=keyed()) for _ in range(2))
    assert (first.json(), again.json(), endpoint.done) == ({"bytes": 32_000}, {"bytes": 32_000}, 1)
    other = client.post("/api/v1/upload", files={"file": ("roster.xlsx", b"row\n" * 7999)}, headers=keyed())
    assert problem(other)["code"] == "idempotency-key-reused"


def test_a_forms_hidden_field_stands_in_for_the_header(rig: AccountsApp, endpoint: CountingEndpoint) -> None:
    client = rig.signed_in("admin")
    for _ in range(3):
        assert client.post("/form", data={"idempotency_key": "form-1", "csrf": "x"}).json() == {"done": 1}
    assert client.post("/form", data={"idempotency_key": "form-2"}).json() == {"done": 2}


def test_stored_replies_are_sealed_and_digests_are_keyed(rig: AccountsApp, tmp_path: Path) -> None:
    client = rig.signed_in("admin")
    sent = {"name": "孙波磊", "id": "130102197605153974"}
    assert client.post("/api/v1/things", json=sent, headers=keyed()).status_code == 201
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert "孙波磊".encode() not in stored
    assert b"130102197605153974" not in stored


@pytest.mark.parametrize("length", [0, 1, 999, 1000])
def test_a_body_up_to_the_limit_is_taken(rig: AccountsApp, length: int) -> None:
    sent = b"{}" + b" " * (length - 2) if length > 1 else b""
    kind = {"Content-Type": "application/json"}
    answer = rig.signed_in("admin").post("/api/v1/things", content=sent, headers=kind)
    assert answer.status_code == (201 if length > 1 else 422)


def test_a_body_beyond_the_limit_is_refused_whatever_it_says_of_its_length(
    rig: AccountsApp, endpoint: CountingEndpoint
) -> None:
    client = rig.signed_in("admin")

    async def pieces() -> Any:
        for _ in range(100):
            yield b" " * 100

    for sent in (b" " * 1001, pieces()):
        refused = client.post("/api/v1/things", content=sent, headers={"Content-Type": "application/json"})
        assert (refused.status_code, problem(refused)["code"]) == (413, "too-large")
        assert refused.headers["connection"] == "close"
    wrong = client.post("/api/v1/things", content=b"{}", headers={"Content-Length": "many"})
    assert problem(wrong)["code"] == "invalid"
    assert client.post("/api/v1/upload", files={"file": ("f", b"x" * 49_000)}).status_code == 200
    assert problem(client.post("/api/v1/upload", files={"file": ("f", b"x" * 51_000)}))["code"] == "too-large"
    stranger = rig.client()
    stranger = rig.client()
    assert stranger.post("/form", files={"file": ("f", b"x" * 2000)}).status_code == 413
    assert endpoint.done == 1


def test_a_large_upload_of_an_ended_session_leads_to_the_sign_in_page(
    rig: AccountsApp, endpoint: CountingEndpoint
) -> None:
    client = rig.client(Cookie=f"membercard={'x' * 43}")
    sent = client.post("/form", files={"file": ("f", b"x" * 2000)}, headers={"HX-Request": "true"})
    assert (sent.status_code, sent.headers["connection"]) == (204, "close")
    assert sent.headers["HX-Redirect"] == "/login?next=/"
    assert endpoint.done == 0


@pytest.mark.parametrize("rig", [IMPATIENT], indirect=True, ids=["impatient"])
@pytest.mark.parametrize(("pause", "pieces"), [(5.0, 2), (0.2, 10)])
def test_a_body_that_does_not_arrive_is_given_up(
    rig: AccountsApp, endpoint: CountingEndpoint, pause: float, pieces: int
) -> None:
    client = rig.signed_in("admin")

    async def slowly() -> Any:
        for _ in range(pieces):
            yield b" "
            await asyncio.sleep(pause)
        yield b"{}"

    refused = client.post("/api/v1/things", content=slowly(), headers={"Content-Type": "application/json"})
    assert (refused.status_code, problem(refused)["code"]) == (408, "too-slow")
    assert endpoint.done == 0


def test_whoever_goes_away_before_the_body_is_whole_did_nothing(rig: AccountsApp, endpoint: CountingEndpoint) -> None:
    client = rig.signed_in("admin")
    request = httpx.Request("POST", BASE + "/api/v1/things", headers=client.headers, content=b"{}")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/things",
        "query_string": b"",
        "headers": [
            *((name.lower(), value) for name, value in request.headers.raw),
            (b"cookie", f"membercard={client.cookies['membercard']}".encode()),
        ],
        "client": ("127.0.0.1", 1),
    }
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(rig.app(scope, receive, send))
    assert (sent, endpoint.done) == ([], 0)


def test_the_digest_of_a_form_leaves_its_boundary_out_wherever_it_is_cut() -> None:
    def digest(boundary: bytes, size: int) -> bytes:
        whole = b"--" + boundary + b"\r\ncontent--" + boundary + b"--\r\n"
        body = Body(b"secret", b"multipart/form-data; boundary=" + boundary)
        for at in range(0, len(whole), size):
            body.add(whole[at : at + size])
        value = body.digest()
        body.close()
        return value

    digests = {digest(boundary, size) for boundary in (b"A" * 30, b"another") for size in (1, 2, 3, 7, 29, 30, 31, 500)}
    assert len(digests) == 1


def test_memory_keeps_answers_as_the_record_does() -> None:
    now = 0.0
    memory = InMemoryIdempotencyStore(ticks=lambda: now)
    begun = memory.begin("p", "k", "POST /x", b"1")
    assert begun == Begun(1)
    with pytest.raises(RequestInProgress):
        memory.begin("p", "k", "POST /x", b"1")
    with pytest.raises(IdempotencyKeyReused):
        memory.begin("p", "k", "POST /x", b"2")
    memory.give_up("p", "k", Begun(1))
    assert memory.begin("p", "k", "POST /x", b"1") == Begun(2)
    memory.finish("p", "k", Begun(1), StoredReply(200, {}, b"too late"))
    with pytest.raises(RequestInProgress):
        memory.begin("p", "k", "POST /x", b"1")
    memory.finish("p", "k", Begun(2), StoredReply(200, {}, b"done"))
    assert memory.begin("p", "k", "POST /x", b"1") == StoredReply(200, {}, b"done")
    now = 601.0
    assert memory.begin("p", "k", "POST /x", b"2") == Begun(1)
    for number in range(5000):
        memory.begin("p", str(number), "POST /x", b"1")
    assert memory.begin("p", "k", "POST /y", b"3") == Begun(1)
