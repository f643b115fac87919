"""A redemption on the card: GENERATE AC of the member application.

docs/redemption.md; EMV 4.4 Book 3, 6.5.5; Book 2, 6.6 (CDA).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from simulators.applets.emv import EmvApplet
from simulators.applets.emv_data import APPLICATION_KEYS, ISSUER_APPLICATION_DATA
from simulators.applets.member.data import MemberContents
from simulators.applets.member.decision import MemberCvr, MemberDecision, RedemptionValues, decide
from simulators.applets.member.entitlements import card_date
from simulators.applets.member.state import MemberState
from simulators.card.applet import Refuse
from simulators.cryptograms.member import redemption_cryptogram
from terminal.apdu import OK, Command, Response
from terminal.tlv import Tag, tlv

_TC_WITH_CDA, _TC, _AAC = 0x50, 0x40, 0x00
REQUESTS: Final = (_TC_WITH_CDA, _TC, _AAC)
"""Values of P1."""
_CDA: Final = 0x01
"""Byte 1 of the AIP: the card signs cryptograms. EMV 4.4 Book 3, annex C1."""
_CLASS, _QUANTITY, _DATE, _UNPREDICTABLE = Tag(0xDF31), Tag(0xDF32), Tag(0x9A), Tag(0x9F37)
_CID, _ATC, _AC, _ISSUER_DATA = Tag(0x9F27), Tag(0x9F36), Tag(0x9F26), Tag(0x9F10)
_NEEDED: Final = (_UNPREDICTABLE, _DATE, _CLASS, _QUANTITY)
"""What CDOL1 must request, or the card has no redemptions."""
_ENTITLEMENTS, _ACTIVATED_ON = 0xDF28, 0xDF2D


class MemberRedemption:
    """One GENERATE AC after GET PROCESSING OPTIONS with these PDOL values."""

    def __init__(self, card: EmvApplet, state: MemberState, contents: MemberContents, pdol_values: bytes) -> None:
        self._card, self._state, self._contents, self._pdol_values = card, state, contents, pdol_values

    def generate_ac(self, command: Command, results: MemberCvr) -> Response:
        """Decide, compute and sign, write in one transaction, respond. ``results`` are those of VERIFY since SELECT.

        Raises Refuse: 6985 for a card without redemptions or, where one is wanted, without combined signatures; 6700.
        """
        cdol, signed = self._contents.cdol1, command.p1 == _TC_WITH_CDA
        if any(tag not in {entry.tag for entry in cdol} for tag in _NEEDED):
            raise Refuse(0x6985)
        if signed and not self._contents.aip[0] & _CDA:
            raise Refuse(0x6985)
        if len(command.data) != cdol.length:
            raise Refuse(0x6700)
        values = cdol.split(command.data)
        if command.p1 != _AAC and command.data == self._state.last_request:
            return self._respond(command.data, values, self._state.newest(), signed=signed)
        decision = self._decide(values, results, approval=command.p1 != _AAC)
        answer = self._answer(decision, command.data)
        response = self._respond(command.data, values, answer, signed=signed and decision.approved)
        if decision.changed is not None:
            self._commit(decision.changed, command.data, {**values, **answer})
        return response

    def _decide(self, values: Mapping[Tag, bytes], results: MemberCvr, *, approval: bool) -> MemberDecision:
        state, contents = self._state, self._contents
        results |= MemberCvr.NO_PIN_TRY if self._card.tries == 0 else MemberCvr(0)
        results |= MemberCvr.BLOCKED if state.blocked else MemberCvr(0)
        results |= MemberCvr.SCRIPT_EXECUTED if state.script_executed else MemberCvr(0)
        results |= MemberCvr.SCRIPT_MAC_FAILED if state.script_mac_failed else MemberCvr(0)
        activated_on = contents.element(_ACTIVATED_ON)
        return decide(
            RedemptionValues(
                card_date(values[_DATE]), values[_CLASS], int.from_bytes(values[_QUANTITY], "big"), approval
            ),
            contents.updatable(_ENTITLEMENTS) or b"",
            results,
            atc=state.atc,
            last=card_date(state.last_date),
            activated=activated_on is None or any(activated_on),
        )

    def _answer(self, decision: MemberDecision, request: bytes) -> dict[Tag, bytes]:
        """CID, ATC, cryptogram and issuer application data. The cryptogram covers CDOL1 values, AIP, ATC and 9F10."""
        atc = (self._state.atc + decision.approved).to_bytes(2, "big")
        issuer_data = self._issuer_data(decision)
        covered = request + self._contents.aip + atc + issuer_data
        self._card.host.count_work("des", len(covered) // 8 + 5)  # the data padded, and four for the session key
        cryptogram = redemption_cryptogram(self._card.need(APPLICATION_KEYS)[:16], atc, covered)
        cid = bytes((_TC if decision.approved else _AAC,))
        return {_CID: cid, _ATC: atc, _AC: cryptogram, _ISSUER_DATA: issuer_data}

    def _issuer_data(self, decision: MemberDecision) -> bytes:
        """9F10: key index, version and algorithm as personalized; CVR; used, limit and start of the entitlement."""
        template = self._card.need(ISSUER_APPLICATION_DATA).ljust(8, b"\x00")
        cvr = b"\x03" + (int(decision.cvr) | self._state.script_counter & 0x0F).to_bytes(3, "big")
        entitlement = decision.entitlement
        count = bytes(5) if entitlement is None else entitlement.count
        return b"\x07" + template[1:3] + cvr + template[7:8] + b"\x05" + count

    def _respond(
        self, request: bytes, values: Mapping[Tag, bytes], answer: Mapping[Tag, bytes], *, signed: bool
    ) -> Response:
        """Format 2, with a combined signature or with the cryptogram. EMV 4.4 Book 2, 6.6.1."""
        head, tail = [tlv(tag, answer[tag]) for tag in (_CID, _ATC)], tlv(_ISSUER_DATA, answer[_ISSUER_DATA])
        if not signed:
            return Response(tlv(0x77, [*head, tlv(_AC, answer[_AC]), tail]).encode(), OK)
        hashed = self._pdol_values + request + b"".join(item.encode() for item in (*head, tail))
        self._card.host.count_work("sha", len(hashed) // 64 + 1)
        digest = hashlib.sha1(hashed, usedforsecurity=False).digest()  # SHA-1 is what EMV prescribes
        dynamic = b"\x08" + self._card.host.random(8) + answer[_CID] + answer[_AC] + digest
        signature = self._card.rsa_signature(self._card.rsa_key(), dynamic, values[_UNPREDICTABLE])
        return Response(tlv(0x77, [*head, tlv(0x9F4B, signature), tail]).encode(), OK)

    def _commit(self, entitlements: bytes, request: bytes, values: dict[Tag, bytes]) -> None:
        """Write entitlements, counter, date, log and request before the response: all of them or none."""
        with self._state.memory.transaction():
            self._contents.put(self._state.memory, _ENTITLEMENTS, entitlements)
            self._state.record_approval(request, values)
