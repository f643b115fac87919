"""A running service betrays nothing: recognisable secrets go in by every way, also where they do not belong,
and its log, its events, its figures, its audit and its database are searched for them.

A verdict names the member to those who may verify, and to nobody else; an unmasking is answered with what was asked
for; and a page knows its own address.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from reader_service.access.authenticator import new_token
from reader_service.principal import Role
from tests.support.cards.card_bench import fast_directory
from tests.support.cli import FORM_HEAD
from tests.support.issuer import id_number
from tests.support.leaks import LeakSearch
from tests.support.service.process import (
    PASSPHRASE,
    PASSWORD,
    ApiClient,
    ServiceDirectory,
    ServiceProcess,
    running_service,
)
from tests.support.waiting import PATIENCE, eventually

MEMBERS = (("欧阳慕容雪", 11), ("司马相如卿", 22), ("诸葛孔明远", 33))
REJECTED = ("尉迟敬德公", 55)
UNIT = "密云水库管理处工会"
WRONG = "Dreizehn-Bäume-im-Garten"
PIN = "739205814263"
PAN = "6228480402564890018"
PROBLEM = "application/problem+json"


def mobile(serial: int) -> str:
    return f"139{serial:02d}864207"


def wrong_check(serial: int) -> str:
    number = id_number(serial)
    return number[:-1] + ("0" if number[-1] != "0" else "1")


@dataclass
class Heard:
    """Every event, as a listener with all roles has it."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def follow(self, url: str, token: str) -> None:
        address = url.replace("http", "ws", 1) + "/api/v1/events"
        with (
            suppress(ConnectionClosed),  # with the service
            connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as socket,
        ):
            for message in socket:
                self.events += json.loads(message)

    def wait_for(self, kind: str, count: int = 1) -> None:
        came = eventually(lambda: len([event for event in self.events if event["kind"] == kind]) >= count)
        assert came, f"no {kind} among {[event['kind'] for event in self.events]}"


@dataclass
class Ran:
    """What came out of a service that a day of work and of mistakes went through."""

    home: ServiceDirectory
    spy: LeakSearch
    log: str
    metrics: str
    refusals: list[str]
    heard: Heard


