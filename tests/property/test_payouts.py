"""Never twice: any order of orders, batches, crashes, files sent again, partial returns and reissues pays each reason
once at most, and union and bank have the same sums to the fen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import date
from itertools import count
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from programme.records.payouts import draw_up, take_return
from registry.db import audit_chain
from registry.errors import RegistryConflict
from registry.paying.batches import BankBatchState
from registry.paying.instructions import InstructionState
from registry.store import Registry
from tests.support.registry.payouts import (
    BANK,
    PANS,
    PayingUnion,
    bank_of,
    ordered,
    paid_members,
    paying_custody,
    paying_programme,
)
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import SetClock
from tests.support.thorough import repeats

MEMBERS = 3
DAY = date(2026, 11, 23)
CUSTODY = paying_custody()
PROGRAMME = paying_programme("fixed")
PICK = st.integers(0, 20)


class Crash(Exception):
    """The process ends in the middle of a transaction."""


class Payouts(RuleBasedStateMachine):
    """A union and its bank. What the bank has paid is what it says in its own books, whatever the union believes."""

    new_url: ClassVar[Callable[[], str]]

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry.open(type(self).new_url(), CUSTODY, clock=SetClock())
        self.union = PayingUnion(self.registry, CUSTODY, PROGRAMME)
        self.bank = bank_of(CUSTODY)
        self.wanted: dict[str, int] = {}
        self.reasons: dict[int, str] = {}
        self.sent: list[bytes] = []
        self.numbers = count(1)

    def teardown(self) -> None:
        self.registry.close()

    @rule(member=st.integers(1, MEMBERS), amount=st.integers(1, 500), again=st.booleans())
    def order(self, member: int, amount: int, again: bool) -> None:
        reference = f"r{next(self.numbers)}"
        self.reasons[ordered(self.registry, member, amount, reference)] = reference
        self.wanted[reference] = amount
        if again:
            with pytest.raises(RegistryConflict, match="was ordered before"):
                ordered(self.registry, member, amount, reference)

    @rule(crash=st.booleans())
    def draw_up(self, crash: bool) -> None:
        with suppress(RegistryConflict, Crash), self._crashing(crash):
            draw_up(self.registry, PROGRAMME, BANK, by="zhang")

    @rule(pick=PICK, crash=st.booleans(), person=st.sampled_from(["zhang", "li"]))
    def sign(self, pick: int, crash: bool, person: str) -> None:
        batches = self.registry.bank_batches.page().items
        if batches:
            batch = batches[pick % len(batches)]
            with suppress(RegistryConflict, Crash), self._crashing(crash):
                self.registry.bank_batches.sign(batch.id, batch.digest, by=person)

    @rule(pick=PICK)
    def discard(self, pick: int) -> None:
        batches = self.registry.bank_batches.page().items
        if batches:
            with suppress(RegistryConflict):
                self.registry.bank_batches.discard(batches[pick % len(batches)].id, by="li", reason="重做")

    @rule(pick=PICK, times=st.integers(1, 2))
    def send(self, pick: int, times: int) -> None:
        states = (BankBatchState.RELEASED, BankBatchState.CLOSED)
        batches = [one for one in self.registry.bank_batches.page().items if one.state in states]
        for _ in range(times if batches else 0):
            content = self.union.file(batches[pick % len(batches)].id)
            self.bank.execute(content)
            self.sent.append(content)

    @precondition(lambda self: self.sent)
    @rule(pick=PICK, first=st.integers(1, 3), whole=st.booleans(), crash=st.booleans())
    def come_back(self, pick: int, first: int, whole: bool, crash: bool) -> None:
        content = self.sent[pick % len(self.sent)]
        answer = self.bank.answer(content, DAY, None if whole else range(first, first + 2))
        with suppress(Crash), self._crashing(crash):
            take_return(self.registry, CUSTODY, PROGRAMME, BANK, answer, "r.txt", by="li")

    @rule(pick=PICK)
    def go_the_whole_way(self, pick: int) -> None:
        self.draw_up(crash=False)
        for person in ("zhang", "li"):
            self.sign(0, crash=False, person=person)
        self.send(0, 1)
        if self.sent:
            self.come_back(len(self.sent) - 1, 1, pick % 3 > 0, crash=False)

    @rule(account=st.sampled_from(PANS[:MEMBERS]))
    def close_account(self, account: str) -> None:
        if account in self.bank.faults:
            self.bank.faults.pop(account)
        else:
            self.bank.faults[account] = "账户已销户"

    @rule(pick=PICK)
    def reissue(self, pick: int) -> None:
        failed = self.registry.instructions.page(state=InstructionState.FAILED).items
        if failed:
            one = failed[pick % len(failed)]
            with suppress(RegistryConflict):
                self.reasons[self.registry.instructions.reissue(one.id, by="li", reason="重发").id] = one.reference

    @invariant()
    def each_reason_is_paid_once_at_most(self) -> None:
        by_reason: dict[str, list[int]] = {}
        for number, amount in self.bank.paid.items():
            by_reason.setdefault(self.reasons[number], []).append(amount)
        for reason, amounts in by_reason.items():
            assert amounts == [self.wanted[reason]], reason

    @invariant()
    def what_the_union_has_as_paid_the_bank_has_paid(self) -> None:
        for one in self.registry.instructions.page(limit=500).items:
            if one.state is InstructionState.PAID:
                assert self.bank.paid[one.id] == one.amount
        totals = {one.state: one for one in self.registry.instructions.totals()}
        assert self.registry.bank_returns.contradictions() == []
        if InstructionState.BATCHED not in totals:
            paid = totals.get(InstructionState.PAID)
            assert (0 if paid is None else paid.amount) == sum(self.bank.balances.values())

    @staticmethod
    def _crashing(crash: bool) -> AbstractContextManager[object]:
        return patch.object(audit_chain, "append", side_effect=Crash) if crash else nullcontext()


def expect_nothing_twice(new_url: Callable[[], str], examples: int) -> None:
    """Each step of ``Payouts`` leaves what its invariants say."""
    machine = type("Machine", (Payouts,), {"new_url": staticmethod(new_url)})
    slow = list(HealthCheck)
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=slow),
    )


def begun(url: str) -> None:
    with Registry.open(url, CUSTODY, clock=SetClock()) as registry:
        paid_members(registry, CUSTODY, MEMBERS)


@pytest.mark.slow
def test_nothing_is_paid_twice_on_sqlite(tmp_path: Path) -> None:
    first, numbers = tmp_path / "begun.db", count()
    begun(f"sqlite:///{first}")
    expect_nothing_twice(
        lambda: f"sqlite:///{shutil.copyfile(first, tmp_path / f'{next(numbers)}.db')}", repeats(8, 250)
    )


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_is_paid_twice_on_postgresql(cluster: Cluster) -> None:
    first = cluster.database()
    begun(first)
    expect_nothing_twice(lambda: cluster.copy(first), repeats(3, 120))
