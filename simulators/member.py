"""The member application, card side, written from the card layout: selection, records, proof, PIN, protected data.

Redemption, its log and issuer scripts hang their commands into ``_COMMANDS``; their state goes to ``host.memory``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from simulators import member_data as layout
from simulators.applet import Host, Refuse
from simulators.member_data import Contents
from simulators.personalized import PersonalizedApplet, record_of
from simulators.scp03 import CardScp03
from simulators.session import C_DEC, C_MAC, EXTERNAL_AUTHENTICATE, INITIALIZE_UPDATE, R_ENC, R_MAC, SECURED, KeySet
from terminal.apdu import OK, Command, Response
from terminal.crypto import rsa
from terminal.errors import CryptoError
from terminal.tlv import tlv

_ATC, _LAST_ONLINE_ATC, _READ_SESSIONS = "atc", "last online atc", "read sessions"
_PLAIN_PIN: Final = 0x80
_FULL_PROTECTION: Final = C_MAC | C_DEC | R_MAC | R_ENC


class MemberApplet(PersonalizedApplet):
    """One instance of the member application. Answers 6985 to everything until it is personalized."""

    def __init__(self, host: Host, aid: bytes, parameters: bytes) -> None:
        super().__init__(host, aid, parameters)
        self._contents: Contents | None = None
        self._answers: dict[tuple[int, int], Response] = {}
        self._options_given = False
        self._session: CardScp03 | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def select(self, p2: int) -> bytes:
        """FCI with label, PDOL and log entry. EMV 4.4 Book 1, 11.3. Raises Refuse."""
        if p2 & ~0x02:
            raise Refuse(0x6A86)
        self.deselect()
        return tlv(0x6F, tlv(0x84, self.aid).encode() + self._personal().fci).encode()

    def deselect(self) -> None:
        self._contents = None
        self._answers = {}
        self._options_given = False
        self._session = None

    def accept(self, number: int, value: bytes) -> bytes:
        return layout.accept(number, value)

    def accepted(self, number: int) -> None:
        layout.check_values(number, self.stored)

    def complete(self) -> None:
        for number in layout.MANDATORY:
            self.need(number)
        if (self.stored(layout.PIN) is None) != (self.stored(layout.PIN_TRIES) is None):
            raise Refuse(0x6985)
        layout.check_values(layout.APPLICATION_KEY_CHECKS, self.stored)
        layout.check_values(layout.READ_KEY_CHECKS, self.stored)
        layout.signing_key(self.need)
        Contents.read(self.need, self.host.memory, contactless=False)

    # -- commands -----------------------------------------------------------------------------------------------------

    def process(self, command: Command) -> Response:
        self._personal()
        if command.ins == INITIALIZE_UPDATE or (command.ins == EXTERNAL_AUTHENTICATE and command.cla & SECURED):
            return self._dispatch(command)
        session = self._session
        if session is None or not session.authenticated:
            return self._dispatch(command)
        try:
            plain = session.unwrap(command)
        except Refuse:
            self._session = None
            raise
        return session.wrap(self._dispatch(plain))

    def _dispatch(self, command: Command) -> Response:
        handler = _COMMANDS.get((command.cla, command.ins))
        if handler is None:
            raise Refuse(0x6E00 if any(command.ins == ins for _, ins in _COMMANDS) else 0x6D00)
        return handler(self, command)

    def _read_record(self, command: Command) -> Response:
        """EMV 4.4 Book 3, 6.5.11. Anyone reads SFI 1 to 4 at contact; contactless gives away no identity and no log."""
        answer = self._answers.get((command.p1, command.p2))
        if answer is not None and not command.data:
            return answer
        if command.data:
            raise Refuse(0x6700)
        if command.p2 & 0x07 != 0x04 or not command.p1:
            raise Refuse(0x6A86)
        sfi, number = command.p2 >> 3, command.p1
        if not 1 <= sfi <= layout.PROTECTED_SFI:
            raise Refuse(0x6A82)
        self._may_read(sfi, number)
        if sfi == layout.PROTECTED_SFI:
            record = self.stored(sfi << 8 | number)
        else:
            record = self._personal().records.get((sfi, number))
        if record is None:
            raise Refuse(0x6A83)
        answer = Response(record, OK)
        if sfi != layout.PROTECTED_SFI:
            self._answers[number, command.p2] = answer
        return answer

    def _may_read(self, sfi: int, number: int) -> None:
        if sfi == layout.PROTECTED_SFI and (self._session is None or self._session.level != _FULL_PROTECTION):
            raise Refuse(0x6982)
        if self.host.contactless and (sfi >= layout.LOG_SFI or (sfi == 1 and number != 2)):
            raise Refuse(0x6982)

    def _get_processing_options(self, command: Command) -> Response:
        """Command template 83 with the data of the PDOL. EMV 4.4 Book 3, 6.5.8; answer in format 2."""
        contents, data = self._personal(), command.data
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        if data[:1] != b"\x83":
            raise Refuse(0x6A80)
        start = len(data) - contents.pdol.length
        if start < 0 or data != tlv(0x83, data[start:]).encode():
            raise Refuse(0x6700)
        self._options_given = True
        return _answer(0x77, tlv(0x82, contents.aip).encode() + tlv(0x94, contents.afl).encode())

    def _internal_authenticate(self, command: Command) -> Response:
        """Dynamic signature. EMV 4.4 Book 2, 6.5; Book 3, 6.5.9.

        ICC dynamic data: 08, ICC dynamic number (8 bytes), SHA-256 over the present content of every record that the
        AFL names but the static signature does not cover, so that these cannot be forged between card and terminal.
        """
        contents = self._personal()
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        if not self._options_given:
            raise Refuse(0x6985)
        if not command.data or len(command.data) != contents.ddol.length:
            raise Refuse(0x6700)
        unsigned = b"".join(record_of(contents.records[place]).encode() for place in contents.unsigned)
        dynamic = b"\x08" + self.host.random(8) + hashlib.sha256(unsigned).digest()
        key = layout.signing_key(self.need)
        self.host.spent("sha", len(unsigned) // 64 + 5)
        self.host.spent("rsa")
        try:
            signature = rsa.private(key, _to_be_signed(dynamic, command.data, key.public.size))
        except CryptoError:
            raise Refuse(0x6400) from None
        return _answer(0x77, tlv(0x9F4B, signature).encode())

    def _verify(self, command: Command) -> Response:
        """Plain PIN in ISO format 2. EMV 4.4 Book 3, 6.5.12. A try is spent before the comparison, so that power cut
        at the right moment wins no further try."""
        block, left = self.stored(layout.PIN), self.stored(layout.PIN_TRIES)
        if command.p1 or command.p2 != _PLAIN_PIN:
            raise Refuse(0x6A86)
        if len(command.data) != 8:
            raise Refuse(0x6700)
        if block is None or left is None or self.host.contactless:
            raise Refuse(0x6985)
        tries, limit = left
        if not tries:
            raise Refuse(0x6983)
        if not layout.is_pin_block(command.data):
            raise Refuse(0x6A80)
        self._set_tries(tries - 1, limit)
        if not hmac.compare_digest(block, command.data):
            raise Refuse(0x63C0 | tries - 1)
        self._set_tries(limit, limit)
        return Response(b"", OK)

    def _set_tries(self, tries: int, limit: int) -> None:
        self.host.memory[f"{layout.PIN_TRIES:04X}"] = bytes((tries, limit))

    def _get_challenge(self, command: Command) -> Response:
        """Eight unpredictable bytes. EMV 4.4 Book 3, 6.5.6."""
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        if command.data:
            raise Refuse(0x6700)
        return Response(self.host.random(8), OK)

    def _get_data(self, command: Command) -> Response:
        """Counters, log format, validity, entitlements, masked identity. EMV 4.4 Book 3, 6.5.7."""
        if command.data:
            raise Refuse(0x6700)
        tag = command.p1 << 8 | command.p2
        if tag in (0xDF27, 0xDF29, 0xDF2B) or (tag == 0xDF28 and not self.host.contactless):
            value = self._personal().element(tag)
        elif tag in (0x9F36, 0x9F13):
            value = self.host.memory.get(_ATC if tag == 0x9F36 else _LAST_ONLINE_ATC, bytes(2))
        elif tag == 0x9F17:
            tries = self.stored(layout.PIN_TRIES)
            value = tries[:1] if tries else None
        else:
            value = layout.LOG_FORMAT if tag == 0x9F4F else None
        if value is None:
            raise Refuse(0x6A88)
        return _answer(tag, value)

    def _initialize_update(self, command: Command) -> Response:
        """Open SCP03 with the read key set: its version in P1, or 00. GPC 2.3.1 Amendment D 1.2, 7.1.1.

        The key data of the answer are the card number (5A), from which the host derives the keys. At contact only.
        """
        self._session = None  # whatever comes of this: GPC 2.3.1 Amendment D 1.2, 7.1.1
        version = self.need(layout.READ_KEY_CHECKS)[0]
        if self.host.contactless:
            raise Refuse(0x6982)
        if command.p2:
            raise Refuse(0x6A86)
        if command.p1 not in (0, version):
            raise Refuse(0x6A88)
        keys = self.need(layout.READ_KEYS)
        number = (self._personal().element(0x5A) or b"")[:10].ljust(10, b"\xff")
        counter = int.from_bytes(self.host.memory.get(_READ_SESSIONS, b""), "big")
        if counter == 0xFFFFFF:
            raise Refuse(0x6985)
        session = CardScp03(
            KeySet(version, keys[:16], keys[16:32], keys[32:]),
            aid=self.aid,
            random=self.host.random,
            key_data=number,
            counter=counter,
            spent=self.host.spent,
        )
        answer = session.initialize_update(command.data)
        self._session = session
        return Response(answer, OK)

    def _external_authenticate(self, command: Command) -> Response:
        """GPC 2.3.1 Amendment D 1.2, 7.1.2. A session once opened counts, so that no challenge comes twice."""
        if self._session is None:
            raise Refuse(0x6985)
        self._session.external_authenticate(command)
        counter = int.from_bytes(self.host.memory.get(_READ_SESSIONS, b""), "big")
        self.host.memory[_READ_SESSIONS] = (counter + 1).to_bytes(3, "big")
        return Response(b"", OK)

    def _personal(self) -> Contents:
        """What the application answers from. Raises Refuse with 6985 until it is personalized."""
        if self._contents is None:
            if not self.host.personalized:
                raise Refuse(0x6985)
            self._contents = Contents.read(self.need, self.host.memory, contactless=self.host.contactless)
        return self._contents


_COMMANDS: Final[Mapping[tuple[int, int], Callable[[MemberApplet, Command], Response]]] = {
    (0x00, 0xB2): MemberApplet._read_record,
    (0x80, 0xA8): MemberApplet._get_processing_options,
    (0x00, 0x88): MemberApplet._internal_authenticate,
    (0x00, 0x20): MemberApplet._verify,
    (0x00, 0x84): MemberApplet._get_challenge,
    (0x80, 0xCA): MemberApplet._get_data,
    (0x80, INITIALIZE_UPDATE): MemberApplet._initialize_update,
    (0x80 | SECURED, EXTERNAL_AUTHENTICATE): MemberApplet._external_authenticate,
}


def _answer(tag: int, value: bytes) -> Response:
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
