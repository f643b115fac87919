"""Base of the EMV applications on the card: dispatch, options template, challenge, PIN, RSA signature.

EMV 4.4 Books 2 and 3. Data and decisions are those of each application.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from simulators.applets import emv_data
from simulators.applets.personalized import PersonalizedApplet
from simulators.card.applet import Refuse
from terminal.apdu import OK, Command, Response
from terminal.crypto import rsa
from terminal.errors import CryptoError
from terminal.tlv import Dol, tlv

Handlers = Mapping[tuple[int, int], Callable[[Any, Command], Response]]
"""The handler of each class and instruction."""


class EmvApplet(PersonalizedApplet):
    """An application that is selected, read, authenticated and unlocked by PIN as EMV specifies."""

    commands: ClassVar[Handlers]

    def dispatch(self, command: Command) -> Response:
        """Run the handler of class and instruction. Raises Refuse: 6E00 wrong class, 6D00 unknown instruction."""
        handler = self.commands.get((command.cla, command.ins))
        if handler is None:
            raise Refuse(0x6E00 if any(command.ins == ins for _, ins in self.commands) else 0x6D00)
        return handler(self, command)

    def challenge(self, command: Command) -> bytes:
        """Eight unpredictable bytes. EMV 4.4 Book 3, 6.5.6. Raises Refuse."""
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        if command.data:
            raise Refuse(0x6700)
        return self.host.random(8)

    @property
    def tries(self) -> int | None:
        """PIN tries left, None without a PIN."""
        left = self.stored(emv_data.PIN_TRIES)
        return left[0] if left else None

    def check_pin(self, block: bytes) -> bool:
        """Whether a PIN block is correct. EMV 4.4 Book 3, 6.5.12. A try is counted before the comparison, so that
        cutting the power gains none. Raises Refuse: 6983 with no try left."""
        left, limit = self.need(emv_data.PIN_TRIES)
        if not left:
            raise Refuse(0x6983)
        self.set_tries(left - 1, limit)
        if not hmac.compare_digest(self.need(emv_data.PIN), block):
            return False
        self.set_tries(limit, limit)
        return True

    def set_tries(self, left: int, limit: int) -> None:
        self.host.memory[f"{emv_data.PIN_TRIES:04X}"] = bytes((left, limit))

    def rsa_signature(self, key: rsa.RsaPrivate, dynamic: bytes, terminal_data: bytes) -> bytes:
        """Signed dynamic application data by RSA. EMV 4.4 Book 2, 6.5.1. Raises Refuse: 6985 data too long, 6400."""
        self.host.count_work("sha", (len(dynamic) + len(terminal_data)) // 64 + 1)
        self.host.count_work("rsa")
        try:
            return rsa.private(key, _to_be_signed(dynamic, terminal_data, key.public.size))
        except CryptoError:
            raise Refuse(0x6400) from None

    def rsa_key(self, numbers: Sequence[int] = emv_data.CRT) -> rsa.RsaPrivate:
        """An RSA key of the card from its CRT components. Raises Refuse: 6985, 6A80."""
        return emv_data.rsa_key(self.need, numbers)


def option_values(command: Command, pdol: Dol) -> bytes:
    """The PDOL values in template 83. EMV 4.4 Book 3, 6.5.8. Raises Refuse: 6A86, 6A80, 6700."""
    data = command.data
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if data[:1] != b"\x83":
        raise Refuse(0x6A80)
    start = len(data) - pdol.length
    if start < 0 or data != tlv(0x83, data[start:]).encode():
        raise Refuse(0x6700)
    return data[start:]


def answer(tag: int, value: bytes) -> Response:
    """A response of one data object."""
    return Response(tlv(tag, value).encode(), OK)


def _to_be_signed(dynamic: bytes, terminal_data: bytes, size: int) -> bytes:
    """The message representative of a dynamic signature. EMV 4.4 Book 2, 6.5.1, tables 16 and 17. Raises Refuse."""
    padding = size - 25 - len(dynamic)
    if padding < 0:
        raise Refuse(0x6985)
    signed = b"\x05\x01" + bytes((len(dynamic),)) + dynamic + b"\xbb" * padding
    # SHA-1 is what EMV prescribes for these signatures.
    digest = hashlib.sha1(signed + terminal_data, usedforsecurity=False).digest()
    return b"\x6a" + signed + digest + b"\xbc"
