"""What is different for a lane whose cards a machine moves: how long steps may take, and what it wants of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from personalize.line.lanes import LaneEvent, LaneState
from personalize.machines.protocols import SWIPE_AGAIN, SWIPE_TO_READ, SWIPE_TO_WRITE, TO_PRINTER, OperatedMachine
from personalize.reasons import Reason, RejectCode
from reader_service.readers.worker import ReaderSession
from registry.line.machines import PRINT, STRIPE

_PROMPTS: Final = {
    SWIPE_TO_WRITE: RejectCode.SWIPE_TO_WRITE,
    SWIPE_TO_READ: RejectCode.SWIPE_TO_READ,
    SWIPE_AGAIN: RejectCode.SWIPE_AGAIN,
    TO_PRINTER: RejectCode.TO_PRINTER,
}
"""What a person does in the middle of a card. Into which bin it goes is shown at its end."""


def without_limit(event: LaneEvent, session: ReaderSession) -> bool:
    """Whether the next sign of life may take any time: the lane is held, or its machine feeds, writes a stripe or
    prints. A driver gives each of these a limit of its own; a colour side takes minutes, and so may a person."""
    moving = event.state is LaneState.WAITING or (event.state is LaneState.WORKING and event.step in (STRIPE, PRINT))
    return event.state is LaneState.PAUSED or (moving and session.machine is not None)


def show_prompts(session: ReaderSession, show: Callable[[Reason], None]) -> None:
    """Show what the machine wants of a person in the middle of a card, each time it does."""
    machine = session.machine
    if isinstance(machine, OperatedMachine):

        def shown(sentence: str) -> None:
            if sentence in _PROMPTS:
                show(Reason(sentence, _PROMPTS[sentence]))

        machine.screen.show = shown
