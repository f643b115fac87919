"""Whether a card may wait for a change: an order counts at once, whatever an earlier question comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from personalize.updates import UpdateReport
from reader_service.parts import ServiceParts
from reader_service.redemptions.receiver import ReceiverAway
from reader_service.services.counter.changes import CardChallenge
from reader_service.services.counter.insertion import InsertionUpdates
from terminal.apdu import Sender
from terminal.member.outcome import Verdict


@dataclass
class Updates:
    """The registry's changes; ``meanwhile`` happens while the question is being answered."""

    waiting: bool = False
    meanwhile: Callable[[], None] = lambda: None
    answers: list[bool] = field(default_factory=list)

    def any_waiting(self) -> bool:
        answer = self.waiting
        self.meanwhile()
        self.answers.append(answer)
        return answer


class _Runner:
    def __init__(self) -> None:
        self.runs = 0

    def run(self, *_: object, **__: object) -> object:
        self.runs += 1
        return SimpleNamespace(kinds=())


def opened(updates: Updates) -> tuple[InsertionUpdates, Callable[[], int]]:
    """What runs changes at a counter, and how often it answers for those of a card."""
    parts = SimpleNamespace(registry=SimpleNamespace(updates=updates), station="test", script_issuer=None)
    insertions, runner = InsertionUpdates(cast(ServiceParts, parts)), _Runner()
    insertions.runner = lambda by: runner  # type: ignore[method-assign, assignment, return-value]
    verdict = cast(Verdict, SimpleNamespace(card=object(), check=""))

    def questions() -> int:
        insertions.at_counter(cast(Sender, object()), verdict)
        return runner.runs

    return insertions, questions


@dataclass
class Issuer:
    """An issuer elsewhere; ``away`` while it does not answer."""

    away: bool = False
    meanwhile: Callable[[], None] = lambda: None
    questions: int = 0

    def waiting(self) -> bool:
        if self.away:
            raise ReceiverAway("no line")
        self.meanwhile()
        return True

    def challenge(self, card: object) -> CardChallenge:
        self.questions += 1
        if self.away:
            raise ReceiverAway("no line")
        return CardChallenge(waiting=False)


def elsewhere(issuer: Issuer) -> tuple[InsertionUpdates, Callable[[], int]]:
    """As ``opened``, for a counter without a registry."""
    insertions = InsertionUpdates(cast(ServiceParts, SimpleNamespace(script_issuer=issuer, station="test")))
    verdict = cast(Verdict, SimpleNamespace(card=object(), check=""))

    def questions() -> int:
        assert insertions.at_counter(cast(Sender, object()), verdict) == UpdateReport()
        return issuer.questions

    return insertions, questions


def test_an_issuer_that_is_away_is_tried_by_one_card_and_then_only_in_the_background() -> None:
    insertions, questions = elsewhere(issuer := Issuer())
    insertions.look(live=True)
    assert questions() == 0
    insertions.reach()
    assert questions() == 1
    issuer.away = True
    assert (questions(), questions(), questions()) == (2, 2, 2)
    insertions.reach()
    assert questions() == 2
    issuer.away = False
    insertions.reach()
    assert questions() == 3


def test_an_order_counts_at_once_whatever_an_issuer_elsewhere_answered() -> None:
    insertions, questions = elsewhere(issuer := Issuer(away=True))
    insertions.expect()
    assert questions() == 1
    issuer.away, issuer.meanwhile = False, insertions._away
    insertions.expect()
    insertions.reach()
    assert questions() == 2


def test_changes_are_read_only_while_some_change_waits() -> None:
    insertions, questions = opened(updates := Updates())
    insertions.look(live=True)
    assert questions() == 0
    updates.waiting = True
    insertions.look(live=True)
    assert questions() == 1
    insertions.look(live=False)
    assert (questions(), updates.answers) == (1, [False, True])


def test_an_order_during_the_question_is_not_forgotten_for_its_answer() -> None:
    insertions, questions = opened(updates := Updates())
    updates.meanwhile = insertions.expect
    insertions.look(live=True)
    assert (updates.answers, questions()) == ([False], 1)
    updates.meanwhile = lambda: None
    insertions.look(live=True)
    assert questions() == 1