def form(path: Path) -> Path:
    lines = [FORM_HEAD]
    for row, (name, serial) in enumerate((*MEMBERS, REJECTED), 1):
        number = wrong_check(serial) if (name, serial) == REJECTED else id_number(serial)
        lines.append(f"{row},{number},{name},{'男' if int(number[16]) % 2 else '女'},{mobile(serial)},{UNIT}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ran() -> Iterator[Ran]:
    with fast_directory() as directory:
        yield a_day(ServiceDirectory(directory, f"sqlite:///{directory / 'membercard.db'}"))


def a_day(home: ServiceDirectory) -> Ran:
    spy = LeakSearch()
    for name, value in (("passphrase", PASSPHRASE), ("password", PASSWORD), ("wrong password", WRONG), ("PAN", PAN)):
        spy.plant_text(name, value)
    spy.plant_pin("PIN", PIN)
    for name, serial in (*MEMBERS, REJECTED):
        spy.plant_text(f"ID number {serial}", wrong_check(serial) if serial == REJECTED[1] else id_number(serial))
        spy.plant_text(f"phone {serial}", mobile(serial))
        spy.plant_text(f"name {serial}", name)
    token = home.token(*Role)
    spy.plant_text("token", token)
    home.person("reviewer", Role.REVIEWER)
    home.slot_cards.mkdir()
    options = ("--no-pcsc", "--log-level", "debug", "--log-format", "json", "--reader", f"sim:{home.blanks(5)}")
    heard, refusals = Heard(), list[str]()
    with running_service(home, *options, "--counter", "sim:slot/desk") as running, running.client(token) as client:
        threading.Thread(target=heard.follow, args=(running.url, token), daemon=True).start()
        spy.plant_text("session", work(running, client, home, heard))
        refusals += [answer.text for answer in mistakes(running, client) if answer.headers["content-type"] == PROBLEM]
        metrics = httpx.get(f"{running.url}/metrics", timeout=PATIENCE).text
        assert running.stop() == 0
        log = running.text()
    return Ran(home, spy, log, metrics, refusals, heard)


def work(running: ServiceProcess, client: ApiClient, home: ServiceDirectory, heard: Heard) -> str:
    """From a form to a verdict. The secret of the reviewer's session."""
    with form(home.directory / "form.csv").open("rb") as file:
        uploaded = client.http.post("/api/v1/rosters", files={"file": file}, headers={"Idempotency-Key": "form"})
    batch = uploaded.json()["batch"]["id"]
    client.get(f"/rosters/{batch}/findings")
    client.post(f"/batches/{batch}/submit")
    with httpx.Client(base_url=running.url, timeout=PATIENCE) as reviewer:
        signed = reviewer.post("/api/v1/session", json={"name": "reviewer", "password": PASSWORD})
        secret = reviewer.cookies["membercard"]
        csrf = {"X-CSRF-Token": signed.json()["csrf"]}
        assert reviewer.post(f"/api/v1/batches/{batch}/approve", headers=csrf).status_code == 200
    client.post(f"/batches/{batch}/prepare")
    assert eventually(lambda: (client.get(f"/batches/{batch}/preparation") or {}).get("state") == "done")
    feeder = next(reader["id"] for reader in client.get("/readers") if not reader["drawer"])
    client.post("/lanes", {"batch": batch, "readers": [feeder]})
    heard.wait_for("lane.card", len(MEMBERS))
    assert eventually(lambda: client.get(f"/batches/{batch}")["accounts"]["verified"] == len(MEMBERS))
    for card in (home.stock / "issued").glob("*.card"):
        card.rename(home.slot_cards / card.name)
    slot = next(reader["id"] for reader in client.get("/readers") if reader["drawer"])
    client.post(f"/developer/readers/{slot}/insert", {"name": client.get("/developer/drawer")[0]["name"]})
    heard.wait_for("verdict")
    return secret


def mistakes(running: ServiceProcess, client: ApiClient) -> list[httpx.Response]:
    """Secrets where they do not belong. The answers that are refusals."""
    number, phone, name = id_number(MEMBERS[0][1]), mobile(MEMBERS[0][1]), MEMBERS[0][0]
    member_id = client.post("/members/search", {"text": number})["items"][0]["member_id"]
    assert client.post("/members/search", {"text": name})["items"]
    clear = client.post(f"/members/{member_id}/unmask", {"reason": f"asked for {number} and {phone}"})
    assert clear["id_number"] == number
    slot = next(reader["id"] for reader in client.get("/readers") if reader["drawer"])
    anonymous = httpx.Client(base_url=running.url, timeout=PATIENCE)
    answers = [
        client.http.get(f"/api/v1/members/{number}"),
        client.http.get(f"/api/v1/cards/{PAN}"),
        client.http.get("/api/v1/members", params={"unit": name, "cursor": phone}),
        client.send("POST", "/members/search", {"text": name, "id_number": number}),
        client.send("POST", "/verify", {"reader": number}),
        client.send("POST", f"/batches/{number}/return", {"reason": phone}),
        client.send("POST", "/members/search", {"text": number}, key="twice"),
        client.send("POST", "/members/search", {"text": phone}, key="twice"),
        client.http.post(
            "/api/v1/rosters", files={"file": (f"{name}{number}.xlsx", b"PK" + number.encode())},
            headers={"Idempotency-Key": "bad form"},
        ),
        client.send("POST", f"/developer/readers/{slot}/apdu", {"apdus": [pin_command()]}),
        client.http.get("/api/v1/session", headers={"Authorization": f"Bearer {new_token()}"}),
        anonymous.get("/api/v1/members", params={"token": client.http.headers["authorization"]}),
        anonymous.post("/api/v1/session", json={"name": "reviewer", "password": WRONG}),
        anonymous.post("/api/v1/session", json={"name": WRONG, "password": WRONG}),
        anonymous.post("/api/v1/session", content=f'{{"name": "{WRONG}", "password": {WRONG}'),
        anonymous.get(f"/{number}/{name}", headers={"User-Agent": phone, "Referer": f"http://localhost/{number}"}),
    ]  # fmt: skip
    anonymous.close()
    return [answer for answer in answers if answer.status_code >= 400]


def pin_command() -> str:
    return f"00200080082{len(PIN):X}{PIN}".ljust(26, "F")


def test_the_log_holds_none(ran: Ran) -> None:
    assert '"route": "/api/v1/members/{member_id}"' in ran.log
    assert ran.log.count("\n") > 40
    assert ran.spy.look("log", ran.log) == []


def test_refusals_and_figures_hold_none(ran: Ran) -> None:
    assert len(ran.refusals) >= 12
    assert ran.spy.look("metrics", ran.metrics) == []
    for text in ran.refusals:
        assert ran.spy.look("problem", text) == []


def test_events_hold_none_but_the_name_in_a_verdict(ran: Ran) -> None:
    kinds = {event["kind"] for event in ran.heard.events}
    assert kinds >= {"reader.state", "card.inserted", "lane.state", "lane.card", "verdict", "batch.changed"}
    for event in ran.heard.events:
        leaks = ran.spy.look(event["kind"], json.dumps(event, ensure_ascii=False))
        named = [leak for leak in leaks if event["kind"] == "verdict" and leak.secret.startswith("name ")]
        assert leaks == named


def test_audit_and_database_hold_none(ran: Ran) -> None:
    with ran.home.registry() as registry:
        rows = registry.audit.page(None, 500).items
        assert {row.entry.action for row in rows} >= {"member.unmask", "session.refused", "batch.approve", "lane.start"}
        assert ran.spy.look("audit", "\n".join(repr(row) for row in rows)) == []
        assert registry.audit.verify().whole
    assert ran.spy.look_through(sorted(ran.home.directory.glob("membercard.db*"))) == []


def test_the_spy_would_have_seen_them(ran: Ran) -> None:
    assert ran.spy.look("form", (ran.home.directory / "form.csv").read_bytes())
    assert ran.spy.look("command", bytes.fromhex(pin_command()))
