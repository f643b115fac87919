"""Any order of claims, crashes, returning chips, verdicts and remakes: the accounts balance, nothing is bound twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from registry.errors import FenceLost, NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import ChipKnown, Claim, JournalEntry, JournalEvent, NothingLeft
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import LEASE, SetClock, chip, custodian, prepare, ready
from tests.support.thorough import repeats

MEMBERS = 3
CHIPS = st.integers(1, 9)
BATCHES = st.integers(0, 1)
CUSTODY = custodian()


@dataclass
class Chip:
    """What the model knows of a chip: where it is bound, how it ended, the claims made for it (the newest last)."""

    batch: int
    dossier: int | None
    claims: list[Claim]
    end: str = ""
    lease_until: datetime | None = None
    doubled: bool = False


class Line(RuleBasedStateMachine):
    """Two batches on one line of many lanes. Subclasses say where the database with the batches is."""

    new_url: ClassVar[Callable[[], str]]
    batches: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.url = type(self).new_url()
        self.clock = SetClock()
        self.chips: dict[int, Chip] = {}
        self.registry = Registry.open(self.url, CUSTODY, clock=self.clock)

    def teardown(self) -> None:
        self.registry.close()

    @rule(number=CHIPS, batch=BATCHES, lane=st.integers(1, 3))
    def feed(self, number: int, batch: int, lane: int) -> None:
        answer = self.registry.line.claim(self.batches[batch], f"lane {lane}", "s", chip(number), LEASE)
        known = self.chips.get(number)
        if known is None:
            if isinstance(answer, NothingLeft):
                return
            assert isinstance(answer, Claim)
            assert not answer.returning
            assert answer.dossier_id not in {other.dossier for other in self.chips.values()}
            self.chips[number] = Chip(batch, answer.dossier_id, [answer], lease_until=answer.lease_until)
        elif known.end:
            assert isinstance(answer, ChipKnown)
            assert answer.why == ("doubled" if known.doubled and known.end == "verified" else known.end)
        elif known.doubled:
            assert isinstance(answer, ChipKnown)
            assert answer.why == "doubled"
        elif known.batch != batch:
            assert answer == ChipKnown("other batch", self.batches[known.batch])
        else:
            assert isinstance(answer, Claim)
            assert (answer.dossier_id, answer.returning) == (known.dossier, True)
            assert answer.token > known.claims[-1].token
            known.claims.append(answer)
            known.lease_until = answer.lease_until

    @rule(data=st.data(), action=st.sampled_from(["journal", "verified", "reject"]))
    def act(self, data: st.DataObject, action: str) -> None:
        """A lane does something with a claim it holds, or thinks it holds."""
        held = [(known, claim) for known in self.chips.values() for claim in known.claims]
        if not held:
            return
        known, claim = data.draw(st.sampled_from(held))
        newest = claim is known.claims[-1]
        end = {"verified": "verified", "reject": "rejected"}.get(action, "")
        allowed = newest and known.end in ("", end) if end else newest and not known.end
        if allowed:
            self.do(claim, action)
            known.end = known.end or end
        else:
            with pytest.raises(FenceLost):
                self.do(claim, action)

    def do(self, claim: Claim, action: str) -> None:
        actions: dict[str, Any] = {
            "journal": lambda: self.registry.line.journal(
                claim, JournalEntry("store data", JournalEvent.DONE, block=0)
            ),
            "verified": lambda: self.registry.line.verified(claim, {}, 1.0),
            "reject": lambda: self.registry.line.reject(claim, "mute", "select", "A"),
        }
        actions[action]()

    @rule(number=CHIPS, batch=BATCHES)
    def refuse(self, number: int, batch: int) -> None:
        """A lane finds a chip dead or foreign before it claims anything for it."""
        known = self.chips.get(number)
        if known is not None and known.end == "verified":
            with pytest.raises(RegistryConflict):
                self.registry.line.reject_chip(self.batches[batch], chip(number), "dead", "connect", "B", "lane 1")
            return
        self.registry.line.reject_chip(self.batches[batch], chip(number), "dead", "connect", "B", "lane 1")
        if known is None:
            known = self.chips[number] = Chip(batch, None, [])
        known.end = "rejected"

    @rule(number=CHIPS, batch=BATCHES)
    def give_up(self, number: int, batch: int) -> None:
        """The operator says the chip is lost."""
        known = self.chips.get(number)
        if known is None or known.batch != batch or known.dossier is None:
            with pytest.raises(NotOnRecord):
                self.registry.line.release_missing(self.batches[batch], chip(number), "值班员", reason="chip lost")
        elif known.end or (known.lease_until and known.lease_until > self.clock()):
            with pytest.raises(RegistryConflict):
                self.registry.line.release_missing(self.batches[batch], chip(number), "值班员", reason="chip lost")
        else:
            self.registry.line.release_missing(self.batches[batch], chip(number), "值班员", reason="chip lost")
            known.end = "rejected"

    @rule(number=CHIPS)
    def double(self, number: int) -> None:
        """A lane proves that two chips have the serial; the newest claim may finish, and no other is taken."""
        self.registry.line.doubled(chip(number), "lane 1", "s", "both were in readers")
        known = self.chips.get(number)
        if known is not None and known.dossier is not None:
            known.doubled = True

    @rule(minutes=st.sampled_from([1, 6]))
    def time_passes(self, minutes: int) -> None:
        self.clock.forward(timedelta(minutes=minutes))

    @rule(batch=BATCHES)
    def remake(self, batch: int) -> None:
        wanted = self.registry.batches.accounts(self.batches[batch]).to_prepare
        assert prepare(self.registry, CUSTODY, self.batches[batch]) == wanted

    @rule()
    def crash(self) -> None:
        """The process dies and another one opens the registry."""
        self.registry.close()
        self.registry = Registry.open(self.url, CUSTODY, clock=self.clock)

    @invariant()
    def accounts_balance(self) -> None:
        for number, batch in enumerate(self.batches):
            counted = self.registry.batches.accounts(batch)
            assert counted.balanced
            mine = [known for known in self.chips.values() if known.batch == number]
            assert counted.chips_fed == len(mine)
            assert counted.chips_verified == sum(known.end == "verified" for known in mine)
            assert counted.chips_rejected == sum(known.end == "rejected" for known in mine)
            assert counted.members == MEMBERS
        stock = self.registry.stock.accounts()
        assert (stock.received, stock.fed, stock.balanced) == (9, len(self.chips), True)

    @invariant()
    def nothing_is_bound_twice(self) -> None:
        with self.registry._context.database.read() as conn:
            chosen = conn.execute(text("SELECT serial, dossier_id FROM chips WHERE dossier_id IS NOT NULL"))
            bound = {row.serial: row.dossier_id for row in chosen}
            living = list(conn.execute(text("SELECT member_id FROM cards WHERE state = 'verified'")).scalars())
        assert bound == {chip(n): known.dossier for n, known in self.chips.items() if known.dossier is not None}
        assert len(set(bound.values())) == len(bound)
        assert len(set(living)) == len(living)
        listed = {(entry.card_number, entry.sequence) for entry in self.registry.hotlist.entries()}
        refused = [known for known in self.chips.values() if known.end == "rejected" and known.claims]
        assert listed == {(known.claims[0].card_number, known.claims[0].sequence) for known in refused}


def begun(url: str) -> list[str]:
    """Make the batches; every example gets a copy of this database."""
    with Registry.open(url, CUSTODY, clock=SetClock()) as registry:
        registry.stock.receive(9, "supplier", "库管")
        return [ready(registry, CUSTODY, MEMBERS, f"d{n}", start=1 + n * MEMBERS) for n in (0, 1)]


def expect_balanced_histories(new_url: Callable[[], str], batches: list[str], examples: int) -> None:
    """Each step of ``Line`` leaves accounts that balance (its invariants)."""
    machine = type("Machine", (Line,), {"new_url": staticmethod(new_url), "batches": batches})
    slow = list(HealthCheck)  # a database for each example takes its time
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=slow),
    )


@pytest.mark.slow
def test_accounts_balance_on_sqlite(tmp_path: Path) -> None:
    first, numbers = tmp_path / "begun.db", count()
    batches = begun(f"sqlite:///{first}")
    expect_balanced_histories(
        lambda: f"sqlite:///{shutil.copyfile(first, tmp_path / f'{next(numbers)}.db')}", batches, repeats(7, 250)
    )


@pytest.mark.slow
@pytest.mark.postgres
def test_accounts_balance_on_postgresql(cluster: Cluster) -> None:
    first = cluster.database()
    batches = begun(first)
    expect_balanced_histories(lambda: cluster.copy(first), batches, repeats(5, 120))
