"""Sessions on two channels at once, altered data, locked applications, power failures: a card always responds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from simulators.applets.pse import PSE
from simulators.applets.rom import DIRECTORY, MEMBER
from simulators.card.config import CardConfig, ProductionData
from simulators.card.memory import PowerLost, TearAt
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command
from terminal.tlv import tlv
from tests.support.cards import member_specimen
from tests.support.cards.gp_host import TEST_KEY, GpHost, HostError
from tests.support.thorough import repeats

PSE_GROUPS = [
    (0x0101, bytes.fromhex("701E 611C 4F09 F04D454D4245520101 500C 554E494F4E204D454D424552 870101")),
    (0x9102, bytes.fromhex("A50F 880101 5F2D027A68 BF0C04 DF010158")),
]
INSTANCES = {MEMBER.module: (MEMBER.package, MEMBER.module), PSE: (DIRECTORY.package, DIRECTORY.module)}
READING = [
    bytes.fromhex(text)
    for text in (
        "80A80000088306015611223344",
        "00880000041122334400",
        "00B2010C00",
        "002000800826246810FFFFFFFF",
        "80CA9F1700",
        "80500000080102030405060700",
        "8482330010" + "00" * 16,
    )
]
aids = st.sampled_from(sorted(INSTANCES))
versions = st.sampled_from([0x00, 0x30, 0x31])


@cache
def specimen() -> member_specimen.Specimen:
    return member_specimen.specimen(1024)


@st.composite
def bent(draw: st.DrawFn, data: bytes) -> bytes:
    """The data with a byte changed, left out or put in; or as they are."""
    at, byte = draw(st.integers(0, len(data) - 1)), draw(st.binary(max_size=2))
    return draw(st.sampled_from([data, data[:at] + byte + data[at + 1 :]]))


class Card(RuleBasedStateMachine):
    """Two hosts, one to a channel. What they ask for may be refused: but an answer comes, unless the power fails."""

    @initialize(scp=st.sampled_from([2, 3]))
    def make(self, scp: int) -> None:
        self.card = VirtualCard.create(None, CardConfig(ProductionData(1), scp=scp), random=Random(scp).randbytes)
        self.card.power_on()
        self.hosts = [GpHost(self.card, channel=number) for number in range(2)]

    def attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except HostError:
            pass  # the other keys, or another session than this host believes in
        except PowerLost:
            self.card.tear = None
            self.card.power_on()

    def host(self, channel: int) -> GpHost:
        return self.hosts[channel]

    channels = st.integers(0, 1)

    @rule(close=st.booleans())
    def manage_channel(self, close: bool) -> None:
        self.attempt(lambda: self.card.exchange(bytes((0x00, 0x70, 0x80 * close, 1))))

    @rule(channel=channels, version=versions, size=st.sampled_from([8, 8, 7]))
    def begin(self, channel: int, version: int, size: int) -> None:
        self.attempt(lambda: self.host(channel).initialize_update(version, bytes(size)))

    @rule(channel=channels, level=st.sampled_from([0x01, 0x03, 0x33]))
    def authenticate(self, channel: int, level: int) -> None:
        host = self.host(channel)
        if hasattr(host, "host_cryptogram"):
            self.attempt(lambda: host.authenticate(level))

    @rule(channel=channels, aid=aids, privileges=st.sampled_from([b"\x00", b"\x04"]))
    def install(self, channel: int, aid: bytes, privileges: bytes) -> None:
        self.session(channel, lambda host: host.install(*INSTANCES[aid], aid, privileges=privileges))

    @rule(channel=channels, aid=aids, data=st.data())
    def personalize(self, channel: int, aid: bytes, data: st.DataObject) -> None:
        """A whole run; one grouping of it may be bent."""
        secret = specimen().secret if aid == MEMBER.module else frozenset()
        groups = [*specimen().groups.items()] if aid == MEMBER.module else PSE_GROUPS
        chosen = data.draw(st.integers(0, len(groups) - 1))
        value = data.draw(bent(groups[chosen][1]))

        def run(host: GpHost) -> None:
            host.for_personalization(aid)
            for number, (group, content) in enumerate(groups):
                content = value if number == chosen else content
                if group in secret:
                    content += bytes(-len(content) % (8 if host.scp == 2 else 16))
                host.store([(group, content)], number, last=number == len(groups) - 1, secret=group in secret)

        self.session(channel, run)

    @rule(channel=channels, old=versions, new=versions, size=st.sampled_from([16, 24]))
    def put_keys(self, channel: int, old: int, new: int, size: int) -> None:
        """The same keys under another version; the last may be longer, so that the set opens no channel."""
        last = (TEST_KEY * 2)[: 16 if self.card.config.scp == 2 else size]
        self.session(channel, lambda host: host.put_keys(old, new, (TEST_KEY, TEST_KEY, last)))

    @rule(channel=channels, tag=st.sampled_from([0x4F, 0xD2]), name=st.sampled_from([*INSTANCES, b"\x30", b"\x31"]))
    def delete(self, channel: int, tag: int, name: bytes) -> None:
        self.session(channel, lambda host: host.send(0x80, 0xE4, 0, 0, tlv(tag, name).encode(), 256))

    @rule(channel=channels, aid=aids, state=st.sampled_from([0x00, 0x80]))
    def lock(self, channel: int, aid: bytes, state: int) -> None:
        self.session(channel, lambda host: host.send(0x80, 0xF0, 0x40, state, aid))

    @rule(channel=channels, aid=st.sampled_from([*INSTANCES, b""]), p2=st.sampled_from([0x00, 0x02, 0x0C]))
    def select(self, channel: int, aid: bytes, p2: int) -> None:
        self.attempt(lambda: self.host(channel).transmit(Command(0x00, 0xA4, 0x04, p2, aid, 256)))

    @rule(channel=channels, data=st.data())
    def read(self, channel: int, data: st.DataObject) -> None:
        command = data.draw(bent(data.draw(st.sampled_from(READING))))
        self.attempt(lambda: self.card.exchange(bytes((command[0] & 0xFC | channel,)) + command[1:]))

    @rule(page=st.integers(0, 12), after=st.booleans())
    def tear(self, page: int, after: bool) -> None:
        self.card.tear = TearAt(page, after=after)

    @rule()
    def power_cycle(self) -> None:
        self.card.power_off()
        self.card.power_on()

    def session(self, channel: int, work: Callable[[GpHost], object]) -> None:
        """Work in a session of its own, on a channel that is open and has the security domain selected."""
        host = self.host(channel)

        def whole() -> None:
            if channel:
                self.card.exchange(bytes((0x00, 0x70, 0x00, channel)))
            host.transmit(Command(0x00, 0xA4, 0x04, 0x00, b"", 256))
            if host.open().ok:
                work(host)

        self.attempt(whole)

    def teardown(self) -> None:
        """Whatever was done to it, the card starts, and its keys open a session (or block, when tries ran out)."""
        self.card.tear = None
        self.card.power_off()
        self.card.power_on()
        host = self.hosts[0]
        assert host.transmit(Command(0x00, 0xA4, 0x04, 0x00, b"", 256)).sw == 0x9000
        assert host.open() in (0x9000, 0x6983)


Card.TestCase.settings = settings(max_examples=repeats(40, 1000), stateful_step_count=40)
TestCard = Card.TestCase
