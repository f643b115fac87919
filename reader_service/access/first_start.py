"""The first administrator, created at the first start with a one-time password that is printed once."""

from __future__ import annotations

from typing import Final

from reader_service.access.accounts import AccountService
from reader_service.access.passwords import one_time
from reader_service.principal import Role
from registry.store import Registry
from terminal.secret import Secret

NAME: Final = "admin"


def first_administrator(registry: Registry, accounts: AccountService) -> Secret | None:
    """Create the administrator ``admin`` and give the one-time password; None where there is a user already.

    Services that start together on one database create one. Raises RegistryUnavailable.
    """
    if registry.users.page(None, 1).items:
        return None
    password = one_time()
    user = registry.users.first(NAME, "Administrator", accounts.passwords.hash(password), [Role.ADMINISTRATOR.value])
    return Secret(password.encode()) if user is not None else None
