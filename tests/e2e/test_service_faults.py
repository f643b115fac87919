"""What goes wrong around a running service: the database goes away and returns, clients stop in the middle, a chip is
pulled in a lane, a key comes again with another request. Each has its documented answer, and nothing is lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg import sql

from reader_service.principal import Role
from tests.support import issuer
from tests.support.cards.card_bench import fast_directory
from tests.support.registry.postgres import Cluster
from tests.support.service.process import ApiClient, ServiceDirectory, ServiceProcess, running_service
from tests.support.waiting import PATIENCE, eventually

CARDS = 4


@pytest.fixture
def home() -> Iterator[ServiceDirectory]:
    with fast_directory() as directory:
        yield ServiceDirectory(directory, f"sqlite:///{directory / 'membercard.db'}")


def admit(cluster: Cluster, database: str, yes: bool) -> None:
    """Let clients into this database, or throw all of them out."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(database), sql.Literal(yes))
        connection.execute(allow)
        if not yes:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))


def ready(running: ServiceProcess) -> httpx.Response:
    return httpx.get(f"{running.url}/health/ready", timeout=PATIENCE)


@pytest.mark.postgres
def test_a_station_that_is_up_before_its_database_waits_for_it(cluster: Cluster) -> None:
    with fast_directory() as directory:
        home = ServiceDirectory(directory, cluster.database())
        name = home.url.partition("?")[0].rpartition("/")[2]
        admit(cluster, name, False)
        often = {"reader_service.waiting.EVERY": 0.2}
        with running_service(home, "--no-pcsc", limits=often) as running:
            away = ready(running)
            assert (away.status_code, away.json()["parts"]) == (503, {"database": "away"})
            assert running.text().count("does not answer") == 1
            admit(cluster, name, True)
            assert eventually(lambda: f"Serving at {running.url}" in running.text()), "it serves"
            assert ready(running).json()["ready"] is True
            assert "Sign in as admin with the password" in running.text()
            assert running.stop() == 0
        with home.registry() as registry:  # and not another, of settings that are not this station's
            assert [user.name for user in registry.users.page().items] == ["admin"]


@pytest.mark.postgres
def test_a_database_that_goes_away_and_returns_loses_no_card(cluster: Cluster) -> None:
    with fast_directory() as directory:
        home = ServiceDirectory(directory, cluster.database())
        with home.registry() as registry:
            registry.stock.receive(CARDS, "delivery 1", "op")
            batch = issuer.prepared(registry, CARDS, directory)
        token = home.token(Role.OPERATOR)
        feeder = f"sim:{home.blanks(CARDS)}?timing=real"  # so that the batch is not done before the database is away
        with running_service(home, "--no-pcsc", "--reader", feeder) as running, running.client(token) as client:
            (reader,) = client.get("/readers")
            client.post("/lanes", {"batch": batch, "readers": [reader["id"]]})
            assert eventually(lambda: client.get("/lanes")[0]["ok"] >= 1), "a card is made"
            name = home.url.partition("?")[0].rpartition("/")[2]
            admit(cluster, name, False)
            try:
                away(running, client, batch)
            finally:
                admit(cluster, name, True)
            assert eventually(lambda: client.get("/lanes")[0]["state"] == "ended"), "the lane ends"
            assert not client.get("/lanes")[0]["fault"]
            accounts = client.get(f"/batches/{batch}")["accounts"]
            assert (accounts["verified"], accounts["chips_rejected"]) == (CARDS, 0)
            assert eventually(lambda: ready(running).status_code == 200)


def away(running: ServiceProcess, client: ApiClient, batch: str) -> None:
    """While nobody can ask the database: the lane waits, the record is unavailable, what needs none goes on."""
    refused = client.http.get(f"/api/v1/batches/{batch}")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    written = client.send("POST", f"/batches/{batch}/prepare", key="while-away")
    assert (written.status_code, written.json()["code"]) == (503, "unavailable")
    assert eventually(lambda: (lane := client.get("/lanes")[0])["state"] == "waiting" and lane["message"])
    assert len(client.get("/readers")) == 1
    assert httpx.get(f"{running.url}/health/live", timeout=PATIENCE).status_code == 200
    assert ready(running).status_code == 503


def test_a_card_pulled_in_a_lane_is_finished_when_it_comes_back(home: ServiceDirectory) -> None:
    with home.registry() as registry:
        registry.stock.receive(1, "delivery 1", "op")
        batch = issuer.prepared(registry, 1, home.directory)
    home.blanks(1, home.slot_cards)
    token = home.token(Role.OPERATOR, Role.DEVELOPER)
    with (
        running_service(home, "--no-pcsc", "--reader", "sim:slot/lane?timing=real") as running,
        running.client(token) as client,
    ):
        (reader,) = client.get("/readers")
        where, card = f"/developer/readers/{reader['id']}", client.get("/developer/drawer")[0]["name"]
        client.post(f"{where}/insert", {"name": card})
        client.post("/lanes", {"batch": batch, "readers": [reader["id"]]})
        assert eventually(lambda: client.get("/lanes")[0]["step"] == "store"), "it is at work"
        client.post(f"{where}/tear")
        assert eventually(lambda: client.get("/lanes")[0]["state"] == "waiting"), "the lane waits for a card"
        assert client.get("/lanes")[0]["bad"] == 0
        client.post(f"{where}/insert", {"name": card})
        assert eventually(lambda: client.get("/lanes")[0]["ok"] == 1), "it is made"
        accounts = client.get(f"/batches/{batch}")["accounts"]
        assert (accounts["verified"], accounts["chips_fed"], accounts["remade"]) == (1, 1, 0)


def test_clients_that_stop_in_the_middle_keep_nobody_waiting(home: ServiceDirectory) -> None:
    token = home.token(Role.OPERATOR)
    soon = {"reader_service.connections.HEAD_SECONDS": 2.0}
    with running_service(home, "--no-pcsc", limits=soon) as running, running.client(token) as client:
        host, port = running.url.removeprefix("http://").split(":")
        half = []
        for number in range(60):
            half.append(one := socket.create_connection((host, int(port)), timeout=PATIENCE))
            head = b"GET /api/v1/readers HTTP/1.1\r\nHost: localhost\r\n"
            if number % 2:
                head = b"POST /api/v1/rosters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"
            one.sendall(head)
        assert client.get("/readers") == []
        for one in half:
            answer = one.recv(4096)
            assert answer == b"" or answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 408")), answer
            one.close()
        assert running.stop() == 0


def test_a_key_that_comes_again_with_something_else(home: ServiceDirectory) -> None:
    token = home.token(Role.OPERATOR)
    with running_service(home, "--no-pcsc", "--reader", "sim:slot/one") as running, running.client(token) as client:
        (reader,) = client.get("/readers")
        path = f"/readers/{reader['id']}/lease"
        first = client.send("POST", path, {"seconds": 60}, key="one-key")
        again = client.send("POST", path, {"seconds": 60}, key="one-key")
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        other = client.send("POST", path, {"seconds": 90}, key="one-key")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
