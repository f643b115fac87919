"""The first person of all: made at the first start, with a password that is printed once."""

from __future__ import annotations

from typing import Final

from reader_service.access.accounts import AccountService
from reader_service.access.passwords import one_time
from reader_service.principal import Role
from registry.store import Registry
from terminal.secret import Secret

NAME: Final = "admin"


def first_administrator(registry: Registry, accounts: AccountService) -> Secret | None:
    """The one-time password of the administrator ``admin``, who must change it; None where there is somebody already.

    Several services that start at once on one database make one. Raises RegistryUnavailable.
    """
    if registry.users.page(None, 1).items:
        return None
    password = one_time()
    user = registry.users.first(NAME, "Administrator", accounts.passwords.hash(password), [Role.ADMINISTRATOR.value])
    return Secret(password.encode()) if user is not None else None
