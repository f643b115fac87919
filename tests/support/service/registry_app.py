"""The services of the registry behind a real sign-in, for tests of their resources over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reader_service.principal import Role
from tests.support.service.accounts import AccountsApp, Client, KeyedClient, accounts_app


@dataclass
class RegistryApp:
    """``client_as(ROLE)`` is a client with a token of that role, ``person`` one who is signed in."""

    accounts: AccountsApp

    def client_as(self, *roles: Role) -> Client:
        label = "+".join(role.value for role in roles)
        return KeyedClient(self.accounts.app, self.accounts.token(*roles, label=label))

    def person(self, name: str, *roles: Role) -> Client:
        self.accounts.person(name, *roles)
        return self.accounts.signed_in(name)


def registry_app(directory: Path) -> RegistryApp:
    return RegistryApp(accounts_app(directory))
