"""Never oversold: any order of claims, returns, uses, closing, cancelling, crashes and moves of the clock by two clerks
leaves what a list in memory says, answer by answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from registry.db import audit_chain
from registry.errors import RegistryConflict
from registry.rush.claims import Answer
from registry.rush.uses import TicketUse
from registry.rush.values import Claimed, ClaimRequest, ClaimState
from registry.store import Registry
from tests.support.registry.databases import copy, fresh, on_postgresql
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import SetClock, carded, custodian
from tests.support.registry.rushes import OPENS, RULES, terms
from tests.support.thorough import repeats

CUSTODY = custodian()
MEMBERS, UNITS, MOST, LONGEST = 4, (2, 1), 2, 2
LOTS = [f"lot-{place}" for place in range(1, len(UNITS) + 1)]
CLOSES, RETURNS = OPENS + timedelta(days=1), OPENS + timedelta(days=2)
INSTANT = timedelta(microseconds=1)
INSTANTS = [OPENS, OPENS + timedelta(hours=1), OPENS - INSTANT, CLOSES - INSTANT, CLOSES, RETURNS - INSTANT, RETURNS]
PICK, CLERK = st.integers(0, 20), st.integers(0, 1)
WANTED = st.tuples(st.integers(0, MEMBERS - 1), st.sampled_from(LOTS), st.sampled_from(["", "", "", "old", "other"]))


class Crash(Exception):
    """The process ends in the middle of a transaction."""


@dataclass(slots=True)
class Expected:
    """A claim as the list in memory has it."""

    number: int
    request: ClaimRequest
    state: ClaimState
    used: bool = False


@dataclass(slots=True)
class Model:
    """The rules of a rush once more, in the plainest form: lists in the order of arrival."""

    claims: list[Expected] = field(default_factory=list)
    ended: str = ""

    def of(self, lot: str, *states: ClaimState) -> list[Expected]:
        return [one for one in self.claims if one.request.lot == lot and one.state in states]

    def answer(self, wanted: ClaimRequest, over: str) -> ClaimState | str:
        """What a claim is to be answered: its state, or the code of a refusal."""
        known = next((one for one in self.claims if one.request.key == wanted.key), None)
        if known is not None:
            same = (known.request.lot, known.request.card_number) == (wanted.lot, wanted.card_number)
            return known.state if same else "claim-key"
        if over:
            return over
        living = (ClaimState.GRANTED, ClaimState.WAITING)
        if sum(one.request.card_number == wanted.card_number and one.state in living for one in self.claims) >= MOST:
            return "limit"
        waiting = len(self.of(wanted.lot, ClaimState.WAITING))
        sold = len(self.of(wanted.lot, ClaimState.GRANTED)) >= UNITS[LOTS.index(wanted.lot)]
        if not sold and not waiting:
            return ClaimState.GRANTED
        return ClaimState.WAITING if waiting < LONGEST else "waiting-full"


class Rushes(RuleBasedStateMachine):
    """A rush, two clerks with a connection each, and one clock for both."""

    new_url: ClassVar[Callable[[], str]]
    cards: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.clock, url = SetClock(), type(self).new_url()
        self.clerks = [Registry.open(url, CUSTODY, clock=self.clock) for _ in range(2)]
        announced = self.clerks[0].rushes.announce(terms(units=UNITS, most=MOST, longest=LONGEST), by="li")
        self.rush, self.model, self.keys = announced.number, Model(), count(1)

    def teardown(self) -> None:
        for one in self.clerks:
            one.close()

    @initialize(begins=st.sampled_from(["early", "open", "full", "full", "full"]))
    def begin(self, begins: str) -> None:
        self.clock.now = OPENS - timedelta(minutes=1) if begins == "early" else OPENS
        if begins == "full":
            self.claim_together(0, [((member, LOTS[0], ""), 0) for member in range(MEMBERS)], crash=False)
            self.claim_together(1, [((member, LOTS[1], ""), 0) for member in range(MEMBERS)], crash=False)

    @rule(clerk=CLERK, wanted=WANTED, pick=PICK, crash=st.sampled_from([False, False, True]))
    def claim(self, clerk: int, wanted: tuple[int, str, str], pick: int, crash: bool) -> None:
        request = self._request(wanted, pick)
        with suppress(Crash), self._crashing(crash):
            self._note(request, self.clerks[clerk].rush_claims.claim(request, RULES))

    @rule(clerk=CLERK, wanted=st.lists(st.tuples(WANTED, PICK), min_size=2, max_size=6), crash=st.booleans())
    def claim_together(self, clerk: int, wanted: list[tuple[tuple[int, str, str], int]], crash: bool) -> None:
        requests = [self._request(one, pick) for one, pick in wanted]
        with suppress(Crash), self._crashing(crash):
            answers = self.clerks[clerk].rush_claims.decide(requests, RULES)
            for request, answer in zip(requests, answers, strict=True):
                self._note(request, answer)

    @precondition(lambda self: self.model.claims)
    @rule(clerk=CLERK, pick=PICK, crash=st.sampled_from([False, False, True]))
    def give_back(self, clerk: int, pick: int, crash: bool) -> None:
        one = self._picked(pick)
        refusal, claims = self._no_return(one), self.clerks[clerk].rush_claims
        if refusal:
            with pytest.raises(RegistryConflict) as refused:
                claims.give_back(one.number, by="li")
            assert refused.value.reason == refusal
            return
        try:
            with self._crashing(crash):
                claims.give_back(one.number, by="li")
        except Crash:
            return
        if one.state is ClaimState.WAITING:
            one.state = ClaimState.WITHDRAWN
        elif one.state is ClaimState.GRANTED:
            one.state = ClaimState.RETURNED
            for first in self.model.of(one.request.lot, ClaimState.WAITING)[:1]:
                first.state = ClaimState.GRANTED

    @precondition(lambda self: self.model.claims)
    @rule(clerk=CLERK, picks=st.lists(PICK, min_size=2, max_size=4))
    def give_many_back(self, clerk: int, picks: list[int]) -> None:
        for pick in picks:
            self.give_back(clerk, pick, crash=False)

    @precondition(lambda self: self.model.claims)
    @rule(clerk=CLERK, pick=PICK)
    def use(self, clerk: int, pick: int) -> None:
        one = self._picked(pick)
        self.clerks[clerk].ticket_uses.report("entrance", [TicketUse(one.number, self.clock.now)], by="li")
        one.used = True

    @rule(at=st.sampled_from(INSTANTS))
    def move_clock(self, at: datetime) -> None:
        self.clock.now = at

    @precondition(lambda self: len(self.model.claims) > MEMBERS)
    @rule(clerk=CLERK, crash=st.booleans())
    def close(self, clerk: int, crash: bool) -> None:
        with suppress(Crash, RegistryConflict), self._crashing(crash):
            self.clerks[clerk].rushes.close(self.rush, by="li", reason="下雨")
            self.model.ended = "rush-closed"

    @precondition(lambda self: len(self.model.claims) > MEMBERS)
    @rule(clerk=CLERK, crash=st.sampled_from([False, True, True]))
    def cancel(self, clerk: int, crash: bool) -> None:
        with suppress(Crash), self._crashing(crash):
            self.clerks[clerk].rushes.cancel(self.rush, by="li", reason="取消")
            self.model.ended = "rush-cancelled"
            for one in self.model.claims:
                if one.state in (ClaimState.GRANTED, ClaimState.WAITING):
                    one.state = ClaimState.VOID

    @invariant()
    def what_is_on_record_is_what_was_answered(self) -> None:
        claims = self.clerks[0].rushes.claims(self.rush, limit=500).items
        assert [(one.number, one.state) for one in claims] == [(one.number, one.state) for one in self.model.claims]
        places = {one.number: one.position for one in claims if one.position is not None}
        lists = [self.model.of(lot, ClaimState.WAITING) for lot in LOTS]
        assert places == {one.number: place for waiting in lists for place, one in enumerate(waiting, start=1)}

    @invariant()
    def nothing_is_sold_twice_and_nobody_is_over_the_limit(self) -> None:
        for lot, units in zip(self.clerks[1].rushes.rush(self.rush).lots, UNITS, strict=True):
            assert lot.taken == len(self.model.of(lot.code, ClaimState.GRANTED)) <= units
            assert lot.waiting == len(self.model.of(lot.code, ClaimState.WAITING)) <= LONGEST
            assert lot.taken == units or not lot.waiting, "who waits has a ticket as soon as one is free"
        for card in self.cards:
            tickets = [one for one in self.clerks[1].rush_claims.of_card(card) if one.state is ClaimState.GRANTED]
            assert len(tickets) <= MOST

    def _request(self, wanted: tuple[int, str, str], pick: int) -> ClaimRequest:
        """A new claim, one that is on record, or another one under a key that is on record."""
        member, lot, kind = wanted
        if kind and self.model.claims:
            old = self._picked(pick).request
            if kind == "old":
                return old
            return ClaimRequest(old.key, self.rush, lot, self.cards[member], "li")
        return ClaimRequest(f"client-{next(self.keys)}", self.rush, lot, self.cards[member], "li")

    def _note(self, request: ClaimRequest, answer: Answer) -> None:
        expected = self.model.answer(request, self._over())
        if not isinstance(answer, Claimed):
            assert answer.code == expected
            return
        assert answer.state == expected
        if all(one.number != answer.number for one in self.model.claims):
            self.model.claims.append(Expected(answer.number, request, answer.state))

    def _over(self) -> str:
        if self.model.ended:
            return self.model.ended
        if self.clock.now < OPENS:
            return "not-open"
        return "" if self.clock.now < CLOSES else "rush-closed"

    def _no_return(self, one: Expected) -> str:
        if one.state is ClaimState.VOID:
            return "claim-void"
        if one.state is not ClaimState.GRANTED:
            return ""
        if one.used:
            return "ticket-used"
        return "" if self.clock.now < RETURNS else "returns-over"

    def _picked(self, pick: int) -> Expected:
        return self.model.claims[pick % len(self.model.claims)]

    @staticmethod
    def _crashing(crash: bool) -> AbstractContextManager[object]:
        return patch.object(audit_chain, "append", side_effect=Crash) if crash else nullcontext()


def expect_never_oversold(directory: Path, examples: int) -> None:
    """Each step of ``Rushes`` leaves what its model has."""
    first, numbers = fresh(directory), count()
    with Registry.open(first, CUSTODY, clock=SetClock()) as registry:
        cards = [card.card_number for card in carded(registry, CUSTODY, MEMBERS)]

    def new_url() -> str:
        (folder := directory / f"{next(numbers)}").mkdir()
        return copy(first, folder)

    machine = type("Machine", (Rushes,), {"new_url": staticmethod(new_url), "cards": cards})
    slow = list(HealthCheck)
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=slow),
    )
    assert next(numbers) >= examples, "histories that ran"


@pytest.mark.slow
def test_a_rush_is_never_oversold_on_sqlite(tmp_path: Path) -> None:
    expect_never_oversold(tmp_path, repeats(25, 250))


@pytest.mark.slow
@pytest.mark.postgres
def test_a_rush_is_never_oversold_on_postgresql(cluster: Cluster, tmp_path: Path) -> None:
    with on_postgresql():
        expect_never_oversold(tmp_path, repeats(6, 120))
