"""Issuer scripts: commands of the issuer to its card, under secure messaging.

EMV 4.4 Book 3, 6.5 and 10.10; Book 2, chapter 9, format 2: data, then MAC. Visa and PBOC set CLA 84, for PUT DATA and
UPDATE RECORD 04.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from simulators.cryptograms.algorithms import Udks, new_pin_block, script_encrypt, script_mac
from simulators.cryptograms.schemes import IssuerScheme
from terminal.errors import CodecError
from terminal.secret import Secret
from terminal.tlv import tlv

MAX_SCRIPT_BYTES: Final = 128
"""Bytes of scripts that a terminal accepts in one authorization response. EMV 4.4 Book 4, 12.2.4."""

_HEADER: Final = 5
_LONGEST_MAC: Final = 8
_LONGEST_PIN: Final = 16
"""An enciphered PIN block: nine bytes and their padding, with either cipher."""


class ScriptPhase(IntEnum):
    """The template of a script: the card gets the commands before or after the final GENERATE AC."""

    BEFORE = 0x71
    AFTER = 0x72


class ScriptInstruction(IntEnum):
    CARD_BLOCK = 0x16
    APPLICATION_UNBLOCK = 0x18
    APPLICATION_BLOCK = 0x1E
    PIN_CHANGE = 0x24
    PUT_DATA = 0xDA
    UPDATE_RECORD = 0xDC


_INTERINDUSTRY: Final = frozenset({ScriptInstruction.PUT_DATA, ScriptInstruction.UPDATE_RECORD})


class ScriptContext(NamedTuple):
    """The data of a transaction that the keys and MACs of its scripts depend on."""

    scheme: IssuerScheme
    keys: Udks
    atc: bytes
    cryptogram: bytes


@dataclass(frozen=True, slots=True)
class IssuerScriptCommand:
    """One command without its MAC. ``pin`` is the new PIN of a PIN CHANGE, ``current`` the PIN that the card checks
    first (P2 01); without it the card sets the new PIN unchecked (P2 02)."""

    ins: ScriptInstruction
    p1: int = 0
    p2: int = 0
    data: bytes = b""
    pin: Secret | None = None
    current: Secret | None = None

    @property
    def longest(self) -> int:
        """Maximum bytes of the data field without its MAC."""
        return len(self.data) if self.pin is None else _LONGEST_PIN

    def encode(self, context: ScriptContext) -> bytes:
        """Header, data (a PIN is enciphered), MAC."""
        data = self.data
        if self.pin is not None:
            current = None if self.current is None else self.current.reveal().decode("ascii")
            block = new_pin_block(context.scheme, context.keys, self.pin.reveal().decode("ascii"), current)
            data = script_encrypt(context.scheme, context.keys, context.atc, context.cryptogram, block)
        cla = 0x04 if self.ins in _INTERINDUSTRY else 0x84
        header = bytes((cla, self.ins, self.p1, self.p2, len(data) + context.scheme.mac_length))
        return header + data + script_mac(context.scheme, context.keys, context.atc, context.cryptogram, header, data)


def card_block() -> IssuerScriptCommand:
    return IssuerScriptCommand(ScriptInstruction.CARD_BLOCK)


def application_block() -> IssuerScriptCommand:
    return IssuerScriptCommand(ScriptInstruction.APPLICATION_BLOCK)


def application_unblock() -> IssuerScriptCommand:
    return IssuerScriptCommand(ScriptInstruction.APPLICATION_UNBLOCK)


def pin_unblock() -> IssuerScriptCommand:
    """Reset the PIN try counter. EMV 4.4 Book 3, 6.5.10, P2 00."""
    return IssuerScriptCommand(ScriptInstruction.PIN_CHANGE)


def pin_change(new: Secret, current: Secret | None = None) -> IssuerScriptCommand:
    """Set a new PIN and reset the PIN try counter. EMV 4.4 Book 3, 6.5.10, P2 01 and 02."""
    return IssuerScriptCommand(ScriptInstruction.PIN_CHANGE, p2=2 if current is None else 1, pin=new, current=current)


def put_data(tag: int, value: bytes) -> IssuerScriptCommand:
    """Replace one data object of the card; its tag goes into P1 P2. Raises CodecError."""
    if not 0 < tag <= 0xFFFF:
        raise CodecError(f"PUT DATA names a tag of one or two bytes, not {tag:X}")
    return IssuerScriptCommand(ScriptInstruction.PUT_DATA, tag >> 8, tag & 0xFF, value)


def update_record(sfi: int, record: int, value: bytes) -> IssuerScriptCommand:
    if not 1 <= sfi <= 30 or not 1 <= record <= 0xFF:
        raise CodecError(f"there is no record {record} of file {sfi} to update")
    return IssuerScriptCommand(ScriptInstruction.UPDATE_RECORD, record, sfi << 3 | 4, value)


@dataclass(frozen=True, slots=True)
class IssuerScript:
    """The commands of one template, and the identifier (9F18) by which the terminal reports their result."""

    identifier: int
    phase: ScriptPhase
    commands: tuple[IssuerScriptCommand, ...]

    def encode(self, context: ScriptContext) -> bytes:
        """Template 71 or 72."""
        return self._template([command.encode(context) for command in self.commands])

    def check_size(self) -> None:
        """Raises CodecError when the script may not fit one response with some scheme."""
        longest_template = self._template(
            [bytes(_HEADER + command.longest + _LONGEST_MAC) for command in self.commands]
        )
        if len(longest_template) > MAX_SCRIPT_BYTES:
            raise CodecError(
                f"a script of up to {len(longest_template)} bytes; {MAX_SCRIPT_BYTES} are the most a terminal takes"
            )

    def _template(self, commands: Sequence[bytes]) -> bytes:
        parts = [tlv(0x9F18, self.identifier.to_bytes(4, "big")), *(tlv(0x86, command) for command in commands)]
        return tlv(self.phase, parts).encode()


def fitting(scripts: Sequence[IssuerScript], context: ScriptContext) -> bytes:
    """As many of the scripts, from the first, as fit one response; the others wait for the next transaction."""
    templates = b""
    for script in scripts:
        template = script.encode(context)
        if len(templates) + len(template) > MAX_SCRIPT_BYTES:
            break
        templates += template
    return templates


class IssuerScriptResult(NamedTuple):
    """The result of one script: five bytes of 9F5B or DF31. EMV 4.4 Book 4, annex A5."""

    identifier: int
    done: bool

    @classmethod
    def parse(cls, data: bytes) -> tuple[IssuerScriptResult, ...]:
        """Raises CodecError unless the data are results of five bytes each."""
        if len(data) % 5:
            raise CodecError(f"issuer script results of {len(data)} bytes, which are no whole number of fives")
        results = (data[at : at + 5] for at in range(0, len(data), 5))
        return tuple(cls(int.from_bytes(result[1:], "big"), result[0] >> 4 == 2) for result in results)
