"""A card with garbled answers anywhere between selection and cardholder verification. EMV 4.4 Book 3, 7.5.

In every case the transaction stops with a reason or goes on with data that a card may give; nothing is raised,
nothing runs forever, and changed data never pass as the issuer's. Two hundred examples for each kind of
card, ten thousand with --hypothesis-profile=thorough.
"""

from __future__ import annotations

import copy
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.apdu import Command, Response, Sender, StatusWord
from terminal.emv.authentication.authentication import authenticate
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.cardholder_verification.cvm import verify_cardholder
from terminal.emv.data.bits import TVR
from terminal.emv.risk.restrictions import check_restrictions
from terminal.emv.selection.application import open_application, read_application
from terminal.emv.selection.selection import Supported
from terminal.emv.transaction.state import Stop, TransactionState
from terminal.errors import ApduError, CardMalformed, DeadlineExceeded
from tests.support.cards.kernel_state import DEBIT, PSE, Person, fci, new_state, text, tlv
from tests.support.cards.payment_issuer import PAN, Issue, RsaIssue, SmIssue, rsa_store, sm_store
from tests.support.thorough import repeats

TODAY = date(2026, 11, 22)
SUPPORTED = [Supported(bytes.fromhex("A000000333"))]
MOST_COMMANDS = 700
SIGNED = {0x5A: PAN + "F", 0x5F24: "301231", 0x8C: "9F02069F3704", 0x8D: "8A02", 0x8E: "0000000000000000440341031F00"}


class HonestCard:
    """Answers every command of the front half rightly; ``turn`` counts them."""

    def __init__(self, issue: Issue, aip: str) -> None:
        self.issue = issue
        static = "".join(tlv(f"{tag:02X}", value) for tag, value in SIGNED.items())
        issue.static = bytes.fromhex(static)
        more = issue.elements() | (issue.pin_elements() if isinstance(issue, RsaIssue) else {})
        self.records = {
            0x0C01: tlv("70", static),
            **{0x1401 + n: tlv("70", tlv(f"{t:02X}", v.hex())) for n, (t, v) in enumerate(more.items())},
        }
        afl = f"080101011001{len(more):02X}00"
        self.options = tlv("80", aip, afl)
        self.turn = 0

    def send(self, command: Command) -> Response:
        self.turn += 1
        assert self.turn <= MOST_COMMANDS, "the card holds the terminal"
        answer = bytes.fromhex(self._answer(command))
        return Response(answer, StatusWord(0x9000 if answer or command.ins == 0x20 else 0x6A83))

    def _answer(self, command: Command) -> str:
        name = command.data.hex().upper()
        if command.ins == 0xA4:
            inside = tlv("88", "01") if name == PSE.upper() else tlv("50", text("DEBIT")) + tlv("9F38", "DF6901")
            return fci(PSE if name == PSE.upper() else DEBIT, inside)[:-4] if not command.p2 else ""
        if command.ins == 0xB2 and command.p2 == 0x0C and self.turn <= 3:
            return tlv("70", tlv("61", tlv("4F", DEBIT), tlv("87", "01"))) if command.p1 == 1 else ""
        if command.ins == 0xB2:
            return self.records.get(command.p2 << 8 | command.p1, "")
        if command.ins == 0x88:
            return tlv("77", tlv("9F4B", self.issue.sign(b"\x02\x11\x22", command.data).hex()))
        return {0xA8: self.options, 0xCA: tlv("9F17", "03"), 0x84: "1122334455667788"}.get(command.ins, "")


Bends = dict[int, tuple[str, int, int, int]]
"""Number of the answer to kind, position, byte and status word."""


class BentCard:
    """The honest card behind a contact that bends the answers whose number is named."""

    def __init__(self, honest: HonestCard, bends: Bends) -> None:
        self.honest = copy.copy(honest)
        self.bends = bends

    def send(self, command: Command) -> Response:
        honest = self.honest.send(command)
        bend = self.bends.get(self.honest.turn)
        if bend is None:
            return honest
        kind, position, byte, sw = bend
        data = bytearray(honest.data)
        at = position % (len(data) or 1)
        match kind:
            case "flip" if data:
                data[at] ^= byte or 1
            case "cut":
                del data[at:]
            case "insert":
                data[at:at] = bytes((byte,)) * (position % 7 + 1)
            case "noise":
                data = bytearray(bytes((byte,)) * (position % 250))
            case "status":
                return Response(bytes(data), StatusWord(sw))
            case "mute":
                raise CardMalformed("sending a command: no status word")
            case "limit":
                raise ApduError("the answer cannot exist")
            case "silence":
                raise DeadlineExceeded("no answer")
        return Response(bytes(data), honest.sw)


KINDS = st.sampled_from(("flip", "cut", "insert", "noise", "status", "mute", "limit", "silence"))
STATUS = st.sampled_from(
    (0x6283, 0x6300, 0x63C0, 0x63C2, 0x6700, 0x6983, 0x6985, 0x6A81, 0x6A82, 0x6A83, 0x6D00, 0x9000)
)
BENDS = st.dictionaries(
    st.integers(1, 20), st.tuples(KINDS, st.integers(0, 300), st.integers(0, 255), STATUS), min_size=1, max_size=3
)


def front_half(card: Sender, keys: CaStore) -> tuple[TransactionState, bool | None]:
    """Everything before terminal risk management; the state, and whether the card proved itself."""
    state = new_state()
    person = Person(*["1234"] * 16, chooses=0)
    opened = open_application(state, card, SUPPORTED, person, prepare=lambda _: None)
    records = read_application(state, card, opened)
    proof = authenticate(state, card, records, keys, TODAY, default_ddol=bytes.fromhex("9F3704"))
    check_restrictions(state, TODAY)
    verify_cardholder(state, card, proof.chain, person)
    return state, proof.passed


SIDES = pytest.mark.parametrize(("side", "keys"), [(RsaIssue, rsa_store()), (SmIssue, sm_store())])
AIPS = pytest.mark.parametrize("aip", ["7000", "5000", "7100"])


@SIDES
@AIPS
def test_the_honest_card_passes(side: type[Issue], keys: CaStore, aip: str) -> None:
    state, passed = front_half(HonestCard(side(), aip), keys)
    assert passed is (None if aip == "7100" else True)
    assert not state.tvr & ~TVR.SDA_SELECTED
    assert state.terminal[0x9F34].hex() == ("440302" if side is RsaIssue else "410302")


@pytest.mark.timeout(3600)
@SIDES
@AIPS
def test_a_card_that_answers_nonsense(side: type[Issue], keys: CaStore, aip: str) -> None:
    honest = HonestCard(side(), aip)

    @settings(max_examples=repeats(60, 10000), deadline=None)
    @given(bends=BENDS)
    def bent(bends: Bends) -> None:
        try:
            state, passed = front_half(BentCard(honest, bends), keys)
        except (Stop, DeadlineExceeded):
            return
        if passed:
            assert {tag: state.card[tag].hex().upper() for tag in SIGNED} == SIGNED
        assert len(state.terminal[0x9F34]) == 3

    bent()
