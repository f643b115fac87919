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
def house(tmp_path: Path) -> Iterator[AccountsApp]:
    made = accounts_app(tmp_path)
    made.person("Wang Fang", Role.OPERATOR)
    yield made
    made.registry.close()


def attempt(house: AccountsApp, password: str, name: str = "wang fang", address: str = "127.0.0.1") -> int:
    client = Client(house.app, {}, address)
    return client.post(SESSION, json={"name": name, "password": password}).status_code


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_do_not_have(house: AccountsApp) -> None:
    answer = house.client().post(SESSION, json={"name": "wang  FANG", "password": PASSWORD})
    assert answer.status_code == 201
    assert answer.json()["name"] == "Wang Fang"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("membercard=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["cache-control"] == "no-store"


def test_under_tls_the_cookie_is_bound_to_this_host(tmp_path: Path) -> None:
    house = accounts_app(tmp_path, AccessSettings(tls=True))
    house.person("Wang Fang", Role.OPERATOR)
    answer = house.client().post(SESSION, json={"name": "wang fang", "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-membercard=")
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    assert answer.headers["strict-transport-security"] == "max-age=63072000"


def test_who_is_signed_in_is_told_who_they_are_and_what_they_may(house: AccountsApp) -> None:
    session = house.signed_in("wang fang").get(SESSION).json()
    assert (session["name"], session["roles"], session["token"]) == ("Wang Fang", ["operator"], "")
    assert "lanes:run" in session["permissions"]
    assert "users" not in session["permissions"]


def test_a_wrong_name_and_a_wrong_password_are_told_alike(house: AccountsApp) -> None:
    wrong = house.client().post(SESSION, json={"name": "wang fang", "password": "something else"})
    unknown = house.client().post(SESSION, json={"name": "hunter2 is mine", "password": "something else"})
    assert problem(wrong) == problem(unknown)
    assert problem(wrong)["code"] == "wrong-password"
    refused = house.registry.audit.page(where=AuditFilter(action="session.refused")).items
    assert [row.entry.actor for row in refused] == ["somebody", "Wang Fang"]
    assert refused[0].entry.origin == "127.0.0.1"


def test_guessing_one_name_takes_longer_and_longer_from_wherever(house: AccountsApp) -> None:
    for turn in range(BY_NAME.free + 1):
        assert attempt(house, "wrong", address=f"10.0.0.{turn}") == 401
    client = Client(house.app, {}, "10.0.0.99")
    refused = client.post(SESSION, json={"name": "WANG FANG", "password": PASSWORD})
    assert problem(refused)["code"] == "too-many"
    assert refused.headers["retry-after"] == "1"
    house.clock.forward(timedelta(seconds=1.1))
    assert attempt(house, "wrong", address="10.0.0.100") == 401
    waits = client.post(SESSION, json={"name": "wang fang", "password": PASSWORD}).headers["retry-after"]
    assert waits == "2"
    house.clock.forward(timedelta(seconds=2.1))
    assert attempt(house, PASSWORD) == 201
    assert attempt(house, "wrong") == 401
    assert attempt(house, PASSWORD) == 201


def test_guessing_from_one_address_is_slowed_whichever_names_are_tried(house: AccountsApp) -> None:
    for turn in range(BY_ADDRESS.free + 1):
        assert attempt(house, "wrong", name=f"name {turn}", address=f"2001:db8::{turn:x}") == 401
    assert attempt(house, PASSWORD, address="2001:db8::ffff") == 429
    assert attempt(house, PASSWORD, address="2001:db8:0:1::1") == 201


def test_the_wait_for_a_name_ends_so_that_nobody_can_be_kept_out(house: AccountsApp) -> None:
    for _ in range(40):
        attempt(house, "wrong")
        house.clock.forward(timedelta(minutes=6))
    assert BY_NAME.wait(1000) == BY_NAME.longest
    assert attempt(house, PASSWORD) == 201


def test_a_hundred_guesses_at_once_are_counted_one_by_one(house: AccountsApp) -> None:
    answers = house.client().at_once(40, "POST", SESSION, json={"name": "wang fang", "password": "wrong"})
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
        ("a unix socket", "a unix socket"),
    ],
)
def test_an_address_counts_as_what_one_customer_gets(address: str, counted: str) -> None:
    assert network(address) == counted


