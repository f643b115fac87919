"""The member application, card side, written from docs/card-layout.md and docs/redemption.md: selection, records, log,
INTERNAL AUTHENTICATE, PIN, and the protected file behind SCP03. GENERATE AC is in ``redemption``, issuer scripts in
``scripts``.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar, Final

from simulators.applets import emv_data
from simulators.applets.emv import EmvApplet, Handlers, answer, option_values
from simulators.applets.member import data as layout
from simulators.applets.member.data import MemberContents
from simulators.applets.member.decision import MemberCvr
from simulators.applets.member.redemption import REQUESTS, MemberRedemption
from simulators.applets.member.scripts import COMMANDS as SCRIPT_COMMANDS
from simulators.applets.member.scripts import MemberScripts
from simulators.applets.member.state import MemberState
from simulators.applets.personalized import record_number, record_of
from simulators.card.applet import AppletHost, Refuse
from simulators.card.keyring import CardKeySet
from simulators.card.security_domain.scp03 import CardScp03
from simulators.card.security_domain.session import (
    C_DEC,
    C_MAC,
    EXTERNAL_AUTHENTICATE,
    INITIALIZE_UPDATE,
    R_ENC,
    R_MAC,
    SECURED,
)
from terminal.apdu import OK, Command, Response, StatusWord
from terminal.tlv import tlv

_READ_SESSIONS: Final = "read sessions"
_PLAIN_PIN: Final = 0x80
_FULL_PROTECTION: Final = C_MAC | C_DEC | R_MAC | R_ENC
_BLOCKED: Final = StatusWord(0x6283)
_ELEMENTS: Final = (0xDF27, 0xDF28, 0xDF29, 0xDF2B, 0xDF2D)
_CONTACT_DATA: Final = (0xDF28, 0xDF2E, 0xDF2F, 0xDF33)


class MemberApplet(EmvApplet):
    """One instance of the member application. Responds 6985 to everything until it is personalized."""

    def __init__(self, host: AppletHost, aid: bytes, parameters: bytes) -> None:
        super().__init__(host, aid, parameters)
        self._state = MemberState(host.memory)
        self.deselect()

    # -- life cycle --------------------------------------------------------------------------------------------------

    @property
    def select_status(self) -> StatusWord:
        return _BLOCKED if self._state.blocked else OK

    def select(self, p2: int) -> bytes:
        """FCI with label, PDOL and log entry. EMV 4.4 Book 1, 11.3. Raises Refuse."""
        template = self.template(p2, self._require_contents().fci)
        self.deselect()
        return template

    def deselect(self) -> None:
        self._contents: MemberContents | None = None
        self._records_read: dict[tuple[int, int], Response] = {}
        self._pdol_values: bytes | None = None
        self._generated = False
        self._pin = MemberCvr(0)
        self._session: CardScp03 | None = None

    def accept(self, number: int, value: bytes) -> bytes:
        return layout.accept(number, value)

    def accepted(self, number: int) -> None:
        layout.check_values(number, self.stored)

    def complete(self) -> None:
        for number in layout.MANDATORY:
            self.need(number)
        if (self.stored(emv_data.PIN) is None) != (self.stored(emv_data.PIN_TRIES) is None):
            raise Refuse(0x6985)
        layout.check_values(emv_data.APPLICATION_KEY_CHECKS, self.stored)
        layout.check_values(layout.READ_KEY_CHECKS, self.stored)
        self.rsa_key()
        MemberContents.read(self.need, self.host.memory, contactless=False)

    # -- commands -----------------------------------------------------------------------------------------------------

    def process(self, command: Command) -> Response:
        self._require_contents()
        if command.ins == INITIALIZE_UPDATE or (command.ins == EXTERNAL_AUTHENTICATE and command.cla & SECURED):
            return self.dispatch(command)
        session = self._session
        if session is None or not session.authenticated:
            return self.dispatch(command)
        try:
            plain = session.unwrap(command)
        except Refuse:
            self._session = None
            raise
        return session.wrap(self.dispatch(plain))

    def _read_record(self, command: Command) -> Response:
        """EMV 4.4 Book 3, 6.5.11. SFI 1 to 4 are free to read at contact; contactless neither identity nor log is."""
        cached = self._records_read.get((command.p1, command.p2))
        if cached is not None and not command.data:
            return cached
        sfi, number = record_number(command)
        if not 1 <= sfi <= layout.PROTECTED_SFI:
            raise Refuse(0x6A82)
        self._may_read(sfi, number)
        if sfi == layout.PROTECTED_SFI:
            record = self.stored(sfi << 8 | number)
        elif sfi == layout.LOG_SFI:
            record = self._state.log_record(number)
        else:
            record = self._require_contents().records.get((sfi, number))
        if record is None:
            raise Refuse(0x6A83)
        response = Response(record, OK)
        if sfi != layout.PROTECTED_SFI:
            self._records_read[number, command.p2] = response
        return response

    def _may_read(self, sfi: int, number: int) -> None:
        if sfi == layout.PROTECTED_SFI and (self._session is None or self._session.level != _FULL_PROTECTION):
            raise Refuse(0x6982)
        if self.host.contactless and (sfi >= layout.LOG_SFI or (sfi == 1 and number != 2)):
            raise Refuse(0x6982)

    def _get_processing_options(self, command: Command) -> Response:
        """Command template 83 with the PDOL values; response in format 2. EMV 4.4 Book 3, 6.5.8."""
        contents = self._require_contents()
        self._pdol_values = option_values(command, contents.pdol)
        self._generated = False
        return answer(0x77, tlv(0x82, contents.aip).encode() + tlv(0x94, contents.afl).encode())

    def _internal_authenticate(self, command: Command) -> Response:
        """Dynamic signature. EMV 4.4 Book 2, 6.5; Book 3, 6.5.9.

        ICC dynamic data: 08, ICC dynamic number (8 bytes), SHA-256 over the present content of every record that the
        AFL names but the static signature does not cover, so that these cannot be forged on the link.
        """
        contents = self._require_contents()
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        if self._pdol_values is None:
            raise Refuse(0x6985)
        if not command.data or len(command.data) != contents.ddol.length:
            raise Refuse(0x6700)
        unsigned = b"".join(record_of(contents.records[place]).encode() for place in contents.unsigned)
        dynamic = b"\x08" + self.host.random(8) + hashlib.sha256(unsigned).digest()
        self.host.count_work("sha", len(unsigned) // 64 + 1)
        signature = self.rsa_signature(self.rsa_key(), dynamic, command.data)
        return answer(0x77, tlv(0x9F4B, signature).encode())

    def _verify(self, command: Command) -> Response:
        """Plain PIN in ISO format 2. EMV 4.4 Book 3, 6.5.12."""
        if command.p1 or command.p2 != _PLAIN_PIN:
            raise Refuse(0x6A86)
        if len(command.data) != 8:
            raise Refuse(0x6700)
        if self.tries is None or self.host.contactless:
            raise Refuse(0x6985)
        if not self.tries:
            self._pin |= MemberCvr.PIN_FAILED
            raise Refuse(0x6983)
        if not emv_data.is_pin_block(command.data):
            raise Refuse(0x6A80)
        if not self.check_pin(command.data):
            self._pin |= MemberCvr.PIN_FAILED
            raise Refuse(0x63C0 | self.tries)
        self._pin = MemberCvr.PIN_VERIFIED
        return Response(b"", OK)

    def _generate_ac(self, command: Command) -> Response:
        """A redemption, once after GET PROCESSING OPTIONS. docs/redemption.md; EMV 4.4 Book 3, 6.5.5."""
        if command.p2 or command.p1 not in REQUESTS:
            raise Refuse(0x6A86)
        if self._pdol_values is None or self._generated or self.host.contactless:
            raise Refuse(0x6985)
        redemption = MemberRedemption(self, self._state, self._require_contents(), self._pdol_values)
        response = redemption.generate_ac(command, self._pin)
        self._generated = True
        self._forget_contents()
        return response

    def _script(self, command: Command) -> Response:
        response = MemberScripts(self, self._state, self._require_contents()).run(command)
        self._forget_contents()
        return response

    def _forget_contents(self) -> None:
        """Read the records anew: one of them may have changed."""
        self._contents = None
        self._records_read = {}

    def _get_challenge(self, command: Command) -> Response:
        return Response(self.challenge(command), OK)

    def _get_data(self, command: Command) -> Response:
        """Counters, log format, dates, entitlements, masked identity. EMV 4.4 Book 3, 6.5.7. Contactless neither
        entitlements nor what tells of their use."""
        if command.data:
            raise Refuse(0x6700)
        tag = command.p1 << 8 | command.p2
        if self.host.contactless and tag in _CONTACT_DATA:
            value = None
        elif tag in _ELEMENTS:
            value = self._require_contents().element(tag)
        else:
            value = self._counters().get(tag)
        if value is None:
            raise Refuse(0x6A88)
        return answer(tag, value)

    def _counters(self) -> dict[int, bytes | None]:
        state = self._state
        return {
            0x9F36: state.atc.to_bytes(2, "big"),
            0x9F13: bytes(2),  # the last online ATC: no redemption goes online
            0x9F17: None if self.tries is None else bytes((self.tries,)),
            0x9F4F: layout.LOG_FORMAT,
            0xDF2E: state.script_counter.to_bytes(2, "big"),
            0xDF2F: state.last_date,
            0xDF33: state.date_set_back,
        }

    def _initialize_update(self, command: Command) -> Response:
        """Open SCP03 with the read key set: its version in P1, or 00. GPC 2.3.1 Amendment D 1.2, 7.1.1.

        The key diversification data are the card number (5A), from which the host derives the keys. At contact only.
        """
        self._session = None  # whatever the outcome: GPC 2.3.1 Amendment D 1.2, 7.1.1
        version = self.need(layout.READ_KEY_CHECKS)[0]
        if self.host.contactless:
            raise Refuse(0x6982)
        if command.p2:
            raise Refuse(0x6A86)
        if command.p1 not in (0, version):
            raise Refuse(0x6A88)
        keys = self.need(layout.READ_KEYS)
        number = (self._require_contents().element(0x5A) or b"")[:10].ljust(10, b"\xff")
        counter = int.from_bytes(self.host.memory.get(_READ_SESSIONS, b""), "big")
        if counter == 0xFFFFFF:
            raise Refuse(0x6985)
        session = CardScp03(
            CardKeySet(version, keys[:16], keys[16:32], keys[32:]),
            aid=self.aid,
            random=self.host.random,
            key_data=number,
            counter=counter,
            count_work=self.host.count_work,
        )
        data = session.initialize_update(command.data)
        self._session = session
        return Response(data, OK)

    def _external_authenticate(self, command: Command) -> Response:
        """GPC 2.3.1 Amendment D 1.2, 7.1.2. The session counter is stored, so that no challenge repeats."""
        if self._session is None:
            raise Refuse(0x6985)
        self._session.external_authenticate(command)
        counter = int.from_bytes(self.host.memory.get(_READ_SESSIONS, b""), "big")
        self.host.memory[_READ_SESSIONS] = (counter + 1).to_bytes(3, "big")
        return Response(b"", OK)

    def _require_contents(self) -> MemberContents:
        """The parsed data of the application. Raises Refuse: 6985 until it is personalized."""
        if self._contents is None:
            if not self.host.personalized:
                raise Refuse(0x6985)
            self._contents = MemberContents.read(self.need, self.host.memory, contactless=self.host.contactless)
        return self._contents

    commands: ClassVar[Handlers] = {
        (0x00, 0xB2): _read_record,
        (0x80, 0xA8): _get_processing_options,
        (0x00, 0x88): _internal_authenticate,
        (0x00, 0x20): _verify,
        (0x00, 0x84): _get_challenge,
        (0x80, 0xCA): _get_data,
        (0x80, 0xAE): _generate_ac,
        **dict.fromkeys(SCRIPT_COMMANDS, _script),
        (0x80, INITIALIZE_UPDATE): _initialize_update,
        (0x80 | SECURED, EXTERNAL_AUTHENTICATE): _external_authenticate,
    }
