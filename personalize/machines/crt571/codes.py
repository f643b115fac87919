"""What the bytes of a CRT-571 mean: commands, positions, sensors, and the two digits of an error."""

from __future__ import annotations

from typing import Final

from personalize.machines.crt571.frames import MachineOrder
from personalize.machines.faults import MachineFaultCode
from personalize.machines.protocols import MachinePlace, Supply

STATUS: Final = MachineOrder(0x31, 0x30)
MOVE: Final = 0x32
TO_CHIP, TO_ANTENNA, TO_REJECT, TO_EXIT = 0x31, 0x32, 0x33, 0x39
INITIALIZE: Final = 0x30
LEAVE: Final = 0x33
RETRACT_COUNTED: Final = 0x04
"""Added to the PM of an initialization: it counts the card that it retracts."""
ENTRY_ON: Final = MachineOrder(0x33, 0x30)
ENTRY_OFF: Final = MachineOrder(0x33, 0x31)
SERIAL_NUMBER: Final = MachineOrder(0xA2, 0x30)
VERSION: Final = MachineOrder(0xA4, 0x30)
REJECTED: Final = MachineOrder(0xA5, 0x30)
REJECTED_RESET: Final = MachineOrder(0xA5, 0x31)

CHIP_ON: Final = MachineOrder(0x51, 0x30, b"\x30")
"""A cold reset, with its supply voltage."""
CHIP_OFF: Final = MachineOrder(0x51, 0x31)
CHIP_WARM: Final = MachineOrder(0x51, 0x38)
CHIP: Final = 0x51
APDU_T0, APDU_T1, APDU_ANY = 0x33, 0x34, 0x39
RF: Final = 0x60
RF_OFF: Final = MachineOrder(RF, 0x31)
RF_START: Final = 0x30
RF_TYPE_A, RF_TYPE_B = 0x34, 0x35

PLACES: Final = {0x30: MachinePlace.NONE, 0x31: MachinePlace.EXIT, 0x32: MachinePlace.INSIDE}
"""ST0. The machine does not say whether a card inside is at the contact station or at the antenna."""
SUPPLIES: Final = {0x30: Supply.EMPTY, 0x31: Supply.LOW, 0x32: Supply.ENOUGH}
"""ST1, the stacker."""
REJECT_FULL: Final = {0x30: False, 0x31: True}
"""ST2, the error bin."""

NO_CARDS: Final = "A0"
NOT_INITIALIZED: Final = "B0"

ERRORS: Final[dict[str, tuple[MachineFaultCode, str]]] = {
    "00": (MachineFaultCode.COMMAND, "the machine does not know the command"),
    "01": (MachineFaultCode.COMMAND, "the machine does not know the parameter of the command"),
    "02": (MachineFaultCode.COMMAND, "the machine does not take the command now"),
    "03": (MachineFaultCode.LACKS, "the machine has no hardware for the command"),
    "04": (MachineFaultCode.COMMAND, "the machine does not take the data of the command"),
    "05": (MachineFaultCode.CONTACTS, "the contacts were not released"),
    "10": (MachineFaultCode.JAM, "a card is jammed"),
    "12": (MachineFaultCode.SENSOR, "a sensor does not work"),
    "13": (MachineFaultCode.CARD_SIZE, "the card is too long"),
    "14": (MachineFaultCode.CARD_SIZE, "the card is too short"),
    "40": (MachineFaultCode.CARD_LEFT, "the card cannot be taken back"),
    "41": (MachineFaultCode.CONTACTS, "the magnet of the contact station does not work"),
    "42": (MachineFaultCode.CONTACTS, "the card does not get to the contact station"),
    "43": (MachineFaultCode.CONTACTS, "the card does not get to the contact station"),
    "45": (MachineFaultCode.MOVED_BY_HAND, "the card was moved by hand"),
    "50": (MachineFaultCode.COUNTER, "the counter of retracted cards is full"),
    "51": (MachineFaultCode.MOTOR, "the motor does not work"),
    "60": (MachineFaultCode.CONTACTS, "the chip's supply is short-circuited"),
    "61": (MachineFaultCode.CONTACTS, "the chip does not answer to reset"),
    "62": (MachineFaultCode.COMMAND, "the chip does not know the command of the machine"),
    "65": (MachineFaultCode.COMMAND, "the chip has no power"),
    "66": (MachineFaultCode.COMMAND, "the chip does not take the command of the machine now"),
    "67": (MachineFaultCode.CONTACTS, "characters between machine and chip were lost or altered"),
    "68": (MachineFaultCode.CONTACTS, "the chip stopped answering"),
    "69": (MachineFaultCode.CONTACTS, "the chip's answer to reset is not that of an EMV card"),
    "A0": (MachineFaultCode.FEEDER_EMPTY, "the stacker is empty"),
    "A1": (MachineFaultCode.FEEDER_FULL, "the stacker is full"),
    "B0": (MachineFaultCode.NOT_INITIALIZED, "the machine is not initialized"),
}
"""E1 E0. Sources differ about a card that does not get to the contact station: 43, or 42."""

CHIP_ERRORS: Final = frozenset({"60", "61", "62", "65", "66", "67", "68", "69"})
"""The machine works, and its chip does not."""
CHIP_GONE: Final = frozenset({"65", "68"})
CHIP_LINE: Final = "67"
STANDING: Final = frozenset(
    {
        MachineFaultCode.JAM,
        MachineFaultCode.SENSOR,
        MachineFaultCode.CARD_SIZE,
        MachineFaultCode.CARD_LEFT,
        MachineFaultCode.CONTACTS,
        MachineFaultCode.MOVED_BY_HAND,
        MachineFaultCode.COUNTER,
        MachineFaultCode.MOTOR,
        MachineFaultCode.FEED,
        MachineFaultCode.FEEDER_FULL,
        MachineFaultCode.NOT_INITIALIZED,
    }
)
"""Faults that last until the machine is initialized or a move succeeds."""


def meaning(error: str) -> tuple[MachineFaultCode, str]:
    """Code and cause of an error; the cause ends with its two digits."""
    code, cause = ERRORS.get(error, (MachineFaultCode.COMMAND, "the machine answers an error that has no name"))
    return code, f"{cause} (error {error})"
