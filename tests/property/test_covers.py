"""Random years of joining, leaving, dying, moving and losing cards: every day of every member is covered exactly once,
or it is explained why not, and the totals of every list tie to those of the one before.

The model below keeps, day by day, who should be covered; it knows nothing of lists in tables.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programme.records.cover_terms import next_list, supplement
from registry.covers.values import ChangeReason, CoverList, CoverListKind, Uncovered
from registry.errors import RegistryConflict
from registry.store import Registry
from tests.support.registry.covered import FIRST, Population, covering_programme, signed_list
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import SetClock, custodian, new_registry
from tests.support.thorough import repeats

PROGRAMME = covering_programme("months: 6\n    categories: [in-post, model-worker]")
CUSTODY = custodian()
DAYS = 900
LEAVE = ("withdrew", "retired", "died", "moved")


@dataclass
class Person:
    """A member as the model knows one. ``why`` is the reason for which a list would leave the member out."""

    category: int = 0
    card: bool = True
    lost: bool = False
    gone: str = ""
    died: date | None = None
    covered: bool = False

    @property
    def entitled(self) -> bool:
        return self.card and not self.gone and self.category in (0, 3)

    @property
    def why(self) -> ChangeReason:
        if self.gone:
            return ChangeReason(self.gone)
        if self.category not in (0, 3):
            return ChangeReason.RETIRED if self.category == 1 else ChangeReason.CATEGORY
        return ChangeReason.CARD_LOST if self.lost else ChangeReason.CARD_ENDED


@dataclass
class Union:
    """The registry under test, and the model beside it."""

    registry: Registry
    clock: SetClock
    random: Random
    people: dict[int, Person] = field(default_factory=dict)
    waiting: list[tuple[CoverList, dict[int, bool]]] = field(default_factory=list)
    terms: list[tuple[date, date]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.population = Population(self.registry)
        self.left: dict[int, list[tuple[date, ChangeReason]]] = {}
        self.refusals: set[str] = set()

    @property
    def today(self) -> date:
        return self.clock.now.date()

    def happen(self) -> None:
        """What may happen on a day."""
        chance = self.random.random()
        if chance < 0.06 and len(self.people) < 12:
            member = self.population.holder() if chance < 0.05 else self.population.member()
            self.people[member] = Person(card=chance < 0.05)
            return
        if not self.people or chance > 0.12:
            return
        number = self.random.choice(list(self.people))
        person = self.people[number]
        if chance < 0.075 and not person.gone:
            self._leave(number, person, self.random.choice(LEAVE))
        elif chance < 0.09 and person.card:
            lost = self.random.random() < 0.6
            self.population.end_card(number, "lost" if lost else "damaged")
            person.card, person.lost = False, person.lost or lost
        elif chance < 0.105 and not person.card and not person.gone:
            self.population.card(number)
            person.card = True
        elif chance < 0.115:
            person.category = self.random.choice((0, 1, 2, 3))
            self.population.recategorize(number, person.category)
        elif person.gone and person.died is None:
            self.population.come_back(number)
            person.gone = ""

    def _leave(self, number: int, person: Person, kind: str) -> None:
        day = self.today - timedelta(days=self.random.choice((0, 0, 3)))
        self.population.leave(number, kind, day)
        person.gone, person.card = kind, False
        if kind == "died":
            person.died = day

    def draw(self) -> None:
        """A list is drawn up when it is due, or a supplement now and then; two people sign it at once."""
        last = self.registry.cover_lists.last("accident")
        following = next_list(PROGRAMME, "accident", last, self.today)
        if self.today >= following.due:
            drawn = self.registry.cover_lists.draw_up(following.terms, by="zhang")
        elif last is not None and self.random.random() < 0.02:
            try:
                terms = supplement(PROGRAMME, "accident", last, self.today)
                drawn = self.registry.cover_lists.draw_up(terms, by="zhang")
            except RegistryConflict as refused:
                self.refusals.add(refused.reason)
                return
        else:
            return
        self._sign(drawn)

    def _sign(self, drawn: CoverList) -> None:
        before = sum(person.covered for person in self.people.values())
        for number, person in self.people.items():
            if person.covered and not person.entitled:
                self.left.setdefault(number, []).append((drawn.effective, person.why))
            person.covered = person.entitled
        signed_list(self.registry, drawn)
        after = sum(person.covered for person in self.people.values())
        assert (drawn.before, drawn.covered) == (before, after)
        if drawn.kind is CoverListKind.OPENING:
            self.terms.append((drawn.effective, drawn.term_last))
        self.waiting.append((drawn, {number: person.covered for number, person in self.people.items()}))

    def expected(self, number: int, day: date) -> bool:
        """Whether a member is covered on a day: by the newest list in force, in a term that was opened, and alive."""
        person = self.people[number]
        in_force = [held for drawn, held in self.waiting if drawn.effective <= day]
        in_term = any(first <= day <= last for first, last in self.terms)
        alive = person.died is None or day <= person.died
        return bool(in_force) and in_term and alive and in_force[-1].get(number, False)


@contextmanager
def union_of(url: str, seed: int) -> Iterator[Union]:
    clock = SetClock(datetime.combine(FIRST - timedelta(days=30), time(4), UTC))
    with Registry.open(url, CUSTODY, clock=clock) as registry:
        yield Union(registry, clock, Random(seed))


def years(url: str, seed: int) -> None:
    with union_of(url, seed) as union:
        for _ in range(DAYS):
            union.happen()
            union.draw()
            union.clock.forward(timedelta(days=1))
        assert union.refusals <= {"cover-nothing", "cover-no-term"}
        last = max((end for _, end in union.terms), default=FIRST)
        for number in union.people:
            spans = union.registry.member_covers.spans("accident", number)
            listed = [
                span.first + timedelta(days=n) for span in spans for n in range((span.last - span.first).days + 1)
            ]
            assert len(listed) == len(set(listed)), "a day is covered twice"
            days = [FIRST - timedelta(days=40) + timedelta(days=n) for n in range((last - FIRST).days + 60)]
            assert set(listed) == {day for day in days if union.expected(number, day)}
            for day in union.random.sample(days, 12):
                one = union.registry.member_covers.on("accident", number, day)
                assert (one.uncovered is None) is union.expected(number, day)
                if one.uncovered is Uncovered.LEFT:
                    earlier = [why for effective, why in union.left[number] if effective <= day]
                    assert one.reason is earlier[-1]
                if one.uncovered is Uncovered.NO_TERM:
                    assert not any(first <= day <= end for first, end in union.terms)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=repeats(3, 100))
def test_every_day_is_covered_once_or_explained(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "registry.db").write_bytes(new_registry())
        years(f"sqlite:///{folder}/registry.db", seed)


@pytest.mark.postgres
def test_every_day_is_covered_once_or_explained_on_postgresql(cluster: Cluster) -> None:
    for seed in range(repeats(1, 10)):
        years(cluster.database(), seed)


def test_a_model_that_covers_who_left_does_not_agree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model that keeps who left covered does not agree with the lists."""
    monkeypatch.setattr(Person, "entitled", property(lambda person: person.card or bool(person.gone)))
    (tmp_path / "registry.db").write_bytes(new_registry())
    with pytest.raises(AssertionError):
        years(f"sqlite:///{tmp_path}/registry.db", 1)
