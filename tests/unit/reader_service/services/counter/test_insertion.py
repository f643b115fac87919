"""Whether a card may wait for a change: an order counts at once, whatever an earlier question comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from reader_service.parts import ServiceParts
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
    parts = SimpleNamespace(registry=SimpleNamespace(updates=updates), station="test")
    insertions, runner = InsertionUpdates(cast(ServiceParts, parts)), _Runner()
    insertions.runner = lambda by: runner  # type: ignore[method-assign, assignment, return-value]
    verdict = cast(Verdict, SimpleNamespace(card=object(), check=""))

    def questions() -> int:
        insertions.at_counter(cast(Sender, object()), verdict)
        return runner.runs

    return insertions, questions


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
