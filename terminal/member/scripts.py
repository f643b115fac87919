"""Commands of the office to a card, and their execution at a counter or window. docs/redemption.md, Scripts.

Each command has a MAC over the transaction counter and the script counter, so that it runs once, in its order, and only
in the state for which it was written. The counter of the card says which ran, also after a tear.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from terminal.apdu import Command, Sender, StatusWord
from terminal.emv.data.tags import TAG_9F36_ATC, TAG_72_ISSUER_SCRIPT_2, TAG_86_SCRIPT_COMMAND
from terminal.errors import ApduError, CardMalformed, CodecError, TlvError
from terminal.member import elements
from terminal.member.card_data import read_data
from terminal.tlv import decode, encode, tlv

LAST_COUNTER: Final = 0xFFFF
MAC_LENGTH: Final = 8
_VERSION: Final = 1
_SECURED: Final = frozenset(((0x04, 0xDA), (0x84, 0x24), (0x84, 0x1E), (0x84, 0x18)))
"""Class and instruction of PUT DATA, PIN CHANGE/UNBLOCK, APPLICATION BLOCK and UNBLOCK."""


@dataclass(frozen=True, slots=True)
class CardScript:
    """Commands for one card, in their order, for the state with this transaction counter and this script counter.

    They are not personal, and of no use on another card. Raises CodecError for no command, for one that is none of a
    script, and for counters beyond two bytes.
    """

    atc: int
    counter: int
    """The script counter before the first command."""
    commands: tuple[Command, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.atc <= 0xFFFF or not 0 <= self.counter <= LAST_COUNTER - len(self.commands):
            raise CodecError("a script for counters beyond two bytes")
        if not self.commands:
            raise CodecError("a script without a command")
        for command in self.commands:
            if (command.cla, command.ins) not in _SECURED or not MAC_LENGTH <= len(command.data) <= 0xFF:
                raise CodecError(f"{command} is no command of a script")

    def encode(self) -> bytes:
        """For the way to a counter: version 01, then template 72 with both counters and every command (86)."""
        counters = (
            tlv(TAG_9F36_ATC, elements.TRANSACTION_COUNTER.encode(self.atc)),
            tlv(elements.SCRIPT_COUNTER.tag, elements.SCRIPT_COUNTER.encode(self.counter)),
        )
        commands = (tlv(TAG_86_SCRIPT_COMMAND, command.encode()) for command in self.commands)
        return bytes((_VERSION,)) + encode([tlv(TAG_72_ISSUER_SCRIPT_2, (*counters, *commands))])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What ``encode`` wrote, and nothing else. Raises CodecError."""
        if data[:1] != bytes((_VERSION,)):
            raise CodecError(f"a script of version {data[:1].hex() or 'none'}; version 01 is read", 0)
        try:
            template = decode(data[1:], padding="reject").only(TAG_72_ISSUER_SCRIPT_2)
            if template is None:
                raise CodecError("this is not a script")
            inside = template.children
            commands = tuple(Command.decode(item.value) for item in inside.find_all(TAG_86_SCRIPT_COMMAND))
            atc, counter = inside.need(TAG_9F36_ATC), inside.need(elements.SCRIPT_COUNTER.tag)
        except (TlvError, ApduError) as error:
            raise CodecError("this is not a script") from error
        script = cls(elements.TRANSACTION_COUNTER.decode(atc), elements.SCRIPT_COUNTER.decode(counter), commands)
        if script.encode() != data:
            raise CodecError("a script with other data objects, or in another order")
        return script


class UpdateStatus(StrEnum):
    """The result of a script."""

    DONE = "DONE"
    """Every command ran, now or in an earlier insertion."""
    VOID = "VOID"
    """The card is in another state than the script was written for: the office writes another."""
    REFUSED = "REFUSED"
    """The card refused a command; those behind it were not sent."""


@dataclass(frozen=True, slots=True)
class CardUpdate:
    """The outcome of one script. ``before`` commands ran in an earlier insertion, ``ran`` now, out of ``total``.

    ``atc`` and ``counter`` are those of the card afterwards: the office writes the next script for them. ``refusal`` is
    the status word of the command behind those that ran, for REFUSED.
    """

    status: UpdateStatus
    before: int
    ran: int
    total: int
    atc: int
    counter: int
    refusal: StatusWord | None = None

    @property
    def left(self) -> int:
        return self.total - self.before - self.ran


def update(sender: Sender, script: CardScript) -> CardUpdate:
    """Run what is left of a script on the selected application, at contact.

    A tear raises TransportError; the same call in the next insertion finishes the script. Raises CardRefused where the
    card does not give its counters, and CardMalformed where they do not count what the card says it executed.
    """
    atc, counter = read_data(sender, elements.TRANSACTION_COUNTER), read_data(sender, elements.SCRIPT_COUNTER)
    total, before = len(script.commands), counter - script.counter
    if not 0 <= before <= total:
        return CardUpdate(UpdateStatus.VOID, 0, 0, total, atc, counter)
    if before == total:
        return CardUpdate(UpdateStatus.DONE, before, 0, total, atc, counter)
    if atc != script.atc:
        return CardUpdate(UpdateStatus.VOID, before, 0, total, atc, counter)
    ran, refusal = 0, None
    for command in script.commands[before:]:
        response = sender.send(command)
        if not response.sw.ok:
            refusal = response.sw
            break
        ran += 1
    after = read_data(sender, elements.SCRIPT_COUNTER)
    if after != counter + ran:
        raise CardMalformed(f"running a script: {ran} commands succeeded, and the card counted {after - counter}")
    status = UpdateStatus.DONE if refusal is None else UpdateStatus.REFUSED
    return CardUpdate(status, before, ran, total, atc, after, refusal)
