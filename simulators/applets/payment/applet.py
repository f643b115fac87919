"""The PBOC debit application, card side: selection, options, records, data, dynamic signature and PIN.

EMV 4.4 Books 1 to 3; JR/T 0025.5 (PBOC 3.0, debit and credit application, card). The commands of a transaction are in
``transaction``, its decisions in ``risk``, issuer scripts in ``scripts``.
"""

from __future__ import annotations

from typing import ClassVar, Final

from simulators.applets import emv_data
from simulators.applets.emv import EmvApplet, Handlers, answer, option_values
from simulators.applets.payment import data as layout
from simulators.applets.payment.data import PaymentOptions
from simulators.applets.payment.keys import PaymentKeys
from simulators.applets.payment.log import PaymentLog, logs
from simulators.applets.payment.risk import Cvr, DefaultAction, covers
from simulators.applets.payment.scripts import COMMANDS as SCRIPT_COMMANDS
from simulators.applets.payment.scripts import PaymentScripts
from simulators.applets.payment.sign import dynamic_signature
from simulators.applets.payment.state import LAST_ATC, Indicator, PaymentState
from simulators.applets.payment.transaction import PaymentStage, PaymentTransaction
from simulators.applets.personalized import record_number, well_formed
from simulators.card.applet import AppletHost, Refuse
from terminal.apdu import OK, Command, Response, StatusWord
from terminal.crypto import rsa
from terminal.errors import CryptoError
from terminal.tlv import Dol, Tag

_PLAIN_PIN, _ENCIPHERED_PIN = 0x80, 0x88
_DEFAULT_DDOL: Final = Dol.of((0x9F37, 4))
_BLOCKED: Final = StatusWord(0x6283)


