"""Whatever a card answers, at whatever step, the kernel neither crashes nor hangs nor approves what is not approved.

The card is real (it signs), and one to three of its answers are bent on the way, or do not come at all. Cards and
issuers that say no must never come to a yes; where the honest transaction is approved, a bent one may be only if
nothing that counts changed. Ten thousand examples a property:
pytest tests/property/test_emv_kernel_fuzz.py --hypothesis-profile=thorough
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from terminal.emv.authentication.cakeys import parse_ca_store
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.outcome import CryptogramType, Outcome, Result
from terminal.errors import DeadlineExceeded, TlvError, TransportError
from terminal.tlv import decode
from tests.support.cards.toys.emv_toy_card import AAC, DATA, TC, ToyCard, ToyHost
from tests.support.cards.toys.emv_toy_terminal import OVER, UNDER, config_with, run
from tests.support.foreign.cards import CARDS, ca_keys
from tests.support.foreign.kit import ForeignCard
from tests.support.foreign.pin import ENCIPHERED
from tests.support.foreign.proof import poked
from tests.support.foreign.toy import Bank, Card, RsaProof, SmProof
from tests.support.thorough import repeats

MOST_COMMANDS = 1_500
MOST_TURNS = 13
"""Turns of the longest honest transaction here."""
STATUS = ["9000", "6283", "6300", "63C0", "6400", "6985", "6A81", "6A82", "6A83", "6D00", "6105", "6C05", "6F00", "00"]

Bend = Callable[[bytes], bytes]


def _flip(at: int, mask: int) -> Bend:
    return lambda a: a if not a else a[: at % len(a)] + bytes((a[at % len(a)] ^ mask,)) + a[at % len(a) + 1 :]


def _cut(at: int, size: int) -> Bend:
    return lambda a: a if not a else a[: at % len(a)] + a[at % len(a) + size :]


def _insert(at: int, more: bytes) -> Bend:
    return lambda a: a[: at % (len(a) + 1)] + more + a[at % (len(a) + 1) :]


def _status(text: str) -> Bend:
    return lambda a: a[:-2] + bytes.fromhex(text)


def _double(at: int, size: int) -> Bend:
    return lambda a: a[: at % (len(a) + 1) + size] + a[at % (len(a) + 1) :]


def _silence(_: bytes) -> NoReturn:
    raise DeadlineExceeded("the card gives no answer")


POSITION, BYTE = st.integers(0, 255), st.integers(1, 255)
BENDS: st.SearchStrategy[Bend] = st.one_of(
    st.builds(_flip, POSITION, BYTE),
    st.builds(_flip, st.integers(0, 12), BYTE),
    st.builds(_flip, POSITION, st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128])),
    st.builds(_cut, POSITION, st.integers(1, 40)),
    st.builds(_insert, POSITION, st.binary(min_size=1, max_size=12)),
    st.builds(_double, POSITION, st.integers(1, 40)),
    st.builds(_status, st.sampled_from(STATUS)),
    st.builds(lambda raw: lambda a: raw, st.binary(max_size=300)),
    st.builds(lambda raw, sw: lambda a: raw + bytes.fromhex(sw), st.binary(max_size=60), st.sampled_from(STATUS)),
    st.just(_silence),
)
PLANS = st.dictionaries(st.integers(0, MOST_TURNS), BENDS, min_size=1, max_size=3)


@dataclass
class Bent:
    """An answer that was changed on its way."""

    command: bytes
    honest: bytes
    came: bytes

    @property
    def repeated(self) -> bool:
        """Whether the terminal threw it away and repeated its command, as 6Cxx tells it to."""
        return self.came[-2:-1] == b"\x6c"

    @property
    def same(self) -> bool:
        """Whether the objects in it are the same for all that: padding between them means nothing, and a status may
        be split over GET RESPONSE."""
        try:
            return list(decode(self.honest[:-2]).walk()) == list(decode(self.came[:-2]).walk())
        except TlvError:
            return False


def bent(card: ToyCard, plan: dict[int, Bend]) -> list[Bent]:
    """Make the card's answers go through the plan; what really changed is noted as it happens. A card that was silent
    once is powered down, and stays silent."""
    changed: list[Bent] = []
    honest, silent = card.bend, False

    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        nonlocal silent
        silent = silent or plan.get(turn) is _silence
        response = honest(turn, command, answer)
        came = _silence(response) if silent else plan[turn](response) if turn in plan else response
        if came != response:
            changed.append(Bent(command, response, came))
        return came

    card.bend = bend
    return changed


def transact(card: ToyCard, start: Callable[[], Outcome]) -> Outcome | None:
    """What came of it; None where the card fell silent before its first answer was whole: then the fault of the way is
    raised."""
    try:
        return start()
    except TransportError:
        assert {command[1] for command in card.seen[1:]} <= {0xA4, 0xC0}, "more than GET RESPONSE and one repetition"
        return None


def sane(outcome: Outcome, card: ToyCard) -> None:
    assert len(card.seen) < MOST_COMMANDS
    assert outcome.steps
    assert outcome.reason
    assert outcome.to_json()["result"] == outcome.result.value
    event(outcome.result.value)


@dataclass(frozen=True)
class Refusal:
    """A situation that no bent answer may turn into an approval."""

    name: str
    card: Callable[[], ToyCard]
    amount: int = UNDER
    code: bytes | None = None
    config: TerminalConfig | None = None


EXPIRED = {**DATA, "5F24": "201231", "9F0E": "0040000000"}
REFUSALS = [
    Refusal("the card declines", lambda: ToyCard(first=lambda _: AAC)),
    Refusal("the card declines online", lambda: ToyCard(first=lambda _: AAC), OVER, b"00"),
    Refusal("the issuer declines", ToyCard, OVER, b"05"),
    Refusal("the issuer declines a card without CDA", lambda: ToyCard(aip="1C00"), OVER, b"05"),
    Refusal("the issuer is out of reach", ToyCard, OVER),
    Refusal("the card's certificates are for other data", lambda: ToyCard(data=EXPIRED), config=config_with()),
    Refusal("the card never signs", lambda: ToyCard(format_1=True)),
    Refusal("the card's certificate is none (DDA)", lambda: Card(aip="3C00", proof=RsaProof(seal_icc=poked(0, 0x6B)))),
    Refusal(
        "the issuer's certificate is none (SDA)",
        lambda: Card(aip="5C00", proof=RsaProof(static_only=True, seal_issuer=poked(0, 0x6B))),
    ),
    Refusal("the card's SM2 certificate is for another curve", lambda: sm_card(SmProof(tail="04007F40"))),
    Refusal("the card declines with SM2", lambda: sm_card(SmProof(), first=lambda _: AAC)),
]


def sm_card(proof: SmProof, first: Callable[[int], int] = lambda chosen: chosen) -> Card:
    return Card(pdol="9F37049F0206DF6901", proof=proof, first=first)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal.name for refusal in REFUSALS])
@settings(max_examples=repeats(25, 10_000))
@given(plan=PLANS)
def test_a_no_never_becomes_a_yes(refusal: Refusal, plan: dict[int, Bend]) -> None:
    card = refusal.card()
    bent(card, plan)
    host = ToyHost(card, code=refusal.code) if refusal.code is not None else None
    outcome = transact(card, lambda: run(card, refusal.amount, config=refusal.config, host=host))
    if outcome is not None:
        sane(outcome, card)
        assert not outcome.approved


@pytest.mark.timeout(3600)
@given(plan=PLANS)
def test_an_offline_approval_is_the_cards_own_over_its_own_data(plan: dict[int, Bend]) -> None:
    card = ToyCard()
    changed = bent(card, plan)
    outcome = transact(card, lambda: run(card))
    if outcome is None:
        return
    sane(outcome, card)
    if not outcome.approved:
        return
    assert outcome.result is Result.APPROVED_OFFLINE
    assert outcome.first is not None
    assert outcome.first.verified
    assert outcome.first.ac == card.arqc  # what the card really made
    for answer in changed:
        name = answer.command[1]
        signed = name == 0xB2 and answer.command[2:4] == b"\x01\x0c"
        assert not signed or answer.repeated, "the signed record was bent"
        if name == 0xAE:
            assert answer.same, "the cryptogram's answer was bent"
        if name == 0xA8 and answer.came[-2:] == b"\x90\x00":
            assert bytes.fromhex("82023D00") in answer.came or bytes.fromhex("3D00") in answer.came[:6]


@pytest.mark.timeout(3600)
@given(plan=PLANS)
def test_an_online_approval_is_the_issuers_and_the_cards(plan: dict[int, Bend]) -> None:
    card = ToyCard()
    changed = bent(card, plan)
    host = ToyHost(card)
    outcome = transact(card, lambda: run(card, OVER, host=host))
    if outcome is None:
        return
    sane(outcome, card)
    if (
        host.requests
        and host.requests[0].data.get(0x9F26) == card.arqc
        and host.requests[0].data.get(0x9F36) == b"\x00\x07"
    ):
        assert outcome.reversal is not outcome.approved, "the issuer approved: paid, or to be taken back"
    if not outcome.approved:
        return
    assert outcome.result is Result.APPROVED_ONLINE
    assert len(host.requests) == 1
    assert host.requests[0].data[0x9F26] == card.arqc
    assert outcome.second is not None
    assert outcome.second.verified or outcome.tvr, "an unsigned approval shows in the TVR"
    for answer in changed:
        if answer.command[1] == 0xAE and outcome.second.verified:
            assert answer.same


@pytest.mark.timeout(3600)
@given(first=st.sampled_from([AAC, TC, 0x80, 0xC0]), cid=st.integers(0, 63), raw=st.binary(max_size=80))
def test_a_card_of_noise_gets_a_name(first: int, cid: int, raw: bytes) -> None:
    card = ToyCard(aip="1C00", first=lambda _: first, cid_extra=cid, data={**DATA, "8E": raw.hex(), "9F0E": raw.hex()})
    outcome = run(card, OVER)
    sane(outcome, card)
    assert not outcome.approved


KEYS = parse_ca_store(ca_keys())
"""The keys of the foreign cards as they are made in this run; the recorded ones have others."""
MOST_QUESTIONS = 16


def of_any_kind(card: ForeignCard, plan: dict[int, Bend]) -> Outcome | None:
    """A card of the library, whose answers are bent once more; its cardholder goes on entering the same PIN."""
    chip = card.make()
    bent(chip, plan)
    pins = None if card.pins is None else (*card.pins, *(card.pins[-1:] or ("1234",)) * 40)
    meeting = replace(card, pins=pins).meet(card.way(chip), KEYS)
    if meeting.person is not None:
        assert len(meeting.person.pin_requests) <= MOST_QUESTIONS
    if meeting.outcome is not None:
        sane(meeting.outcome, chip)
    return meeting.outcome


@pytest.mark.timeout(3600)
@given(card=st.sampled_from(CARDS), plan=st.dictionaries(st.integers(0, 25), BENDS, min_size=1, max_size=3))
def test_a_card_of_any_kind_gets_a_name_and_is_approved_with_a_tc_only(
    card: ForeignCard, plan: dict[int, Bend]
) -> None:
    """PIN, INTERNAL AUTHENTICATE, directory, T=0, scripts and SM2 are bent here too."""
    outcome = of_any_kind(card, plan)
    if outcome is None or not outcome.approved:
        return
    last = outcome.second or outcome.first
    assert last is not None
    assert last.kind is CryptogramType.TC


WRONG_PIN = [
    replace(card, pins=("4321",)) for card in ENCIPHERED if card.name in ("enciphered-right", "enciphered-own-key")
]


@pytest.mark.timeout(3600)
@given(card=st.sampled_from(WRONG_PIN), plan=PLANS)
def test_a_wrong_pin_is_only_believed_from_the_card_that_says_so(card: ForeignCard, plan: dict[int, Bend]) -> None:
    """The card refuses the PIN and nobody else can say that it was right, but for who bends its very answer to VERIFY:
    no status word in EMV is signed (the wedge of Murdoch, Drimer, Anderson and Bond, 2010), and only the issuer sees in
    the cryptogram that no PIN came. So an approval is allowed where that answer became 9000, and nowhere else."""
    chip = card.make()
    changed = bent(chip, plan)
    outcome = replace(card, pins=("4321",) * 40).meet(chip, KEYS).outcome
    if outcome is not None:
        sane(outcome, chip)
        assert not outcome.approved or any(b.command[1] == 0x20 and b.came[-2:] == b"\x90\x00" for b in changed)


@pytest.mark.timeout(3600)
@given(plan=PLANS)
def test_a_pin_that_the_issuer_refuses_never_pays(plan: dict[int, Bend]) -> None:
    """Bent data may keep the PIN from being asked for; then the request says that the card was not proven (TVR, byte
    1), and whether to pay all the same is the issuer's affair (this one does). EMV 4.4 Book 3, 10.3, 10.9."""
    card = next(card for card in CARDS if card.name == "online-pin-wrong")
    bank = Bank()
    chip = card.make()
    bent(chip, plan)
    outcome = replace(card, pins=("4321",) * 40, bank=lambda: bank).meet(chip, KEYS).outcome
    if outcome is None:
        return
    sane(outcome, chip)
    if outcome.approved:
        assert bank.requests[0].pin_block is None
        assert bank.requests[0].data[0x95][0] & 0xEC
