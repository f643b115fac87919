"""The lanes of a station as frozen values that pages, API and events use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from personalize.line.outcome import CardOutcome


@dataclass(frozen=True, slots=True)
class LastCard:
    """The result of the last card of a lane. ``bin`` and ``reason`` tell the operator what to do with a reject;
    ``code`` and ``params`` (personalize.reasons) give the same for a sentence in another language. ``number`` is
    the last six digits of the card number."""

    outcome: CardOutcome
    number: str
    bin: str
    reason: str
    seconds: float
    at: datetime
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON form for events and API."""
        return _fields(self) | {"at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """The state of one lane. ``step`` is the step of the card in the reader, ``number`` the last six digits of its
    number. ``message`` says why the lane waits or ended, ``code`` and ``params`` the same for a sentence in another
    language; ``fault`` means that a fault ended it. ``ok`` and ``bad`` count cards verified and rejected since the
    start. ``rate`` is verified cards per hour; ``seconds_left`` is the time that the batch still takes with all lanes
    of this station, null while it is unknown."""

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
        """The JSON form for events and API."""
        last = self.last and self.last.to_json()
        return _fields(self) | {"last": last, "started_at": self.started_at.isoformat()}


def _fields(value: LaneStatus | LastCard) -> dict[str, Any]:
    """As dataclasses.asdict, which also copies nested values: an eighth of the cost of many lanes."""
    return {name: getattr(value, name) for name in value.__slots__}
