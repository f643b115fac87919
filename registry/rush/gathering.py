"""Claims that arrive together are decided together: group commit, without a thread of its own.

The caller that comes first decides; whoever comes meanwhile waits, and the first of them then decides for all that wait
with it. So a transaction has one claim where there is one client, and hundreds where there are a thousand.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from registry.errors import RegistryUnavailable
from registry.rush.values import Claimed, ClaimRefused, ClaimRequest, RushRules

MOST: Final = 250
"""Claims of one transaction: more would hold the rush longer than they save."""

Decide = Callable[[Sequence[ClaimRequest], RushRules], Sequence[Claimed | ClaimRefused]]


@dataclass(slots=True, eq=False)
class _Waiting:
    wanted: ClaimRequest
    rules: RushRules
    turn: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answer: Claimed | ClaimRefused | None = None
    fault: Exception | None = None


class Gathering:
    """Decides claims of the threads of one process in the order in which they arrive, as many at once as wait."""

    def __init__(self, decide: Decide, most: int = MOST) -> None:
        self._decide, self._most = decide, most
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._led = False

    def claim(self, wanted: ClaimRequest, rules: RushRules) -> Claimed | ClaimRefused:
        """The answer to this claim. Raises what the decision raised."""
        mine = _Waiting(wanted, rules)
        with self._lock:
            self._queue.append(mine)
            if not self._led:
                self._led = mine.leads = True
                mine.turn.set()
        try:
            mine.turn.wait()
        except BaseException:  # an interrupt: those behind this caller must not wait for it
            self._leave(mine)
            raise
        if mine.leads:
            self._lead()
        if mine.answer is None:
            raise mine.fault or RuntimeError("a claim was left without an answer")
        return mine.answer

    def _lead(self) -> None:
        group = self._next_group()
        try:
            self._answer(group)
        except Exception as fault:
            _fail(group, fault)
        except BaseException:  # an interrupt of this caller, and of no other
            _fail(group, RegistryUnavailable("the claim was interrupted; claim again", retryable=True))
            raise
        finally:
            self._pass_on()
            for one in group:
                one.turn.set()

    def _next_group(self) -> list[_Waiting]:
        """Those at the head of the queue that claim by the same rules."""
        with self._lock:
            group = [self._queue.popleft()]
            while self._queue and len(group) < self._most and self._queue[0].rules is group[0].rules:
                group.append(self._queue.popleft())
            return group

    def _answer(self, group: Sequence[_Waiting]) -> None:
        try:
            answers = self._decide([one.wanted for one in group], group[0].rules)
        except RegistryUnavailable:
            raise
        except Exception:
            if len(group) == 1:
                raise
            self._one_by_one(group)
            return
        for one, answer in zip(group, answers, strict=True):
            one.answer = answer

    def _one_by_one(self, group: Sequence[_Waiting]) -> None:
        """One claim of the group cannot be decided: the others do not suffer for it."""
        for one in group:
            try:
                (one.answer,) = self._decide([one.wanted], one.rules)
            except RegistryUnavailable:
                raise
            except Exception as fault:
                one.fault = fault

    def _pass_on(self) -> None:
        with self._lock:
            self._led = bool(self._queue)
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].turn.set()

    def _leave(self, mine: _Waiting) -> None:
        with self._lock:
            if mine in self._queue:
                self._queue.remove(mine)
        if mine.leads:
            self._pass_on()


def _fail(group: Sequence[_Waiting], fault: Exception) -> None:
    for one in group:
        if one.answer is None and one.fault is None:
            one.fault = fault
