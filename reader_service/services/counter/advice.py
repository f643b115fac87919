"""How a verdict is shown where more is at hand than the card: a card that is not activated is told apart by whether its
member has it, and the words name the windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from programme.programme import Federation
from registry.errors import RegistryError
from registry.store import Registry
from registry.values import CardState
from terminal.member.outcome import MemberFacts, Verdict, VerdictCode
from terminal.member.presentation import NOT_HANDED_OVER, Advice, Phrase

_BEFORE_DELIVERY: Final = (CardState.VERIFIED, CardState.PACKED)
_MOST_WINDOWS: Final = 4
"""Windows that a counter names; of a federation with more, those of the city."""


def advise(
    verdict: Verdict, registry: Callable[[], Registry | None], federation: Callable[[], Federation | None]
) -> Advice:
    """How a verdict is shown. ``registry`` and ``federation`` are called for a card that is not activated: the record
    of the office, and whose windows are named. Either gives None where it is not at hand."""
    plain = Advice.of(verdict.code)
    if verdict.code is not VerdictCode.NOT_ACTIVATED or verdict.member is None:
        return plain
    record = registry()
    delivered = None if record is None else _delivered(record, verdict.member)
    if delivered is False:
        return Advice(NOT_HANDED_OVER, delivered)
    where = federation()
    shown = plain.shown if where is None else replace(plain.shown, next=_at_windows(plain.shown.next, where))
    return Advice(shown, delivered)


def _delivered(registry: Registry, facts: MemberFacts) -> bool | None:
    try:
        card = registry.cards.card(facts.card_number)
    except RegistryError:  # not on record here, or no database now: the verdict stands without it
        return None
    return None if card.sequence != facts.sequence else card.state not in _BEFORE_DELIVERY


def _at_windows(step: Phrase, federation: Federation) -> Phrase:
    """The step with the windows of a federation and its hotline, as far as the programme names them."""
    windows = list(federation.windows.values())
    if len(windows) > _MOST_WINDOWS:
        windows = [window for window in windows if window.level == "city"][:_MOST_WINDOWS]
    zh, en = "、".join(one.name.zh for one in windows), ", ".join(one.name.en for one in windows)
    if federation.hotline:
        zh = f"{zh}{'；' if zh else ''}电话 {federation.hotline}"
        en = f"{en}{'; ' if en else ''}telephone {federation.hotline}"
    return Phrase(f"{step.zh}：{zh}", f"{step.en}: {en}") if zh else step
