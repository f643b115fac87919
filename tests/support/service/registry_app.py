"""The desks of the record behind a real door, for tests of their resources over HTTP."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

from personalize.lists import own_trust
from personalize.profiles.profile import default_profile
from reader_service.parts import ServiceParts
from reader_service.principal import Role
from reader_service.services.audit import AuditService
from reader_service.services.batches import BatchService
from reader_service.services.cards import CardService
from reader_service.services.lists import ListService
from reader_service.services.members import MemberService
from reader_service.services.rosters import RosterService
from reader_service.services.statistics import StatisticsService
from terminal.apdu import open_reader
from terminal.member.lists import CounterLists
from tests.support import issuer
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.registry_rig import NoLine


@dataclass
class RegistryApp:
    """``door`` lets people in; ``desk(ROLE)`` is a client with a token of that role, ``line`` prepares."""

    accounts: AccountsApp
    line: NoLine

    def desk(self, *roles: Role) -> Client:
        label = "+".join(role.value for role in roles)
        return Keyed(self.accounts, self.accounts.token(*roles, label=label))

    def person(self, name: str, *roles: Role) -> Client:
        self.accounts.person(name, *roles)
        return self.accounts.signed_in(name)


class Keyed(Client):
    """A client with a token, and a fresh idempotency key for each write."""

    def __init__(self, accounts: AccountsApp, token: str) -> None:
        super().__init__(accounts.app, {"Authorization": f"Bearer {token}"})

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid.uuid4())} | dict(more.pop("headers", {}))
        return super().request(method, path, headers=headers, **more)


def registry_app(directory: Path) -> RegistryApp:
    accounts = accounts_app(directory)
    line = NoLine(accounts.registry)
    clock = accounts.clock

    def lists() -> CounterLists:
        return CounterLists(own_trust(issuer.custody(), default_profile().trust, clock()), None)

    parts = ServiceParts(
        registry=accounts.registry,
        custody=issuer.custody(),
        line=line,
        lists=lists,
        open_reader=open_reader,
        station="tests",
        data_dir=directory,
        clock=clock,
    )
    made, bus = cast("Any", accounts.service), accounts.service.bus
    made.parts = parts
    made.rosters = RosterService(parts, bus)
    made.batches = BatchService(parts, bus)
    made.members = MemberService(parts, bus)
    made.cards = CardService(parts, bus)
    made.lists = ListService(parts, bus)
    made.audit = AuditService(parts, bus)
    made.statistics = StatisticsService(parts, bus)
    return RegistryApp(accounts, line)
