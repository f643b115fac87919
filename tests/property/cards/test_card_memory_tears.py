"""Card content and keys under tears: after a power failure at any page write the card has the old state or the new."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulators.card.content import CardLifeCycle
from simulators.card.memory import Nvm, PowerLost, RamImage, TearAt
from simulators.virtual_card import VirtualCard
from tests.support.cards.gp_host import MEMBER_FILE, MEMBER_MODULE, GpHost
from tests.support.cards.toys.toy_applet import TOY_ROM, toy_card
from tests.support.thorough import repeats

NEW = (bytes((0x11,)) * 16, bytes((0x22,)) * 16, bytes((0x33,)) * 16)
Work = Callable[[GpHost], None]


def snapshot(card: VirtualCard) -> dict[str, dict[str, bytes]]:
    """All memory but the counters, which an interrupted authentication may leave one step on."""
    state = card._nvm._state
    return {
        scope: {name: value for name, value in values.items() if not name.startswith("counters/")}
        for scope, values in state.items()
        if values
    }


def install(host: GpHost) -> None:
    host.install(MEMBER_FILE, MEMBER_MODULE, MEMBER_MODULE)


def store(host: GpHost) -> None:
    host.for_personalization(MEMBER_MODULE)
    host.store([(1, bytes(200)), (2, bytes(30))], 0)
    host.store([(3, bytes(100))], 1, last=True)


def rotate(host: GpHost) -> None:
    host.put_keys(0x30, 0x31, NEW)


def delete(host: GpHost) -> None:
    host.send(0x80, 0xE4, 0, 0, b"\x4f\x09" + MEMBER_MODULE, 256)


def secure(host: GpHost) -> None:
    host.send(0x80, 0xF0, 0x80, 0x07)
    host.send(0x80, 0xF0, 0x80, 0x0F)


def prepared(work: Work) -> tuple[VirtualCard, GpHost]:
    card = toy_card()
    host = GpHost(card)
    host.open(3)
    if work in (store, delete):
        install(host)
    return card, host


def states_of(work: Work) -> list[dict[str, dict[str, bytes]]]:
    """The memory before the work and after each of its commands."""
    card, host = prepared(work)
    states, exchange = [snapshot(card)], card.exchange

    def watching(apdu: bytes) -> bytes:
        answer = exchange(apdu)
        states.append(snapshot(card))
        return answer

    card.exchange = watching  # type: ignore[method-assign]
    work(host)
    return states


@pytest.mark.parametrize("work", [install, store, rotate, delete, secure])
@pytest.mark.parametrize("after", [False, True])
def test_a_tear_at_every_page_of_every_command(work: Work, after: bool) -> None:
    """The states seen without a tear, command by command, are the only ones seen after one."""
    lawful, page = states_of(work), 0
    while True:
        card, host = prepared(work)
        card.tear = TearAt(page, after=after)
        try:
            work(host)
        except PowerLost:
            card.tear = None
            card.power_on()
            assert snapshot(card) in lawful
            back = GpHost(card, keys=NEW) if card.key_versions == [0x31] else GpHost(card)
            assert back.open() == 0x9000
            page += 1
            continue
        break
    assert page > 0
    assert snapshot(card) == lawful[-1]


class Chip(RuleBasedStateMachine):
    """Content management in any order, tears in between: the registry never disagrees with what was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.card = toy_card()
        self.host = GpHost(self.card)
        self.host.open(3)
        self.instances: dict[bytes, int] = {}
        self.keys = self.host.keys
        self.version = 0x30

    aids = st.sampled_from([MEMBER_MODULE, MEMBER_MODULE + b"\x01"])

    @rule(aid=aids)
    def install(self, aid: bytes) -> None:
        sw = self.host.install(MEMBER_FILE, MEMBER_MODULE, aid).sw
        assert sw == (0x6A89 if aid in self.instances else 0x9000)
        self.instances.setdefault(aid, 0x07)

    @rule(aid=aids)
    def delete(self, aid: bytes) -> None:
        sw = self.host.send(0x80, 0xE4, 0, 0, bytes((0x4F, len(aid))) + aid, 256).sw
        assert sw == (0x9000 if aid in self.instances else 0x6A88)
        self.instances.pop(aid, None)

    @rule(aid=aids, page=st.integers(0, 3), after=st.booleans())
    def torn_install(self, aid: bytes, page: int, after: bool) -> None:
        self.card.tear = TearAt(page, after=after)
        try:
            self.host.install(MEMBER_FILE, MEMBER_MODULE, aid)
        except PowerLost:
            if after:
                self.instances.setdefault(aid, 0x07)
            self.card.power_on()
            assert self.host.open(3) == 0x9000
        else:
            self.instances.setdefault(aid, 0x07)
        finally:
            self.card.tear = None

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), last=st.booleans(), value=st.binary(max_size=100))
    def personalize(self, data: st.DataObject, last: bool, value: bytes) -> None:
        aid = data.draw(st.sampled_from(sorted(self.instances)))
        if self.instances[aid] == 0x0F:
            assert self.host.for_personalization(aid).sw == 0x6985
            return
        assert self.host.for_personalization(aid).sw == 0x9000
        assert self.host.store([(1, value)], 0, last=last).sw == 0x9000
        assert self.card._nvm.scope(f"app/{aid.hex()}")["0001"] == value
        if last:
            self.instances[aid] = 0x0F
        self.host.open(3)

    @rule()
    def rotate(self) -> None:
        keys, version = (NEW, 0x31) if self.version == 0x30 else (self.keys, 0x30)
        assert self.host.put_keys(self.version, version, keys).sw == 0x9000
        self.version = version
        self.host = GpHost(self.card, keys=keys)
        assert self.host.open(3) == 0x9000

    @rule()
    def power_cycle(self) -> None:
        self.card.power_off()
        self.card.power_on()
        assert self.host.open(3, self.version) == 0x9000

    @invariant()
    def the_registry_is_what_was_answered(self) -> None:
        assert {i.aid: i.state for i in self.card.registry.instances} == self.instances
        assert self.card.key_versions == [self.version]
        assert self.card.state is CardLifeCycle.OP_READY


