"""A secure channel as a sender: it wraps plain commands and unwraps protected responses."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import TypeVar

from terminal.apdu import Command, Response, Sender, check
from terminal.apdu.cla import channel_of, secured
from terminal.errors import SecureChannelError
from terminal.globalplatform.guard import AuthenticationGuard
from terminal.globalplatform.handshake import EstablishedSession, HostAuthentication, handshake, proof
from terminal.globalplatform.levels import SecurityLevel
from terminal.globalplatform.scp02 import Scp02
from terminal.globalplatform.update import InitializeUpdate
from terminal.keys.custody import CardKeys, KeyCustody, SessionDek

T = TypeVar("T")


class SecureChannel:
    """A Sender on top of a stack: above GET RESPONSE, chaining and logical channels.

    Any fault below it, and any response that does not verify, closes it for good: the counters of both sides may differ
    from then on. Raises SecureChannelError when used after that, IntegrityError for a wrong R-MAC, ApduError for
    data beyond ``max_data``.
    """

    def __init__(self, inner: Sender, established: EstablishedSession) -> None:
        self._inner = inner
        self._session: EstablishedSession | None = established
        self.update: InitializeUpdate = established.update
        self.keys: CardKeys = established.keys

    @property
    def level(self) -> SecurityLevel:
        return self._open.messaging.level

    @property
    def max_data(self) -> int:
        """Maximum number of plain data bytes of one wrapped short command (255 bytes)."""
        return self._open.messaging.max_data

    @property
    def dek(self) -> SessionDek:
        """For ``KeyCustody.wrap_card_keys`` and ``wrap_for_card``."""
        return self._open.dek

    @property
    def closed(self) -> bool:
        return self._session is None

    def send(self, command: Command) -> Response:
        session = self._open
        if secured(command.cla) or channel_of(command.cla):
            raise SecureChannelError(
                f"{command} is secured already or names a logical channel: a secure channel takes neither"
            )
        wrapped = session.messaging.wrap(command)
        try:
            return session.messaging.unwrap(self._inner.send(wrapped))
        except BaseException:
            self.close()
            raise

    def begin_r_mac(self, challenge: bytes = b"") -> None:
        """Begin an R-MAC session (SCP02; in SCP03 the level sets it): responses carry an R-MAC. GPC 2.3.1, E.5.3.

        ``challenge`` (at most 24 bytes) enters the R-MAC chain. Raises CardRefused, SecureChannelError.
        """
        messaging = self._scp02()
        if messaging.level & SecurityLevel.R_MAC:
            raise SecureChannelError("the R-MAC session has begun already")
        if len(challenge) > 24:
            raise SecureChannelError(f"a challenge of {len(challenge)} bytes for BEGIN R-MAC SESSION; 24 is the most")
        begin = Command(0x80, 0x7A, SecurityLevel.R_MAC, 0x01, bytes((len(challenge),)) + challenge)
        check(self.send(begin), "BEGIN R-MAC SESSION")
        messaging.start_r_mac()

    def end_r_mac(self) -> None:
        """End the R-MAC session: later responses carry no R-MAC. GPC 2.3.1, E.5.4.

        Raises CardRefused, SecureChannelError.
        """
        messaging = self._scp02()
        if not messaging.level & SecurityLevel.R_MAC:
            raise SecureChannelError("no R-MAC session has begun")
        check(self.send(Command(0x80, 0x78, 0x00, 0x03, ne=256)), "END R-MAC SESSION")
        messaging.stop_r_mac()

    def close(self) -> None:
        """Delete the session keys. The card ends its side with the next SELECT or reset."""
        self._session = None

    @property
    def _open(self) -> EstablishedSession:
        if self._session is None:
            raise SecureChannelError("the secure channel is closed; authenticate again")
        return self._session

    def _scp02(self) -> Scp02:
        messaging = self._open.messaging
        if not isinstance(messaging, Scp02):
            raise SecureChannelError("BEGIN and END R-MAC SESSION belong to SCP02; in SCP03 ask for R-MAC in the level")
        return messaging


def open_channel(
    sender: Sender,
    wanted: HostAuthentication,
    custody: KeyCustody,
    guard: AuthenticationGuard,
    *,
    chip: str = "",
    random: Callable[[int], bytes] = os.urandom,
) -> SecureChannel:
    """Authenticate with the selected application: a security domain, or an application with keys of its own.

    Raises what ``handshake`` raises, and what ``sender`` raises.
    """
    return SecureChannel(sender, _run(handshake(wanted, custody, guard, chip, random(16)), sender))


def card_holds(
    sender: Sender, wanted: HostAuthentication, custody: KeyCustody, *, random: Callable[[int], bytes] = os.urandom
) -> CardKeys | None:
    """The first of the key sets of ``wanted`` that the selected application proves to hold; opens no channel.

    Raises what ``proof`` raises, and what ``sender`` raises.
    """
    return _run(proof(wanted, custody, random(16)), sender)


def _run(dialogue: Generator[Command, Response, T], sender: Sender) -> T:
    command = next(dialogue)
    while True:
        response = sender.send(command)
        try:
            command = dialogue.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
