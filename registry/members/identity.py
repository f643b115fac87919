"""Who calls the hotline: identified by answers that are compared here, so that nobody reads a member's data out."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from registry.errors import RegistryConflict
from registry.person import Person
from registry.unit_names import levels, same_organisation

LEAST_RIGHT: Final = 3
"""Right answers that identify a caller."""
MOST_CALLS: Final = 3
"""Callers about one card whom one clerk did not identify, after which a caller has to answer every question rightly at
this clerk for ``CALLS_REST``. Nobody can keep a member from reporting a loss by calling about the card."""
CALLS_REST: Final = timedelta(hours=1)


class CallerKind(StrEnum):
    """Who calls about a member's card."""

    MEMBER = "member"
    RELATIVE = "relative"
    UNIT = "unit"  # the contact of the member's unit
    OTHER = "other"


class Question(StrEnum):
    """A question to a caller; each can be compared with what masked data show too."""

    NAME = "name"
    ID_END = "id-end"
    MOBILE_END = "mobile-end"
    UNIT = "unit"


@dataclass(frozen=True, slots=True, repr=False)
class Caller:
    """A caller and their answers. ``name`` and ``telephone`` of a caller who is not the member are sealed at rest."""

    kind: CallerKind
    answers: Mapping[Question, str] = field(default_factory=dict)
    name: str = ""
    telephone: str = ""

    def right_answers(self, member: Person, unit: str) -> frozenset[Question]:
        """The questions that were answered rightly, about this member of this unit."""
        answers = {question: _plain(text) for question, text in self.answers.items() if text.strip()}
        wanted = {
            Question.NAME: _plain(member.name),
            Question.ID_END: member.id_number[-4:].upper(),
            Question.MOBILE_END: member.mobile[-4:],
        }
        right = {question for question, answer in answers.items() if answer == wanted.get(question)}
        named = answers.get(Question.UNIT, "")
        if named and any(same_organisation(named, _plain(level)) for level in (unit, *levels(unit))):
            right.add(Question.UNIT)
        return frozenset(right)

    def identified(self, right: frozenset[Question]) -> bool:
        return len(right) >= LEAST_RIGHT

    def __repr__(self) -> str:
        return f"<Caller {self.kind}>"


def refuse_unproven(caller: Caller, right: frozenset[Question]) -> None:
    """Raises RegistryConflict for a caller with too few right answers; it does not say which."""
    if not caller.identified(right):
        sentence = f"the caller gave {len(right)} right answers, and {LEAST_RIGHT} are needed; nothing was changed"
        raise RegistryConflict(sentence, reason="caller-unidentified", right=len(right), least=LEAST_RIGHT)


def too_many_callers(rest: timedelta) -> RegistryConflict:
    """What a caller is told who does not answer every question after others were not identified."""
    minutes = -(-rest // timedelta(minutes=1))
    sentence = (
        f"too many callers about this card were not identified: for {minutes} minutes a caller has to answer every "
        "question rightly, or another clerk takes the call"
    )
    return RegistryConflict(sentence, reason="caller-attempts", minutes=minutes)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()
