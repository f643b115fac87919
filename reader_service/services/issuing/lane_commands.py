"""The commands that an operator may give a running lane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from personalize.line.lanes import PersonalizationLine


@dataclass(frozen=True, slots=True)
class LaneCommand:
    """What an operator may tell a running lane to do. ``name`` is its place in addresses, operation ids and the audit;
    ``summary`` and ``description`` are the API's texts. ``audited``: each use leaves an audit entry."""

    name: str
    apply: Callable[[PersonalizationLine], None]
    summary: str
    description: str
    audited: bool = False


LANE_COMMANDS: Final = {
    command.name: command
    for command in (
        LaneCommand(
            "pause",
            PersonalizationLine.pause,
            "Pause a lane",
            "The card in the reader is finished first, and the lane holds until `resume`.",
        ),
        LaneCommand("resume", PersonalizationLine.resume, "Resume a paused lane", "The lane takes its next card."),
        LaneCommand(
            "stop",
            PersonalizationLine.stop,
            "Stop a lane",
            "The card in the reader is finished first. A second stop changes nothing.",
            audited=True,
        ),
    )
}
"""The commands by name. The service, the API and the pages work from this table."""
