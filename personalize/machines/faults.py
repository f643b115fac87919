"""Faults of machines: each with a code, and with what a person does about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from personalize.errors import StationFault


class MachineFaultCode(StrEnum):
    """The kinds of faults, for texts in other languages and for pictures of what to do. Each is a ``RejectCode`` too
    (personalize.reasons)."""

    JAM = "machine-jam"
    FEEDER_EMPTY = "machine-feeder-empty"
    FEEDER_FULL = "machine-feeder-full"
    FEED = "machine-feed"
    """A card did not come out of the feeder."""
    EXIT = "machine-exit"
    """A finished card waits in the exit slot, and none can follow it."""
    REJECT_FULL = "machine-reject-full"
    MOVED_BY_HAND = "machine-moved-by-hand"
    CARD_LEFT = "machine-card-left"
    """A card of before is inside, or could not be put back."""
    CARD_SIZE = "machine-card-size"
    """Too long, too short, or two at once."""
    COVER = "machine-cover"
    RIBBON = "machine-ribbon"
    """Out, torn, absent, or not the one of the design."""
    CLEANING = "machine-cleaning"
    STRIPE_WRITE = "machine-stripe-write"
    STRIPE_READ = "machine-stripe-read"
    STRIPE_DIFFERS = "machine-stripe-differs"
    """The stripe read back is not the one written."""
    SENSOR = "machine-sensor"
    MOTOR = "machine-motor"
    CONTACTS = "machine-contacts"
    """The contact station does not move, or has no power for the chip."""
    COUNTER = "machine-counter"
    NOT_INITIALIZED = "machine-not-initialized"
    LACKS = "machine-lacks"
    """The machine cannot do this at all."""
    COMMAND = "machine-command"
    """The machine does not know the command, or not now."""
    LINK = "machine-link"
    """Bytes between host and machine were lost or altered; whether it executed the command is not known."""
    NO_ANSWER = "machine-no-answer"
    POWER = "machine-power"
    """The machine was switched off or restarted."""


REMEDIES: Final[dict[MachineFaultCode, str]] = {
    MachineFaultCode.JAM: "open the machine, take the card out, close it, and clear the fault",
    MachineFaultCode.FEEDER_EMPTY: "put blank cards into the feeder",
    MachineFaultCode.FEEDER_FULL: "take cards out of the feeder until it closes",
    MachineFaultCode.FEED: "fan the cards of the feeder, set its gauge, and clear the fault",
    MachineFaultCode.EXIT: "take the finished card out of the exit slot",
    MachineFaultCode.REJECT_FULL: "empty the reject bin, count its cards, and clear the fault",
    MachineFaultCode.MOVED_BY_HAND: "leave the card where it is, and clear the fault; the line then asks the chip",
    MachineFaultCode.CARD_LEFT: "clear the fault; the line then asks the chip which card it is",
    MachineFaultCode.CARD_SIZE: "take the card out; feed cards of ID-1 size, one at a time",
    MachineFaultCode.COVER: "close the cover",
    MachineFaultCode.RIBBON: "look at the ribbon: put in a new one of the kind that the design needs",
    MachineFaultCode.CLEANING: "clean the machine with its cleaning card",
    MachineFaultCode.STRIPE_WRITE: "clean the stripe head; look whether the cards have a stripe of this coercivity",
    MachineFaultCode.STRIPE_READ: "clean the stripe head, and try with another card",
    MachineFaultCode.STRIPE_DIFFERS: "clean the stripe head; the card goes to the reject bin",
    MachineFaultCode.SENSOR: "clean the sensors, and clear the fault; call service if it comes back",
    MachineFaultCode.MOTOR: "switch the machine off and on, and clear the fault; call service if it comes back",
    MachineFaultCode.CONTACTS: "clean the contact station; call service if it comes back",
    MachineFaultCode.COUNTER: "reset the machine's counter",
    MachineFaultCode.NOT_INITIALIZED: "clear the fault, which initializes the machine",
    MachineFaultCode.LACKS: "use a machine that can do this, or a profile that does not need it",
    MachineFaultCode.COMMAND: "look at the machine's model and firmware, and at the options of its URL",
    MachineFaultCode.LINK: "look at the cable and the rate of the port",
    MachineFaultCode.NO_ANSWER: "look whether the machine is on, and at the cable",
    MachineFaultCode.POWER: "switch the machine on; the line goes on by itself",
}
"""What a person does, in English; texts in other languages stand with those of the reject codes."""

WAITS_FOR_A_PERSON: Final = frozenset(
    {
        *(MachineFaultCode.FEEDER_EMPTY, MachineFaultCode.FEEDER_FULL, MachineFaultCode.EXIT),
        MachineFaultCode.REJECT_FULL,
        *(MachineFaultCode.COVER, MachineFaultCode.RIBBON, MachineFaultCode.CLEANING, MachineFaultCode.COUNTER),
    }
)
"""Faults that are no card's: the machine needs something, and goes on when it has it."""

OF_THE_STRIPE: Final = frozenset(
    {MachineFaultCode.STRIPE_WRITE, MachineFaultCode.STRIPE_READ, MachineFaultCode.STRIPE_DIFFERS}
)
"""Faults that another card may not have."""

OUT_OF_SIGHT: Final = frozenset({MachineFaultCode.LINK, MachineFaultCode.NO_ANSWER, MachineFaultCode.POWER})
"""Faults after which nobody knows whether the order was executed."""


class MachineFault(StationFault):
    """The machine cannot do what it was ordered to. ``machine`` names it, ``detail`` is what it answered.

    ``retryable`` says whether the same order may succeed after the remedy; a card that is inside stays inside.
    ``spoiled``: a part of the face may be on the card, so that the order is not repeated with this card.
    """

    code: MachineFaultCode

    def __init__(self, machine: str, code: MachineFaultCode, detail: str = "", *, spoiled: bool = False) -> None:
        self.machine, self.code, self.detail, self.spoiled = machine, code, detail, spoiled
        self.params = {"machine": machine}
        self.remedy = REMEDIES[code]
        self.retryable = code is not MachineFaultCode.LACKS
        cause = detail or code.removeprefix("machine-").replace("-", " ")
        super().__init__(f"machine {machine}: {cause}; {self.remedy}")
