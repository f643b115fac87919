"""A service with a real registry and door, without readers and desks, for tests of whoever comes in over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from fastapi import FastAPI

from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.access.settings import AccessSettings
from reader_service.app import create_app
from reader_service.events import EventBus
from reader_service.principal import Role
from reader_service.service import ReaderService
from reader_service.services.users import UserService
from registry.store import Registry
from tests.support import issuer
from tests.support.registry import databases

BASE = "http://localhost"
PASSWORD = "a sentence of somebody"
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


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


@dataclass
class AccountsApp:
    """``service`` has what the door needs; ``app`` serves it."""

    registry: Registry
    clock: Clock
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
    clock, leases = Clock(), NoLeases()
    registry = databases.registry(databases.fresh(directory), issuer.custody(), clock)
    passwords = Passwords(CHEAP)
    accounts = AccountService(registry, settings or AccessSettings(), passwords=passwords, leases=leases, clock=clock)
    parts = SimpleNamespace(custody=issuer.custody(), station="tests", pcsc=False)
    made = SimpleNamespace(
        registry=registry,
        parts=parts,
        bus=EventBus(),
        accounts=accounts,
        users=UserService(registry, accounts),
        readers=SimpleNamespace(readers=lambda p: []),
    )
    service = cast("ReaderService", made)
    return AccountsApp(registry, clock, leases, accounts, service, create_app(service), passwords)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem details of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["type"] == f"/problems/{told['code']}"
    return cast("dict[str, Any]", told)
