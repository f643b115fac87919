"""The lanes of this station: a reader, a batch, and a thread that makes cards until there is nothing left to make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from personalize.outcome import Outcome
from reader_service.principal import Principal


@dataclass(frozen=True, slots=True)
class LastCard:
    """What the last card of a lane came to. ``bin`` and ``reason`` say what an operator does with a reject.
    ``number`` is the end of the card number, six digits."""

    outcome: Outcome
    number: str
    bin: str
    reason: str
    seconds: float
    at: datetime


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane. ``state``: waiting, working, paused, stopping, ended. ``step`` is the step of the card in hand,
    ``number`` the end of its number. ``message`` says why it waits or ended, ``fault`` that this was no orderly end.
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

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        last = self.last and asdict(self.last) | {"at": self.last.at.isoformat()}
        return asdict(self) | {"last": last, "started_at": self.started_at.isoformat()}


class LaneDesk(Protocol):
    """Events: lane.state (topic: reader id, data: LaneView.to_json()) at each change; lane.card (data: {"reader",
    "name", "batch", "outcome", "number", "bin", "reason", "seconds"}) at the end of each card; batch.changed (topic:
    batch id) when a lane ends."""

    def lanes(self, p: Principal) -> list[LaneView]:
        """LANES_VIEW. Those that run, and of the others the last run of each reader."""
        ...

    def start(self, p: Principal, batch_id: str, reader_ids: Sequence[str]) -> list[LaneView]:
        """LANES_RUN. All of these readers, or none. Raises NotFound, Conflict (the batch has no dossiers, is a draft,
        done or closed), LeaseHeld, ReaderOut, Unavailable."""
        ...

    def pause(self, p: Principal, reader_id: str) -> LaneView:
        """LANES_RUN. After the card in hand. Raises NotFound where no lane runs."""
        ...

    def resume(self, p: Principal, reader_id: str) -> LaneView:
        """LANES_RUN. Raises NotFound."""
        ...

    def stop(self, p: Principal, reader_id: str) -> LaneView:
        """LANES_RUN. After the card in hand; said twice it changes nothing. Raises NotFound."""
        ...
