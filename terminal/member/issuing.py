"""The office's half of redemptions and scripts, with keys in custody. docs/redemption.md, The answer, Scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from terminal.apdu import Command
from terminal.emv.data.elements.element import Element
from terminal.errors import CodecError
from terminal.keys import EMV_CSK, KeyCustody, KeyRef, PinBlock, Udks
from terminal.member import elements
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.scripts import MAC_LENGTH, CardScript

T = TypeVar("T")

UPDATABLE: Final = (
    elements.CATEGORY,
    elements.VALID_THROUGH,
    elements.ENTITLEMENTS,
    elements.COVER_ENDS,
    elements.ACTIVATED_ON,
    elements.LAST_REDEMPTION,
)
"""The elements that a script sets: the last date of a redemption, and the others where the card has them in a record
that is not signed."""


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One command of a script before its MAC: header, data in clear, and a new PIN, which custody enciphers."""

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = b""
    pin: PinBlock | None = None


def put_data(element: Element[T], value: T) -> ScriptStep:
    """Set one of ``UPDATABLE``. Raises CodecError for another element, and for a value that does not fit."""
    if element not in UPDATABLE:
        raise CodecError(f"{element.tag} ({element.name}) is not set by a script")
    return ScriptStep(0x04, 0xDA, element.tag >> 8, element.tag & 0xFF, element.encode(value))


def unblock_pin() -> ScriptStep:
    """Reset the try counter; the PIN stays."""
    return ScriptStep(0x84, 0x24)


def change_pin(pin: PinBlock) -> ScriptStep:
    """Set a new PIN, and reset the try counter. ``pin`` is under a PIN key in custody."""
    return ScriptStep(0x84, 0x24, 0x00, 0x02, pin=pin)


def block_application() -> ScriptStep:
    """The card redeems nothing and says on SELECT that it is blocked."""
    return ScriptStep(0x84, 0x1E)


def unblock_application() -> ScriptStep:
    """The card redeems again."""
    return ScriptStep(0x84, 0x18)


def write_script(custody: KeyCustody, keys: Udks, steps: Sequence[ScriptStep], *, atc: int, counter: int) -> CardScript:
    """The commands of these steps for a card with this transaction counter and this script counter.

    ``keys`` are the application keys of the card (``custody.application_keys`` with imk-ac, imk-smi, imk-smc). Raises
    CodecError as ``CardScript``, and CustodyError.
    """
    if not 0 <= counter <= 0xFFFF - len(steps) or not 0 <= atc <= 0xFFFF:
        raise CodecError("a script for counters beyond two bytes")
    commands = [_command(custody, keys, step, atc, counter + at) for at, step in enumerate(steps)]
    return CardScript(atc, counter, tuple(commands))


def proves(custody: KeyCustody, master: KeyRef, evidence: RedemptionEvidence) -> bool:
    """Whether the card of this evidence computed its cryptogram, a TC or an AAC, over what the evidence says.

    ``master`` is imk-ac. It says nothing of the rules: whether this transaction counter came before, whether the
    kind is a TC (``evidence.cid`` and ``evidence.data.approved``), whether counts and dates fit. Raises CustodyError.
    """
    return custody.verify_cryptogram(
        master,
        EMV_CSK,
        evidence.card_number,
        evidence.sequence,
        evidence.atc,
        evidence.authenticated,
        evidence.cryptogram,
    )


def _command(custody: KeyCustody, keys: Udks, step: ScriptStep, atc: int, counter: int) -> Command:
    """A step with its MAC. ATC and script counter diversify the session keys (R) and stand in the MAC itself."""
    transaction, script = atc.to_bytes(2, "big"), counter.to_bytes(2, "big")
    r = transaction + b"\x00" + script + bytes(3)
    data = step.data
    if step.pin is not None:
        data = custody.pin_for_card(keys, EMV_CSK, transaction, r, step.pin)
    header = bytes((step.cla, step.ins, step.p1, step.p2, len(data) + MAC_LENGTH))
    mac = custody.script_mac(keys, EMV_CSK, transaction, r, header + transaction + script + data)
    return Command(step.cla, step.ins, step.p1, step.p2, data + mac)
