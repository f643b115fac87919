"""The lists that a counter fetches, from the real resources of an office (docs/api.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from membercard.wiring.api_client import ApiClient
from membercard.wiring.bounded_http import Reply, Request
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY
from membercard.wiring.list_source import HttpListSource
from reader_service.principal import Role
from reader_service.services.counter.fetched_lists import ListFaultCode, ListKind, ListNotFetched, fetch_all
from tests.support.service.registry_app import RegistryApp, registry_app

V1 = "/api/v1"


class InProcess:
    """The client of the office without a line between."""

    def __init__(self, app: RegistryApp, role: Role) -> None:
        self._client = app.client_as(role)
        self.requests: list[tuple[str, int]] = []

    def ask(self, request: Request) -> Reply:
        answer = self._client.get(f"{V1}{request.target}", headers=dict(request.headers))
        self.requests.append((request.target, answer.status_code))
        return Reply(answer.status_code, answer.content)


def test_a_counter_fetches_what_its_issuer_publishes(tmp_path: Path) -> None:
    app, folder = registry_app(tmp_path), tmp_path / "counter"
    folder.mkdir()
    publisher, registrar = InProcess(app, Role.COUNTER), app.client_as(Role.REGISTRAR)
    lists = HttpListSource(cast(ApiClient, publisher), folder, app.accounts.service.parts.clock)
    with pytest.raises(ListNotFetched) as keyless:
        lists.fetch(ListKind.TRUST)
    assert keyless.value.fault is ListFaultCode.KEY
    (folder / LIST_KEY).write_bytes(lists.offered_key()[1])
    done = fetch_all(lists)
    assert done.new == (ListKind.TRUST,)
    assert [(one.fault, one.kind) for one in done.faults] == [
        (ListFaultCode.NONE, ListKind.HOTLIST),
        (ListFaultCode.NONE, ListKind.PROGRAMME),
    ]
    first = registrar.post(f"{V1}/lists/hotlist").json()["version"]
    assert [one.version for one in fetch_all(lists).fetched if one.new] == [first]
    publisher.requests.clear()
    assert fetch_all(lists).new == ()
    assert ("/lists/hotlist", 304) in publisher.requests
    second = registrar.post(f"{V1}/lists/hotlist").json()["version"]
    assert fetch_all(lists).new == (ListKind.HOTLIST,)
    assert json.loads((folder / HOTLIST).read_bytes())["list"]["version"] == second > first
    app.accounts.registry.close()


def test_a_token_without_the_role_is_refused(tmp_path: Path) -> None:
    app = registry_app(tmp_path)
    lists = HttpListSource(cast(ApiClient, InProcess(app, Role.DEVELOPER)), tmp_path, app.accounts.service.parts.clock)
    with pytest.raises(ListNotFetched) as refused:
        lists.offered_key()
    assert refused.value.fault is ListFaultCode.ROLE
    app.accounts.registry.close()
