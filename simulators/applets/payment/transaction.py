"""One transaction of the payment application: first and second GENERATE AC, EXTERNAL AUTHENTICATE, script counts.

EMV 4.4 Book 3, 6.5.4, 6.5.5 and 9; Book 2, 6.6 (CDA); JR/T 0025.5 (PBOC 3.0).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from simulators.applets.emv import EmvApplet
from simulators.applets.payment.data import PaymentOptions
from simulators.applets.payment.keys import PaymentKeys
from simulators.applets.payment.log import PaymentLog
from simulators.applets.payment.risk import (
    Cvr,
    Decision,
    RequestedCryptogram,
    covers,
    decide_first,
    decide_second,
    foreign,
    mandatory,
    unable_to_go_online,
)
from simulators.applets.payment.sign import dynamic_signature, transaction_hash
from simulators.applets.payment.state import Indicator, PaymentState, amount
from simulators.card.applet import Refuse
from terminal.apdu import OK, Command, Response
from terminal.tlv import Dol, Tag, tlv

_CDA: Final = 0x10
_APPROVED: Final = 0x80
"""Card status update, byte 2: the issuer approves. EMV 4.4 Book 3, annex C10."""
_STATIC_FAILED, _DYNAMIC_FAILED = 0x40, 0x0C
"""TVR, byte 1: SDA; DDA or CDA. EMV 4.4 Book 3, annex C5."""


class PaymentStage(Enum):
    """Progress of a transaction after GET PROCESSING OPTIONS."""

    INITIATED = 1
    ONLINE = 2
    """The first cryptogram was an ARQC."""
    ENDED = 3


class PaymentTransaction:
    """A transaction in progress, which ends with the power; lasting changes are in ``state`` before each response."""

    def __init__(
        self, card: EmvApplet, state: PaymentState, options: PaymentOptions, pdol_values: dict[Tag, bytes], data: bytes
    ) -> None:
        """``pdol_values`` and ``data`` are the values of the PDOL, by tag and concatenated."""
        self.options = options
        self.results = Cvr(0)
        self.stage = PaymentStage.INITIATED
        self.ac = b""
        """The first cryptogram, which the script MACs cover."""
        self.scripts = 0
        self.script_failed = False
        self._card, self._state = card, state
        self.values = {**pdol_values, Tag(0x82): options.aip, Tag(0x9F36): state.atc.to_bytes(2, "big")}
        self._data = data
        self._authenticated: bool | None = None
        self._arpc_checked = self._issuer_declined = False

    @property
    def atc(self) -> bytes:
        return self.values[Tag(0x9F36)]

    @property
    def keys(self) -> PaymentKeys:
        return PaymentKeys.of(self._card, self.options)

    # -- commands -----------------------------------------------------------------------------------------------------

    def generate_ac(self, command: Command, *, log: PaymentLog | None) -> Response:
        """Decide, compute the cryptogram, write the state in one transaction, respond. EMV 4.4 Book 3, 6.5.5.

        Raises Refuse: 6A86 wrong P1 or P2, 6985 out of order, 6700 wrong length.
        """
        if command.p2 or command.p1 & ~0xC0 & ~_CDA or command.p1 >> 6 == 3:
            raise Refuse(0x6A86)
        requested = RequestedCryptogram(command.p1 >> 6)
        if self.stage is PaymentStage.ENDED or (
            self.stage is PaymentStage.ONLINE and requested is RequestedCryptogram.ARQC
        ):
            raise Refuse(0x6985)
        initial = self.stage is PaymentStage.INITIATED
        values = self._collect(self.options.cdol1 if initial else self.options.cdol2, command.data)
        decision = self._first(values, requested) if initial else self._second(values, requested)
        response, ac = self._respond(decision, values, self._data + command.data, signed=bool(command.p1 & _CDA))
        with self._state.memory.transaction():
            if decision.block:
                self._state.set_indicator(Indicator.BLOCKED)
            if initial:
                self._record_first(decision, values)
            else:
                self._record_second(decision, values)
            if decision.kind is RequestedCryptogram.TC and log is not None:
                log.append(self._state, values)
        self.values, self._data, self.results = values, self._data + command.data, decision.cvr
        if initial:
            self.ac = ac
            self.results &= ~Cvr.SECOND_NOT_REQUESTED
        self.stage = PaymentStage.ONLINE if decision.kind is RequestedCryptogram.ARQC else PaymentStage.ENDED
        return response

    def external_authenticate(self, command: Command) -> Response:
        """Verify the ARPC, once in a transaction. EMV 4.4 Book 3, 6.5.4.

        Raises Refuse: 6985 out of order, 6700 wrong length, 6300 a wrong ARPC.
        """
        if command.p1 or command.p2:
            raise Refuse(0x6A86)
        if self.stage is not PaymentStage.ONLINE or not self.options.issuer_authentication or self._arpc_checked:
            raise Refuse(0x6985)
        if not 8 <= len(command.data) <= 16:
            raise Refuse(0x6700)
        self._arpc_checked = True
        if not self._authenticate(command.data):
            self._state.set_indicator(Indicator.ISSUER_AUTHENTICATION_FAILED)
            raise Refuse(0x6300)
        return Response(b"", OK)

    def count_script(self, *, failed: bool) -> None:
        """Count a script command, inside the memory transaction of the command or after it failed."""
        if failed:
            self._state.set_indicator(Indicator.SCRIPT_FAILED)
        self._state.scripts += 1
        self.scripts += 1
        self.script_failed |= failed

    # -- decisions ----------------------------------------------------------------------------------------------------

    def _collect(self, dol: Dol, data: bytes) -> dict[Tag, bytes]:
        if len(data) != dol.length:
            raise Refuse(0x6700)
        own = {tag: self.values[tag] for tag in (Tag(0x82), Tag(0x9F36))}
        return {**self.values, **dol.split(data), **own}

    def _first(self, values: dict[Tag, bytes], requested: RequestedCryptogram) -> Decision:
        """E-cash is not subject to the checks of debit. CDOL1 may hold another amount than the PDOL did; an amount that
        the balance does not cover goes online as debit."""
        state = self._state
        if self.options.ecash and requested is RequestedCryptogram.TC and not state.indicators & Indicator.BLOCKED:
            if covers(state, values):
                return Decision(RequestedCryptogram.TC, self.results | Cvr.FIRST_TC | Cvr.SECOND_NOT_REQUESTED)
            requested = RequestedCryptogram.ARQC
        return decide_first(state, values, requested, self.results, tries=self._card.tries)

    def _second(self, values: dict[Tag, bytes], requested: RequestedCryptogram) -> Decision:
        data = values.get(Tag(0x91), b"")
        if any(data) and not self._arpc_checked and not unable_to_go_online(values):
            self._authenticate(_without_filler(data, self.keys.scheme.arpc))
        return decide_second(
            self._state,
            values,
            requested,
            self.results,
            authenticated=self._authenticated,
            refused=self._issuer_declined,
            authentication=self._authenticates_issuer,
        )

    @property
    def _authenticates_issuer(self) -> bool:
        return self.options.issuer_authentication or any(entry.tag == 0x91 for entry in self.options.cdol2)

    def _authenticate(self, data: bytes) -> bool:
        """Verify the ARPC; with method 2 a card status update that does not approve declines too."""
        keys = self.keys
        self._authenticated = keys.check_arpc(self.atc, self.ac, data)
        if self._authenticated and keys.scheme.arpc == 2 and not data[5] & _APPROVED:
            self._issuer_declined = True
        return self._authenticated

    # -- state changes -------------------------------------------------------------------------------------------------

    def _record_first(self, decision: Decision, values: dict[Tag, bytes]) -> None:
        state = self._state
        if decision.kind is RequestedCryptogram.ARQC:
            state.set_indicator(Indicator.ONLINE_NOT_COMPLETED)
        else:
            self._record_offline(decision, values)

    def _record_second(self, decision: Decision, values: dict[Tag, bytes]) -> None:
        state = self._state
        if unable_to_go_online(values):
            self._record_offline(decision, values)
        elif self._authenticated is False or (
            self._authenticated is None and self._authenticates_issuer and mandatory(state)
        ):
            state.set_indicator(Indicator.ISSUER_AUTHENTICATION_FAILED)
        else:
            state.went_online()
            state.set_indicator(~Indicator.BLOCKED, on=False)
            state.scripts = self.scripts
            state.set_indicator(Indicator.SCRIPT_FAILED, on=self.script_failed)

    def _record_offline(self, decision: Decision, values: dict[Tag, bytes]) -> None:
        """Add an approval to the counters; after a decline set the indicators of failed SDA, DDA or CDA."""
        if decision.kind is RequestedCryptogram.TC:
            self._record_approval(values)
            return
        tvr = (values.get(Tag(0x95)) or b"\x00")[0]
        self._state.set_indicator(
            (Indicator.STATIC_FAILED if tvr & _STATIC_FAILED else Indicator(0))
            | (Indicator.DYNAMIC_FAILED if tvr & _DYNAMIC_FAILED else Indicator(0))
        )

    def _record_approval(self, values: dict[Tag, bytes]) -> None:
        state, price = self._state, amount(values)
        if self.options.ecash and covers(state, values):
            balance = (state.number(0x9F79) or 0) - price
            state.put(0x9F79, bytes.fromhex(f"{balance:012d}"))
            return
        if foreign(state, values, 0x5F2A, 0x9F51):
            state.offline_foreign_currency += 1
        else:
            state.offline_amount += price
        if foreign(state, values, 0x9F1A, 0x9F57):
            state.offline_foreign_country += 1

    # -- the response -------------------------------------------------------------------------------------------------

    def _respond(
        self, decision: Decision, values: dict[Tag, bytes], lists: bytes, *, signed: bool
    ) -> tuple[Response, bytes]:
        """The response in the format of the options, or signed in format 2; and the cryptogram by itself. ``lists`` are
        the values of PDOL, CDOL1 and, in the second GENERATE AC, CDOL2."""
        keys = self.keys
        cid, issuer_data = bytes((decision.cid,)), keys.issuer_data(decision.cvr.encoded)
        ac = keys.cryptogram(values, issuer_data)
        if signed and self.options.combines and decision.kind is not RequestedCryptogram.AAC:
            head = tlv(0x9F27, cid).encode() + tlv(0x9F36, self.atc).encode()
            tail = tlv(0x9F10, issuer_data).encode()
            chinese = self.options.chinese
            digest = transaction_hash(lists + head + tail, chinese=chinese)
            dynamic = b"\x08" + self._card.host.random(8) + cid + ac + digest
            unpredictable = values.get(Tag(0x9F37), b"")
            signature = dynamic_signature(self._card, dynamic, unpredictable, chinese=chinese)
            body = head + tlv(0x9F4B, signature).encode() + tail
            return Response(tlv(0x77, body).encode(), OK), ac
        if self.options.template == 0x80:
            return Response(tlv(0x80, cid + self.atc + ac + issuer_data).encode(), OK), ac
        objects = ((0x9F27, cid), (0x9F36, self.atc), (0x9F26, ac), (0x9F10, issuer_data))
        return Response(tlv(0x77, [tlv(tag, value) for tag, value in objects]).encode(), OK), ac


def _without_filler(data: bytes, method: int) -> bytes:
    """Issuer authentication data from a list entry of fixed length: ten bytes in method 1; in method 2 without the
    zeros that fill the entry."""
    return data[:10] if method == 1 else data[:8] + data[8:].rstrip(b"\x00")
