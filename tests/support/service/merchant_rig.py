"""A running service of a merchant with two slots in counter mode, and two cards of an issuer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from personalize.line.lanes import PersonalizationLine
from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.app import create_app
from reader_service.principal import Role
from reader_service.redemptions.record import CounterRecord
from reader_service.service import ReaderService
from reader_service.services.redeeming.values import CardOffers
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.registry import databases
from tests.support.service.accounts import PASSWORD, KeyedClient
from tests.support.service.merchant import choice, place
from tests.support.service.reader_rig import COUNTER, ReaderRig, reader_rig
from tests.support.waiting import eventually


def issued_cards(home: Path) -> tuple[str, list[Path]]:
    """The URL of a registry with two cards issued, and their files."""
    url = databases.fresh(home)
    readers = reader_rig(home, url=url)
    batch = issuer.prepared(readers.registry, 2, home)
    list(make_stock(home / "stock", 2, CardConfig(blank())))
    results = PersonalizationLine(issuer.job(readers.registry, batch), remake=lambda: None).run(
        [open_reader(f"sim:{home / 'stock'}")]
    )
    assert not results[0].fault
    readers.registry.close()
    return url, sorted((home / "stock" / "issued").iterdir())


@dataclass
class MerchantRig:
    """The service with its slots ``counter`` and ``second``."""

    station: ReaderRig
    service: ReaderService
    cards: list[Path]

    def insert(self, card: int = 0, reader: str = "counter") -> CardOffers:
        """Insert a card and wait for what its member can have."""
        before = len(self.station_events("redemption.offers", reader))
        self.service.readers.slot(reader).insert(self.cards[card])
        assert eventually(lambda: len(self.station_events("redemption.offers", reader)) > before)
        return self.service.redemptions.offers(COUNTER, reader)

    def station_events(self, kind: str, reader: str) -> list[object]:
        return [event for event in self.station.bus.of(kind) if event.topic == reader]

    def redeem(self, card: CardOffers, **more: object) -> CounterRecord:
        record = self.service.redemptions.redeem(COUNTER, card.reader, card.insertion, choice(**more))  # type: ignore[arg-type]
        assert isinstance(record, CounterRecord)
        return record

    def client(self, *roles: Role) -> KeyedClient:
        """Somebody's program, with a token that has these roles."""
        users, tokens = self.station.registry.users, self.station.registry.tokens
        if users.password_hash("maker") is None:
            stored = Passwords(CHEAP).hash(PASSWORD)
            users.add("maker", "maker", stored, [Role.ADMINISTRATOR.value], by="tests", must_change=False)
        secret, until = new_token(), datetime.now(UTC) + timedelta(days=1)
        names = [role.value for role in roles]
        tokens.make("+".join(names), key_of(secret), names, until=until, by="maker")
        return KeyedClient(create_app(self.service), secret, "/api/v1")


@contextmanager
def merchant_rig(folder: Path, issued: tuple[str, list[Path]]) -> Iterator[MerchantRig]:
    """One over copies of the issuer's registry and cards."""
    url = databases.copy(issued[0], folder)
    cards = []
    for number, path in enumerate(issued[1]):
        cards.append(folder / f"{number}.card")
        cards[-1].write_bytes(path.read_bytes())
    counters = {"sim:slot/Counter": "柜台 1", "sim:slot/Second": "柜台 2"}
    station = reader_rig(folder, url=url, counters=counters, place=place())
    service = ReaderService(station.parts)
    service.bus = station.bus
    for part in (service.readers, service.counter, service.redemptions):
        part._bus = station.bus  # type: ignore[attr-defined]
    service.start()
    assert eventually(lambda: len(service.readers.views()) == 2)
    try:
        yield MerchantRig(station, service, cards)
    finally:
        service.close()
        station.registry.close()
