"""What lanes look like from outside: frozen values that pages, API and events are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from personalize.line.outcome import CardOutcome


@dataclass(frozen=True, slots=True)
class LastCard:
    """What the last card of a lane came to. ``bin`` and ``reason`` say what an operator does with a reject; ``code``
    (personalize.reasons) and ``params`` are what another language makes its own of. ``number`` is the end of the card
    number, six digits."""

    outcome: CardOutcome
    number: str
    bin: str
    reason: str
    seconds: float
    at: datetime
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        return _fields(self) | {"at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One lane. ``state``: waiting, working, paused, stopping, ended. ``step`` is the step of the card in hand,
    ``number`` the end of its number. ``message`` says why it waits or ended, ``code`` and ``params`` the same for other
    languages; ``fault`` says that this was no orderly end.
    ``ok`` and ``bad`` are cards verified and rejected since the start. ``rate`` is verified cards an hour of this lane;
    ``seconds_left`` the time that the batch still takes with the lanes of this station, None while nobody can tell."""

    reader: str
    name: str
    batch: str
    state: str
    step: str
    number: str
    ok: int
    bad: int
    last: LastCard | None
    message: str
    fault: bool
    rate: float
    seconds_left: float | None
    started_at: datetime
    started_by: str
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        last = self.last and self.last.to_json()
        return _fields(self) | {"last": last, "started_at": self.started_at.isoformat()}


def _fields(value: LaneStatus | LastCard) -> dict[str, Any]:
    """As dataclasses.asdict, which copies everything in it too: an eighth of what many lanes cost."""
    return {name: getattr(value, name) for name in value.__slots__}
