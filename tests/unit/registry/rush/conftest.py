"""Tests of rushes run on SQLite and on PostgreSQL, each with a copy of a registry whose members have their cards."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.databases import copy, fresh, on_postgresql
from tests.support.registry.registrar import SetClock, carded, custodian
from tests.support.registry.rushes import Crowd

MEMBERS = 6


@dataclass(frozen=True)
class CardedMembers:
    """A database that nobody has open, its keys, and the numbers of the cards in it."""

    url: str
    custody: MemoryCustody
    cards: list[str]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def carded_members(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CardedMembers:
    if request.param == "postgresql":
        request.getfixturevalue("cluster")
    custody = custodian()
    with on_postgresql() if request.param == "postgresql" else nullcontext():
        url = fresh(tmp_path_factory.mktemp("members"))
    with Registry.open(url, custody, clock=SetClock()) as registry:
        cards = [card.card_number for card in carded(registry, custody, MEMBERS)]
    return CardedMembers(url, custody, cards)


@pytest.fixture
def url(carded_members: CardedMembers, tmp_path: Path) -> str:
    return copy(carded_members.url, tmp_path)


@pytest.fixture
def custody(carded_members: CardedMembers) -> MemoryCustody:
    return carded_members.custody


@pytest.fixture
def crowd(carded_members: CardedMembers, registry: Registry, clock: SetClock) -> Crowd:
    return Crowd(registry, carded_members.cards, clock)
