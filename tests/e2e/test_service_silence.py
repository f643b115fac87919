"""A network that swallows what is said to the database: the counter does not wait for it, and nobody new comes in."""

from __future__ import annotations

import time

import httpx
import pytest

from personalize.line.lanes import PersonalizationLine
from reader_service.principal import Role
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.cards.card_bench import fast_directory
from tests.support.registry.postgres import Cluster
from tests.support.registry.relay import Relay
from tests.support.service.process import PASSWORD, ApiClient, ServiceDirectory, ServiceProcess, running_service
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.postgres


def test_a_counter_does_not_wait_for_a_database_that_says_nothing(cluster: Cluster) -> None:
    with fast_directory() as directory:
        relay = Relay(directory, cluster.socket)
        url = cluster.database().replace(str(cluster.socket), str(directory))
        home = ServiceDirectory(directory, url)
        with home.registry() as registry:
            batch = issuer.prepared(registry, 1, directory)
            feeder = open_reader(f"sim:{home.blanks(1, home.slot_cards)}")
            PersonalizationLine(issuer.job(registry, batch), remake=lambda: 0).run([feeder])
        (card,) = (home.slot_cards / "issued").glob("*.card")
        token, stranger = home.token(Role.COUNTER), home.token(Role.COUNTER, label="another")
        name = home.person("counter", Role.COUNTER)
        with (
            running_service(home, "--no-pcsc", "--counter", f"sim:slot/desk?card={card}") as running,
            running.client(token) as client,
            httpx.Client(base_url=running.url, timeout=PATIENCE) as page,
        ):
            page.post("/api/v1/session", json={"name": name, "password": PASSWORD}).raise_for_status()
            (reader,) = client.get("/readers")
            served(client, page, reader["id"])
            with relay.silence():
                time.sleep(2.5)  # until who asks is to be looked up again
                for _ in range(2):
                    served(client, page, reader["id"])
                refused(running, stranger)
            assert eventually(lambda: page.get("/health/ready").status_code == 200, 0.1)
            assert client.get("/verify/lists")["trust_version"]
        relay.close()


def served(client: ApiClient, page: httpx.Client, reader: str) -> None:
    """Machine and person, although no answer comes from the database as long as they wait."""
    assert client.post("/verify", {"reader": reader})["verdict"] == "ACTIVE"
    assert page.get("/counter", params={"reader": reader}).status_code == 200


def refused(running: ServiceProcess, stranger: str) -> None:
    with running.client(stranger) as other:
        answer = other.http.get("/api/v1/readers")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
