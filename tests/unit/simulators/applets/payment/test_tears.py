"""The payment application under tears and random commands: old state or new, and no counter value twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.applets.payment.applet import PaymentApplet
from simulators.card.memory import PowerLost, TearAt
from terminal.apdu import Command
from tests.support.cards.applet_host import BareHost, send
from tests.support.cards.payment_specimen import AID, INTERNAL, PIN_BLOCK, PaymentSpecimen, options, specimen
from tests.support.cards.payment_till import AAC, ARQC, TC, Till
from tests.support.thorough import repeats

CARD = specimen(1024)


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    return CARD


def purse(card: PaymentSpecimen) -> PaymentSpecimen:
    money = bytes.fromhex("9F7906000000005000 9F51020156".replace(" ", ""))
    return card.having(0x9203, options()).having(0x0D01, INTERNAL + money)


def states_of(card: PaymentSpecimen, act: str) -> tuple[dict[str, bytes], dict[str, bytes], int]:
    """Memory before and after the act, and the pages it writes."""
    host, till = ready(card)
    before, pages = host.state, host.nvm.pages_written
    perform(till, act)
    return before, host.state, host.nvm.pages_written - pages


def ready(card: PaymentSpecimen) -> tuple[BareHost, Till]:
    host, applet = card.issued()
    till = Till(applet, t9F7A="01")
    till.begin()
    return host, till


def perform(till: Till, act: str) -> None:
    if act == "tc":
        till.first(TC)
    elif act == "arqc":
        till.first(ARQC)
    elif act == "aac":
        till.first(AAC, t95="4000000000")
    else:
        till.begin()


@pytest.mark.parametrize("act", ["tc", "arqc", "aac", "options"])
def test_a_tear_leaves_old_or_new(card: PaymentSpecimen, act: str) -> None:
    """Wherever the power fails, the balance, the log and the counters moved together or not at all."""
    own = purse(card)
    before, after, pages = states_of(own, act)
    assert before != after
    assert pages >= 1
    for page in range(pages):
        for late in (False, True):
            host, till = ready(own)
            host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                perform(till, act)
            host.restart()
            assert host.state == (after if late else before)


VERIFY, WRONG = "0020008008" + PIN_BLOCK.hex(), "0020008008249999FFFFFFFFFF"


@pytest.mark.parametrize("command", [VERIFY, WRONG], ids=["right", "wrong"])
@pytest.mark.parametrize("spent", [0, 1, 2])
def test_a_torn_verify_never_wins_a_try(card: PaymentSpecimen, command: str, spent: int) -> None:
    """The try is spent in memory before the PIN is compared: whoever cuts the power has one less, or a right PIN."""
    pages, torn = 2 if command == VERIFY else 1, []
    for page in range(pages):
        for late in (False, True):
            host, till = ready(card)
            for _ in range(spent):
                send(till.applet, WRONG)
            host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                send(till.applet, command)
            host.restart()
            torn.append(PaymentApplet(host, AID, b"").tries)
    left = 3 - spent
    assert torn == ([left, left - 1, left - 1, 3] if command == VERIFY else [left, left - 1])


def test_a_torn_last_try_never_leaves_one_more(card: PaymentSpecimen) -> None:
    """The last wrong PIN blocks the application too, where the issuer wants it (9F52); the PIN always goes first."""
    own, states = card.having(0x0E01, bytes.fromhex("9F52020080")), []
    for page in range(2):
        for late in (False, True):
            host, till = ready(own)
            for _ in range(2):
                send(till.applet, WRONG)
            host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                send(till.applet, WRONG)
            host.restart()
            applet = PaymentApplet(host, AID, b"")
            states.append((applet.tries, int(applet.select_status)))
    assert states == [(1, 0x9000), (0, 0x9000), (0, 0x9000), (0, 0x6283)]


@pytest.mark.parametrize("act", ["wrong answer", "approved", "declined", "unreachable"])
def test_a_torn_end_of_an_online_transaction(card: PaymentSpecimen, act: str) -> None:
    """EXTERNAL AUTHENTICATE and the second cryptogram: one write each, before the answer."""

    def online() -> tuple[BareHost, Till]:
        host, till = ready(card)
        till.first(ARQC)
        return host, till

    def end(till: Till) -> None:
        if act == "wrong answer":
            send(till.applet, "008200000A" + "11" * 8 + "3030")
        else:
            till.second(AAC if act == "declined" else TC, t8A="5933" if act == "unreachable" else "3030")

    host, till = online()
    before, pages = host.state, host.nvm.pages_written
    end(till)
    after, pages = host.state, host.nvm.pages_written - pages
    assert before != after
    for page in range(pages):
        for late in (False, True):
            host, till = online()
            host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                end(till)
            host.restart()
            assert host.state == (after if late else before)


def test_a_balance_torn_before_the_response_is_in_the_log(card: PaymentSpecimen) -> None:
    host, till = ready(purse(card))
    host.nvm.tear = TearAt(0, after=True)
    with pytest.raises(PowerLost):
        till.first(TC)
    host.restart()
    applet = PaymentApplet(host, AID, b"")
    applet.select(0)
    assert send(applet, "80CA9F7900").data[-3:].hex() == "003766"
    assert send(applet, "00B2015C00").data[-2:] == b"\x00\x01"


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 6), min_size=1, max_size=12))
@settings(max_examples=repeats(25, 600), deadline=None)
def test_no_counter_value_makes_two_first_cryptograms(seed: int, cuts: list[int]) -> None:
    """However often and wherever the power fails, each first cryptogram has an ATC of its own, and they grow."""
    rng = random.Random(seed)
    host, applet = CARD.issued()
    seen: list[int] = []
    for cut in cuts:
        host.nvm.tear = TearAt(cut, after=rng.random() < 0.5)
        try:
            for _ in range(rng.randint(1, 4)):
                till = Till(applet)
                till.begin()
                answer = till.first(rng.choice((AAC, TC, ARQC)))
                seen.append(int.from_bytes(answer.atc, "big"))
                if answer.kind == ARQC and rng.random() < 0.5:
                    assert till.second(rng.choice((AAC, TC))).atc == answer.atc
        except PowerLost:
            host.restart()
            applet = PaymentApplet(host, AID, b"")
    assert seen == sorted(set(seen))


KNOWN = [
    (0x00, 0xB2), (0x80, 0xA8), (0x00, 0x88), (0x00, 0x20), (0x00, 0x84), (0x80, 0xCA), (0x80, 0xAE), (0x00, 0x82),
    (0x84, 0x1E), (0x84, 0x18), (0x84, 0x16), (0x84, 0x24), (0x04, 0xDA), (0x04, 0xDC), (0x80, 0xE2), (0x04, 0xB2),
]  # fmt: skip


@given(
    seed=st.integers(0, 2**32),
    commands=st.lists(
        st.tuples(
            st.sampled_from(KNOWN),
            st.sampled_from([0, 1, 2, 0x10, 0x40, 0x50, 0x80, 0x90, 0x9F, 0xDF]) | st.integers(0, 255),
            st.sampled_from([0, 4, 0x0C, 0x14, 0x5C, 0x80, 0x88, 0x36, 0x17, 0x58, 0x79]) | st.integers(0, 255),
            st.sampled_from([b"", b"\x83\x0a" + bytes(10), PIN_BLOCK, bytes(52), bytes(31), bytes(10), bytes(4)])
            | st.binary(max_size=140),
        ),
        max_size=12,
    ),
)
@settings(max_examples=repeats(80, 3000), deadline=None)
def test_random_commands_never_crash(seed: int, commands: list[tuple[tuple[int, int], int, int, bytes]]) -> None:
    """Whatever comes, a status word; the card still pays afterwards, and nobody changed what only an issuer may."""
    host, applet = CARD.issued(seed=seed)
    for (cla, ins), p1, p2, data in commands:
        answer = send(applet, Command(cla, ins, p1, p2, data, 256))
        assert answer.sw.ok or not answer.data
    assert {name: host.state[name] for name in ("8000", "8010", "0101", "object 9F58")} == {
        "8000": CARD.groups[0x8000],
        "8010": PIN_BLOCK,
        "0101": CARD.groups[0x0101],
        "object 9F58": b"\x03",
    }
    assert "blocked" not in host.state
    assert applet.select_status == 0x9000
    assert Till(applet).run(ARQC).kind == ARQC


@given(raw=st.binary(min_size=4, max_size=60))
@settings(max_examples=repeats(80, 3000), deadline=None)
def test_random_bytes_never_crash(raw: bytes) -> None:
    _, applet = CARD.issued()
    try:
        command = Command.decode(raw)
    except ValueError:
        return
    assert int(send(applet, command).sw) >> 12 in (6, 9)
