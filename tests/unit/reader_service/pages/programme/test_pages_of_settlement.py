"""Pages of merchants and their settlement: every one opens in both languages, and each role has what it may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reader_service.errors import Invalid
from reader_service.pages.programme.money import signed_fen, ten_thousandths
from reader_service.principal import Role
from reader_service.services.programme.booking import prove_with
from registry.programme.rates import Rate
from registry.programme.statement import Month
from registry.store import Registry
from tests.support.registry.redeemed import Till, chips_of, give_rate, masters, park, two_cards
from tests.support.service.accounts import Client
from tests.support.service.registry_app import registry_app

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
PAST = date(2026, 9, 20)
PATHS = (
    "/merchants",
    "/merchants?text=park",
    "/merchants/number/PARK-EAST",
    "/merchants/changes",
    "/merchants/changes?only=all",
    "/merchants/changes/1",
    "/merchants/changes/3",
    "/settlements",
    "/settlements?merchant=PARK-EAST&month=2026-09&state=closed",
    "/settlements/1",
    "/settlements/redemptions",
    "/settlements/findings",
    "/settlements/findings?kind=unknown-terminal",
    "/settlements/disputes",
    "/settlements/disputes/1",
    "/settlements/payouts",
    "/settlements/payouts/1",
    "/waiting",
)


@dataclass
class People:
    """Those who work on the park's September: closed, listed, with a finding, a dispute and an end that waits."""

    registry: Registry
    clients: dict[Role, Client]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    directory: Path = tmp_path_factory.mktemp("settlement")
    rig = registry_app(directory)
    keys = masters()
    with rig.accounts.registry as registry:
        custody: Any = rig.accounts.service.parts.custody
        (chip, _) = chips_of(keys, two_cards(registry, custody))
        east, _ = park(registry)
        give_rate(registry, Rate("0101", date(2026, 1, 1), 100))
        till = Till()
        till.redeemed(*(chip.redeem(amount=amount, day=PAST) for amount in (500, 300)))
        till.redeemed(chip.redeem(amount=700, day=PAST, terminal="X9999999"))
        registry.booking.book(east, till.upload(), prove_with(keys), by="till")
        first = registry.settlement.draw_up("PARK-EAST", Month(2026, 9), by="zhang").statement
        for person in ("zhang", "li"):
            registry.settlement.sign(first.number, first.digest, by=person)
        registry.payouts.draw_up(Month(2026, 9), by="zhang")
        registry.disputes.raise_one(registry.redemptions.page().items[-1].id, by="zhang", reason="nobody came")
        registry.merchants.end("PARK-EAST", by="zhang", reason="moved away")
        roles = (Role.REGISTRAR, Role.REVIEWER, Role.AUDITOR, Role.OPERATOR)
        yield People(registry, {role: rig.person(role.value, role) for role in roles})


@pytest.mark.parametrize("path", PATHS)
def test_every_page_opens_for_who_may_see_it(people: People, path: str) -> None:
    for role in (Role.REGISTRAR, Role.REVIEWER, Role.AUDITOR):
        answer = people.clients[role].get(path)
        assert answer.status_code == 200, (role, answer.text[-600:])
        assert "<h1>" in answer.text
    refused = people.clients[Role.OPERATOR].get(path)
    assert refused.status_code == (200 if path == "/waiting" else 403)


def test_each_role_has_the_actions_that_it_may_take(people: People) -> None:
    def shows(role: Role, path: str, dialog: str) -> bool:
        return f'commandfor="{dialog}"' in people.clients[role].get(path).text

    table = {
        role: [shows(role, "/merchants/number/PARK-EAST", name) for name in ("edit", "rate", "end", "unmask")]
        for role in (Role.REGISTRAR, Role.REVIEWER, Role.AUDITOR)
    }
    assert table == {Role.REGISTRAR: [True] * 4, Role.REVIEWER: [False] * 4, Role.AUDITOR: [False] * 4}
    number = people.registry.merchant_changes.page().items[0].number
    decisions = {
        role: [shows(role, f"/merchants/changes/{number}", name) for name in ("approve", "refuse", "cancel")]
        for role in (Role.REGISTRAR, Role.REVIEWER, Role.AUDITOR)
    }
    assert decisions == {
        Role.REGISTRAR: [False, False, True],
        Role.REVIEWER: [True, True, False],
        Role.AUDITOR: [False] * 3,
    }
    assert shows(Role.REGISTRAR, "/settlements/1", "reopen")
    assert shows(Role.REVIEWER, "/settlements/findings", "accept-1")
    assert not shows(Role.REGISTRAR, "/settlements/findings", "accept-1")


def test_what_waits_is_counted_in_the_navigation(people: People) -> None:
    counts = people.clients[Role.REVIEWER].get("/api/v1/waiting/counts").json()
    assert (counts["merchants"], counts["settlements"]) == (1, 2), "an end; a finding and a dispute"
    assert "merchants" not in people.clients[Role.REGISTRAR].get("/api/v1/waiting/counts").json()


@pytest.mark.parametrize(
    ("text", "fen"), [("2.50", 250), ("-0.3", -30), ("", 0), (" 12 ", 1200), ("0.01", 1), ("1E2", 10_000)]
)
def test_an_amount_may_be_below_zero(text: str, fen: int) -> None:
    assert signed_fen(text, "per_unit") == fen


@pytest.mark.parametrize("text", ["x", "1.005", "1,5", "NaN", "Infinity", "1e99", "２", "--1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        signed_fen(text, "per_unit")
    assert list(refused.value.fields) == ["per_unit"]


def test_a_share_is_in_percent() -> None:
    assert [ten_thousandths(text, "share") for text in ("1.5", "-1.5 %", "100%", "")] == [150, -150, 10_000, 0]