Chip.TestCase.settings = settings(max_examples=repeats(15, 300), stateful_step_count=25, deadline=None)
TestChip = Chip.TestCase


@settings(max_examples=repeats(100, 3000), deadline=None)
@given(st.binary(max_size=40), st.booleans())
def test_no_bytes_break_the_card(apdu: bytes, in_session: bool) -> None:
    """Any bytes get a status word."""
    card = FUZZED
    if in_session:
        GpHost(card).open(0)
    answer = card.exchange(apdu)
    assert len(answer) >= 2
    assert answer[-2] & 0xF0 in (0x60, 0x90)


@settings(max_examples=repeats(100, 3000), deadline=None)
@given(
    st.sampled_from([0xE6, 0xE8, 0xE4, 0xD8, 0xE2, 0xF2, 0xCA, 0x50, 0x82]),
    st.sampled_from([0, 1, 2, 4, 8, 0x0C, 0x10, 0x20, 0x40, 0x80, 0x88]),
    st.integers(0, 255),
    st.binary(max_size=60),
)
def test_no_data_break_the_security_domain(ins: int, p1: int, p2: int, data: bytes) -> None:
    card = toy_card()
    host = GpHost(card)
    host.open(0)
    card.exchange(bytes((0x80, ins, p1, p2, len(data))) + data + (b"\x00" if data else b""))
    again = VirtualCard(RamImage(card._nvm._image.read()), rom=TOY_ROM)
    again.power_on()
    assert snapshot(again) == snapshot(card)
    assert isinstance(again._nvm, Nvm)


FUZZED = toy_card()
