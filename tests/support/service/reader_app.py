"""A service with virtual slots behind its API, in this process: what a station's client sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.app import create_app
from reader_service.principal import Role
from reader_service.service import ReaderService
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from tests.support.service.accounts import PASSWORD, KeyedClient
from tests.support.service.reader_rig import reader_rig
from tests.support.waiting import eventually

V1 = "/api/v1"


class ReaderApp:
    """A running service with an empty slot ``counter``, and the slots ``lane-1`` and ``lane-2`` with a blank chip each.
    The card folder holds these chips."""

    def __init__(self, directory: Path) -> None:
        self.stock = directory / "stock"
        cards = list(make_stock(self.stock, 2, CardConfig(blank())))
        urls = ("sim:slot/Counter", *(f"sim:slot/Lane {n + 1}?card={card}" for n, card in enumerate(cards)))
        self.station = reader_rig(directory, *urls, card_folder=self.stock)
        self.service = ReaderService(self.station.parts)
        self.app = create_app(self.service)
        self.registry = self.station.registry
        self.service.start()
        assert eventually(lambda: len(self.service.readers.views()) == 3)
        self.person("maker", Role.ADMINISTRATOR)

    def person(self, name: str, *roles: Role) -> None:
        """Somebody who signs in with PASSWORD."""
        stored = Passwords(CHEAP).hash(PASSWORD)
        self.registry.users.add(name, name, stored, [r.value for r in roles], by="tests", must_change=False)

    def token(self, *roles: Role) -> str:
        secret = new_token()
        names = [role.value for role in roles]
        until = datetime.now(UTC) + timedelta(days=1)
        self.registry.tokens.make("+".join(names), key_of(secret), names, until=until, by="maker")
        return secret

    def client_as(self, *roles: Role) -> KeyedClient:
        return KeyedClient(self.app, self.token(*roles), V1)

    def close(self) -> None:
        self.service.close()
        self.registry.close()
