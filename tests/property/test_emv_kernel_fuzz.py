"""Whatever a card answers, at whatever step, the kernel neither crashes nor hangs nor approves what is not approved.

The card is real (it signs), and one to three of its answers are bent on the way. Cards and issuers that say no must
never come to a yes; where the honest transaction is approved, a bent one may be only if nothing that counts changed.
Ten thousand examples a property: pytest tests/property/test_emv_kernel_fuzz.py --hypothesis-profile=thorough
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from terminal.emv.config import TerminalConfig
from terminal.emv.outcome import Outcome, Result
from terminal.errors import TlvError
from terminal.tlv import decode
from tests.support.emv_toy_card import AAC, DATA, TC, ToyCard, ToyHost
from tests.support.emv_toy_terminal import OVER, UNDER, config_with, run

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
)
PLANS = st.dictionaries(st.integers(0, MOST_TURNS), BENDS, min_size=1, max_size=3)


@dataclass
class Bent:
    """An answer that was changed on its way."""

    command: bytes
    honest: bytes
    came: bytes

    @property
    def asked_again(self) -> bool:
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
    """Make the card's answers go through the plan; what really changed is noted as it happens."""
    changed: list[Bent] = []

    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        came = plan[turn](answer) if turn in plan else answer
        if came != answer:
            changed.append(Bent(command, answer, came))
        return came

    card.bend = bend
    return changed


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
]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal.name for refusal in REFUSALS])
@given(plan=PLANS)
def test_a_no_never_becomes_a_yes(refusal: Refusal, plan: dict[int, Bend]) -> None:
    card = refusal.card()
    bent(card, plan)
    host = ToyHost(card, code=refusal.code) if refusal.code is not None else None
    outcome = run(card, refusal.amount, config=refusal.config, host=host)
    sane(outcome, card)
    assert not outcome.approved


@pytest.mark.timeout(3600)
@given(plan=PLANS)
def test_an_offline_approval_is_the_cards_own_over_its_own_data(plan: dict[int, Bend]) -> None:
    card = ToyCard()
    changed = bent(card, plan)
    outcome = run(card)
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
        assert not signed or answer.asked_again, "the signed record was bent"
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
    outcome = run(card, OVER, host=host)
    sane(outcome, card)
    if not outcome.approved:
        return
    assert outcome.result is Result.APPROVED_ONLINE
    assert len(host.asked) == 1
    assert host.asked[0].data[0x9F26] == card.arqc
    assert outcome.second is not None
    assert outcome.second.verified or outcome.tvr, "an unsigned approval shows in the TVR"
    for answer in changed:
        if answer.command[1] == 0xAE and outcome.second.verified:
            assert answer.same


@pytest.mark.timeout(3600)
@given(first=st.sampled_from([AAC, TC, 0x80, 0xC0]), cid=st.integers(0, 63), raw=st.binary(max_size=80))
def test_a_card_made_of_noise_gets_a_name(first: int, cid: int, raw: bytes) -> None:
    card = ToyCard(aip="1C00", first=lambda _: first, cid_extra=cid, data={**DATA, "8E": raw.hex(), "9F0E": raw.hex()})
    outcome = run(card, OVER)
    sane(outcome, card)
    assert not outcome.approved
