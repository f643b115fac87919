"""Claims of many clients at the same moment, decided together: whoever comes first decides for all who have come.

A transaction costs more than a decision. So one thread takes what has queued up meanwhile, in its order, and each
client has its answer once that transaction is on the disk.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import Final

from registry.errors import RegistryError
from registry.rush.claims import Answer, RushClaims
from registry.rush.values import ClaimRequest, RushRules

MOST: Final = 256
"""Claims of one transaction."""


@dataclass(slots=True)
class _Entry:
    wanted: ClaimRequest
    answer: Answer | None = None
    fault: RegistryError | None = None

    @property
    def done(self) -> bool:
        return self.answer is not None or self.fault is not None


class CombinedClaims:
    """Decides the claims of the threads of one process. Order is that of arrival."""

    def __init__(self, claims: RushClaims, rules: RushRules) -> None:
        self._claims, self._rules = claims, rules
        self._queue: deque[_Entry] = deque()
        self._turn = Lock()

    def claim(self, wanted: ClaimRequest) -> Answer:
        """As ``RushClaims.claim``. Raises RegistryError."""
        entry = _Entry(wanted)
        self._queue.append(entry)
        while not entry.done:
            with self._turn:
                if not entry.done:
                    self._decide([self._queue.popleft() for _ in range(min(MOST, len(self._queue)))])
        if entry.fault is not None:
            raise entry.fault
        if entry.answer is None:
            raise RegistryError("a claim without an answer")
        return entry.answer

    def _decide(self, entries: list[_Entry]) -> None:
        """A fault of a transaction is that of each claim by itself: it may be the fault of one only."""
        try:
            answers = self._claims.decide([entry.wanted for entry in entries], self._rules)
        except RegistryError as fault:
            if len(entries) == 1:
                entries[0].fault = fault
                return
            for entry in entries:
                self._decide([entry])
            return
        except BaseException:
            for entry in entries:
                entry.fault = RegistryError("the registry did not answer; ask again under the same key")
            raise
        for entry, answer in zip(entries, answers, strict=True):
            entry.answer = answer
