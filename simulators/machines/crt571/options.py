"""What machines of this kind, and their firmware, do differently, or what is not known of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ResetAnswer(StrEnum):
    """The data of an answer to a reset of the chip: the protocol (30 or 31) and the answer to reset."""

    PROTOCOL_FIRST = "protocol-first"
    ATR_FIRST = "atr-first"
    ATR_ONLY = "atr-only"


@dataclass(frozen=True, slots=True)
class Crt571Options:
    """``address``: that of the switch, 0 to 15. ``failure_letter``: 4E, of some firmware 45. ``holding_at_exit``: a
    card at the holding position is reported as in the gate. ``exit_holds``: a card that is given out waits in the gate
    for a person, instead of falling into the output. ``full_code``: the error of a move into a full error bin.
    ``repeat_after``: seconds without acknowledgement after which an answer is sent again, three times at most; 0:
    only after NAK. ``gap``: seconds of silence within a frame after which it is damaged. ``antenna``: it has one.
    ``rf_details``: the answer to the start of the antenna says more than the type of the card.

    Raises ValueError for an address out of range.
    """

    address: int = 0
    failure_letter: int = 0x4E
    reset_answer: ResetAnswer = ResetAnswer.PROTOCOL_FIRST
    holding_at_exit: bool = False
    exit_holds: bool = False
    full_code: str = "50"
    repeat_after: float = 2.0
    gap: float = 0.5
    antenna: bool = True
    rf_details: bool = True
    model: str = "CRT-571 V1.00"
    serial_number: str = "571000000001"

    def __post_init__(self) -> None:
        if not 0 <= self.address <= 15:
            raise ValueError(f"address {self.address}: the switch has 0 to 15")
