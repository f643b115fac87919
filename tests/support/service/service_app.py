"""The whole service over a registry and one virtual reader, served in this process, with people of every role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI

from reader_service.access.passwords import CHEAP, Passwords
from reader_service.app import create_app
from reader_service.principal import Role
from reader_service.service import ReaderService
from tests.support.service.accounts import PASSWORD, Client
from tests.support.service.reader_rig import ReaderRig, reader_rig

READER: Final = "sim:slot/door"
ALL: Final = "all"


@dataclass
class ServiceApp:
    """People are named as their role; ``ALL`` has every role."""

    station: ReaderRig
    service: ReaderService
    app: FastAPI

    def signed_in(self, name: str) -> Client:
        """A client with the person's cookie and CSRF header."""
        client = self.stranger()
        answer = client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def stranger(self) -> Client:
        return Client(self.app, {})

    def document(self) -> dict[str, Any]:
        """The API's OpenAPI document."""
        answer: httpx.Response = self.stranger().get("/api/v1/openapi.json")
        body: dict[str, Any] = answer.json()
        return body


@contextmanager
def service_app(directory: Path, *urls: str) -> Iterator[ServiceApp]:
    rig = reader_rig(directory, *urls)
    service = ReaderService(rig.parts)
    service.accounts.passwords = Passwords(CHEAP)
    stored = service.accounts.passwords.hash(PASSWORD)
    everybody = {role.value: [role.value] for role in Role} | {ALL: [role.value for role in Role]}
    for name, roles in everybody.items():
        rig.registry.users.add(name, name, stored, roles, by="tests", must_change=False)
    service.start()
    try:
        yield ServiceApp(rig, service, create_app(service))
    finally:
        service.close()
        rig.registry.close()