def test_a_password_that_somebody_else_knows_opens_nothing_but_its_change(house: AccountsApp) -> None:
    house.person("Li Na", Role.ADMINISTRATOR, must_change=True)
    client = house.signed_in("li na")
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


def test_changing_the_password_ends_every_other_session_and_asks_for_the_old_one(house: AccountsApp) -> None:
    here, there = house.signed_in("wang fang"), house.signed_in("wang fang")
    wrong = here.post(f"{SESSION}/password", json={"old": "a guess at it", "new": "only I know this one"})
    assert problem(wrong)["code"] == "wrong-password"
    assert there.get(SESSION).status_code == 200
    before = here.cookies["membercard"]
    assert here.post(f"{SESSION}/password", json={"old": PASSWORD, "new": "only I know this"}).status_code == 200
    assert here.cookies["membercard"] != before
    assert here.get(SESSION).status_code == 200
    assert there.get(SESSION).status_code == 401
    assert ("Wang Fang", "") in house.leases.freed


def test_signing_out_ends_the_session_at_once_and_takes_the_cookie(house: AccountsApp) -> None:
    client = house.signed_in("wang fang")
    secret = client.cookies["membercard"]
    assert client.get(SESSION).status_code == 200
    answer = client.delete(SESSION)
    assert answer.status_code == 204
    assert "membercard" not in client.cookies
    stolen = house.client(Cookie=f"membercard={secret}")
    assert stolen.get(SESSION).status_code == 401
    assert house.leases.freed == [("Wang Fang", "")]


def test_sessions_end_when_idle_and_at_the_end_of_the_day(house: AccountsApp) -> None:
    idle = house.signed_in("wang fang")
    house.clock.forward(timedelta(minutes=61))
    house.accounts.authenticator.forget()
    assert idle.get(SESSION).status_code == 401
    busy = house.signed_in("wang fang")
    for _ in range(13):
        house.clock.forward(timedelta(minutes=55))
        house.accounts.authenticator.forget()
        assert busy.get(SESSION).status_code == 200
    house.clock.forward(timedelta(minutes=10))
    assert busy.get(SESSION).status_code == 401


def test_one_sees_ones_sessions_and_ends_the_others(house: AccountsApp) -> None:
    here, there = house.signed_in("wang fang"), house.signed_in("wang fang")
    assert len(here.get(f"{SESSION}/all").json()) == 2
    assert here.delete(f"{SESSION}/others").json() == {"ended": 1}
    assert there.get(SESSION).status_code == 401
    assert here.get(SESSION).status_code == 200


def test_somebody_who_is_disabled_does_not_come_in_and_is_told_so_with_the_right_password_only(
    house: AccountsApp,
) -> None:
    house.registry.users.disable("wang fang", by="tests", reason="left the office")
    answer = house.client().post(SESSION, json={"name": "wang fang", "password": PASSWORD})
    assert problem(answer)["code"] == "user-disabled"
    wrong = house.client().post(SESSION, json={"name": "wang fang", "password": "a guess at it"})
    assert problem(wrong)["code"] == "wrong-password"


def test_the_language_of_a_person_is_kept(house: AccountsApp) -> None:
    client = house.signed_in("wang fang")
    assert client.post(f"{SESSION}/language", json={"language": "en"}).status_code == 200
    assert house.registry.users.user("wang fang").language == "en"
    assert client.post(f"{SESSION}/language", json={"language": "tlh"}).status_code == 422


def test_no_secret_of_the_door_shows_itself(house: AccountsApp) -> None:
    signed = house.accounts.sign_in("wang fang", PASSWORD, "")
    shown = repr(signed) + str(signed)
    assert signed.secret not in shown
    assert signed.caller.csrf not in shown
