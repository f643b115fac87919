"""The machines on the Station page: what a tile shows of one, and which picture shows what to do."""

from __future__ import annotations

from typing import Final

from personalize.line.checklist import CheckState
from personalize.machines.faults import MachineFaultCode as Code
from personalize.machines.protocols import Supply

PICTURES: Final[dict[str, str]] = {
    Code.JAM: "jam",
    Code.FEEDER_EMPTY: "feeder",
    Code.FEEDER_FULL: "feeder",
    Code.FEED: "feeder",
    Code.EXIT: "exit",
    Code.REJECT_FULL: "reject-bin",
    Code.MOVED_BY_HAND: "card",
    Code.CARD_LEFT: "card",
    Code.CARD_SIZE: "jam",
    Code.COVER: "cover",
    Code.RIBBON: "ribbon",
    Code.CLEANING: "cleaning",
    Code.STRIPE_WRITE: "stripe",
    Code.STRIPE_READ: "stripe",
    Code.STRIPE_DIFFERS: "stripe",
    Code.SENSOR: "cleaning",
    Code.MOTOR: "power",
    Code.CONTACTS: "contacts",
    Code.COUNTER: "service",
    Code.NOT_INITIALIZED: "card",
    Code.LACKS: "service",
    Code.COMMAND: "service",
    Code.LINK: "power",
    Code.NO_ANSWER: "power",
    Code.POWER: "power",
}
"""The symbol of static/icons/machines.svg for each fault."""
NOTICES: Final = frozenset({Code.FEEDER_EMPTY, Code.CLEANING})
"""Faults that a machine without a lane may have until it is needed."""
SUPPLY_TONES: Final[dict[str, str]] = {Supply.EMPTY: "bad", Supply.LOW: "warn", Supply.ENOUGH: "ok"}
"""The tone of a badge for each supply that is known."""
CHECK_ICONS: Final[dict[str, str]] = {CheckState.GOOD: "check", CheckState.LOOK: "warn", CheckState.REFUSED: "cross"}
"""The sign of each line of a checklist."""
