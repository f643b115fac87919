"""Many clients at the same second: sold is the stock, nobody is over his limit, the waiting list is right."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from sqlalchemy import select

from registry.db.tables import rush_claims
from registry.errors import RegistryConflict, RegistryUnavailable
from registry.rush import refusals
from registry.rush.claims import Answer
from registry.rush.gathering import Gathering
from registry.rush.values import Claimed, ClaimRefused, ClaimRequest, ClaimState, RushRules
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.rushes import RULES, Crowd
from tests.support.waiting import eventually

CLIENTS = 20
REQUESTS = [ClaimRequest(f"client-{number}", 1, "lot-1", "card", "till") for number in range(4)]


def test_many_clients_of_two_processes_take_exactly_the_stock(crowd: Crowd, url: str, custody: MemoryCustody) -> None:
    rush = crowd.announced(units=(60, 50), longest=10, most=40)
    wanted = [
        crowd.request(rush, key % 6, f"client-key-{key}", f"lot-{key % 4 // 2 + 1}") for key in range(240) for _ in "12"
    ]
    with Registry.open(url, custody, clock=crowd.clock) as other, ThreadPoolExecutor(2 * CLIENTS) as threads:
        sides = (crowd.registry.rush_claims, other.rush_claims)
        answers: list[Answer] = list(
            threads.map(lambda numbered: sides[numbered[0] % 2].claim(numbered[1], RULES), enumerate(wanted))
        )
    with crowd.registry._context.read() as conn:
        rows = conn.execute(select(rush_claims).order_by(rush_claims.c.id)).all()
    for lot, units in zip(crowd.registry.rushes.rush(rush.number).lots, (60, 50), strict=True):
        mine = [row for row in rows if row.lot == lot.code]
        states = [ClaimState(row.state) for row in mine]
        assert states == [ClaimState.GRANTED] * units + [ClaimState.WAITING] * 10
        assert [row.position for row in mine[units:]] == list(range(1, 11))
        assert (lot.taken, lot.left, lot.waiting) == (units, 0, 10)
    assert max(Counter(row.member_id for row in rows).values()) <= 40
    keys = Counter(one.key for one in answers if isinstance(one, Claimed))
    assert keys == {row.key: 2 for row in rows}
    assert Counter(one.code for one in answers if isinstance(one, ClaimRefused)) == {"waiting-full": 480 - 2 * 130}


def test_a_limit_is_held_against_one_members_many_clients(crowd: Crowd) -> None:
    rush = crowd.announced(units=(50,), most=3)
    wanted = [crowd.request(rush, 0, f"client-key-{number}") for number in range(24)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        answers = list(threads.map(lambda one: crowd.registry.rush_claims.claim(one, RULES), wanted))
    assert Counter(isinstance(one, Claimed) for one in answers) == {True: 3, False: 21}
    assert crowd.registry.rushes.rush(rush.number).lots[0].taken == 3


class Decider:
    """Decides when it may, and notes which claims came together."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.may, self.groups, self.fault = threading.Event(), list[list[str]](), fault

    def __call__(self, wanted: Sequence[ClaimRequest], rules: RushRules) -> list[Answer]:
        self.groups.append([one.key for one in wanted])
        self.may.wait()
        if self.fault is not None and any(one.key == "client-2" for one in wanted):
            raise self.fault
        return [ClaimRefused(one.key, "", "") for one in wanted]


def gathered(decider: Decider, rules: Sequence[RushRules], most: int = 10) -> list[Answer | Exception]:
    """The answers to four claims, of which three come while the first is being decided, one after another."""
    gathering = Gathering(decider, most)

    def ask(number: int) -> Answer | Exception:
        try:
            return gathering.claim(REQUESTS[number], rules[number])
        except Exception as fault:
            return fault

    with ThreadPoolExecutor(4) as threads:
        sent = []
        for number in range(4):
            sent.append(threads.submit(ask, number))
            assert eventually(lambda number=number: bool(decider.groups) and len(gathering._queue) == number)
        decider.may.set()
        return [one.result() for one in sent]


def test_claims_that_wait_are_decided_together_in_the_order_of_their_arrival() -> None:
    decider = Decider()
    answers = gathered(decider, [RULES] * 4)
    assert decider.groups == [["client-0"], ["client-1", "client-2", "client-3"]]
    assert [one.code for one in answers if isinstance(one, ClaimRefused)] == [one.key for one in REQUESTS]


def test_a_group_has_no_more_claims_than_its_limit() -> None:
    decider = Decider()
    gathered(decider, [RULES] * 4, most=2)
    assert decider.groups == [["client-0"], ["client-1", "client-2"], ["client-3"]]


def test_claims_by_other_rules_are_decided_by_themselves() -> None:
    decider, other = Decider(), Mock()
    gathered(decider, [RULES, RULES, other, RULES])
    assert decider.groups == [["client-0"], ["client-1"], ["client-2"], ["client-3"]]


def test_a_claim_that_cannot_be_decided_fails_without_the_others() -> None:
    decider = Decider(RegistryConflict("it cannot be stored", reason="not-stored"))
    answers = gathered(decider, [RULES] * 4)
    assert [type(one) for one in answers] == [ClaimRefused, ClaimRefused, RegistryConflict, ClaimRefused]
    assert decider.groups[2:] == [["client-1"], ["client-2"], ["client-3"]]


def test_a_database_that_is_away_is_tried_once_for_all_that_wait() -> None:
    decider = Decider(RegistryUnavailable("away", retryable=True))
    answers = gathered(decider, [RULES] * 4)
    assert [type(one) for one in answers] == [ClaimRefused, *[RegistryUnavailable] * 3]
    assert len(decider.groups) == 2


def test_an_interrupt_of_who_decides_reaches_nobody_else() -> None:
    calls = []

    def decide(wanted: Sequence[ClaimRequest], rules: RushRules) -> list[Answer]:
        calls.append(len(wanted))
        if len(calls) == 1:
            raise KeyboardInterrupt
        return [refusals.CARD for _ in wanted]

    gathering = Gathering(decide)
    with pytest.raises(KeyboardInterrupt):
        gathering.claim(REQUESTS[0], RULES)
    assert gathering.claim(REQUESTS[1], RULES) == refusals.CARD
