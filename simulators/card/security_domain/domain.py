"""The issuer security domain: secure channel and dispatch of its commands. GPC 2.3.1, chapters 7, 10 and 11."""

from __future__ import annotations

from collections.abc import Callable

from simulators.card.applet import Applet, AppletHost, Refuse
from simulators.card.config import ISD_AID
from simulators.card.content import CardLifeCycle
from simulators.card.keyring import AES, DES
from simulators.card.security_domain.content_management import ContentManagement
from simulators.card.security_domain.data import CardData
from simulators.card.security_domain.keys import put_key
from simulators.card.security_domain.scp02 import CardScp02
from simulators.card.security_domain.scp03 import PSEUDO_RANDOM, CardScp03
from simulators.card.security_domain.session import EXTERNAL_AUTHENTICATE, INITIALIZE_UPDATE, SECURED, CardSession
from simulators.card.security_domain.status import StatusCommands
from simulators.card.system import System
from terminal.apdu import OK, Command, Response, StatusWord
from terminal.tlv import tlv

_GET_DATA, _GET_STATUS = 0xCA, 0xF2
_LAST_COUNTER = {2: 0xFFFF, 3: 0xFFFFFF}
_LOCKED_CARD = frozenset((_GET_DATA, _GET_STATUS, 0xF0))
"""Commands for an authenticated host on a locked card: read, unlock, terminate. GPC 2.3.1, 5.1.1.4."""


class IssuerSecurityDomain(Applet):
    """The ISD on one logical channel. The session is its only volatile state.

    All commands but GET DATA need a session (6982) and carry the protection of its security level.
    """

    def __init__(self, system: System, host: AppletHost) -> None:
        super().__init__(host, ISD_AID, b"")
        self._system = system
        self._session: CardSession | None = None
        self._kind = DES if system.config.scp == 2 else AES
        self._data = CardData(system)
        self._status = StatusCommands(system)
        self._content = ContentManagement(system)
        self._handlers: dict[int, Callable[[Command], bytes]] = {
            0xE6: self._content.install,
            0xE8: self._content.load,
            0xE4: self._content.delete,
            0xD8: self._put_key,
            0xE2: self._store_data,
            0xF0: self._status.set_status,
        }

    @property
    def select_status(self) -> StatusWord:
        return StatusWord(0x6283) if self._system.state is CardLifeCycle.CARD_LOCKED else OK

    def select(self, p2: int) -> bytes:
        """FCI with the security domain management data. GPC 2.3.1, 11.9.3.1."""
        management = self._data.recognition()
        proprietary = tlv(0xA5, [management, tlv(0x9F65, b"\xff")])
        return tlv(0x6F, [tlv(0x84, ISD_AID), proprietary]).encode()

    def deselect(self) -> None:
        self._end_session()

    def process(self, command: Command) -> Response:
        if command.cla & ~SECURED not in (0x00, 0x80):
            raise Refuse(0x6882 if command.cla & 0x08 else 0x6E00)
        if command.ins == INITIALIZE_UPDATE:
            return Response(self._initialize_update(command), OK)
        session = self._session
        if command.ins == EXTERNAL_AUTHENTICATE:
            return self._external_authenticate(command)
        if session is None or not session.authenticated:
            if command.ins == _GET_DATA and not command.cla & SECURED:
                return Response(self._data.get_data(command), OK)
            known = command.ins in self._handlers or command.ins == _GET_STATUS or command.cla & SECURED
            raise Refuse(0x6982 if known else 0x6D00)
        try:
            plain = session.unwrap(command)
        except Refuse:
            self._end_session()
            raise
        try:
            response = self._execute(plain)
        except Refuse as refusal:
            response = Response(b"", refusal.sw)
        return session.wrap(response)

    def _execute(self, command: Command) -> Response:
        if self._system.state is CardLifeCycle.CARD_LOCKED and command.ins not in _LOCKED_CARD:
            raise Refuse(0x6985)
        if command.ins == _GET_DATA:
            return Response(self._data.get_data(command), OK)
        if not command.cla & 0x80:
            raise Refuse(0x6E00)
        if command.ins == _GET_STATUS:
            return self._status.get_status(command)
        handler = self._handlers.get(command.ins)
        if handler is None:
            raise Refuse(0x6D00)
        try:
            with self._system.nvm.transaction():
                return Response(handler(command), OK)
        except BaseException:
            self._system.registry.reload()  # the transaction was rolled back, the registry in RAM was not
            self._content.abort()
            self._data.abort()
            raise

    def _initialize_update(self, command: Command) -> bytes:
        """GPC 2.3.1, E.5.1; Amendment D 1.2, 7.1.1. An open session ends, whatever the outcome."""
        self._end_session()
        if command.cla != 0x80:
            raise Refuse(0x6E00)
        if command.p2:
            raise Refuse(0x6A86)
        system, config = self._system, self._system.config
        keys = system.keys.channel_keys(command.p1, self._kind)
        if keys is None:
            raise Refuse(0x6A88)
        if system.keys.blocked(keys.version):
            raise Refuse(0x6983)
        if system.keys.counter(keys.version) == _LAST_COUNTER[config.scp]:
            raise Refuse(0x6985)  # the counter never wraps: a session could be replayed
        protocol: type[CardScp02 | CardScp03]
        if config.scp == 2:
            protocol, counter = CardScp02, system.keys.counter(keys.version)
        else:
            counter = system.keys.count_session(keys.version) if config.i & PSEUDO_RANDOM else 0
            protocol = CardScp03
        session = protocol(
            keys,
            aid=ISD_AID,
            random=self.host.random,
            i=config.i,
            key_data=config.chip.key_data,
            counter=counter,
            count_work=self.host.count_work,
        )
        response = session.initialize_update(command.data)
        self._session = session
        return response

    def _external_authenticate(self, command: Command) -> Response:
        """GPC 2.3.1, E.5.2. The try is counted first, so that pulling the card saves none. Keys that another channel
        replaced since INITIALIZE UPDATE are refused."""
        session, keys = self._session, self._system.keys
        if session is None or session.authenticated:
            self._end_session()
            raise Refuse(0x6985)
        version = session.keys.version
        if keys.channel_keys(version, self._kind) != session.keys:
            self._end_session()
            raise Refuse(0x6985)
        if keys.blocked(version):
            self._end_session()
            raise Refuse(0x6983)
        keys.count_try(version)
        try:
            session.external_authenticate(command)
        except Refuse:
            self._end_session()
            raise
        keys.succeeded(version, count=self._system.config.scp == 2)
        return Response(b"", OK)

    def _end_session(self) -> None:
        self._session = None
        self._content.end()
        self._data.abort()
        self._status.end()

    def _put_key(self, command: Command) -> bytes:
        return put_key(command, self._system.keys, self._decrypt, 2 if self._system.config.scp == 2 else 3)

    def _store_data(self, command: Command) -> bytes:
        if self._content.personalization is None:
            return self._data.store_data(command)
        return self._content.personalization.store_data(command, self._decrypt)

    def _decrypt(self, data: bytes) -> bytes:
        if self._session is None:
            raise Refuse(0x6982)
        return self._session.decrypt(data)
