"""Signing in and out, over HTTP: cookies, throttling, passwords to be changed, sessions that end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reader_service.access.settings import AccessSettings
from reader_service.access.throttle import BY_ADDRESS, BY_NAME, network
from reader_service.principal import Role
from registry.admin.audit import AuditFilter
from tests.support.service.accounts import PASSWORD, AccountsApp, Client, accounts_app, problem

SESSION = "/api/v1/session"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path)
    rig.person("Wang Fang", Role.OPERATOR)
    yield rig
    rig.registry.close()


def attempt(rig: AccountsApp, password: str, name: str = "wang fang", address: str = "127.0.0.1") -> int:
    client = Client(rig.app, {}, address)
    return client.post(SESSION, json={"name": name, "password": password}).status_code


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_do_not_have(rig: AccountsApp) -> None:
    answer = rig.client().post(SESSION, json={"name": "wang  FANG", "password": PASSWORD})
    assert answer.status_code == 201
    assert answer.json()["name"] == "Wang Fang"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("membercard=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["cache-control"] == "no-store"


def test_under_tls_the_cookie_is_bound_to_this_host(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path, AccessSettings(tls=True))
    rig.person("Wang Fang", Role.OPERATOR)
    answer = rig.client().post(SESSION, json={"name": "wang fang", "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-membercard=")
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    assert answer.headers["strict-transport-security"] == "max-age=63072000"


def test_a_session_shows_who_is_signed_in_and_what_they_may_do(rig: AccountsApp) -> None:
    session = rig.signed_in("wang fang").get(SESSION).json()
    assert (session["name"], session["roles"], session["token"]) == ("Wang Fang", ["operator"], "")
    assert "lanes:run" in session["permissions"]
    assert "users" not in session["permissions"]


def test_a_wrong_name_and_a_wrong_password_get_the_same_response(rig: AccountsApp) -> None:
    wrong = rig.client().post(SESSION, json={"name": "wang fang", "password": "something else"})
    unknown = rig.client().post(SESSION, json={"name": "hunter2 is mine", "password": "something else"})
    assert problem(wrong) == problem(unknown)
    assert problem(wrong)["code"] == "wrong-password"
    refused = rig.registry.audit.page(where=AuditFilter(action="session.refused")).items
    assert [row.entry.actor for row in refused] == ["somebody", "Wang Fang"]
    assert refused[0].entry.origin == "127.0.0.1"


def test_guessing_one_name_takes_longer_and_longer_from_wherever(rig: AccountsApp) -> None:
    for turn in range(BY_NAME.free + 1):
        assert attempt(rig, "wrong", address=f"10.0.0.{turn}") == 401
    client = Client(rig.app, {}, "10.0.0.99")
    refused = client.post(SESSION, json={"name": "WANG FANG", "password": PASSWORD})
    assert problem(refused)["code"] == "too-many"
    assert refused.headers["retry-after"] == "1"
    rig.clock.forward(timedelta(seconds=1.1))
    assert attempt(rig, "wrong", address="10.0.0.100") == 401
    waits = client.post(SESSION, json={"name": "wang fang", "password": PASSWORD}).headers["retry-after"]
    assert waits == "2"
    rig.clock.forward(timedelta(seconds=2.1))
    assert attempt(rig, PASSWORD) == 201
    assert attempt(rig, "wrong") == 401
    assert attempt(rig, PASSWORD) == 201


def test_guessing_from_one_address_is_slowed_whichever_names_are_tried(rig: AccountsApp) -> None:
    for turn in range(BY_ADDRESS.free + 1):
        assert attempt(rig, "wrong", name=f"name {turn}", address=f"2001:db8::{turn:x}") == 401
    assert attempt(rig, PASSWORD, address="2001:db8::ffff") == 429
    assert attempt(rig, PASSWORD, address="2001:db8:0:1::1") == 201


def test_guessing_on_this_machine_is_slowed_whichever_of_its_addresses_is_used(rig: AccountsApp) -> None:
    for turn in range(BY_ADDRESS.free + 1):
        address = "::1" if turn % 2 else f"127.0.0.{turn + 1}"
        assert attempt(rig, "wrong", name=f"name {turn}", address=address) == 401
    assert attempt(rig, PASSWORD, address="127.0.0.1") == 429
    assert attempt(rig, PASSWORD, address="192.0.2.9") == 201


def test_the_wait_for_a_name_ends_so_that_nobody_can_be_locked_out(rig: AccountsApp) -> None:
    for _ in range(40):
        attempt(rig, "wrong")
        rig.clock.forward(timedelta(minutes=6))
    assert BY_NAME.wait(1000) == BY_NAME.longest
    assert attempt(rig, PASSWORD) == 201


def test_a_hundred_guesses_at_once_are_counted_one_by_one(rig: AccountsApp) -> None:
    answers = rig.client().at_once(40, "POST", SESSION, json={"name": "wang fang", "password": "wrong"})
    tried = [answer for answer in answers if answer.status_code == 401]
    assert len(tried) <= BY_NAME.free + 1
    assert {answer.status_code for answer in answers} == {401, 429}


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", "loopback"),
        ("127.9.8.7", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("2002:c000:0207:1::9", "192.0.2.7"),
        ("64:ff9b::c000:207", "192.0.2.7"),
        ("2002:7f00:1::9", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1"),
        ("a unix socket", "a unix socket"),
    ],
)
def test_an_address_counts_as_what_one_customer_gets(address: str, counted: str) -> None:
    assert network(address) == counted


def test_a_password_that_somebody_else_knows_opens_nothing_but_its_change(rig: AccountsApp) -> None:
    rig.person("Li Na", Role.ADMINISTRATOR, must_change=True)
    client = rig.signed_in("li na")
    assert client.get(SESSION).json()["must_change"] is True
    assert problem(client.get("/api/v1/users"))["code"] == "password-must-change"
    page = client.get("/users")
    assert (page.status_code, page.headers["location"]) == (303, "/password")
    weak = client.post(f"{SESSION}/password", json={"old": PASSWORD, "new": "1234567890"})
    assert problem(weak)["params"]["rule"] == "common"
    same = client.post(f"{SESSION}/password", json={"old": PASSWORD, "new": PASSWORD})
    assert problem(same)["fields"] == {"password": "it is the old one"}
    changed = client.post(f"{SESSION}/password", json={"old": PASSWORD, "new": "only I know this one"})
    assert changed.json()["must_change"] is False
    assert client.get("/api/v1/users").status_code == 200


def test_changing_the_password_ends_every_other_session_and_asks_for_the_old_one(rig: AccountsApp) -> None:
    here, there = rig.signed_in("wang fang"), rig.signed_in("wang fang")
    wrong = here.post(f"{SESSION}/password", json={"old": "a guess at it", "new": "only I know this one"})
    assert problem(wrong)["code"] == "wrong-password"
    assert there.get(SESSION).status_code == 200
    before = here.cookies["membercard"]
    assert here.post(f"{SESSION}/password", json={"old": PASSWORD, "new": "only I know this"}).status_code == 200
    assert here.cookies["membercard"] != before
    assert here.get(SESSION).status_code == 200
    assert there.get(SESSION).status_code == 401
    assert ("Wang Fang", "") in rig.leases.freed


def test_signing_out_ends_the_session_at_once_and_takes_the_cookie(rig: AccountsApp) -> None:
    client = rig.signed_in("wang fang")
    secret = client.cookies["membercard"]
    assert client.get(SESSION).status_code == 200
    answer = client.delete(SESSION)
    assert answer.status_code == 204
    assert "membercard" not in client.cookies
    stolen = rig.client(Cookie=f"membercard={secret}")
    assert stolen.get(SESSION).status_code == 401
    assert rig.leases.freed == [("Wang Fang", "")]


def test_sessions_end_when_idle_and_at_the_end_of_the_day(rig: AccountsApp) -> None:
    idle = rig.signed_in("wang fang")
    rig.clock.forward(timedelta(minutes=61))
    rig.accounts.authenticator.forget()
    assert idle.get(SESSION).status_code == 401
    busy = rig.signed_in("wang fang")
    for _ in range(13):
        rig.clock.forward(timedelta(minutes=55))
        rig.accounts.authenticator.forget()
        assert busy.get(SESSION).status_code == 200
    rig.clock.forward(timedelta(minutes=10))
    assert busy.get(SESSION).status_code == 401


def test_one_sees_ones_sessions_and_ends_the_others(rig: AccountsApp) -> None:
    here, there = rig.signed_in("wang fang"), rig.signed_in("wang fang")
    assert len(here.get(f"{SESSION}/all").json()) == 2
    assert here.delete(f"{SESSION}/others").json() == {"ended": 1}
    assert there.get(SESSION).status_code == 401
    assert here.get(SESSION).status_code == 200


def test_a_disabled_user_does_not_come_in_and_learns_why_with_the_right_password_only(
    rig: AccountsApp,
) -> None:
    rig.registry.users.disable("wang fang", by="tests", reason="left the office")
    answer = rig.client().post(SESSION, json={"name": "wang fang", "password": PASSWORD})
    assert problem(answer)["code"] == "user-disabled"
    wrong = rig.client().post(SESSION, json={"name": "wang fang", "password": "a guess at it"})
    assert problem(wrong)["code"] == "wrong-password"


def test_the_language_of_a_person_is_stored(rig: AccountsApp) -> None:
    client = rig.signed_in("wang fang")
    assert client.post(f"{SESSION}/language", json={"language": "en"}).status_code == 200
    assert rig.registry.users.user("wang fang").language == "en"
    assert client.post(f"{SESSION}/language", json={"language": "tlh"}).status_code == 422


def test_no_secret_of_signing_in_shows_itself(rig: AccountsApp) -> None:
    signed = rig.accounts.sign_in("wang fang", PASSWORD, "")
    shown = repr(signed) + str(signed)
    assert signed.secret not in shown
    assert signed.caller.csrf not in shown
