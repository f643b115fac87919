"""A service over an empty registry, without readers, for tests of what comes in over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.access.settings import AccessSettings
from reader_service.app import create_app
from reader_service.principal import Role
from reader_service.service import ReaderService
from registry.store import Registry
from tests.support.registry.registrar import SetClock
from tests.support.service.registry_rig import registry_rig

BASE = "http://localhost"
PASSWORD = "a sentence of somebody"


class NoLeases:
    """Remembers whose leases were ended."""

    def __init__(self) -> None:
        self.freed: list[tuple[str, str]] = []

    def free_all(self, name: str, token: str = "") -> int:
        self.freed.append((name, token))
        return 0


class Client:
    """Requests to an application in this process, one after the other or many at once."""

    def __init__(self, app: FastAPI, headers: dict[str, str], address: str = "127.0.0.1") -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50000))
        self._http = httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        self.headers, self.cookies = self._http.headers, self._http.cookies

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._http.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)

    def at_once(self, times: int, method: str, path: str, **more: Any) -> list[httpx.Response]:
        async def all_of_them() -> list[httpx.Response]:
            return await asyncio.gather(*(self._http.request(method, path, **more) for _ in range(times)))

        return asyncio.run(all_of_them())


class KeyedClient(Client):
    """A client with a token: paths below ``prefix``, and a fresh idempotency key for each write."""

    def __init__(self, app: FastAPI, token: str, prefix: str = "") -> None:
        super().__init__(app, {"Authorization": f"Bearer {token}"})
        self._prefix = prefix

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid.uuid4())} | dict(more.pop("headers", {}))
        return super().request(method, f"{self._prefix}{path}", headers=headers, **more)


@dataclass
class AccountsApp:
    """``service`` has a registry and no readers, and is not started; ``app`` serves it."""

    registry: Registry
    clock: SetClock
    leases: NoLeases
    accounts: AccountService
    service: ReaderService
    app: FastAPI
    passwords: Passwords

    def person(self, name: str, *roles: Role, must_change: bool = False) -> str:
        """Their password is PASSWORD."""
        stored = self.passwords.hash(PASSWORD)
        names = [role.value for role in roles]
        self.registry.users.add(name, name, stored, names, by="tests", must_change=must_change)
        return name

    def token(self, *roles: Role, label: str = "till", days: float = 30) -> str:
        if "maker" not in [user.name for user in self.registry.users.page(None, 100).items]:
            self.person("maker", Role.ADMINISTRATOR)
        secret = new_token()
        names = [role.value for role in roles]
        until = self.clock() + timedelta(days=days)
        self.registry.tokens.make(label, key_of(secret), names, until=until, by="maker")
        return secret

    def client(self, **headers: str) -> Client:
        return Client(self.app, headers)

    def signed_in(self, name: str) -> Client:
        """A client with the person's cookie and CSRF header."""
        client = self.client()
        answer = client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def bearing(self, token: str) -> Client:
        return self.client(Authorization=f"Bearer {token}")


def accounts_app(directory: Path, settings: AccessSettings | None = None) -> AccountsApp:
    rig, leases, passwords = registry_rig(directory), NoLeases(), Passwords(CHEAP)
    settings = settings or AccessSettings()
    accounts = AccountService(rig.registry, settings, passwords=passwords, leases=leases, clock=rig.clock)
    service = ReaderService(rig.parts, settings, accounts=accounts)
    return AccountsApp(rig.registry, rig.clock, leases, accounts, service, create_app(service), passwords)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem details of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    details: dict[str, Any] = answer.json()
    assert details["status"] == answer.status_code
    assert details["type"] == f"/problems/{details['code']}"
    return details