class PaymentApplet(EmvApplet):
    """One instance of the payment application. Responds 6985 to everything until it is personalized."""

    def __init__(self, host: AppletHost, aid: bytes, parameters: bytes) -> None:
        super().__init__(host, aid, parameters)
        self.state = PaymentState(host.memory)
        self.deselect()

    # -- life cycle --------------------------------------------------------------------------------------------------

    @property
    def select_status(self) -> StatusWord:
        return _BLOCKED if self.state.indicators & Indicator.BLOCKED else OK

    def select(self, p2: int) -> bytes:
        """The FCI of the interface in use. EMV 4.4 Book 1, 11.3. Raises Refuse."""
        self._refuse_unless_personalized()
        template = self.template(p2, self._fci())
        self.deselect()
        return template

    def deselect(self) -> None:
        self.transaction: PaymentTransaction | None = None
        self._challenge = b""
        self._pin = Cvr(0)

    def accept(self, number: int, value: bytes) -> bytes:
        return layout.accept(number, value)

    def accepted(self, number: int) -> None:
        layout.check_values(number, self.stored)

    def complete(self) -> None:
        layout.check_complete(self.need, self.stored)
        PaymentKeys.of(self)
        for number in layout.INTERNAL:
            for item in layout.internal_objects(self.stored(number) or b""):
                self.state.put(item.tag, item.value)

    # -- commands -----------------------------------------------------------------------------------------------------

    def process(self, command: Command) -> Response:
        self._refuse_unless_personalized()
        challenge, self._challenge = self._challenge, b""
        if command.ins == 0x20 and command.p2 == _ENCIPHERED_PIN:
            self._challenge = challenge  # valid for the next command only
        return self.dispatch(command)

    def _get_processing_options(self, command: Command) -> Response:
        """Begin a transaction: the new ATC is stored before the response. EMV 4.4 Book 3, 6.5.8.

        After the last ATC the application is blocked: no two cryptograms have the same ATC.
        """
        pdol = emv_data.list_in(well_formed(self._fci(), 0xA5), 0x9F38)
        data = option_values(command, pdol)
        if self.transaction is not None:
            raise Refuse(0x6985)
        values = pdol.split(data)
        selected = PaymentOptions.read(self._choose(values), self.need, self.stored)
        state = self.state
        if state.atc == LAST_ATC:
            state.set_indicator(Indicator.BLOCKED)
            raise Refuse(0x6985)
        state.atc += 1
        self.transaction = PaymentTransaction(self, state, selected, values, data)
        self.transaction.results = self._pin
        return answer(selected.template, selected.response)

    def _choose(self, values: dict[Tag, bytes]) -> int:
        """The grouping of the processing options. DF69 = 01 of the terminal selects the Chinese algorithms if the card
        has them, 9F7A = 01 e-cash if the balance suffices. JR/T 0025.13 and 0025.17."""
        number = emv_data.PROCESSING_OPTIONS
        if self.host.contactless and self._has(layout.CONTACTLESS_OPTIONS):
            number = layout.CONTACTLESS_OPTIONS
        elif (
            values.get(Tag(0x9F7A), b"")[:1] == b"\x01"
            and self._has(layout.ECASH_OPTIONS)
            and covers(self.state, values)
        ):
            number = layout.ECASH_OPTIONS
        chinese = values.get(Tag(0xDF69), b"")[-1:] == b"\x01" or self.stored(number) is None
        return number + layout.SM_OFFSET if chinese and self.stored(number + layout.SM_OFFSET) is not None else number

    def _has(self, number: int) -> bool:
        return self.stored(number) is not None or self.stored(number + layout.SM_OFFSET) is not None

    def _read_record(self, command: Command) -> Response:
        """EMV 4.4 Book 3, 6.5.11."""
        sfi, number = record_number(command)
        if not 1 <= sfi <= layout.MAX_SFI or (sfi << 8 | 1) in layout.INTERNAL:
            raise Refuse(0x6A82)
        for log in self._logs().values():
            if log.sfi == sfi:
                return Response(log.read(self.state, number), OK)
        record = self.stored(sfi << 8 | number)
        if record is None:
            raise Refuse(0x6A83)
        return Response(record, OK)

    def _get_data(self, command: Command) -> Response:
        """Counters, log formats, limits and balances. EMV 4.4 Book 3, 6.5.7; JR/T 0025.5, GET DATA."""
        if command.data:
            raise Refuse(0x6700)
        tag, value = command.p1 << 8 | command.p2, None
        if tag in (0x9F36, 0x9F13):
            value = (self.state.atc if tag == 0x9F36 else self.state.last_online_atc).to_bytes(2, "big")
        elif tag == 0x9F17:
            value = None if self.tries is None else bytes((self.tries,))
        else:
            value = self.state.object(tag) if self._gives(tag) else None
            if value is None:
                value = next((log.log_format.encode() for log in self._logs().values() if log.format_tag == tag), None)
        if value is None:
            raise Refuse(0x6A88)
        return answer(tag, value)

    def _gives(self, tag: int) -> bool:
        return layout.internal_objects(self.stored(layout.GET_DATA_OBJECTS) or b"").find(tag) is not None

    def _internal_authenticate(self, command: Command) -> Response:
        """Dynamic signature. EMV 4.4 Book 2, 6.5; Book 3, 6.5.9; with SM2 JR/T 0025.17."""
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        transaction = self._current()
        if transaction.stage is not PaymentStage.INITIATED or not transaction.options.signs:
            raise Refuse(0x6985)
        options = transaction.options
        expected = options.ddol if options.ddol.length else _DEFAULT_DDOL
        if len(command.data) != expected.length:
            raise Refuse(0x6700)
        dynamic = b"\x08" + self.host.random(8)
        signature = dynamic_signature(self, dynamic, command.data, chinese=options.chinese)
        transaction.results |= Cvr.DYNAMIC_PERFORMED
        if options.template == 0x80:
            return answer(0x80, signature)
        return answer(0x77, answer(0x9F4B, signature).data)

    def _get_challenge(self, command: Command) -> Response:
        self._challenge = self.challenge(command)
        return Response(self._challenge, OK)

    def _verify(self, command: Command) -> Response:
        """Plain or enciphered PIN. EMV 4.4 Book 3, 6.5.12; Book 2, 7."""
        challenge, self._challenge = self._challenge, b""
        if command.p1 or command.p2 not in (_PLAIN_PIN, _ENCIPHERED_PIN):
            raise Refuse(0x6A86)
        if self.tries is None or self.host.contactless:
            raise Refuse(0x6985)
        if not self.tries:
            raise Refuse(0x6983)
        block = command.data if command.p2 == _PLAIN_PIN else self._decipher_pin(command.data, challenge)
        if command.p2 == _PLAIN_PIN:
            if len(block) != 8:
                raise Refuse(0x6700)
            if not emv_data.is_pin_block(block):
                raise Refuse(0x6A80)
        correct = self.check_pin(block)
        self._record_pin(correct)
        if not correct:
            raise Refuse(0x63C0 | self.tries)
        return Response(b"", OK)

    def _record_pin(self, correct: bool) -> None:
        """Record the PIN result for the cryptograms of this transaction; the last wrong PIN may block the application.
        After a tear before that the PIN is blocked, and the next transaction reports it. JR/T 0025.5, offline PIN."""
        results = Cvr.PIN_VERIFIED | (Cvr(0) if correct else Cvr.PIN_FAILED)
        if not self.tries and DefaultAction.of(self.state) & DefaultAction.PIN_EXCEEDED_BLOCK:
            self.state.set_indicator(Indicator.BLOCKED)
            results |= Cvr.BLOCKED_BY_PIN
        self._pin = results
        if self.transaction is not None:
            self.transaction.results = self.transaction.results & ~Cvr.PIN_FAILED | results

    def _decipher_pin(self, data: bytes, challenge: bytes) -> bytes:
        """The PIN block deciphered with RSA; empty, which is a wrong PIN, when format or challenge do not match.
        EMV 4.4 Book 2, 7.2. Raises Refuse: 6985 without key or challenge, 6700."""
        numbers = layout.PIN_CRT if self.stored(layout.PIN_CRT[0]) is not None else emv_data.CRT
        key = self.rsa_key(numbers)
        if not challenge:
            raise Refuse(0x6985)
        if len(data) != key.public.size:
            raise Refuse(0x6700)
        self.host.count_work("rsa")
        try:
            plain = rsa.private(key, data)
        except CryptoError:
            return b""
        return plain[1:9] if plain[:1] == b"\x7f" and plain[9:17] == challenge else b""

    def _generate_ac(self, command: Command) -> Response:
        return self._current().generate_ac(command, log=self._logs().get("log"))

    def _external_authenticate(self, command: Command) -> Response:
        return self._current().external_authenticate(command)

    def _script(self, command: Command) -> Response:
        return PaymentScripts(self, self.state, self._current(), self._logs().get("load")).run(command)

    def _current(self) -> PaymentTransaction:
        """The transaction in progress. Raises Refuse: 6985 before GET PROCESSING OPTIONS."""
        if self.transaction is None:
            raise Refuse(0x6985)
        return self.transaction

    def _logs(self) -> dict[str, PaymentLog]:
        return logs(self._fci(), self.state)

    def _fci(self) -> bytes:
        contactless = self.stored(layout.CONTACTLESS_FCI) if self.host.contactless else None
        return contactless or self.need(emv_data.FCI)

    commands: ClassVar[Handlers] = {
        (0x00, 0xB2): _read_record,
        (0x80, 0xA8): _get_processing_options,
        (0x00, 0x88): _internal_authenticate,
        (0x00, 0x20): _verify,
        (0x00, 0x84): _get_challenge,
        (0x80, 0xCA): _get_data,
        (0x80, 0xAE): _generate_ac,
        (0x00, 0x82): _external_authenticate,
        **dict.fromkeys(SCRIPT_COMMANDS, _script),
    }
