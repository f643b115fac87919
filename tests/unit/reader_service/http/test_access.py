"""What every request passes: host, origin, CSRF, body, headers, faults; tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter

from reader_service.access.settings import AccessSettings
from reader_service.errors import LeaseHeld, NotFound
from reader_service.http.health import Checks
from reader_service.http.middleware import API_POLICY, PAGE_POLICY
from reader_service.http.resource import Caller
from reader_service.principal import Role
from registry.admin.audit import AuditFilter
from registry.errors import RegistryConflict, RegistryUnavailable
from tests.support.service.accounts import PASSWORD, AccountsApp, accounts_app, problem

ME = "/api/v1/session"
NEW = {"name": "Li Na", "roles": ["counter"]}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path)
    rig.person("admin", Role.ADMINISTRATOR)
    yield rig
    rig.registry.close()


def test_a_token_comes_in_with_its_roles_and_its_own_name(rig: AccountsApp) -> None:
    client = rig.bearing(rig.token(Role.AUDITOR, label="watchdog"))
    body = client.get(ME).json()
    assert (body["name"], body["token"], body["roles"]) == ("watchdog (token 1)", "watchdog", ["auditor"])
    assert body["csrf"] == ""
    assert problem(client.get("/api/v1/users"))["code"] == "forbidden"


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer mc_short",
        "Bearer mc_" + "A" * 43,
        "Basic YWRtaW46YWRtaW4=",
        "mc_" + "A" * 43,
        "Bearer mc_\xe9",
    ],
)
def test_what_is_no_token_in_force_does_not_come_in(rig: AccountsApp, given: str) -> None:
    answer = rig.client().get(ME, headers={"Authorization": given.encode("latin-1")})  # type: ignore[arg-type]
    assert problem(answer)["code"] == "not-signed-in"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_refused_in_spite_of_a_good_cookie(rig: AccountsApp) -> None:
    client = rig.signed_in("admin")
    assert client.get(ME).status_code == 200
    assert client.get(ME, headers={"Authorization": "Bearer mc_" + "A" * 43}).status_code == 401


def test_tokens_end_by_themselves_and_when_revoked_or_their_maker_is_disabled(rig: AccountsApp) -> None:
    secret = rig.token(Role.COUNTER, days=1)
    client, admin = rig.bearing(secret), rig.signed_in("admin")
    assert client.get(ME).status_code == 200
    rig.clock.forward(timedelta(days=1, seconds=1))
    assert client.get(ME).status_code == 401
    admin = rig.signed_in("admin")
    until = rig.clock().replace(year=2027, month=2).isoformat()
    created = admin.post("/api/v1/tokens", json={"label": "till", "roles": ["counter"], "until": until}).json()
    till = rig.bearing(created["secret"])
    assert till.get(ME).status_code == 200
    number = created["token"]["id"]
    assert admin.post(f"/api/v1/tokens/{number}/revoke", json={"reason": "lost"}).json()["revoked_at"] is not None
    assert till.get(ME).status_code == 401
    assert ("till (token 2)", "till") in rig.leases.freed
    orphan = rig.bearing(rig.token(Role.COUNTER))
    assert orphan.get(ME).status_code == 200
    assert admin.post("/api/v1/users/maker/disable", json={"reason": "left"}).status_code == 200
    assert orphan.get(ME).status_code == 401


def test_changed_roles_and_a_reset_end_the_tokens_and_leases_of_a_person(rig: AccountsApp) -> None:
    admin, orphan = rig.signed_in("admin"), rig.bearing(rig.token(Role.COUNTER, label="gate"))
    assert orphan.get(ME).status_code == 200
    change = {"roles": ["auditor"], "reason": "moved"}
    assert admin.request("PATCH", "/api/v1/users/maker", json=change).status_code == 200
    assert orphan.get(ME).status_code == 401
    assert ("gate (token 1)", "gate") in rig.leases.freed
    later = rig.bearing(rig.token(Role.COUNTER))
    assert later.get(ME).status_code == 200
    assert admin.post("/api/v1/users/maker/reset", json={"reason": "lost"}).status_code == 200
    assert later.get(ME).status_code == 401


@pytest.mark.parametrize(
    ("roles", "waits"), [(["registrar"], True), (["counter", "registrar"], True), (["counter", "auditor"], False)]
)
def test_a_token_that_reads_members_waits_for_a_second_administrator(
    rig: AccountsApp, roles: list[str], waits: bool
) -> None:
    admin = rig.signed_in("admin")
    until = (rig.clock() + timedelta(days=9)).isoformat()
    issued = admin.post("/api/v1/tokens", json={"label": "x", "roles": roles, "until": until}).json()
    assert issued["token"]["waits_for_consent"] == waits
    assert rig.bearing(issued["secret"]).get(ME).status_code == (401 if waits else 200)
    rig.person("second", Role.ADMINISTRATOR)
    page = rig.signed_in("second").get("/users").text
    assert ('id="open-consent-1"' in page) == waits
    assert 'id="open-consent-1"' not in admin.get("/users").text
    pressed = rig.signed_in("second").post("/tokens/1/consent")
    assert pressed.status_code in (200, 204, 303)
    assert rig.bearing(issued["secret"]).get(ME).status_code == 200


def test_a_request_for_another_host_is_refused_whoever_asks(rig: AccountsApp) -> None:
    client = rig.signed_in("admin")
    for host in ("evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1.nip.io"):
        assert problem(client.get(ME, headers={"Host": host}))["code"] == "wrong-host"
    for host in ("[::1].evil", "[::1]evil:80", "[::1]:80:90", "localhost:80:90", "localhost:99999", "localhost:8a"):
        assert problem(client.get(ME, headers={"Host": host}))["code"] == "wrong-host", host
    for host in (
        "a@localhost",
        "localhost@evil",
        "localhost/",
        "localhost?x",
        "localhost, evil",
        "local host",
        "[evil]",
    ):
        assert problem(client.get(ME, headers={"Host": host}))["code"] == "wrong-host", host
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "localhost:"):
        assert client.get(ME, headers={"Host": host}).status_code == 200


def test_a_request_with_two_hosts_or_none_is_refused(rig: AccountsApp) -> None:
    for hosts in (["localhost", "localhost"], ["localhost", "evil.example"], ["evil.example", "localhost"]):
        sent = [("Host", host) for host in hosts]
        assert problem(rig.client().request("GET", ME, headers=sent))["code"] == "wrong-host"


@pytest.mark.parametrize("name", ["Authorization", "Origin", "X-CSRF-Token", "Idempotency-Key", "Content-Type"])
def test_a_header_that_counts_once_does_not_stand_there_twice(rig: AccountsApp, name: str) -> None:
    answer = rig.client().request("GET", ME, headers=[(name, "a"), (name, "b")])
    assert problem(answer)["code"] == "invalid"


def test_a_write_with_a_cookie_needs_the_sessions_own_secret(rig: AccountsApp) -> None:
    client, other = rig.signed_in("admin"), rig.signed_in("admin")
    right = client.headers.pop("X-CSRF-Token")
    for given in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": other.headers["X-CSRF-Token"]}, {"X-CSRF-Token": "é"}):
        sent = {name: value.encode("latin-1") for name, value in given.items()}
        assert problem(client.post("/api/v1/users", json=NEW, headers=sent))["code"] == "csrf"
    assert [user.name for user in rig.registry.users.page(None, 10).items] == ["admin"]
    assert client.post("/api/v1/users", json=NEW, headers={"X-CSRF-Token": right}).status_code == 201


def test_a_write_from_another_sites_page_is_refused_even_with_the_secret(rig: AccountsApp) -> None:
    client = rig.signed_in("admin")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert problem(client.post("/api/v1/users", json=NEW, headers=headers))["code"] == "csrf"
    assert client.post("/api/v1/users", json=NEW, headers={"Origin": "http://localhost"}).status_code == 201


def test_under_tls_a_page_that_came_without_it_is_another_sites(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path, AccessSettings(tls=True))
    for origin, status in (("http://localhost", 403), ("https://localhost", 401), ("https://[", 403)):
        answer = rig.client().post(ME, json={"name": "x", "password": "y"}, headers={"Origin": origin})
        assert answer.status_code == status
    rig.registry.close()


def test_nobody_is_signed_in_by_another_sites_form(rig: AccountsApp) -> None:
    answer = rig.client().post(
        ME, json={"name": "admin", "password": PASSWORD}, headers={"Origin": "https://evil.example"}
    )
    assert problem(answer)["code"] == "csrf"
    assert "set-cookie" not in answer.headers


def page_rig(tmp_path: Path, settings: AccessSettings | None = None) -> AccountsApp:
    """With pages and endpoints that misbehave."""
    rig = accounts_app(tmp_path, settings)
    router = APIRouter()

    @router.post("/form")
    async def form() -> dict[str, bool]:
        return {"taken": True}

    @router.get("/api/v1/broken")
    async def broken(p: Caller) -> None:
        raise ZeroDivisionError("孙波磊 130102197605153974")

    @router.get("/api/v1/held")
    async def held(p: Caller) -> None:
        raise LeaseHeld("somebody else has the reader", holder="Li Na", card="6217000010001234567")

    @router.get("/api/v1/things/{name}")
    async def thing(p: Caller, name: str) -> None:
        raise NotFound(f"there is no thing {name}", thing=name, number=int(name), count=7)

    @router.get("/api/v1/closed")
    async def closed(p: Caller) -> None:
        raise RegistryConflict("batch B20261122-001 is closed", reason="batch-closed", batch="B20261122-001")

    @router.get("/api/v1/away")
    async def away(p: Caller) -> None:
        raise RegistryUnavailable("the database cannot be reached", retryable=True)

    rig.app.include_router(router)
    rig.person("admin", Role.ADMINISTRATOR)
    return rig


def test_a_page_without_script_sends_the_secret_as_a_form_field(tmp_path: Path) -> None:
    client = page_rig(tmp_path).signed_in("admin")
    secret = client.headers.pop("X-CSRF-Token")
    assert client.post("/form", data={"csrf": secret, "more": "x" * 1000}).status_code == 200
    assert client.post("/form", data={"csrf": "wrong"}).status_code == 403
    assert client.post("/form", data={"more": "x"}).status_code == 403
    file = {"file": ("form.xlsx", b"x" * 100_000)}
    assert client.post("/form", data={"csrf": secret}, files=file).status_code == 200
    assert client.post("/form", data={"other": secret}, files=file).status_code == 403
    hidden = {"file": ("form.xlsx", f'name="csrf"\r\n\r\n{"A" * 43}\r\n--'.encode())}
    assert client.post("/form", files=hidden).status_code == 403


def test_every_answer_keeps_a_browser_in_bounds_and_is_not_stored(tmp_path: Path) -> None:
    client = page_rig(tmp_path).signed_in("admin")
    for path, policy in ((ME, API_POLICY), ("/nothing", PAGE_POLICY), ("/api/v1/broken", API_POLICY)):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in headers
    assert "unsafe" not in PAGE_POLICY
    assert "default-src 'none'" in PAGE_POLICY


def test_a_fault_of_the_program_tells_the_client_a_number_and_the_log_a_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = page_rig(tmp_path).signed_in("admin")
    with caplog.at_level(logging.INFO):
        answer = client.get("/api/v1/broken")
    body = problem(answer)
    assert (answer.status_code, body["code"]) == (500, "internal")
    fault = next(record for record in caplog.records if record.message == "fault")
    assert fault.__dict__["error_id"] == body["params"]["error_id"]
    assert fault.__dict__["kind"] == "ZeroDivisionError"
    assert any("test_access.py" in place for place in fault.__dict__["places"])
    for text in (answer.text, caplog.text, str([record.__dict__ for record in caplog.records])):
        assert "130102197605153974" not in text
        assert "孙波磊" not in text


def test_typed_errors_become_problems_with_their_code_and_values(tmp_path: Path) -> None:
    client = page_rig(tmp_path).signed_in("admin")
    held = problem(client.get("/api/v1/held"))
    assert (held["status"], held["code"]) == (409, "lease-held")
    assert held["params"] == {"holder": "Li Na", "card": "621700…4567"}
    closed = problem(client.get("/api/v1/closed"))
    assert (closed["status"], closed["code"]) == (409, "conflict")
    assert closed["params"] == {"reason": "batch-closed", "batch": "B20261122-001"}
    away = client.get("/api/v1/away")
    assert (away.status_code, problem(away)["code"], away.headers["retry-after"]) == (503, "unavailable", "2")
    assert problem(client.get("/api/v1/nothing"))["code"] == "not-found"
    wrong = client.request("PUT", ME)
    assert (problem(wrong)["code"], wrong.headers["allow"]) == ("method-not-allowed", "DELETE, GET, POST")


def test_no_refusal_repeats_a_number_from_the_address(tmp_path: Path) -> None:
    client = page_rig(tmp_path).signed_in("admin")
    for number in ("6217000010001234567", "130102197605153974", "6217000010001", "13812345678"):
        body = problem(client.get(f"/api/v1/things/{number}"))
        assert number not in str(body)
        assert (body["detail"][-4:], body["params"]["thing"][-4:]) == (number[-4:], number[-4:])
        assert body["params"]["count"] == 7
    chip = "80000000000000000007"
    assert problem(client.get(f"/api/v1/things/{chip}"))["params"]["thing"] == chip


@pytest.mark.parametrize(
    "path", ["users-x", "usersx/admin", "users/", "users//admin", "Users", "session.json", "event"]
)
def test_what_only_looks_like_a_resource_is_none(rig: AccountsApp, path: str) -> None:
    body = problem(rig.signed_in("admin").get(f"/api/v1/{path}"))
    assert (body["status"], body["code"]) == (404, "not-found")
    assert problem(rig.client().get(f"/api/v1/{path}"))["code"] == "not-signed-in"


def test_what_was_sent_is_never_repeated_in_a_refusal(rig: AccountsApp) -> None:
    client = rig.signed_in("admin")
    number = "130102197605153974"
    sent = {"name": [number], "roles": [number], "password": "hunter2hunter2", number: "", "孙波磊": ""}
    answer = client.post("/api/v1/users", json=sent)
    assert set(problem(answer)["fields"]) == {"name", "roles.0", "password", "(unknown)"}
    assert not [body for body in (number, "孙波磊", "hunter2") if body in answer.text]
    broken = client.post("/api/v1/users", content=b'{"name": "1301021976', headers={"Content-Type": "application/json"})
    assert problem(broken)["code"] == "invalid"
    assert "1301021976" not in broken.text


def test_somebody_who_asks_for_what_is_not_theirs_is_on_record_once_a_minute(rig: AccountsApp) -> None:
    rig.person("Wang Fang", Role.COUNTER)
    client = rig.signed_in("wang fang")
    for _ in range(5):
        assert client.get("/api/v1/users/admin").status_code == 403
    rows = rig.registry.audit.page(where=AuditFilter(action="access.refused")).items
    assert [(row.entry.actor, row.entry.facts["what"]) for row in rows] == [("Wang Fang", "GET /api/v1/users/{name}")]


def test_the_database_is_not_read_for_each_request_and_sessions_go_on_without_it(
    rig: AccountsApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = rig.signed_in("admin")
    lookups: list[bytes] = []
    find = rig.registry.sessions.find

    def counted(key: bytes) -> object:
        lookups.append(key)
        return find(key)

    monkeypatch.setattr(rig.registry.sessions, "find", counted)
    for _ in range(50):
        assert client.get(ME).status_code == 200
    assert len(lookups) == 1

    def away(key: bytes) -> None:
        raise RegistryUnavailable("the database cannot be reached", retryable=True)

    ticks = rig.accounts.authenticator._ticks
    monkeypatch.setattr(rig.registry.sessions, "find", away)
    monkeypatch.setattr(rig.accounts.authenticator, "_ticks", lambda: ticks() + 60)
    assert client.get(ME).status_code == 200
    stranger = rig.client(Cookie="membercard=" + "A" * 43)
    assert problem(stranger.get(ME))["code"] == "unavailable"
    rig.clock.forward(timedelta(hours=13))
    assert problem(client.get(ME))["code"] == "unavailable"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_for_everybody(rig: AccountsApp, path: str) -> None:
    assert rig.client().get(path).status_code == 200


def test_not_ready_while_the_database_is_away(rig: AccountsApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise RegistryUnavailable("the database cannot be reached", retryable=True)

    monkeypatch.setattr(rig.registry.users, "page", away)
    answer = rig.client().get("/health/ready")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "parts": {"database": "away", "custody": "ok"}},
    )
    assert rig.client().get("/health/live").status_code == 200


@dataclass
class Watch:
    """A watch of the PC/SC service whose state a test sets."""

    pcsc_away: bool


def test_not_ready_while_a_pcsc_service_that_is_watched_is_away(rig: AccountsApp) -> None:
    watch = Watch(pcsc_away=True)
    checks = Checks(rig.registry, rig.service.parts.custody, watch)
    health = asyncio.run(checks.health())
    assert (health.ready, health.parts["pcscd"]) == (False, "away")
    watch.pcsc_away = False
    assert asyncio.run(checks.health()).parts["pcscd"] == "away", "it is looked at every two seconds at most"
    checks = Checks(rig.registry, rig.service.parts.custody, watch)
    assert asyncio.run(checks.health()).ready


def test_nothing_of_a_request_is_sent_to_a_collector_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert not accounts_app(tmp_path).app._native_telemetry.enabled()
