"""What the card side of SCP02 and SCP03 has in common. GPC 2.3.1, chapter 10."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn

from simulators.card.applet import Refuse
from simulators.card.keyring import CardKeySet
from terminal.apdu import Command, Response

C_MAC, C_DEC, R_MAC, R_ENC = 0x01, 0x02, 0x10, 0x20
"""Bits of the security level in P1 of EXTERNAL AUTHENTICATE. GPC 2.3.1 Amendment D 1.2, 7.1.2.1."""

SECURED = 0x04
"""Class byte bit: GlobalPlatform secure messaging on channels 0 to 3. GPC 2.3.1, 11.1.4.1."""

INITIALIZE_UPDATE, EXTERNAL_AUTHENTICATE = 0x50, 0x82


def unmetered(operation: str, blocks: int = 1) -> None:
    """Discard the metering of a cryptographic operation."""


class CardSession(ABC):
    """The card side of one secure channel session: handshake, then unwrap each command and wrap each response.

    INITIALIZE UPDATE creates it; it is ``authenticated`` after EXTERNAL AUTHENTICATE; any violation ends it, so that
    nobody gets a second guess. ``keys`` are the static keys, ``aid`` that of the application that opens the channel;
    ``count_work(operation, blocks)`` meters cryptographic operations for the timing model.
    """

    mac_length = 8
    levels: tuple[int, ...] = ()

    def __init__(self, keys: CardKeySet, *, aid: bytes, count_work: Callable[[str, int], None] = unmetered) -> None:
        self.keys = keys
        self._aid = aid
        self._count_work = count_work
        self._open = True
        self.authenticated = False
        self.level = 0

    @abstractmethod
    def initialize_update(self, host_challenge: bytes) -> bytes:
        """The response data. Raises Refuse: 6700 for a challenge of another length."""

    @abstractmethod
    def external_authenticate(self, command: Command) -> None:
        """Raises Refuse: 6300 for a wrong host cryptogram, 6988 for a wrong MAC; the session is over then."""

    @abstractmethod
    def unwrap(self, command: Command) -> Command:
        """The plain command, its class byte without the secure messaging bit.

        Raises Refuse: 6982 without the protection of the security level, 6988 with a wrong one; the session is over.
        """

    @abstractmethod
    def wrap(self, response: Response) -> Response:
        """The protected response. Errors (all but 9000, 62xx, 63xx) are not protected."""

    @abstractmethod
    def decrypt(self, data: bytes) -> bytes:
        """Sensitive data decrypted under the session's DEK, with padding. Raises Refuse: 6A80 for incomplete blocks."""

    def fail(self, sw: int) -> NoReturn:
        """End the session and refuse."""
        self._open = self.authenticated = False
        self.level = 0
        raise Refuse(sw)

    def check_authenticate(self, command: Command, cryptogram_length: int) -> None:
        """Check the format of EXTERNAL AUTHENTICATE. GPC 2.3.1 Amendment D 1.2, 7.1.2. Raises Refuse."""
        if not self._open or self.authenticated:
            raise Refuse(0x6985)
        if command.cla != 0x80 | SECURED:
            self.fail(0x6E00)
        if command.p2 or command.p1 not in self.levels:
            self.fail(0x6A86)
        if len(command.data) != cryptogram_length + self.mac_length:
            self.fail(0x6700)

    def secured_part(self, command: Command) -> tuple[bytes, bytes]:
        """Data field and MAC of a command under C-MAC; without a MAC the session ends. Raises Refuse."""
        if not self._open or not command.cla & SECURED:
            self.fail(0x6982)
        if len(command.data) < self.mac_length:
            self.fail(0x6988)
        return command.data[: -self.mac_length], command.data[-self.mac_length :]


def header_and_length(command: Command, length: int) -> bytes:
    """Class byte to Lc as the MAC covers them: Lc of ``length``, short or extended as in the command."""
    lc = b"\x00" + length.to_bytes(2, "big") if command.extended else bytes((length,))
    return command.header + lc
